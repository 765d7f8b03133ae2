/* SPDX-License-Identifier: MIT */
/* The repaired twin of panic_hang.S: a panic asks the hypervisor to end the guest. */
#include "vc.h"

_Noreturn void svsm_panic(void)
{
    vc_fail(SVSM_FAIL_PANIC);
}
