/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events that the guest takes when it is resumed: those that the host injects by itself, and the
 * #HV that goes with the doorbell page.
 */
#include <stdio.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/answer_internal.h"
#include "trap/fault.h"

#define EXCEPTION_LAST 31
#define VMRUN_FAILS "VMRUN ends as VMEXIT_INVALID: "

static const char *const type_names[] = {
    [REPLY_EVENT_EXCEPTION] = "exception",
    [REPLY_EVENT_INTERRUPT] = "interrupt",
    [REPLY_EVENT_NMI] = "nmi",
};

/*
 * Why VMRUN would not inject the event; NULL when it would. Sources: AMD APM Vol 2 (24593) 15.20,
 * 15.36.16; the host may try again without the event, which is what goes on here.
 */
static const char *event_refusal(const struct answer *answer, const struct reply_event *event)
{
    if (answer->injects) {
        return "one event at a time";
    }
    if (event->type == REPLY_EVENT_EXCEPTION &&
        (event->vector > EXCEPTION_LAST || event->vector == VECTOR_NMI)) {
        return VMRUN_FAILS "not the vector of an exception";
    }
    if (hypervisor_restricted_injection(answer->hypervisor) &&
        (event->type != REPLY_EVENT_EXCEPTION || event->vector != VECTOR_HV)) {
        return VMRUN_FAILS "restricted injection takes #HV alone";
    }
    return NULL;
}

static void event_report(struct answer *answer, const char *name, const struct reply_event *event,
                         const char *why)
{
    struct event line;

    if (!trap_event_begin(answer->trap, &line, name, why ? "inject" : type_names[event->type])) {
        return;
    }
    if (why) {
        event_string(&line, "type", type_names[event->type]);
    }
    event_dec(&line, "vector", event->vector);
    if (event->has_error_code) {
        event_hex(&line, "error", event->error_code);
    }
    if (why) {
        event_string(&line, "why", why);
    }
    snprintf(line.words, sizeof(line.words), "the host injects %s %u%s%s", type_names[event->type],
             event->vector, why ? ", denied: " : "", why ? why : "");
    trap_event_emit(answer->trap, &line);
}

int answer_inject(struct answer *answer, const struct reply_action *action)
{
    const struct reply_event *event = &action->event;
    const char *why = event_refusal(answer, event);

    if (why) {
        event_report(answer, "denied", event, why);
        return 0;
    }
    answer->injects = true;
    answer->event = *event;
    return 0;
}

int answer_doorbell(struct answer *answer, const struct reply_action *action)
{
    struct vcpu_level *level = vcpus_current_level(&answer->hypervisor->vcpus);

    if (!hypervisor_restricted_injection(answer->hypervisor)) {
        answer_denied(answer, "doorbell", level->doorbell_gpa, "no restricted injection");
        return 0;
    }
    answer->rings = true;
    doorbell_add(&level->doorbell, &action->doorbell);
    return 0;
}

static void doorbell_report(struct answer *answer, const struct doorbell_ring *ring)
{
    const struct reply_doorbell *put = &ring->put;
    struct event event;

    if (!trap_event_begin(answer->trap, &event, "doorbell", ring->signal ? "ring" : "quiet")) {
        return;
    }
    event_hex(&event, "gpa", vcpus_current_level(&answer->hypervisor->vcpus)->doorbell_gpa);
    if (put->vector) {
        event_dec(&event, "vector", put->vector);
    }
    if (put->nmi) {
        event_dec(&event, "nmi", 1);
    }
    if (put->mc) {
        event_dec(&event, "mc", 1);
    }
    if (put->no_eoi) {
        event_dec(&event, "no_eoi", 1);
    }
    snprintf(event.words, sizeof(event.words), "doorbell page: vector %u%s%s%s", put->vector,
             put->nmi ? ", NMI" : "", put->mc ? ", machine check" : "",
             ring->signal ? "; #HV" : "; no #HV, the guest is not done with the last");
    trap_event_emit(answer->trap, &event);
}

/* What waits stays until a later exit; said once. */
static void doorbell_report_waiting(struct answer *answer, const char *why)
{
    struct event event;

    if (answer->rings && trap_event_begin(answer->trap, &event, "doorbell", "waits")) {
        event_string(&event, "why", why);
        snprintf(event.words, sizeof(event.words), "an event waits for the doorbell page: %s", why);
        trap_event_emit(answer->trap, &event);
    }
}

/* Why nothing can be put into the page now; NULL when something may. */
static const char *doorbell_hindrance(const struct answer *answer)
{
    uint64_t gpa = vcpus_current_level(&answer->hypervisor->vcpus)->doorbell_gpa;

    return answer->injects                               ? "another event comes first"
           : gpa == DOORBELL_NONE                        ? "no page is set"
           : !hypervisor_shares(answer->hypervisor, gpa) ? "the page is the guest's"
                                                         : NULL;
}

/* The page has room for a vector: an interrupt of the APIC is in service from then on. */
static void event_take_interrupt(struct vcpu_slot *slot, struct vcpu_level *level)
{
    uint8_t vector = apic_deliverable(&slot->apic);

    if (vector) {
        apic_accept(&slot->apic, vector);
        doorbell_add(&level->doorbell, &(struct reply_doorbell){.vector = vector});
    }
}

static void event_ring_doorbell(struct answer *answer)
{
    struct memory *memory = &answer->trap->machine->memory;
    struct vcpu_slot *slot = vcpus_current(&answer->hypervisor->vcpus);
    struct vcpu_level *level = vcpus_current_level(&answer->hypervisor->vcpus);
    const char *hindrance = doorbell_hindrance(answer);
    struct doorbell_ring ring;
    uint8_t *page;

    if (!doorbell_waits(&level->doorbell) && !apic_deliverable(&slot->apic)) {
        return;
    }
    if (hindrance) {
        doorbell_report_waiting(answer, hindrance);
        return;
    }
    page = memory_bytes_for_write(memory, memory_page(memory, level->doorbell_gpa));
    if (page[DOORBELL_VECTOR] == 0) {
        event_take_interrupt(slot, level);
    }
    if (doorbell_ring(&level->doorbell, page, &ring)) {
        doorbell_report(answer, &ring);
        answer->injects = ring.signal;
        answer->event = (struct reply_event){.type = REPLY_EVENT_EXCEPTION, .vector = VECTOR_HV};
    }
    if (doorbell_waits(&level->doorbell)) {
        doorbell_report_waiting(answer, "the guest has not taken the last of its kind");
    }
}

/* INT3 and INTO have rules of their own when they are injected. */
static bool event_is_modelled(struct answer *answer, const struct reply_event *event)
{
    if (event->type == REPLY_EVENT_EXCEPTION &&
        (event->vector == VECTOR_BP || event->vector == VECTOR_OF)) {
        trap_end(answer->trap, OUTCOME_UNMODELLED, "injection of exception %u", event->vector);
        return false;
    }
    if (event->vector == VECTOR_HV && !event->has_error_code) {
        return true;
    }
    /* That hardware looks neither at IF nor at what the vector pushes by itself. */
    return !trap_is_guess(answer->trap, "injection of an event that is not #HV");
}

void answer_drop_event(struct answer *answer)
{
    if (answer->injects) {
        event_report(answer, "denied", &answer->event, "the vCPU is not resumed");
    }
}

void answer_resume(struct answer *answer)
{
    const struct reply_event *event = &answer->event;

    event_ring_doorbell(answer);
    if (!answer->injects || !event_is_modelled(answer, event)) {
        return;
    }
    event_report(answer, "inject", event, NULL);
    fault_raise(answer->trap, &(struct fault){
                                  .vector = event->vector,
                                  .has_error_code = event->has_error_code,
                                  .error_code = event->error_code,
                                  .injected = true,
                                  .interrupt = event->type != REPLY_EVENT_EXCEPTION,
                              });
}
