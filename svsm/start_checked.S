/* SPDX-License-Identifier: MIT */
/*
 * The repaired twin of start.S: the same code, but a page that cannot be shared is a request to
 * terminate, as all else that goes wrong here, each with a code of its own.
 */
#include "abi/msr.h"
#include "abi/svsm.h"
#include "abi/svsm_hardened.h"

#define STUB(code)                                                                                 \
    (GHCB_MSR_TERMINATE + (TERM_SET_SVSM << GHCB_MSR_TERM_SET_SHIFT) +                             \
     ((code) << GHCB_MSR_TERM_CODE_SHIFT))
#define STUB_BAD_CBIT STUB(SVSM_FAIL_START_CBIT)
#define STUB_BAD_ADDRESS STUB(SVSM_FAIL_START_ADDRESS)
#define STUB_RESCIND_FAILED STUB(SVSM_FAIL_START_RESCIND)
#define STUB_SHARE_FAILED STUB(SVSM_FAIL_START_SHARE)
#define STUB_MAIN_RETURNED STUB(SVSM_FAIL_START_RETURNED)
#define SHARE_FAILED .Lshare_failed

#define START_CHECKED
#include "start.S"
