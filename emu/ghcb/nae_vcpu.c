/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events about vCPUs and their VMPLs: what waits, what is made, what runs next.
 */
#include <stdio.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/nae.h"

#define WAITS_FOR_SIPI "it waits for a start-up interrupt, and no vCPU sends one"

void nae_answer_ap_reset_hold(struct hypervisor *hypervisor, const struct exit *exit,
                              struct reply *reply)
{
    (void)hypervisor;
    (void)exit;
    reply_hold(reply, WAITS_FOR_SIPI);
}

void nae_answer_ap_jump_table(struct hypervisor *hypervisor, const struct exit *exit,
                              struct reply *reply)
{
    switch (exit_field(exit, FIELD_INFO1)) {
    case AP_JUMP_TABLE_SET:
        hypervisor->state.ap_jump_table = exit_field(exit, FIELD_INFO2);
        break;
    case AP_JUMP_TABLE_GET:
        reply_set(reply, FIELD_INFO2, hypervisor->state.ap_jump_table);
        break;
    default:
        reply_malformed(reply, GHCB_ERR_INVALID_INPUT);
        break;
    }
}

void nae_say_ap_jump_table(const struct exit *exit, char *text, size_t size)
{
    if (exit_field(exit, FIELD_INFO1) == AP_JUMP_TABLE_SET) {
        snprintf(text, size, "the AP jump table is at gpa 0x%llx",
                 (unsigned long long)exit_field(exit, FIELD_INFO2));
    } else {
        snprintf(text, size, "where is the AP jump table?");
    }
}

/* ---- AP creation ---- */

struct creation {
    uint32_t request, apic_id;
    unsigned vmpl;
};

static struct creation creation_of(const struct exit *exit)
{
    uint64_t info1 = exit_field(exit, FIELD_INFO1);
    uint32_t low = (uint32_t)info1;

    return (struct creation){
        .request = low & ~(uint32_t)(AP_CREATE_VMPL_MASK << AP_CREATE_VMPL_SHIFT),
        .vmpl = (low >> AP_CREATE_VMPL_SHIFT) & AP_CREATE_VMPL_MASK,
        .apic_id = (uint32_t)(info1 >> AP_CREATE_APIC_ID_SHIFT),
    };
}

/* VMSAs of VMPL0 have the launch's SEV_FEATURES, those of another VMPL the first one's. */
static bool creation_features_ok(struct hypervisor *hypervisor, unsigned vmpl, uint64_t features)
{
    uint64_t *first = &hypervisor->state.vmsa_features[vmpl];

    if (vmpl == 0) {
        return features == hypervisor->config->sev_features;
    }
    if (*first == 0) {
        *first = features;
    }
    return features == *first;
}

/*
 * The checks in KVM's order. Sources: Linux arch/x86/kvm/svm/sev.c sev_snp_ap_creation; VMPLs: LKML
 * 20260608144252.351443-58-joro@8bytes.org. The page itself is never looked at.
 */
static bool creation_ok(struct hypervisor *hypervisor, const struct exit *exit,
                        const struct creation *creation)
{
    uint64_t gpa = exit_field(exit, FIELD_INFO2);
    bool self = creation->apic_id == exit->apic_id;

    if (creation->vmpl >= VMPL_COUNT || !vcpus_find(&hypervisor->vcpus, creation->apic_id) ||
        (creation->vmpl == 0 && (self || exit->vmpl != 0)) || creation->request > AP_DESTROY) {
        return false;
    }
    if (creation->request == AP_DESTROY) {
        return true;
    }
    return creation_features_ok(hypervisor, creation->vmpl, exit_field(exit, FIELD_RAX)) &&
           !(gpa & PAGE_MASK) && hypervisor_address_ok(hypervisor, gpa) &&
           gpa % LARGE_PAGE_SIZE != 0;
}

void nae_answer_ap_creation(struct hypervisor *hypervisor, const struct exit *exit,
                            struct reply *reply)
{
    struct creation creation = creation_of(exit);
    struct reply_vcpu vcpu = {
        .apic_id = creation.apic_id,
        .vmpl = (uint8_t)creation.vmpl,
        .now = creation.request == AP_CREATE,
    };

    if (creation.request != AP_DESTROY && !exit_marked(exit, FIELD_RAX)) {
        reply_malformed(reply, GHCB_ERR_MISSING_INPUT);
        return;
    }
    if (!creation_ok(hypervisor, exit, &creation)) {
        reply_malformed(reply, GHCB_ERR_INVALID_INPUT);
        return;
    }
    if (creation.request == AP_DESTROY) {
        reply_vcpu_stop(reply, &vcpu);
    } else {
        reply_vcpu_start(reply, &vcpu, exit_field(exit, FIELD_INFO2));
    }
}

void nae_say_ap_creation(const struct exit *exit, char *text, size_t size)
{
    static const char *const requests[] = {
        [AP_CREATE_ON_INIT] = "create on INIT",
        [AP_CREATE] = "create",
        [AP_DESTROY] = "destroy",
    };
    struct creation creation = creation_of(exit);

    snprintf(text, size, "%s VMPL%u of the vCPU with APIC ID %u: VMSA at gpa 0x%llx",
             creation.request <= AP_DESTROY ? requests[creation.request] : "unknown request for",
             creation.vmpl, creation.apic_id, (unsigned long long)exit_field(exit, FIELD_INFO2));
}

/* ---- run VMPL ---- */

bool nae_run_vmpl(const struct hypervisor *hypervisor, const struct exit *exit, uint64_t vmpl,
                  struct reply *reply)
{
    const struct vcpu_slot *slot = vcpus_current(&hypervisor->vcpus);

    if (vmpl >= VMPL_COUNT || (vmpl != exit->vmpl && !slot->level[vmpl].known)) {
        return false;
    }
    if (vmpl != exit->vmpl) {
        reply_run_vmpl(reply, (unsigned)vmpl, false);
    }
    return true;
}

/* A refusal has reason 0, not one of GHCB_ERR_*. Source: SVSM host KVM, sev_run_vmpl_vmsa. */
void nae_answer_run_vmpl(struct hypervisor *hypervisor, const struct exit *exit,
                         struct reply *reply)
{
    if (!nae_run_vmpl(hypervisor, exit, (uint32_t)exit_field(exit, FIELD_INFO1), reply)) {
        reply_malformed(reply, 0);
    }
}

void nae_say_run_vmpl(const struct exit *exit, char *text, size_t size)
{
    snprintf(text, size, "run VMPL%u", (uint32_t)exit_field(exit, FIELD_INFO1));
}
