/* SPDX-License-Identifier: MIT */
/* Every check that ends the guest says which one it is; what the hypervisor is told differs. */
#ifndef SVSM_FAILURE_H
#define SVSM_FAILURE_H

#include "abi/svsm_hardened.h"
#include "svsm.h"

#pragma GCC visibility push(hidden)

/* SVSM_FAIL_*. failure.c gives the published reason, failure_checked.c that very code. */
_Noreturn void vc_fail(u32 failure);

#pragma GCC visibility pop

#endif
