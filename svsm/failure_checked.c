/* SPDX-License-Identifier: MIT */
/* The repaired twin of failure.c: each check has a code of its own, so a trace says which it was.
 */
#include "failure.h"
#include "vc.h"

_Noreturn void vc_fail(u32 failure)
{
    vc_terminate(TERM_SET_SVSM, failure);
}
