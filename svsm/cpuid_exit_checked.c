/* SPDX-License-Identifier: MIT */
/*
 * The repaired twin of cpuid_exit.c: the answer has to be whole, but read is only EDX, which is all
 * that this guest asks for, and which it did not pass itself.
 */
#include "abi/nae.h"
#include "vc.h"

void vc_cpuid_vmgexit(u32 leaf, u32 subleaf, struct cpuid_regs *regs)
{
    struct ghcb *ghcb = vc_get_ghcb();

    ghcb_set(ghcb, GHCB_RAX, leaf);
    ghcb_set(ghcb, GHCB_RCX, subleaf);
    vc_perform_vmgexit(ghcb, NAE_CPUID, 0, 0);

    if (!ghcb_is_valid(ghcb, GHCB_RAX) || !ghcb_is_valid(ghcb, GHCB_RBX) ||
        !ghcb_is_valid(ghcb, GHCB_RCX) || !ghcb_is_valid(ghcb, GHCB_RDX)) {
        vc_fail(SVSM_FAIL_CPUID_UNMARKED);
    }
    *regs = (struct cpuid_regs){.edx = (u32)ghcb_get(ghcb, GHCB_RDX)};
    ghcb_clear(ghcb);
}
