/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events that stand for an instruction which the guest's #VC handler emulates.
 */
#include <stdio.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/nae.h"

/* Hypercalls as KVM numbers and refuses them: uapi/linux/kvm_para.h. */
#define KVM_HC_VAPIC_POLL_IRQ 1
#define KVM_EPERM ((uint64_t)-1)
#define KVM_ENOSYS ((uint64_t)-1000)

void nae_answer_nothing(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    (void)hypervisor;
    (void)exit;
    (void)reply;
}

void nae_answer_cpuid(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    struct cpuid_leaf leaf = {0};

    if (exit_field(exit, FIELD_RAX) == 0xD && !exit_marked(exit, FIELD_XCR0)) {
        reply_malformed(reply, GHCB_ERR_MISSING_INPUT);
        return;
    }
    hypervisor_cpuid(hypervisor, exit, (uint32_t)exit_field(exit, FIELD_RAX),
                     (uint32_t)exit_field(exit, FIELD_RCX), &leaf);
    reply_set(reply, FIELD_RAX, leaf.eax);
    reply_set(reply, FIELD_RBX, leaf.ebx);
    reply_set(reply, FIELD_RCX, leaf.ecx);
    reply_set(reply, FIELD_RDX, leaf.edx);
}

void nae_say_cpuid(const struct exit *exit, char *text, size_t size)
{
    snprintf(text, size, "CPUID leaf 0x%x, subleaf 0x%x", (uint32_t)exit_field(exit, FIELD_RAX),
             (uint32_t)exit_field(exit, FIELD_RCX));
}

void nae_answer_rdtsc(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    (void)hypervisor;
    reply_set(reply, FIELD_RAX, (uint32_t)exit->time);
    reply_set(reply, FIELD_RDX, exit->time >> 32);
    reply->has_time = true;
}

/* The guest's own TSC_AUX is in its VMSA; the host knows what it was told through the MSR event. */
void nae_answer_rdtscp(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    nae_answer_rdtsc(hypervisor, exit, reply);
    reply_set(reply, FIELD_RCX, hypervisor->state.tsc_aux);
}

/* No performance counters are virtualised. */
void nae_answer_rdpmc(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    (void)hypervisor;
    (void)exit;
    reply_exception(reply, VECTOR_GP, false, 0);
}

void nae_say_rdpmc(const struct exit *exit, char *text, size_t size)
{
    snprintf(text, size, "performance counter 0x%x", (uint32_t)exit_field(exit, FIELD_RCX));
}

/* KVM without its paravirtual features, which the CPUID leaves do not offer. */
void nae_answer_vmmcall(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    uint64_t number = exit_field(exit, FIELD_RAX);

    (void)hypervisor;
    if (exit_field(exit, FIELD_CPL) != 0) {
        reply_set(reply, FIELD_RAX, KVM_EPERM);
    } else {
        reply_set(reply, FIELD_RAX, number == KVM_HC_VAPIC_POLL_IRQ ? 0 : KVM_ENOSYS);
    }
}

void nae_say_vmmcall(const struct exit *exit, char *text, size_t size)
{
    snprintf(text, size, "hypercall 0x%llx", (unsigned long long)exit_field(exit, FIELD_RAX));
}
