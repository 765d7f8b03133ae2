/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * RDMSR and WRMSR of MSRs that the hypervisor intercepts: one row each. An MSR without a row is
 * `unmodelled`; a refusal is #GP without an error code, as KVM's svm_complete_emulated_msr asks
 * for.
 */
#include <stdio.h>

#include "abi/apic.h"
#include "abi/msr.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/nae.h"

#define MSR_HYPERV_FIRST 0x40000000u
#define MSR_HYPERV_LAST 0x400000FFu

struct nae_msr_access {
    struct hypervisor *hypervisor;
    const struct exit *exit;
    uint32_t index;
    uint64_t value;
};

typedef enum apic_result nae_msr_handler(struct nae_msr_access *access);

struct nae_msr_row {
    uint32_t first, last;
    const char *name, *source;
    nae_msr_handler *read, *write;
};

static enum apic_result read_tsc(struct nae_msr_access *access)
{
    access->value = access->exit->time;
    return APIC_OK;
}

static enum apic_result write_tsc(struct nae_msr_access *access)
{
    (void)access;
    return APIC_UNMODELLED; /* time is retired instructions and cannot be set */
}

static enum apic_result read_base(struct nae_msr_access *access)
{
    access->value = vcpus_current(&access->hypervisor->vcpus)->apic.base;
    return APIC_OK;
}

static enum apic_result write_base(struct nae_msr_access *access)
{
    if (!hypervisor_address_ok(access->hypervisor, access->value)) {
        return APIC_GP;
    }
    return apic_set_base(&vcpus_current(&access->hypervisor->vcpus)->apic, access->value);
}

static enum apic_result read_x2apic(struct nae_msr_access *access)
{
    return apic_read(&vcpus_current(&access->hypervisor->vcpus)->apic, access->exit->apic_id,
                     access->index, &access->value);
}

/* ICR and SELF_IPI. Source: Linux arch/x86/kvm/lapic.c kvm_x2apic_icr_write, kvm_lapic_reg_write.
 */
static enum apic_result write_command(struct nae_msr_access *access)
{
    bool self = access->index == X2APIC_SELF_IPI;
    uint64_t icr = self ? access->value | APIC_ICR_SELF : access->value;
    uint64_t reserved = self ? ~APIC_VECTOR_MASK : APIC_ICR_RESERVED;
    enum apic_result result;

    if (!apic_is_x2apic(&vcpus_current(&access->hypervisor->vcpus)->apic) ||
        (access->value & reserved)) {
        return APIC_GP;
    }
    result = nae_send_ipi(access->hypervisor, access->exit, icr);
    if (result == APIC_OK && !self) {
        vcpus_current(&access->hypervisor->vcpus)->apic.icr = icr & ~APIC_ICR_BUSY;
    }
    return result;
}

static enum apic_result write_x2apic(struct nae_msr_access *access)
{
    if (access->index == X2APIC_ICR || access->index == X2APIC_SELF_IPI) {
        return write_command(access);
    }
    return apic_write(&vcpus_current(&access->hypervisor->vcpus)->apic, access->index,
                      access->value);
}

static enum apic_result read_tsc_aux(struct nae_msr_access *access)
{
    access->value = access->hypervisor->state.tsc_aux;
    return APIC_OK;
}

/* The upper half is dropped, as AMD's processors do: x86.c __kvm_set_msr. */
static enum apic_result write_tsc_aux(struct nae_msr_access *access)
{
    access->hypervisor->state.tsc_aux = (uint32_t)access->value;
    return APIC_OK;
}

static enum apic_result refuse(struct nae_msr_access *access)
{
    (void)access;
    return APIC_GP;
}

static const struct nae_msr_row nae_msr_rows[] = {
    {MSR_TSC, MSR_TSC, "TSC", "Linux arch/x86/kvm/x86.c kvm_get_msr_common", read_tsc, write_tsc},
    {APIC_MSR_BASE, APIC_MSR_BASE, "APIC_BASE", "Linux arch/x86/kvm/lapic.c kvm_apic_set_base",
     read_base, write_base},
    {X2APIC_MSR_FIRST, X2APIC_MSR_LAST, "x2APIC", "Linux arch/x86/kvm/lapic.c kvm_x2apic_msr_write",
     read_x2apic, write_x2apic},
    {MSR_TSC_AUX, MSR_TSC_AUX, "TSC_AUX", "Linux arch/x86/kvm/svm/svm.c svm_set_msr", read_tsc_aux,
     write_tsc_aux},
    /* Not offered by the CPUID leaves. */
    {MSR_HYPERV_FIRST, MSR_HYPERV_LAST, "Hyper-V",
     "Linux arch/x86/kvm/hyperv.c kvm_hv_get_msr_common", refuse, refuse},
};

static const struct nae_msr_row *nae_msr_by_index(uint32_t index)
{
    for (size_t i = 0; i < sizeof(nae_msr_rows) / sizeof(nae_msr_rows[0]); i++) {
        if (index >= nae_msr_rows[i].first && index <= nae_msr_rows[i].last) {
            return &nae_msr_rows[i];
        }
    }
    return NULL;
}

/* KVM takes each SW_EXITINFO1 that is not zero for a write. */
static bool is_write(const struct exit *exit)
{
    return exit_field(exit, FIELD_INFO1) != NAE_MSR_READ;
}

static uint64_t written_value(const struct exit *exit)
{
    return exit_field(exit, FIELD_RDX) << 32 | (uint32_t)exit_field(exit, FIELD_RAX);
}

void nae_answer_msr(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    struct nae_msr_access access = {
        .hypervisor = hypervisor,
        .exit = exit,
        .index = (uint32_t)exit_field(exit, FIELD_RCX),
        .value = written_value(exit),
    };
    const struct nae_msr_row *row = nae_msr_by_index(access.index);
    bool write = is_write(exit);
    enum apic_result result = APIC_UNMODELLED;

    if (write && !exit_marked_all(exit, FIELD_BIT(FIELD_RAX) | FIELD_BIT(FIELD_RDX))) {
        reply_malformed(reply, GHCB_ERR_MISSING_INPUT);
        return;
    }
    if (row) {
        result = (write ? row->write : row->read)(&access);
    }
    if (result == APIC_UNMODELLED) {
        reply_unmodelled(reply, "%s of MSR 0x%x through the GHCB", write ? "write" : "read",
                         access.index);
    } else if (result == APIC_GP) {
        reply_exception(reply, VECTOR_GP, false, 0);
    } else if (!write) {
        reply_set(reply, FIELD_RAX, (uint32_t)access.value);
        reply_set(reply, FIELD_RDX, access.value >> 32);
        reply->has_time = access.index == MSR_TSC;
    }
}

void nae_say_msr(const struct exit *exit, char *text, size_t size)
{
    if (is_write(exit)) {
        snprintf(text, size, "write 0x%llx to MSR 0x%x", (unsigned long long)written_value(exit),
                 (uint32_t)exit_field(exit, FIELD_RCX));
    } else {
        snprintf(text, size, "read MSR 0x%x", (uint32_t)exit_field(exit, FIELD_RCX));
    }
}
