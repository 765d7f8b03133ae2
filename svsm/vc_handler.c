/* SPDX-License-Identifier: MIT */
/*
 * What becomes of a #VC.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs, vc_handler.
 */
#include "alloc.h"
#include "vc.h"

/* What the published handler first asks the heap for, to print into. */
#define VC_MESSAGE_SIZE 76

/*
 * No #VC is expected. The message is formatted on the heap before the request to terminate: a #VC
 * while the heap is not ready, or is locked, panics instead.
 */
_Noreturn void vc_handler(u64 rip, u64 error_code)
{
    (void)rip;
    (void)error_code;
    mem_allocate(VC_MESSAGE_SIZE);
    vc_terminate(TERM_SET_SVSM, TERM_SVSM_UNHANDLED_VC);
}
