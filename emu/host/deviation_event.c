/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events that the host makes the guest take when it goes on, or a number of instructions later; and
 * who it is that goes on.
 *
 * The operand of an event: a vector in its lowest byte; then bit 8: with the error code in the
 * upper half, or bits 8 to 10 for what else the #HV doorbell page shall say.
 */
#include <inttypes.h>

#include "host/deviation_internal.h"

#define VECTOR_NMI 2
#define VECTOR_MASK 0x1F
#define CHOICE_ERROR_CODE 0x100
#define CHOICE_NMI 0x100
#define CHOICE_MC 0x200
#define CHOICE_NO_EOI 0x400

/* `what` */
static const char *const type_names[] = {
    [REPLY_EVENT_EXCEPTION] = "exception",
    [REPLY_EVENT_INTERRUPT] = "interrupt",
    [REPLY_EVENT_NMI] = "nmi",
};

static void put_off(const struct deviation_context *context, const struct deviation *deviation,
                    size_t first)
{
    const struct reply_delay delay = {.instructions = deviation->delay, .owner = context->owner};

    if (deviation->delay) {
        reply_defer(context->reply, first, &delay);
    }
}

static bool resolve_inject(const struct deviation_context *context, struct deviation *deviation)
{
    uint64_t choice = context->record->operand;
    struct reply_event *event = &deviation->event;

    *event = (struct reply_event){
        .type = (enum reply_event_type)deviation->what,
        .vector = (uint8_t)choice,
    };
    if (event->type == REPLY_EVENT_EXCEPTION) {
        event->vector &= VECTOR_MASK;
        event->has_error_code = choice & CHOICE_ERROR_CODE;
        event->error_code = event->has_error_code ? (uint32_t)(choice >> 32) : 0;
    } else if (event->type == REPLY_EVENT_NMI) {
        event->vector = VECTOR_NMI;
    }
    return true;
}

static void apply_inject(const struct deviation_context *context, const struct deviation *deviation)
{
    size_t first = context->reply->action_count;

    reply_inject(context->reply, &deviation->event);
    put_off(context, deviation, first);
}

static void print_inject(const struct deviation *deviation, FILE *file)
{
    const struct reply_event *event = &deviation->event;
    char vector[32] = "", error[32] = "";

    if (event->type != REPLY_EVENT_NMI) {
        snprintf(vector, sizeof(vector), ", vector = %u", event->vector);
    }
    if (event->has_error_code) {
        snprintf(error, sizeof(error), ", error_code = 0x%" PRIx32, event->error_code);
    }
    deviation_say(deviation, file, "the host injects %s %u.", type_names[event->type],
                  event->vector);
    deviation_action(deviation, file, "inject", "type = \"%s\"%s%s", type_names[event->type],
                     vector, error);
}

static bool resolve_doorbell(const struct deviation_context *context, struct deviation *deviation)
{
    uint64_t choice = context->record->operand;

    deviation->doorbell = (struct reply_doorbell){
        .vector = (uint8_t)choice,
        .nmi = choice & CHOICE_NMI,
        .mc = choice & CHOICE_MC,
        .no_eoi = (choice & CHOICE_NO_EOI) && (uint8_t)choice != 0,
    };
    return deviation->doorbell.vector || deviation->doorbell.nmi || deviation->doorbell.mc;
}

static void apply_doorbell(const struct deviation_context *context,
                           const struct deviation *deviation)
{
    size_t first = context->reply->action_count;

    reply_doorbell(context->reply, &deviation->doorbell);
    put_off(context, deviation, first);
}

static void print_doorbell(const struct deviation *deviation, FILE *file)
{
    const struct reply_doorbell *put = &deviation->doorbell;
    char vector[32] = "";

    if (put->vector) {
        snprintf(vector, sizeof(vector), "vector = %u, ", put->vector);
    }
    deviation_say(deviation, file, "the #HV doorbell page says that something came.");
    deviation_action(deviation, file, "doorbell", "%snmi = %s, mc = %s, no_eoi = %s", vector,
                     put->nmi ? "true" : "false", put->mc ? "true" : "false",
                     put->no_eoi ? "true" : "false");
}

/* ---- who runs ---- */

enum vcpu_what {
    VCPU_RUN,
    VCPU_STOP,
    VCPU_VMPL,
    VCPU_WHAT_COUNT,
};

/* Where there is a choice: among vCPUs that have run, or VMPLs that have a save area. */
static bool resolve_vcpu(const struct deviation_context *context, struct deviation *deviation)
{
    const struct vcpus *vcpus = &context->hypervisor->vcpus;
    const struct vcpu_slot *slot = &vcpus->slot[vcpus->current];

    if (deviation->what == VCPU_VMPL) {
        deviation->count = context->record->index % VMPL_COUNT;
        return deviation->count != context->exit->vmpl && slot->level[deviation->count].known;
    }
    deviation->count = context->record->index % vcpus->started;
    return vcpus->started > 1;
}

static void apply_vcpu(const struct deviation_context *context, const struct deviation *deviation)
{
    struct reply *reply = context->reply;
    size_t first = reply->action_count;

    switch (deviation->what) {
    case VCPU_RUN:
        reply_run_vcpu(reply, deviation->count);
        break;
    case VCPU_STOP:
        reply_stop_vcpu(reply, deviation->count);
        break;
    default:
        reply_run_vmpl(reply, deviation->count, true);
        break;
    }
    put_off(context, deviation, first);
}

static void print_vcpu(const struct deviation *deviation, FILE *file)
{
    static const struct {
        const char *action, *unit, *words;
    } what[] = {
        [VCPU_RUN] = {"run_vcpu", "vcpu", "another vCPU has the next turn."},
        [VCPU_STOP] = {"stop_vcpu", "vcpu", "a vCPU is never run again."},
        [VCPU_VMPL] = {"run_vmpl", "vmpl", "the vCPU goes on at another VMPL."},
    };

    deviation_say(deviation, file, "%s", what[deviation->what].words);
    deviation_action(deviation, file, what[deviation->what].action, "%s = %" PRIu32,
                     what[deviation->what].unit, deviation->count);
}

const struct deviation_row deviation_inject = {
    .name = "inject",
    .parts = PART_WHAT | PART_DELAY | PART_CHOICE,
    .what_count = sizeof(type_names) / sizeof(type_names[0]),
    .weight = 2,
    .resolve = resolve_inject,
    .apply = apply_inject,
    .print = print_inject,
};
const struct deviation_row deviation_doorbell = {
    .name = "doorbell",
    .parts = PART_DELAY | PART_CHOICE,
    .what_count = 1,
    .weight = 1,
    .resolve = resolve_doorbell,
    .apply = apply_doorbell,
    .print = print_doorbell,
};
const struct deviation_row deviation_vcpu = {
    .name = "vcpu",
    .parts = PART_WHAT | PART_INDEX | PART_DELAY,
    .what_count = VCPU_WHAT_COUNT,
    .weight = 2,
    .resolve = resolve_vcpu,
    .apply = apply_vcpu,
    .print = print_vcpu,
};
