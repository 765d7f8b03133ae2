/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which vCPU runs, at which VMPL, and which never again. That is the hypervisor's own business:
 * nothing but a missing save area says no.
 */
#include <stdio.h>

#include "ghcb/answer_internal.h"

static void vcpu_denied(struct answer *answer, const char *what, uint32_t number, const char *why)
{
    struct event event;

    if (trap_event_begin(answer->trap, &event, "denied", what)) {
        event_dec(&event, "vcpu", number);
        event_string(&event, "why", why);
        snprintf(event.words, sizeof(event.words), "host's %s of vCPU %u denied: %s", what, number,
                 why);
        trap_event_emit(answer->trap, &event);
    }
}

/* The host gives its vCPUs up, or chooses between them. */
static void vcpu_report(struct answer *answer, const char *name, const char *key, uint32_t number,
                        const char *words)
{
    struct event event;

    if (trap_event_begin(answer->trap, &event, name, NULL)) {
        event_dec(&event, key, number);
        snprintf(event.words, sizeof(event.words), words, number);
        trap_event_emit(answer->trap, &event);
    }
}

int answer_vcpu(struct answer *answer, const struct reply_action *action)
{
    struct vcpus *vcpus = &answer->hypervisor->vcpus;
    struct vcpu_slot *slot = vcpus_find(vcpus, action->vcpu.apic_id);

    if (!slot || action->vcpu.vmpl >= VMPL_COUNT) {
        answer_denied(answer, "vcpu", action->gpa, "there is no such vCPU or VMPL");
    } else if (action->kind == REPLY_VCPU_START) {
        vcpus_start(vcpus, slot, action->vcpu.vmpl, action->gpa, action->vcpu.now);
    } else {
        vcpus_stop(vcpus, slot, action->vcpu.vmpl);
    }
    return 0;
}

int answer_run_vmpl(struct answer *answer, const struct reply_action *action)
{
    struct vcpu_slot *slot = vcpus_current(&answer->hypervisor->vcpus);

    if (action->vcpu.vmpl >= VMPL_COUNT || !slot->level[action->vcpu.vmpl].known) {
        answer_denied(answer, "run_vmpl", 0, "the VMPL has no VMSA");
    } else {
        slot->vmpl = action->vcpu.vmpl;
        if (action->vcpu.now) {
            vcpu_report(answer, "run_vmpl", "vmpl", slot->vmpl, "the host chooses VMPL%u");
        }
    }
    return 0;
}

/* Halted, held, or jumping to itself: the host resumes it all the same. */
int answer_run_vcpu(struct answer *answer, const struct reply_action *action)
{
    struct vcpus *vcpus = &answer->hypervisor->vcpus;
    uint32_t number = action->vcpu.number;
    const char *why = number >= vcpus->count                         ? "there is no such vCPU"
                      : vcpus->slot[number].activity == VCPU_ABSENT  ? "it has no VMSA"
                      : vcpus->slot[number].activity == VCPU_STOPPED ? "the host stopped it"
                                                                     : NULL;

    if (why) {
        vcpu_denied(answer, "run_vcpu", number, why);
        return 0;
    }
    vcpus_choose(vcpus, &vcpus->slot[number]);
    vcpu_report(answer, "run_vcpu", "vcpu", number, "the host chooses vCPU %u");
    return 0;
}

int answer_stop_vcpu(struct answer *answer, const struct reply_action *action)
{
    struct vcpus *vcpus = &answer->hypervisor->vcpus;
    uint32_t number = action->vcpu.number;

    if (number >= vcpus->count) {
        vcpu_denied(answer, "stop_vcpu", number, "there is no such vCPU");
        return 0;
    }
    vcpus_set_activity(vcpus, &vcpus->slot[number], VCPU_STOPPED);
    vcpu_report(answer, "stop_vcpu", "vcpu", number, "the host will never run vCPU %u again");
    return 0;
}
