/* SPDX-License-Identifier: MIT */
/*
 * The repaired twin of vc_handler.c: nothing that could itself fail comes before the request to
 * terminate.
 */
#include "vc.h"

_Noreturn void vc_handler(u64 rip, u64 error_code)
{
    (void)rip;
    (void)error_code;
    vc_terminate(TERM_SET_SVSM, TERM_SVSM_UNHANDLED_VC);
}
