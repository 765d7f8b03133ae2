/* SPDX-License-Identifier: MIT */
/*
 * CPUID by the hypervisor, as published: all four registers are read. RAX and RCX were passed, so a
 * hypervisor that leaves the marks alone need not answer them.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs, vc_cpuid_vmgexit.
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
    regs->eax = (u32)ghcb_get(ghcb, GHCB_RAX);
    regs->ebx = (u32)ghcb_get(ghcb, GHCB_RBX);
    regs->ecx = (u32)ghcb_get(ghcb, GHCB_RCX);
    regs->edx = (u32)ghcb_get(ghcb, GHCB_RDX);
    ghcb_clear(ghcb);
}
