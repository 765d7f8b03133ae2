/* SPDX-License-Identifier: MIT */
/*
 * Asking the hypervisor to run something else.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs, vc_ap_create, vc_run_vmpl.
 */
#include "abi/nae.h"
#include "vc.h"
#include "vmsa.h"

/*
 * A new VMSA, on the CPU with that APIC ID: another one at VMPL0, or the calling one at a lower
 * VMPL. In that case the new VMPL runs at once, and this returns when it first asks for VMPL0.
 */
void vc_ap_create(const struct vmsa *vmsa, u64 vmsa_gpa, u32 apic_id)
{
    struct ghcb *ghcb = vc_get_ghcb();
    u64 request = AP_CREATE | (u64)vmsa->vmpl << AP_CREATE_VMPL_SHIFT |
                  (u64)apic_id << AP_CREATE_APIC_ID_SHIFT;

    ghcb_set(ghcb, GHCB_RAX, vmsa->sev_features);
    vc_perform_vmgexit(ghcb, NAE_AP_CREATION, request, vmsa_gpa);
    ghcb_clear(ghcb);
}

/* The VMSA known for that VMPL of this CPU; returns when it asks for VMPL0. */
void vc_run_vmpl(u64 vmpl)
{
    struct ghcb *ghcb = vc_get_ghcb();

    vc_perform_vmgexit(ghcb, NAE_RUN_VMPL, vmpl, 0);
    ghcb_clear(ghcb);
}
