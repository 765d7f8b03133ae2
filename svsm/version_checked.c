/* SPDX-License-Identifier: MIT */
/*
 * The repaired twin of version.c: a hypervisor that puts the C-bit elsewhere than this image was
 * built for, or sets bits that have no meaning, is not one to go on with.
 */
#include "abi/msr.h"
#include "vc.h"

#define CBIT_FIELD_MASK 0xffULL
#define RESERVED_MASK 0xfff000ULL /* 23:12 */

void vc_check_version_rest(u64 response)
{
    if ((response & RESERVED_MASK) != 0) {
        vc_fail(SVSM_FAIL_VERSION_RESERVED);
    }
    if ((response >> GHCB_MSR_SEV_INFO_CBIT_SHIFT & CBIT_FIELD_MASK) != CBIT_POSITION) {
        vc_fail(SVSM_FAIL_VERSION_CBIT);
    }
}
