/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deviations in memory that the guest lends: other bytes at once or later, and bytes that change
 * when the guest reads or writes them.
 */
#include <inttypes.h>

#include "abi/nae.h"
#include "host/deviation_internal.h"

/* Where, and what there. */
static bool resolve_place(const struct deviation_context *context, struct deviation *deviation)
{
    struct deviation_place *place = &deviation->place;

    if (!deviation_place(context, deviation->what, context->record->index, place) ||
        !deviation_honest(context, place, &deviation->was)) {
        return false;
    }
    deviation->value = deviation_value(context, deviation->was, place->size_bytes);
    return true;
}

/* ---- bytes at once, or later ---- */

static bool resolve_write(const struct deviation_context *context, struct deviation *deviation)
{
    return resolve_place(context, deviation) && deviation->value != deviation->was &&
           (deviation->delay || !deviation_answered(context, &deviation->place));
}

static bool still_there(const struct deviation_context *context, struct deviation *deviation)
{
    return deviation_place_again(context, &deviation->place);
}

static void apply_write(const struct deviation_context *context, const struct deviation *deviation)
{
    size_t first = context->reply->action_count;
    const struct reply_delay delay = {.instructions = deviation->delay, .owner = context->owner};

    reply_write(context->reply, deviation->place.gpa, &deviation->value,
                deviation->place.size_bytes);
    if (deviation->delay) {
        reply_defer(context->reply, first, &delay);
    }
}

static void print_write(const struct deviation *deviation, FILE *file)
{
    const struct deviation_place *place = &deviation->place;
    char value[DEVIATION_NUMBER], was[DEVIATION_NUMBER], offset[DEVIATION_NUMBER];
    char words[DEVIATION_WORDS];

    deviation_number(value, deviation->value);
    deviation_number(was, deviation->was);
    deviation_number(offset, place->offset);
    deviation_place_words(place, words);
    deviation_say(deviation, file, "%s %s %s instead of %s.", words,
                  deviation->delay ? "becomes" : "is", value, was);
    deviation_action(deviation, file, "write", "region = \"%s\", offset = %s, u%u = %s",
                     deviation_place_region(place), offset, 8 * place->size_bytes, value);
}

/* ---- many APIC IDs at once ---- */

/* `what`: a step, and whether the count says how many there are. */
enum ids_step {
    IDS_SAME,
    IDS_ASCENDING,
    IDS_DESCENDING,
    IDS_STEP_COUNT,
};
#define IDS_WITH_COUNT IDS_STEP_COUNT
#define IDS_WHAT_COUNT (2 * IDS_STEP_COUNT)

static int ids_step(const struct deviation *deviation)
{
    static const int steps[] = {[IDS_SAME] = 0, [IDS_ASCENDING] = 1, [IDS_DESCENDING] = -1};

    return steps[deviation->what % IDS_STEP_COUNT];
}

static bool resolve_ids(const struct deviation_context *context, struct deviation *deviation)
{
    uint32_t room = deviation_list_room(context->exit);

    if (room == 0 || !deviation_place(context, 1, 0, &deviation->place) ||
        !deviation_honest(context, &deviation->place, &deviation->was)) {
        return false;
    }
    deviation->value = deviation_value(context, deviation->was, APIC_ID_LIST_ENTRY_SIZE);
    deviation->count = 1 + context->record->index % room;
    return true;
}

static void apply_ids(const struct deviation_context *context, const struct deviation *deviation)
{
    uint32_t id = (uint32_t)deviation->value;
    uint64_t gpa = deviation->place.gpa;

    for (uint32_t i = 0; i < deviation->count; i++) {
        for (unsigned byte = 0; byte < APIC_ID_LIST_ENTRY_SIZE; byte++) {
            context->room[i * APIC_ID_LIST_ENTRY_SIZE + byte] = (uint8_t)(id >> (8 * byte));
        }
        id += (uint32_t)ids_step(deviation);
    }
    reply_write(context->reply, gpa, context->room,
                (size_t)deviation->count * APIC_ID_LIST_ENTRY_SIZE);
    if (deviation->what >= IDS_WITH_COUNT) {
        reply_write(context->reply, gpa - APIC_ID_LIST_HEADER_SIZE, &deviation->count,
                    APIC_ID_LIST_HEADER_SIZE);
    }
}

static void print_ids(const struct deviation *deviation, FILE *file)
{
    static const char *const words[] = {
        [IDS_SAME] = "again and again",
        [IDS_ASCENDING] = "and up",
        [IDS_DESCENDING] = "and down",
    };
    bool counts = deviation->what >= IDS_WITH_COUNT;
    int step = ids_step(deviation);
    char first[DEVIATION_NUMBER];

    deviation_number(first, deviation->value);
    deviation_comment(file, "the list %s %" PRIu32 " other IDs: %s, %s.",
                      counts ? "is" : "begins with", deviation->count, first,
                      words[deviation->what % IDS_STEP_COUNT]);
    deviation_line(file, "local ids = {}");
    deviation_line(file, "for i = 0, %" PRIu32 " do", deviation->count - 1);
    if (step) {
        deviation_line(file, "  ids[i + 1] = string.pack(\"<I4\", (%s %c i) & 0xFFFFFFFF)", first,
                       step < 0 ? '-' : '+');
    } else {
        deviation_line(file, "  ids[i + 1] = string.pack(\"<I4\", %s)", first);
    }
    deviation_line(file, "end");
    deviation_line(file, "reply:write{ region = \"list\", offset = %d, bytes = table.concat(ids) }",
                   APIC_ID_LIST_HEADER_SIZE);
    if (counts) {
        deviation_line(file, "reply:write{ region = \"list\", offset = 0, u32 = %" PRIu32 " }",
                       deviation->count);
    }
}

/* ---- bytes that change between two accesses ---- */

static bool resolve_watch(const struct deviation_context *context, struct deviation *deviation)
{
    return resolve_place(context, deviation);
}

static void add_watch(const struct deviation_context *context, const struct deviation *deviation,
                      bool on_write)
{
    const struct reply_watch watch = {
        .on_write = on_write,
        .gpa = deviation->place.gpa,
        .size_bytes = deviation->place.size_bytes,
        .nth = deviation->nth,
        .value = deviation->value,
        .sticky = !deviation->flag,
        .owner = context->owner,
    };

    reply_watch_add(context->reply, &watch);
}

static void apply_on_read(const struct deviation_context *context,
                          const struct deviation *deviation)
{
    add_watch(context, deviation, false);
}

static void apply_on_write(const struct deviation_context *context,
                           const struct deviation *deviation)
{
    add_watch(context, deviation, true);
}

static void print_watch(const struct deviation *deviation, FILE *file, const char *name,
                        const char *when)
{
    const struct deviation_place *place = &deviation->place;
    char value[DEVIATION_NUMBER], offset[DEVIATION_NUMBER], words[DEVIATION_WORDS];

    deviation_number(value, deviation->value);
    deviation_number(offset, place->offset);
    deviation_comment(file, "%s becomes %s %s %" PRIu64 "%s.", deviation_place_words(place, words),
                      value, when, deviation->nth,
                      deviation->flag ? ", and goes back after it" : "");
    deviation_action(deviation, file, name,
                     "region = \"%s\", offset = %s, size = %u, nth = %" PRIu64 ", value = %s%s",
                     deviation_place_region(place), offset, place->size_bytes, deviation->nth,
                     value, deviation->flag ? ", sticky = false" : "");
}

static void print_on_read(const struct deviation *deviation, FILE *file)
{
    print_watch(deviation, file, "on_read", "just before read");
}

static void print_on_write(const struct deviation *deviation, FILE *file)
{
    print_watch(deviation, file, "on_write", "right after write");
}

const struct deviation_row deviation_write = {
    .name = "write",
    .parts = PART_WHAT | PART_INDEX | PART_DELAY | PART_VALUE | PART_EVERY,
    .what_count = DEVIATION_PLACE_COUNT,
    .what_often = DEVIATION_PLACE_OFTEN,
    .weight = 14,
    .resolve = resolve_write,
    .still = still_there,
    .apply = apply_write,
    .print = print_write,
};
const struct deviation_row deviation_ids = {
    .name = "ids",
    .parts = PART_WHAT | PART_INDEX | PART_VALUE,
    .what_count = IDS_WHAT_COUNT,
    .weight = 6,
    .resolve = resolve_ids,
    .apply = apply_ids,
    .print = print_ids,
};
const struct deviation_row deviation_on_read = {
    .name = "on_read",
    .parts = PART_WHAT | PART_INDEX | PART_NTH | PART_VALUE | PART_BACK,
    .what_count = DEVIATION_PLACE_COUNT,
    .what_often = DEVIATION_PLACE_OFTEN,
    .weight = 14,
    .resolve = resolve_watch,
    .apply = apply_on_read,
    .print = print_on_read,
};
const struct deviation_row deviation_on_write = {
    .name = "on_write",
    .parts = PART_WHAT | PART_INDEX | PART_NTH | PART_VALUE | PART_BACK,
    .what_count = DEVIATION_PLACE_COUNT,
    .what_often = DEVIATION_PLACE_OFTEN,
    .weight = 5,
    .resolve = resolve_watch,
    .apply = apply_on_write,
    .print = print_on_write,
};
