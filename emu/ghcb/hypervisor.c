/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/hypervisor.h"

#include <assert.h>
#include <string.h>

#include "abi/cpuid.h"
#include "abi/msr.h"
#include "abi/nae.h"
#include "abi/psp.h"
#include "abi/x86.h"
#include "ghcb/table.h"
#include "machine/machine.h"

#define CPUID_LEAF_SIZES 0x80000008u /* EAX 7:0: physical address bits */

/*
 * The leaves that a guest needs to find its way; those of features come from the processor's
 * profile. Source: AMD APM Vol 3 (24594) appendix E; C-bit position, VMPL count: 0x8000001F.
 */
static const struct cpuid_leaf cpuid_default[] = {
    {.eax_in = 0x0, .eax = 0xD, .ebx = 0x68747541, .ecx = 0x444D4163, .edx = 0x69746E65},
    {.eax_in = 0x1, .ebx = 0x00000800},
    {.eax_in = 0x7},
    {.eax_in = 0xB, .ecx_in = 0, .eax = 0, .ebx = 1, .ecx = 0x100},
    {.eax_in = 0xB, .ecx_in = 1, .eax = 12, .ebx = 1, .ecx = 0x201},
    {.eax_in = 0xD, .ecx_in = 0, .xcr0_in = 1, .eax = 0x3, .ebx = 0x240, .ecx = 0x240},
    {.eax_in = 0xD, .ecx_in = 1, .xcr0_in = 1},
    {.eax_in = 0x80000000, .ebx = 0x68747541, .ecx = 0x444D4163, .edx = 0x69746E65},
    {.eax_in = 0x80000001},
    {.eax_in = 0x80000008, .eax = 0x00003030},
    {.eax_in = 0x8000001E},
    /* SEV, SEV-ES, SNP, VMPL; C-bit 51, four VMPLs. */
    {.eax_in = 0x8000001F, .eax = 0x0000003A, .ebx = 0x00004033},
    {.eax_in = 0x80000021},
};
#define CPUID_DEFAULT_COUNT (sizeof(cpuid_default) / sizeof(cpuid_default[0]))

/* Where the words of a profile are. */
static const struct {
    uint32_t leaf, subleaf;
    size_t offset;
    enum feature_word word;
} word_places[] = {
    {0x1, 0, offsetof(struct cpuid_leaf, ecx), WORD_1_ECX},
    {0x1, 0, offsetof(struct cpuid_leaf, edx), WORD_1_EDX},
    {0x7, 0, offsetof(struct cpuid_leaf, ebx), WORD_7_EBX},
    {0x7, 0, offsetof(struct cpuid_leaf, ecx), WORD_7_ECX},
    {0x7, 0, offsetof(struct cpuid_leaf, edx), WORD_7_EDX},
    {0xD, 1, offsetof(struct cpuid_leaf, eax), WORD_D_1_EAX},
    {0x80000001, 0, offsetof(struct cpuid_leaf, ecx), WORD_80000001_ECX},
    {0x80000001, 0, offsetof(struct cpuid_leaf, edx), WORD_80000001_EDX},
    {0x80000008, 0, offsetof(struct cpuid_leaf, ebx), WORD_80000008_EBX},
    {0x80000021, 0, offsetof(struct cpuid_leaf, eax), WORD_80000021_EAX},
};

static void leaf_set_words(struct cpuid_leaf *leaf, const struct cpu_profile *profile)
{
    if (leaf->eax_in == 1 || leaf->eax_in == 0x80000001) {
        leaf->eax = profile->signature;
    } else if (leaf->eax_in == 0x80000000) {
        leaf->eax = profile->max_extended_leaf;
    }
    for (size_t i = 0; i < sizeof(word_places) / sizeof(word_places[0]); i++) {
        if (word_places[i].leaf == leaf->eax_in && word_places[i].subleaf == leaf->ecx_in) {
            uint32_t word = cpu_profile_word(profile, word_places[i].word, true);

            memcpy((uint8_t *)leaf + word_places[i].offset, &word, sizeof(word));
        }
    }
}

void hypervisor_config_cpu(struct hypervisor_config *config, const struct cpu_profile *profile)
{
    config->profile = profile;
    memset(config->cpuid, 0, sizeof(config->cpuid));
    memcpy(config->cpuid, cpuid_default, sizeof(cpuid_default));
    config->cpuid_count = CPUID_DEFAULT_COUNT;
    for (size_t i = 0; i < config->cpuid_count; i++) {
        leaf_set_words(&config->cpuid[i], profile);
    }
}

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
    config->policy = POLICY_SMT | POLICY_RESERVED_ONE;
    config->sev_features = (SEV_STATUS_SNP | SEV_STATUS_RESTRICTED_INJECTION) >> 2;
    config->guest_vmsa_sev_features = SEV_STATUS_SNP >> 2;
    config->guest_vmsa_vmpl = 1;
    for (uint32_t i = 0; i < cpus; i++) {
        config->apic_id[i] = i;
    }
    config->apic_id_count = cpus;
    hypervisor_config_cpu(config, &cpu_profiles[0]);
}

uint64_t hypervisor_reset_msr(const struct hypervisor_config *config)
{
    return (uint64_t)config->version_max << GHCB_MSR_SEV_INFO_MAX_SHIFT |
           (uint64_t)config->version_min << GHCB_MSR_SEV_INFO_MIN_SHIFT |
           (uint64_t)config->cbit << GHCB_MSR_SEV_INFO_CBIT_SHIFT | GHCB_MSR_SEV_INFO_RESP;
}

bool hypervisor_same_vcpus(const struct hypervisor *hypervisor, struct vcpus *vcpus)
{
    const struct hypervisor_config *config = hypervisor->config;
    size_t count = config->apic_id_count < config->cpus ? config->apic_id_count : config->cpus;

    return vcpus_init(vcpus, config->bsp_apic_id, config->apic_id, count, MACHINE_LAUNCH_VMSA,
                      hypervisor_reset_msr(config));
}

bool hypervisor_open(struct hypervisor *hypervisor)
{
    const struct hypervisor_config *config = hypervisor->config;
    struct hypervisor_state *state = &hypervisor->state;

    memset(state, 0, sizeof(*state));
    memcpy(state->mmio.bytes, config->mmio.initial, sizeof(state->mmio.bytes));
    return hypervisor_same_vcpus(hypervisor, &hypervisor->vcpus);
}

void hypervisor_close(struct hypervisor *hypervisor)
{
    vcpus_release(&hypervisor->vcpus);
}

/* Member by member: a struct may hold padding. */
size_t hypervisor_state_bytes(const struct hypervisor_state *state,
                              uint8_t bytes[HYPERVISOR_STATE_SIZE])
{
    const struct uart *uart = &state->uart;
    const uint64_t words[] = {
        uart->ier,
        uart->lcr,
        uart->mcr,
        uart->scr,
        uart->dll,
        uart->dlm,
        uart->fcr,
        uart->rbr,
        uart->has_rbr,
        state->fw_cfg.key,
        state->fw_cfg.offset,
        state->fw_cfg.dma_address,
        state->tsc_aux,
        state->ap_jump_table,
    };
    size_t used = 0;

    _Static_assert(sizeof(words) + sizeof(state->vmsa_features) + MMIO_BYTES_MAX +
                           EXIT_REQUEST_SIZE <=
                       HYPERVISOR_STATE_SIZE,
                   "state");
    memcpy(bytes, words, sizeof(words));
    used += sizeof(words);
    memcpy(bytes + used, state->vmsa_features, sizeof(state->vmsa_features));
    used += sizeof(state->vmsa_features);
    memcpy(bytes + used, state->mmio.bytes, sizeof(state->mmio.bytes));
    used += sizeof(state->mmio.bytes);
    memcpy(bytes + used, state->response, sizeof(state->response));
    return used + sizeof(state->response);
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

bool hypervisor_read(const struct hypervisor *hypervisor, uint64_t gpa, void *bytes, uint64_t size)
{
    uint8_t *to = bytes;

    if (hypervisor_writable(hypervisor, gpa, size) < size) {
        return false;
    }
    for (uint64_t done = 0; done < size;) {
        uint64_t at = gpa + done;
        uint64_t chunk = PAGE_SIZE - (at & PAGE_MASK);

        chunk = chunk < size - done ? chunk : size - done;
        memcpy(to + done,
               memory_bytes(hypervisor->memory, memory_page(hypervisor->memory, at)) +
                   (at & PAGE_MASK),
               chunk);
        done += chunk;
    }
    return true;
}

/* What the host can write it can read, and the other way round. */
uint64_t hypervisor_writable(const struct hypervisor *hypervisor, uint64_t gpa, uint64_t size)
{
    uint64_t done = 0;

    while (done < size && gpa + done >= gpa &&
           hypervisor_shares(hypervisor, (gpa + done) & ~PAGE_MASK)) {
        done += PAGE_SIZE - ((gpa + done) & PAGE_MASK);
    }
    return done < size ? done : size;
}

/* SEV_STATUS shows SEV_FEATURES from its bit 2 on. */
bool hypervisor_restricted_injection(const struct hypervisor *hypervisor)
{
    return hypervisor->config->sev_features & (SEV_STATUS_RESTRICTED_INJECTION >> 2);
}

/* KVM: sev_vcpu_after_set_cpuid takes the C-bit out of what is reserved. */
bool hypervisor_address_ok(const struct hypervisor *hypervisor, uint64_t gpa)
{
    const struct hypervisor_config *config = hypervisor->config;
    unsigned width = 52;

    for (size_t i = 0; i < config->cpuid_count; i++) {
        if (config->cpuid[i].eax_in == CPUID_LEAF_SIZES) {
            width = config->cpuid[i].eax & 0xFF;
        }
    }
    gpa &= ~(1ULL << config->cbit);
    return width >= 64 || gpa >> width == 0;
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

static void answer_row(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    if (exit->row->flags & EXIT_UNVERIFIED) {
        reply->unverified = exit->name;
    }
    if (exit->row->answer) {
        exit->row->answer(hypervisor, exit, reply);
    }
}

/* Usage, then the marks that all exits need, then the event's own: sev_es_validate_vmgexit. */
static void answer_page(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    const uint32_t common = FIELD_BIT(FIELD_CODE) | FIELD_BIT(FIELD_INFO1) | FIELD_BIT(FIELD_INFO2);
    static const enum ghcb_field answered[] = {FIELD_RAX, FIELD_RBX, FIELD_RCX, FIELD_RDX};

    /* Default: info 0/0 and the registers as they came in. KVM sev_es_sync_to_ghcb. */
    reply_set(reply, FIELD_INFO1, GHCB_INFO1_OK);
    reply_set(reply, FIELD_INFO2, 0);
    for (size_t i = 0; i < sizeof(answered) / sizeof(answered[0]); i++) {
        reply_set(reply, answered[i], exit_field(exit, answered[i]));
    }
    if (exit->version == 0 || exit->version > hypervisor->config->version_max) {
        reply_unmodelled(reply, "GHCB page of version %u; versions up to %u are offered",
                         exit->version, hypervisor->config->version_max);
    } else if (exit->row != &exit_row_malformed &&
               !exit_marked_all(exit, common | exit->row->required)) {
        reply_malformed(reply, GHCB_ERR_MISSING_INPUT);
    } else {
        answer_row(hypervisor, exit, reply);
    }
}

void hypervisor_answer(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    if (exit->row->flags & EXIT_UNMODELLED) {
        reply_unmodelled(reply, "exit %s (0x%llx)", exit->name,
                         (unsigned long long)(exit->protocol == EXIT_MSR
                                                  ? exit->msr & GHCB_MSR_INFO_MASK
                                                  : exit->field[FIELD_CODE]));
        return;
    }
    if (exit->protocol == EXIT_PAGE) {
        answer_page(hypervisor, exit, reply);
    } else {
        answer_row(hypervisor, exit, reply);
    }
    if (hypervisor->strict && reply->unverified) {
        reply_unmodelled(reply, "strict: unverified: %s", reply->unverified);
    } else if (reply->overflow) {
        reply_unmodelled(reply, "exit %s asks for more than one answer carries", exit->name);
    }
}
