/* SPDX-License-Identifier: MIT */
/*
 * Is this the place an SVSM expects? VMPL0, with the SEV features it needs and no others, and at
 * aligned addresses.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/lib.rs, src/cpu/vmsa.rs.
 */
#include "checks.h"

#include "abi/msr.h"
#include "cpu.h"
#include "features.h"
#include "vc.h"

#define SEV_STATUS_FEATURES_SHIFT 2

/* Only VMPL0 may change what VMPL1 is allowed to do. */
static void check_vmpl_level(void)
{
    const u64 vmpl1_no_access = 1;

    if (rmpadjust(svsm_begin, RMP_SIZE_4K, vmpl1_no_access) != RMP_SUCCESS) {
        vc_fail(SVSM_FAIL_NOT_VMPL0);
    }
}

static void check_vmpl0_features(void)
{
    u64 features = rdmsr(MSR_SEV_STATUS) >> SEV_STATUS_FEATURES_SHIFT;

    if ((features & VMPL0_FEATURES_REQUIRED) != VMPL0_FEATURES_REQUIRED) {
        vc_fail(SVSM_FAIL_VMPL0_FEATURES);
    }
    if ((features & VMPL0_FEATURES_REFUSED) != 0) {
        vc_fail(SVSM_FAIL_VMPL0_FEATURES);
    }
}

static void check_svsm_address(void)
{
    u64 size = svsm_end - svsm_begin;

    if (svsm_begin % LARGE_PAGE_SIZE != 0 || size % LARGE_PAGE_SIZE != 0) {
        vc_fail(SVSM_FAIL_OWN_ADDRESS);
    }
    if (svsm_end < dyn_mem_begin) {
        vc_fail(SVSM_FAIL_OWN_ADDRESS);
    }
}

void initial_checks(void)
{
    check_vmpl_level();
    check_vmpl0_features();
    check_svsm_address();
}
