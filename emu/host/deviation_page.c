/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deviations in whose a page is, and in where its address leads.
 *
 * `what` says from which page of the exit, the index how far away (its upper byte, signed) and, for
 * an entry of a page state change, which (its lower byte).
 */
#include <inttypes.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "host/deviation_internal.h"

static int8_t delta_of(unsigned index)
{
    return (int8_t)(index >> 8);
}

static bool resolve_page(const struct deviation_context *context, struct deviation *deviation)
{
    unsigned index = context->record->index;

    return deviation_page(context, context->record->what, index & 0xFF, delta_of(index),
                          &deviation->page);
}

/* PSMASH and the nested map know pages of 4 KiB alone. */
static bool resolve_small(const struct deviation_context *context, struct deviation *deviation)
{
    unsigned index = context->record->index;

    return deviation_page(context, deviation->what % DEVIATION_PAGE_COUNT, index & 0xFF,
                          delta_of(index), &deviation->page);
}

static void put_off(const struct deviation_context *context, const struct deviation *deviation,
                    size_t first)
{
    const struct reply_delay delay = {.instructions = deviation->delay, .owner = context->owner};

    if (deviation->delay) {
        reply_defer(context->reply, first, &delay);
    }
}

/* "The page at info1 is ..." */
static void print_words(const struct deviation *deviation, FILE *file, const char *words)
{
    const char *size = deviation->page.size_bytes == LARGE_PAGE_SIZE ? " (2 MiB)" : "";
    char page[DEVIATION_WORDS];

    deviation_say(deviation, file, "%s%s %s", deviation_page_words(&deviation->page, page), size,
                  words);
}

/* ---- page states ---- */

static uint64_t entry_size(uint64_t entry)
{
    return entry & PSC_PAGE_SIZE_2M ? LARGE_PAGE_SIZE : PAGE_SIZE;
}

/* The pages that the honest answer gives or takes, one or all. */
enum skip_what {
    SKIP_ONE,
    SKIP_ALL,
    SKIP_WHAT_COUNT,
};

static bool drops(const struct reply *reply, uint64_t gpa, uint64_t size_bytes)
{
    for (size_t i = 0; i < reply->action_count; i++) {
        const struct reply_action *action = &reply->action[i];
        bool page_state = action->kind == REPLY_ASSIGN || action->kind == REPLY_UNASSIGN;

        if (page_state && !action->delay.instructions &&
            (gpa < action->gpa ? action->gpa - gpa < size_bytes
                               : gpa - action->gpa < action->size_bytes)) {
            return true;
        }
    }
    return false;
}

/* Number i of the pages that the exit is about; false when there is none. */
static bool requested(const struct exit *exit, unsigned i, uint64_t *gpa, uint64_t *size_bytes)
{
    uint64_t entry;

    if (exit->protocol == EXIT_MSR) {
        *gpa = exit->msr & PSC_GPA_MASK;
        *size_bytes = PAGE_SIZE;
        return i == 0;
    }
    if (!deviation_entry(exit, i, &entry)) {
        return false;
    }
    *gpa = entry & PSC_GPA_MASK;
    *size_bytes = entry_size(entry);
    return *gpa % *size_bytes == 0;
}

static bool resolve_skip(const struct deviation_context *context, struct deviation *deviation)
{
    const struct exit *exit = context->exit;
    unsigned count = exit->protocol == EXIT_MSR ? 1 : deviation_entries(exit);
    bool found = false;

    if (count == 0) {
        return false;
    }
    deviation->on_page = exit->protocol == EXIT_PAGE;
    deviation->count = deviation->what == SKIP_ALL ? count : context->record->index % count;
    for (unsigned i = 0; i < count; i++) {
        struct deviation_page *page = &deviation->page;

        if (deviation->what == SKIP_ONE && i != deviation->count) {
            continue;
        }
        if (!requested(exit, i, &page->gpa, &page->size_bytes)) {
            return false;
        }
        found = found || drops(context->reply, page->gpa, page->size_bytes);
    }
    return found;
}

static void apply_skip(const struct deviation_context *context, const struct deviation *deviation)
{
    uint64_t gpa, size_bytes;

    if (deviation->what == SKIP_ONE) {
        reply_drop_page_state(context->reply, deviation->page.gpa, deviation->page.size_bytes);
        return;
    }
    for (unsigned i = 0; i < deviation->count; i++) {
        if (requested(context->exit, i, &gpa, &size_bytes)) {
            reply_drop_page_state(context->reply, gpa, size_bytes);
        }
    }
}

static void print_skip(const struct deviation *deviation, FILE *file)
{
    if (!deviation->on_page) {
        deviation_comment(file, "the page stays in the state that it had.");
        deviation_line(file, "reply:skip_page{ gpa = exit.msr & 0xFFFFFFFFFF000 }");
    } else if (deviation->what == SKIP_ONE) {
        deviation_comment(file, "the page of entry %" PRIu32 " stays in the state that it had.",
                          deviation->count + 1);
        deviation_line(file, "reply:skip_page{ entry = %" PRIu32 " }", deviation->count + 1);
    } else {
        deviation_comment(file, "all pages stay in the state that they had.");
        deviation_line(file, "for i = 1, #exit.entries do");
        deviation_line(file, "  reply:skip_page{ entry = i }");
        deviation_line(file, "end");
    }
}

static void print_page(const struct deviation *deviation, FILE *file, const char *name)
{
    char page[DEVIATION_WORDS];

    deviation_action(deviation, file, name, "gpa = %s%s",
                     deviation_page_lua(&deviation->page, page),
                     deviation->page.size_bytes == LARGE_PAGE_SIZE ? ", size = \"2m\"" : "");
}

static void apply_assign(const struct deviation_context *context, const struct deviation *deviation)
{
    size_t first = context->reply->action_count;

    reply_assign(context->reply, deviation->page.gpa, deviation->page.size_bytes);
    put_off(context, deviation, first);
}

static void print_assign(const struct deviation *deviation, FILE *file)
{
    print_words(deviation, file, "is given to the guest.");
    print_page(deviation, file, "assign");
}

static void apply_unassign(const struct deviation_context *context,
                           const struct deviation *deviation)
{
    size_t first = context->reply->action_count;

    reply_unassign(context->reply, deviation->page.gpa, deviation->page.size_bytes);
    put_off(context, deviation, first);
}

static void print_unassign(const struct deviation *deviation, FILE *file)
{
    print_words(deviation, file, "is taken from the guest.");
    print_page(deviation, file, "unassign");
}

/* ---- the RMP ---- */

/* The operand's lowest byte; the next ones say which owner, or which page and how far from it. */
enum rmp_choice {
    RMP_GUEST, /* as it is, but not validated */
    RMP_IMMUTABLE_PAGE,
    RMP_OTHER_ASID,
    RMP_OTHER_GPA,
    RMP_HOST,
    RMP_FIRMWARE,
    RMP_CHOICE_COUNT,
};

static bool resolve_rmpupdate(const struct deviation_context *context, struct deviation *deviation)
{
    uint64_t operand = context->record->operand;
    struct reply_rmpupdate *rmp = &deviation->rmpupdate;

    if (!resolve_page(context, deviation)) {
        return false;
    }
    *rmp = (struct reply_rmpupdate){
        .assigned = true,
        .asid = REPLY_ASID_GUEST,
        .at_gpa = deviation->page.gpa,
    };
    deviation->count = (uint8_t)operand % RMP_CHOICE_COUNT;
    switch ((enum rmp_choice)deviation->count) {
    case RMP_IMMUTABLE_PAGE:
        rmp->immutable = true;
        break;
    case RMP_OTHER_ASID:
        rmp->asid = (uint16_t)(2 + (operand >> 8 & 0xFF));
        break;
    case RMP_OTHER_GPA:
        if (!deviation_page(context, (uint8_t)(operand >> 8) % DEVIATION_PAGE_COUNT, 0,
                            (int8_t)(operand >> 16), &deviation->other)) {
            return false;
        }
        rmp->at_gpa = deviation->other.gpa;
        break;
    case RMP_HOST:
        rmp->assigned = false;
        rmp->asid = 0;
        break;
    case RMP_FIRMWARE:
        rmp->asid = 0;
        rmp->immutable = true;
        break;
    default:
        break;
    }
    return true;
}

static void apply_rmpupdate(const struct deviation_context *context,
                            const struct deviation *deviation)
{
    size_t first = context->reply->action_count;

    reply_rmpupdate(context->reply, deviation->page.gpa, deviation->page.size_bytes,
                    &deviation->rmpupdate);
    put_off(context, deviation, first);
}

static void print_rmpupdate(const struct deviation *deviation, FILE *file)
{
    static const char *const words[] = {
        [RMP_GUEST] = "is the guest's, and not validated.",
        [RMP_IMMUTABLE_PAGE] = "is the guest's for good, and not validated.",
        [RMP_OTHER_ASID] = "is another guest's.",
        [RMP_OTHER_GPA] = "is the guest's at another address.",
        [RMP_HOST] = "is the host's.",
        [RMP_FIRMWARE] = "is the AMD-SP's.",
    };
    bool large = deviation->page.size_bytes == LARGE_PAGE_SIZE;
    char page[DEVIATION_WORDS], other[DEVIATION_WORDS], operand[128] = "";

    switch ((enum rmp_choice)deviation->count) {
    case RMP_IMMUTABLE_PAGE:
        snprintf(operand, sizeof(operand), ", immutable = true");
        break;
    case RMP_OTHER_ASID:
        snprintf(operand, sizeof(operand), ", asid = %u", deviation->rmpupdate.asid);
        break;
    case RMP_OTHER_GPA:
        snprintf(operand, sizeof(operand), ", at = %s",
                 deviation_page_lua(&deviation->other, other));
        break;
    case RMP_HOST:
        snprintf(operand, sizeof(operand), ", assigned = false");
        break;
    case RMP_FIRMWARE:
        snprintf(operand, sizeof(operand), ", asid = 0, immutable = true");
        break;
    default:
        break;
    }
    print_words(deviation, file, words[deviation->count]);
    deviation_action(deviation, file, "rmpupdate", "gpa = %s, size = \"%s\"%s",
                     deviation_page_lua(&deviation->page, page), large ? "2m" : "4k", operand);
}

static void apply_psmash(const struct deviation_context *context, const struct deviation *deviation)
{
    size_t first = context->reply->action_count;

    reply_psmash(context->reply, deviation->page.gpa);
    put_off(context, deviation, first);
}

static void print_psmash(const struct deviation *deviation, FILE *file)
{
    print_words(deviation, file, "lies in a 2 MiB entry that is split.");
    print_page(deviation, file, "psmash");
}

/* ---- the nested map ---- */

/* The operand: the other page, and how far from it. */
static bool resolve_map(const struct deviation_context *context, struct deviation *deviation)
{
    uint64_t operand = context->record->operand;

    return resolve_small(context, deviation) &&
           deviation_page(context, (uint8_t)operand % DEVIATION_PAGE_COUNT, 0,
                          (int8_t)(operand >> 8), &deviation->other) &&
           deviation->other.gpa != deviation->page.gpa;
}

static void apply_remap(const struct deviation_context *context, const struct deviation *deviation)
{
    size_t first = context->reply->action_count;

    reply_remap(context->reply, deviation->page.gpa, deviation->other.gpa);
    put_off(context, deviation, first);
}

static void print_remap(const struct deviation *deviation, FILE *file)
{
    char page[DEVIATION_WORDS], other[DEVIATION_WORDS];

    deviation_say(deviation, file, "%s leads to where %s is.",
                  deviation_page_words(&deviation->page, page),
                  deviation_page_words(&deviation->other, other));
    deviation_action(deviation, file, "remap", "gpa = %s, to = %s",
                     deviation_page_lua(&deviation->page, page),
                     deviation_page_lua(&deviation->other, other));
}

static void apply_swap(const struct deviation_context *context, const struct deviation *deviation)
{
    size_t first = context->reply->action_count;

    reply_swap(context->reply, deviation->page.gpa, deviation->other.gpa);
    put_off(context, deviation, first);
}

static void print_swap(const struct deviation *deviation, FILE *file)
{
    char page[DEVIATION_WORDS], other[DEVIATION_WORDS];

    deviation_say(deviation, file, "%s and %s change places.",
                  deviation_page_words(&deviation->page, page),
                  deviation_page_words(&deviation->other, other));
    deviation_action(deviation, file, "swap", "gpa = %s, with = %s",
                     deviation_page_lua(&deviation->page, page),
                     deviation_page_lua(&deviation->other, other));
}

#define PAGE_PARTS (PART_WHAT | PART_INDEX | PART_DELAY)

const struct deviation_row deviation_skip = {
    .name = "skip",
    .parts = PART_WHAT | PART_INDEX,
    .what_count = SKIP_WHAT_COUNT,
    .weight = 4,
    .resolve = resolve_skip,
    .apply = apply_skip,
    .print = print_skip,
};
const struct deviation_row deviation_assign = {
    .name = "assign",
    .parts = PAGE_PARTS,
    .what_count = DEVIATION_PAGE_COUNT,
    .weight = 4,
    .resolve = resolve_page,
    .apply = apply_assign,
    .print = print_assign,
};
const struct deviation_row deviation_unassign = {
    .name = "unassign",
    .parts = PAGE_PARTS,
    .what_count = DEVIATION_PAGE_COUNT,
    .weight = 4,
    .resolve = resolve_page,
    .apply = apply_unassign,
    .print = print_unassign,
};
const struct deviation_row deviation_rmpupdate = {
    .name = "rmpupdate",
    .parts = PAGE_PARTS | PART_CHOICE,
    .what_count = DEVIATION_PAGE_COUNT,
    .weight = 4,
    .resolve = resolve_rmpupdate,
    .apply = apply_rmpupdate,
    .print = print_rmpupdate,
};
const struct deviation_row deviation_psmash = {
    .name = "psmash",
    .parts = PAGE_PARTS,
    .what_count = DEVIATION_PAGE_COUNT,
    .weight = 1,
    .resolve = resolve_small,
    .apply = apply_psmash,
    .print = print_psmash,
};
const struct deviation_row deviation_remap = {
    .name = "remap",
    .parts = PAGE_PARTS | PART_CHOICE,
    .what_count = DEVIATION_PAGE_COUNT,
    .weight = 3,
    .resolve = resolve_map,
    .apply = apply_remap,
    .print = print_remap,
};
const struct deviation_row deviation_swap = {
    .name = "swap",
    .parts = PAGE_PARTS | PART_CHOICE,
    .what_count = DEVIATION_PAGE_COUNT,
    .weight = 3,
    .resolve = resolve_map,
    .apply = apply_swap,
    .print = print_swap,
};
