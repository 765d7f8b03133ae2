/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deviations in what the hypervisor answers: fields and marks of the GHCB, errors, the MSR, and
 * answers that are none.
 */
#include <inttypes.h>

#include "abi/ghcb.h"
#include "abi/msr.h"
#include "host/deviation_internal.h"

static bool is_page(const struct deviation_context *context)
{
    return context->exit->protocol == EXIT_PAGE;
}

static const char *name_of(const struct deviation *deviation)
{
    return ghcb_field_rows[deviation->field].name;
}

/* ---- one field ---- */

static bool resolve_field(const struct deviation_context *context, struct deviation *deviation)
{
    const struct reply *reply = context->reply;
    enum ghcb_field field = (enum ghcb_field)deviation->what;
    bool written = reply->written & FIELD_BIT(field);

    deviation->field = field;
    deviation->was = written ? reply->field[field] : context->exit->field[field];
    deviation->was_known = written;
    deviation->value = deviation_value(context, deviation->was, ghcb_field_rows[field].size_bytes);
    return is_page(context) &&
           !(written && (reply->marked & FIELD_BIT(field)) && deviation->value == deviation->was);
}

static void apply_field(const struct deviation_context *context, const struct deviation *deviation)
{
    reply_set(context->reply, deviation->field, deviation->value);
}

static void print_field(const struct deviation *deviation, FILE *file)
{
    char value[DEVIATION_NUMBER], was[DEVIATION_NUMBER];

    deviation_number(value, deviation->value);
    deviation_number(was, deviation->was);
    if (deviation->was_known) {
        deviation_line(file, "-- %s is %s instead of %s.", name_of(deviation), value, was);
    } else {
        deviation_line(file, "-- %s is %s, where an honest answer has none.", name_of(deviation),
                       value);
    }
    deviation_line(file, "reply.%s = %s", name_of(deviation), value);
}

static bool resolve_own(const struct deviation_context *context, struct deviation *deviation)
{
    deviation->field = (enum ghcb_field)deviation->what;
    return is_page(context);
}

static void apply_own(const struct deviation_context *context, const struct deviation *deviation)
{
    reply_leave(context->reply, deviation->field);
    context->reply->marked |= FIELD_BIT(deviation->field);
}

static void print_own(const struct deviation *deviation, FILE *file)
{
    deviation_line(file, "-- %s is marked, but has what stood there before.", name_of(deviation));
    deviation_line(file, "reply:leave(\"%s\")", name_of(deviation));
    deviation_line(file, "reply:mark(\"%s\")", name_of(deviation));
}

/* The what-th field that the answer marks. */
static bool resolve_marked(const struct deviation_context *context, struct deviation *deviation)
{
    uint32_t marked = context->reply->marked;
    unsigned left;

    if (!is_page(context) || marked == 0) {
        return false;
    }
    left = deviation->what % (unsigned)__builtin_popcount(marked);
    while (left-- > 0) {
        marked &= marked - 1;
    }
    deviation->field = (enum ghcb_field)__builtin_ctz(marked);
    return true;
}

static void apply_unmark(const struct deviation_context *context, const struct deviation *deviation)
{
    reply_unmark(context->reply, deviation->field);
}

static void print_unmark(const struct deviation *deviation, FILE *file)
{
    deviation_line(file, "-- %s is written, but not marked.", name_of(deviation));
    deviation_line(file, "reply:unmark(\"%s\")", name_of(deviation));
}

static void apply_leave(const struct deviation_context *context, const struct deviation *deviation)
{
    reply_leave(context->reply, deviation->field);
}

static void print_leave(const struct deviation *deviation, FILE *file)
{
    deviation_line(file, "-- %s is neither written nor marked.", name_of(deviation));
    deviation_line(file, "reply:leave(\"%s\")", name_of(deviation));
}

/* ---- the answer as a whole ---- */

static bool resolve_marks(const struct deviation_context *context, struct deviation *deviation)
{
    (void)deviation;
    return is_page(context) && !context->reply->keep_marks;
}

static void apply_marks(const struct deviation_context *context, const struct deviation *deviation)
{
    (void)deviation;
    context->reply->keep_marks = true;
}

static void print_marks(const struct deviation *deviation, FILE *file)
{
    (void)deviation;
    deviation_comment(file, "the guest's own marks stay.");
    deviation_line(file, "reply:keep_marks()");
}

static bool resolve_error(const struct deviation_context *context, struct deviation *deviation)
{
    deviation->was = 0;
    deviation->value = deviation_value(context, 0, 8);
    return is_page(context);
}

static void apply_error(const struct deviation_context *context, const struct deviation *deviation)
{
    reply_malformed(context->reply, deviation->value);
}

static void print_error(const struct deviation *deviation, FILE *file)
{
    char value[DEVIATION_NUMBER];

    deviation_number(value, deviation->value);
    deviation_comment(file, "the guest's input was malformed, for reason %s.", value);
    deviation_line(file, "reply.info1 = %d", GHCB_INFO1_MALFORMED);
    deviation_line(file, "reply.info2 = %s", value);
}

/* The operand: a vector in its lowest byte, bit 8: with the error code in its upper half. */
#define CHOICE_ERROR_CODE 0x100

static bool resolve_exception(const struct deviation_context *context, struct deviation *deviation)
{
    uint64_t choice = context->record->operand;

    deviation->event = (struct reply_event){
        .vector = (uint8_t)choice,
        .has_error_code = choice & CHOICE_ERROR_CODE,
        .error_code = choice & CHOICE_ERROR_CODE ? (uint32_t)(choice >> 32) : 0,
    };
    return is_page(context);
}

static void apply_exception(const struct deviation_context *context,
                            const struct deviation *deviation)
{
    const struct reply_event *event = &deviation->event;

    reply_exception(context->reply, event->vector, event->has_error_code, event->error_code);
}

static void print_exception(const struct deviation *deviation, FILE *file)
{
    const struct reply_event *event = &deviation->event;

    deviation_comment(file, "the guest is to raise exception %u in itself.", event->vector);
    if (event->has_error_code) {
        deviation_line(file, "reply:exception{ vector = %u, error_code = 0x%" PRIx32 " }",
                       event->vector, event->error_code);
    } else {
        deviation_line(file, "reply:exception{ vector = %u }", event->vector);
    }
}

static bool resolve_always(const struct deviation_context *context, struct deviation *deviation)
{
    deviation->on_page = is_page(context);
    return true;
}

static void apply_nothing(const struct deviation_context *context,
                          const struct deviation *deviation)
{
    (void)deviation;
    context->reply->keep_marks = is_page(context);
}

static void print_nothing(const struct deviation *deviation, FILE *file)
{
    deviation_comment(file, "nothing is done and nothing is answered.");
    if (deviation->on_page) {
        deviation_line(file, "reply:keep_marks()");
    }
}

static void apply_repeat(const struct deviation_context *context, const struct deviation *deviation)
{
    const struct vcpu_level *level = vcpus_current_level(&context->hypervisor->vcpus);

    (void)deviation;
    reply_repeat(context->reply, is_page(context), &level->answer);
}

static void print_repeat(const struct deviation *deviation, FILE *file)
{
    (void)deviation;
    deviation_comment(file, "nothing is done, and the answer is the one before.");
    deviation_line(file, "reply:repeat_answer()");
}

static void print_late(const struct deviation *deviation, FILE *file)
{
    (void)deviation;
    deviation_comment(file, "all is done, but the answer is the one before.");
    deviation_line(file, "reply:repeat_answer()");
}

/* ---- the MSR ---- */

enum msr_what {
    MSR_WHOLE,
    MSR_DATA, /* with the response code of an honest answer */
    MSR_CODE, /* another response code, with honest data */
    MSR_WHAT_COUNT,
};

/* With a GHCB page the guest does not look there, and its next exit would not find the page. */
static bool resolve_msr(const struct deviation_context *context, struct deviation *deviation)
{
    const struct reply *reply = context->reply;
    uint64_t honest = reply->msr_written ? reply->msr : context->exit->msr;
    uint64_t code = honest & GHCB_MSR_INFO_MASK;

    deviation->was = honest;
    switch (deviation->what) {
    case MSR_DATA:
        deviation->value = deviation_value(context, honest >> 12, 8) << 12 | code;
        break;
    case MSR_CODE:
        deviation->value =
            (deviation_value(context, code, 2) & GHCB_MSR_INFO_MASK) | (honest ^ code);
        break;
    default:
        deviation->value = deviation_value(context, honest, 8);
        break;
    }
    return !is_page(context) && deviation->value != honest;
}

static void apply_msr(const struct deviation_context *context, const struct deviation *deviation)
{
    reply_set_msr(context->reply, deviation->value);
}

static void print_msr(const struct deviation *deviation, FILE *file)
{
    char value[DEVIATION_NUMBER], was[DEVIATION_NUMBER];

    deviation_number(value, deviation->value);
    deviation_number(was, deviation->was);
    deviation_comment(file, "the GHCB MSR is %s instead of %s.", value, was);
    deviation_line(file, "reply.msr = %s", value);
}

const struct deviation_row deviation_field = {
    .name = "field",
    .parts = PART_WHAT | PART_VALUE | PART_EVERY,
    .what_count = FIELD_COUNT,
    .weight = 12,
    .resolve = resolve_field,
    .apply = apply_field,
    .print = print_field,
};
const struct deviation_row deviation_own = {
    .name = "own",
    .parts = PART_WHAT | PART_EVERY,
    .what_count = FIELD_COUNT,
    .weight = 3,
    .resolve = resolve_own,
    .apply = apply_own,
    .print = print_own,
};
const struct deviation_row deviation_unmark = {
    .name = "unmark",
    .parts = PART_WHAT | PART_EVERY,
    .what_count = FIELD_COUNT,
    .weight = 3,
    .resolve = resolve_marked,
    .apply = apply_unmark,
    .print = print_unmark,
};
const struct deviation_row deviation_leave = {
    .name = "leave",
    .parts = PART_WHAT | PART_EVERY,
    .what_count = FIELD_COUNT,
    .weight = 3,
    .resolve = resolve_marked,
    .apply = apply_leave,
    .print = print_leave,
};
const struct deviation_row deviation_marks = {
    .name = "marks",
    .parts = PART_EVERY,
    .what_count = 1,
    .weight = 2,
    .resolve = resolve_marks,
    .apply = apply_marks,
    .print = print_marks,
};
const struct deviation_row deviation_error = {
    .name = "error",
    .parts = PART_VALUE | PART_EVERY,
    .what_count = 1,
    .weight = 2,
    .resolve = resolve_error,
    .apply = apply_error,
    .print = print_error,
};
const struct deviation_row deviation_exception = {
    .name = "exception",
    .parts = PART_CHOICE | PART_EVERY,
    .what_count = 1,
    .weight = 2,
    .resolve = resolve_exception,
    .apply = apply_exception,
    .print = print_exception,
};
const struct deviation_row deviation_nothing = {
    .name = "nothing",
    .parts = PART_EVERY,
    .what_count = 1,
    .weight = 4,
    .alone = true,
    .resolve = resolve_always,
    .apply = apply_nothing,
    .print = print_nothing,
};
const struct deviation_row deviation_repeat = {
    .name = "repeat",
    .parts = PART_EVERY,
    .what_count = 1,
    .weight = 4,
    .alone = true,
    .resolve = resolve_always,
    .apply = apply_repeat,
    .print = print_repeat,
};
const struct deviation_row deviation_late = {
    .name = "late",
    .parts = PART_EVERY,
    .what_count = 1,
    .weight = 3,
    .resolve = resolve_always,
    .apply = apply_repeat,
    .print = print_late,
};
const struct deviation_row deviation_msr = {
    .name = "msr",
    .parts = PART_WHAT | PART_VALUE | PART_EVERY,
    .what_count = MSR_WHAT_COUNT,
    .weight = 4,
    .resolve = resolve_msr,
    .apply = apply_msr,
    .print = print_msr,
};
