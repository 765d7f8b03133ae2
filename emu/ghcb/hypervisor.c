/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/hypervisor.h"

#include <assert.h>
#include <string.h>

#include "abi/cpuid.h"
#include "abi/msr.h"
#include "abi/x86.h"
#include "ghcb/table.h"
#include "machine/memory.h"
#include "machine/rmp.h"

/*
 * The modelled processor: an EPYC of family 19h, reduced to the leaves that a guest needs to find
 * its way. Source: AMD APM Vol 3 (24594) appendix E; C-bit position, VMPL count: 0x8000001F.
 */
static const struct cpuid_leaf cpuid_default[] = {
    {.eax_in = 0x0, .eax = 0xD, .ebx = 0x68747541, .ecx = 0x444D4163, .edx = 0x69746E65},
    {.eax_in = 0x1, .eax = 0x00A00F11, .ebx = 0x00000800, .ecx = 0x80202001, .edx = 0x078BFBFF},
    {.eax_in = 0x7},
    {.eax_in = 0xB, .ecx_in = 0, .eax = 0, .ebx = 1, .ecx = 0x100},
    {.eax_in = 0xB, .ecx_in = 1, .eax = 12, .ebx = 1, .ecx = 0x201},
    {.eax_in = 0xD, .ecx_in = 0, .xcr0_in = 1, .eax = 0x3, .ebx = 0x240, .ecx = 0x240},
    {.eax_in = 0xD, .ecx_in = 1, .xcr0_in = 1},
    {.eax_in = 0x80000000,
     .eax = 0x8000001F,
     .ebx = 0x68747541,
     .ecx = 0x444D4163,
     .edx = 0x69746E65},
    {.eax_in = 0x80000001, .eax = 0x00A00F11, .ecx = 0x00000001, .edx = 0x2C100800},
    {.eax_in = 0x80000008, .eax = 0x00003030},
    {.eax_in = 0x8000001E},
    /* SEV, SEV-ES, SNP, VMPL; C-bit 51, four VMPLs. */
    {.eax_in = 0x8000001F, .eax = 0x0000003A, .ebx = 0x00004033},
};

void hypervisor_config_init(struct hypervisor_config *config, uint32_t cpus)
{
    assert(cpus >= 1 && cpus <= HYPERVISOR_CPU_MAX);
    memset(config, 0, sizeof(*config));
    config->cpus = cpus;
    config->version_min = 1;
    config->version_max = 2;
    config->cbit = CBIT_POSITION;
    config->features = HV_FEATURE_SNP | HV_FEATURE_AP_CREATION | HV_FEATURE_RESTRICTED_INJECTION |
                       HV_FEATURE_APIC_ID_LIST | HV_FEATURE_MULTI_VMPL;
    config->sev_features = (SEV_STATUS_SNP | SEV_STATUS_RESTRICTED_INJECTION) >> 2;
    for (uint32_t i = 0; i < cpus; i++) {
        config->apic_id[i] = i;
    }
    config->apic_id_count = cpus;
    memcpy(config->cpuid, cpuid_default, sizeof(cpuid_default));
    config->cpuid_count = sizeof(cpuid_default) / sizeof(cpuid_default[0]);
}

bool hypervisor_has(const struct hypervisor *hypervisor, uint64_t gpa)
{
    return memory_page(hypervisor->memory, gpa) != MEMORY_NO_PAGE;
}

bool hypervisor_shares(const struct hypervisor *hypervisor, uint64_t gpa)
{
    uint32_t page = memory_page(hypervisor->memory, gpa);

    return page != MEMORY_NO_PAGE && !(hypervisor->rmp->entry[page].flags & RMP_ASSIGNED);
}

/* A leaf without an entry reads as zero, as KVM answers it. */
void hypervisor_cpuid(const struct hypervisor *hypervisor, const struct exit *exit, uint32_t leaf,
                      uint32_t subleaf, struct cpuid_leaf *out)
{
    const struct hypervisor_config *config = hypervisor->config;
    const struct cpuid_leaf *first = NULL;

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < config->cpuid_count; i++) {
        if (config->cpuid[i].eax_in == leaf && (!first || config->cpuid[i].ecx_in == subleaf)) {
            first = &config->cpuid[i];
        }
    }
    if (first) {
        *out = *first;
    }
    if (leaf == CPUID_LEAF_EXTENDED_TOPOLOGY) {
        out->edx = exit->apic_id; /* x2APIC ID of the asking vCPU */
    }
}

void hypervisor_answer(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    const uint32_t common = FIELD_BIT(FIELD_CODE) | FIELD_BIT(FIELD_INFO1) | FIELD_BIT(FIELD_INFO2);
    static const enum ghcb_field answered[] = {FIELD_RAX, FIELD_RBX, FIELD_RCX, FIELD_RDX};
    uint32_t required = common | exit->row->required;

    if (exit->row->flags & EXIT_UNMODELLED) {
        reply_unmodelled(reply, "exit %s (0x%llx)", exit->name,
                         (unsigned long long)(exit->protocol == EXIT_MSR
                                                  ? exit->msr & GHCB_MSR_INFO_MASK
                                                  : exit->field[FIELD_CODE]));
        return;
    }
    if (exit->protocol == EXIT_MSR) {
        if (exit->row->answer) {
            exit->row->answer(hypervisor, exit, reply);
        }
        return;
    }
    /* Default: info 0/0 and the registers as they came in. KVM sev_es_sync_to_ghcb. */
    reply_set(reply, FIELD_INFO1, GHCB_INFO1_OK);
    reply_set(reply, FIELD_INFO2, 0);
    for (size_t i = 0; i < sizeof(answered) / sizeof(answered[0]); i++) {
        reply_set(reply, answered[i], exit_field(exit, answered[i]));
    }
    if ((exit->marked & required) != required && exit->row != &exit_row_malformed) {
        reply_set(reply, FIELD_INFO1, GHCB_INFO1_MALFORMED);
        reply_set(reply, FIELD_INFO2, GHCB_ERR_MISSING_INPUT);
    } else if (exit->row->answer) {
        exit->row->answer(hypervisor, exit, reply);
    }
}
