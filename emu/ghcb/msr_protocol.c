/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The GHCB MSR protocol. Source of every layout here: abi/msr.h; of the honest answers: Linux
 * arch/x86/kvm/svm/sev.c, sev_handle_vmgexit_msr_protocol.
 */
#include <stdio.h>

#include "abi/msr.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/nae.h"
#include "ghcb/table.h"

#define KVM_MSR "Linux arch/x86/kvm/svm/sev.c sev_handle_vmgexit_msr_protocol"

static uint64_t request_data(const struct exit *exit)
{
    return exit->msr & ~GHCB_MSR_INFO_MASK;
}

static void answer_version(struct hypervisor *hypervisor, const struct exit *exit,
                           struct reply *reply)
{
    const struct hypervisor_config *config = hypervisor->config;

    (void)exit;
    reply_set_msr(reply, (uint64_t)config->version_max << GHCB_MSR_SEV_INFO_MAX_SHIFT |
                             (uint64_t)config->version_min << GHCB_MSR_SEV_INFO_MIN_SHIFT |
                             (uint64_t)config->cbit << GHCB_MSR_SEV_INFO_CBIT_SHIFT |
                             GHCB_MSR_SEV_INFO_RESP);
}

static void answer_features(struct hypervisor *hypervisor, const struct exit *exit,
                            struct reply *reply)
{
    (void)exit;
    reply_set_msr(reply, hypervisor->config->features << PAGE_SHIFT | GHCB_MSR_FEATURES_RESP);
}

static void answer_preferred(struct hypervisor *hypervisor, const struct exit *exit,
                             struct reply *reply)
{
    (void)hypervisor;
    (void)exit;
    reply_set_msr(reply, ~GHCB_MSR_INFO_MASK | GHCB_MSR_PREF_GPA_RESP); /* no preference */
}

static void answer_register(struct hypervisor *hypervisor, const struct exit *exit,
                            struct reply *reply)
{
    (void)hypervisor;
    reply_set_msr(reply, request_data(exit) | GHCB_MSR_REGISTER_RESP);
}

static uint64_t page_state_gpa(const struct exit *exit)
{
    return exit->msr & PSC_GPA_MASK;
}

static uint64_t page_state_op(const struct exit *exit)
{
    return (exit->msr >> GHCB_MSR_PSC_OP_SHIFT) & PSC_OP_MASK;
}

static void answer_page_state(struct hypervisor *hypervisor, const struct exit *exit,
                              struct reply *reply)
{
    uint64_t gpa = page_state_gpa(exit);
    uint64_t op = page_state_op(exit);

    if ((op != PSC_OP_PRIVATE && op != PSC_OP_SHARED) || !hypervisor_has(hypervisor, gpa)) {
        reply_set_msr(reply, GHCB_MSR_PSC_ERROR | GHCB_MSR_PSC_RESP);
        return;
    }
    if (op == PSC_OP_PRIVATE) {
        reply_assign(reply, gpa, PAGE_SIZE);
    } else {
        reply_unassign(reply, gpa, PAGE_SIZE);
    }
    reply_set_msr(reply, GHCB_MSR_PSC_RESP);
}

/* One register of a leaf's subleaf 0; the other forms have no way to name a subleaf. */
static void answer_cpuid(struct hypervisor *hypervisor, const struct exit *exit,
                         struct reply *reply)
{
    struct cpuid_leaf leaf = {0};
    uint32_t value[4];
    unsigned selector = (exit->msr >> 30) & 3;

    hypervisor_cpuid(hypervisor, exit, (uint32_t)(exit->msr >> 32), 0, &leaf);
    value[0] = leaf.eax;
    value[1] = leaf.ebx;
    value[2] = leaf.ecx;
    value[3] = leaf.edx;
    reply_set_msr(reply,
                  (uint64_t)value[selector] << 32 | (uint64_t)selector << 30 | GHCB_MSR_CPUID_RESP);
}

/* KVM presets the answer and then waits; without a start-up interrupt the guest never sees it. */
static void answer_ap_reset_hold(struct hypervisor *hypervisor, const struct exit *exit,
                                 struct reply *reply)
{
    reply_set_msr(reply, GHCB_MSR_AP_RESET_HOLD_RESP);
    nae_answer_ap_reset_hold(hypervisor, exit, reply);
}

static uint64_t run_vmpl_level(const struct exit *exit)
{
    return (exit->msr >> GHCB_MSR_RUN_VMPL_SHIFT) & 0xFF;
}

/* Preset to success: the guest sees it once its own VMPL runs again. */
static void answer_run_vmpl(struct hypervisor *hypervisor, const struct exit *exit,
                            struct reply *reply)
{
    bool runs = nae_run_vmpl(hypervisor, exit, run_vmpl_level(exit), reply);

    reply_set_msr(reply, (runs ? 0 : GHCB_MSR_RUN_VMPL_ERROR) | GHCB_MSR_RUN_VMPL_RESP);
}

/* The MSR stays as the guest left it, and the guest goes on. */
static void answer_unknown(struct hypervisor *hypervisor, const struct exit *exit,
                           struct reply *reply)
{
    (void)hypervisor;
    (void)exit;
    (void)reply;
}

static void say_version(const struct exit *exit, char *text, size_t size)
{
    (void)exit;
    snprintf(text, size, "which GHCB versions, and where is the C-bit?");
}

static void say_features(const struct exit *exit, char *text, size_t size)
{
    (void)exit;
    snprintf(text, size, "which hypervisor features?");
}

static void say_preferred(const struct exit *exit, char *text, size_t size)
{
    (void)exit;
    snprintf(text, size, "which GHCB address do you prefer?");
}

static void say_register(const struct exit *exit, char *text, size_t size)
{
    snprintf(text, size, "register the GHCB at gpa 0x%llx", (unsigned long long)request_data(exit));
}

static void say_page_state(const struct exit *exit, char *text, size_t size)
{
    uint64_t op = page_state_op(exit);

    snprintf(text, size, "make gpa 0x%llx %s", (unsigned long long)page_state_gpa(exit),
             op == PSC_OP_PRIVATE  ? "private"
             : op == PSC_OP_SHARED ? "shared"
                                   : "(an operation that does not exist)");
}

static void say_cpuid(const struct exit *exit, char *text, size_t size)
{
    static const char *const names[] = {"EAX", "EBX", "ECX", "EDX"};

    snprintf(text, size, "CPUID leaf 0x%x, %s", (uint32_t)(exit->msr >> 32),
             names[(exit->msr >> 30) & 3]);
}

static void say_run_vmpl(const struct exit *exit, char *text, size_t size)
{
    snprintf(text, size, "run VMPL%u", (unsigned)run_vmpl_level(exit));
}

const struct exit_row exit_msr_rows[] = {
    {.name = "msr_version",
     .code = GHCB_MSR_SEV_INFO_REQ,
     .source = KVM_MSR,
     .answer = answer_version,
     .say = say_version},
    {.name = "msr_cpuid",
     .code = GHCB_MSR_CPUID_REQ,
     .source = KVM_MSR,
     .answer = answer_cpuid,
     .say = say_cpuid},
    {.name = "msr_ap_reset_hold",
     .code = GHCB_MSR_AP_RESET_HOLD_REQ,
     .source = KVM_MSR,
     .answer = answer_ap_reset_hold,
     .say = exit_say_words,
     .words = "wait for a start-up interrupt"},
    {.name = "msr_preferred_ghcb",
     .code = GHCB_MSR_PREF_GPA_REQ,
     .source = KVM_MSR,
     .answer = answer_preferred,
     .say = say_preferred},
    {.name = "msr_register_ghcb",
     .code = GHCB_MSR_REGISTER_REQ,
     .source = KVM_MSR,
     .answer = answer_register,
     .say = say_register},
    {.name = "msr_page_state",
     .code = GHCB_MSR_PSC_REQ,
     .source = KVM_MSR,
     .answer = answer_page_state,
     .say = say_page_state},
    {.name = "msr_run_vmpl",
     .code = GHCB_MSR_RUN_VMPL_REQ,
     .source = "Linux arch/x86/include/asm/sev-common.h; AMDESE/linux, SVSM host, "
               "arch/x86/kvm/svm/sev.c sev_handle_vmgexit_msr_protocol",
     .answer = answer_run_vmpl,
     .say = say_run_vmpl},
    {.name = "msr_features",
     .code = GHCB_MSR_FEATURES_REQ,
     .source = KVM_MSR,
     .answer = answer_features,
     .say = say_features},
    {.name = "msr_terminate",
     .code = GHCB_MSR_TERMINATE,
     .flags = EXIT_TERMINATES,
     .source = KVM_MSR,
     .say = nae_say_terminate},
};
const size_t exit_msr_row_count = sizeof(exit_msr_rows) / sizeof(exit_msr_rows[0]);

const struct exit_row exit_row_unknown_msr = {
    .name = "msr_unknown",
    .source = KVM_MSR,
    .answer = answer_unknown,
    .say = exit_say_raw,
};
