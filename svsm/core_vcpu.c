/* SPDX-License-Identifier: MIT */
/*
 * Calls 2 and 3 of the core protocol: a page of the guest becomes a VMSA, and a page again.
 *
 * Results as published: AMDESE/linux-svsm a2d150f959ed, src/protocols/core.rs, with these
 * differences. An APIC ID that is not known is refused before anything is done; there the page
 * stays on the list of VMSAs. A page cannot be VMSA and calling area. A VMSA cannot delete itself;
 * there its page is unmapped under the code that goes on to use it. The boot CPU's first VMSA, a
 * page of the SVSM's own, stays out of the guest's reach when it is deleted.
 */
#include "abi/msr.h"
#include "cpu.h"
#include "guest_memory.h"
#include "percpu.h"
#include "protocol.h"
#include "vmsa_list.h"
#include "window.h"

#define GUEST_VMSA_FIELD (PERCPU_VMSA + GUEST_VMPL * sizeof(u64))
#define GUEST_CAA_FIELD (PERCPU_CAA + GUEST_VMPL * sizeof(u64))

static bool find_cpu(u32 apic_id, u64 *cpu)
{
    for (*cpu = 0; *cpu < CPU_COUNT; ++*cpu) {
        if (percpu_apic_id(*cpu) == apic_id) {
            return true;
        }
    }
    return false;
}

static bool is_calling_area(u64 gpa)
{
    for (u64 i = 0; i < CPU_COUNT; i++) {
        if (percpu_get_u64(i, GUEST_VMSA_FIELD) != 0 && percpu_get_u64(i, GUEST_CAA_FIELD) == gpa) {
            return true;
        }
    }
    return false;
}

/* The guest's registers are looked at when the guest can no longer change them. */
static bool vmsa_promote(const struct vmsa *vmsa)
{
    u64 va = (u64)vmsa;

    if (core_revoke(va, RMP_SIZE_4K) != RMP_SUCCESS) {
        return false;
    }
    if (vmsa->vmpl != GUEST_VMPL || (vmsa->efer & EFER_SVME) == 0) {
        return false;
    }
    return guest_rmpadjust(va, RMP_SIZE_4K, ATTRIBUTES_READ | GUEST_VMPL) == RMP_SUCCESS &&
           guest_rmpadjust(va, RMP_SIZE_4K, ATTRIBUTES_READ_VMSA | GUEST_VMPL) == RMP_SUCCESS;
}

/* RCX: the VMSA, RDX: its calling area, R8: the CPU's APIC ID. */
u64 core_create_vcpu(struct vmsa *vmsa)
{
    u64 vmsa_gpa = vmsa->rcx;
    u64 caa_gpa = vmsa->rdx;
    bool promoted;
    u64 cpu;
    u64 va;

    if (vmsa_gpa % PAGE_SIZE != 0 || caa_gpa % PAGE_SIZE != 0 || vmsa_gpa == caa_gpa ||
        !core_range_valid(vmsa_gpa, PAGE_SIZE) || !core_range_valid(caa_gpa, PAGE_SIZE) ||
        is_calling_area(vmsa_gpa) || !find_cpu((u32)vmsa->r8, &cpu)) {
        return CALL_INVALID_PARAMETER;
    }
    if (!vmsa_list_add(vmsa_gpa, cpu)) {
        return CALL_BUSY;
    }
    va = window_map(WINDOW_PAGE, vmsa_gpa);
    promoted = vmsa_promote((const struct vmsa *)va);
    if (promoted) {
        percpu_set_u64(cpu, GUEST_VMSA_FIELD, vmsa_gpa);
        percpu_set_u64(cpu, GUEST_CAA_FIELD, caa_gpa);
    } else {
        vmsa_list_remove(vmsa_gpa);
        guest_rmpadjust(va, RMP_SIZE_4K, ATTRIBUTES_ALL | GUEST_VMPL);
    }
    window_unmap(WINDOW_PAGE);
    core_flush();
    return promoted ? CALL_SUCCESS : CALL_INVALID_PARAMETER;
}

/* Not while it can be run. A page of the guest goes back to it. */
static u64 vmsa_demote(struct vmsa *vmsa, u64 gpa)
{
    u64 attributes = guest_range_valid(gpa, PAGE_SIZE) ? ATTRIBUTES_ALL : ATTRIBUTES_NONE;
    u32 status;

    if (!vmsa_forbid_run(vmsa)) {
        return CALL_IN_USE;
    }
    status = guest_rmpadjust((u64)vmsa, RMP_SIZE_4K, attributes | GUEST_VMPL);
    if (status != RMP_SUCCESS) {
        vmsa_allow_run(vmsa);
        return CALL_INSTRUCTION_STATUS + status;
    }
    return CALL_SUCCESS;
}

/* RCX: the VMSA. */
u64 core_delete_vcpu(struct vmsa *vmsa)
{
    u64 gpa = vmsa->rcx;
    u64 result;
    u64 cpu;

    if (gpa % PAGE_SIZE != 0 || !vmsa_list_find(gpa, &cpu)) {
        return CALL_INVALID_PARAMETER;
    }
    if (gpa == percpu_read_u64(GUEST_VMSA_FIELD)) {
        return CALL_IN_USE;
    }
    result = vmsa_demote((struct vmsa *)window_map(WINDOW_PAGE, gpa), gpa);
    window_unmap(WINDOW_PAGE);
    if (result == CALL_SUCCESS) {
        vmsa_list_remove(gpa);
        if (percpu_get_u64(cpu, GUEST_VMSA_FIELD) == gpa) {
            percpu_set_u64(cpu, GUEST_VMSA_FIELD, 0);
            percpu_set_u64(cpu, GUEST_CAA_FIELD, 0);
        }
    }
    return result;
}
