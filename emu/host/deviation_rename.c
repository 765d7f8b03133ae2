/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A deviation in two things at once, neither of which does harm alone: an entry of a page state
 * change comes back as another page, and that page is taken and given anew, so that a guest that
 * reads its request back validates it a second time.
 *
 * The index's lower byte says which entry, the rest is as in deviation_page.c.
 */
#include <inttypes.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "host/deviation_internal.h"

static bool resolve_rename(const struct deviation_context *context, struct deviation *deviation)
{
    unsigned index = context->record->index, entry = index & 0xFF;
    struct deviation_place *place = &deviation->place;
    unsigned large;

    if (deviation_entries(context->exit) == 0 ||
        !deviation_place(context, DEVIATION_PLACE_ENTRY, entry, place) ||
        !deviation_honest(context, place, &deviation->was)) {
        return false;
    }
    large = deviation->was & PSC_PAGE_SIZE_2M ? DEVIATION_PAGE_LARGE : 0;
    if (!deviation_page(context, deviation->what | large, entry, (int8_t)(index >> 8),
                        &deviation->page)) {
        return false;
    }
    deviation->value = (deviation->was & ~PSC_GPA_MASK) | deviation->page.gpa;
    return deviation->value != deviation->was;
}

static void apply_rename(const struct deviation_context *context, const struct deviation *deviation)
{
    const struct deviation_place *place = &deviation->place;
    const struct deviation_page *page = &deviation->page;

    reply_write(context->reply, place->gpa, &deviation->value, place->size_bytes);
    reply_unassign(context->reply, page->gpa, page->size_bytes);
    reply_assign(context->reply, page->gpa, page->size_bytes);
}

static void print_rename(const struct deviation *deviation, FILE *file)
{
    const char *size = deviation->page.size_bytes == LARGE_PAGE_SIZE ? ", size = \"2m\"" : "";
    char words[DEVIATION_WORDS], page[DEVIATION_WORDS];

    deviation_place_words(&deviation->place, words);
    deviation_comment(file, "%s comes back as %s, which is taken and given anew.", words,
                      deviation_page_words(&deviation->page, page));
    deviation_line(
        file, "reply:write{ region = \"%s\", offset = %" PRIu64 ", u64 = 0x%" PRIX64 " }",
        deviation_place_region(&deviation->place), deviation->place.offset, deviation->value);
    deviation_page_lua(&deviation->page, page);
    deviation_line(file, "reply:unassign{ gpa = %s%s }", page, size);
    deviation_line(file, "reply:assign{ gpa = %s%s }", page, size);
}

const struct deviation_row deviation_rename = {
    .name = "rename",
    .parts = PART_WHAT | PART_INDEX,
    .what_count = DEVIATION_PAGE_COUNT,
    .weight = 4,
    .resolve = resolve_rename,
    .apply = apply_rename,
    .print = print_rename,
};
