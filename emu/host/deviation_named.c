/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that the guest names in an exit, and those around them.
 */
#include <inttypes.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "host/deviation_internal.h"

enum page_base {
    PAGE_INFO1,
    PAGE_INFO2,
    PAGE_RAX,
    PAGE_SCRATCH,
    PAGE_GHCB,
    PAGE_ENTRY,
    PAGE_MSR,
    PAGE_LAST_INFO1, /* of the exit before; Lua has no name for these */
    PAGE_LAST_ENTRY,
    PAGE_LAST_MSR,
};

struct page_row {
    const char *lua; /* NULL: a number */
    const char *words;
    enum exit_protocol protocol; /* of the exit, where Lua has a name for it */
    unsigned source;
};

static const struct page_row page_rows[DEVIATION_PAGE_COUNT] = {
    [PAGE_INFO1] = {"exit.info1", "the page at info1", EXIT_PAGE, SOURCE_FIELD + FIELD_INFO1},
    [PAGE_INFO2] = {"exit.info2", "the page at info2", EXIT_PAGE, SOURCE_FIELD + FIELD_INFO2},
    [PAGE_RAX] = {"exit.rax", "the page at rax", EXIT_PAGE, SOURCE_FIELD + FIELD_RAX},
    [PAGE_SCRATCH] = {"exit.scratch", "the page of the scratch area", EXIT_PAGE,
                      SOURCE_FIELD + FIELD_SCRATCH},
    [PAGE_GHCB] = {"exit.ghcb_gpa", "the GHCB", EXIT_PAGE, SOURCE_GHCB},
    [PAGE_ENTRY] = {"exit.entries", "the page of entry", EXIT_PAGE, 0},
    [PAGE_MSR] = {"(exit.msr & 0xFFFFFFFFFF000)", "the page that the MSR names", EXIT_MSR,
                  SOURCE_MSR_GPA},
    [PAGE_LAST_INFO1] = {NULL, "the page at the last exit's info1", EXIT_PAGE,
                         SOURCE_FIELD + FIELD_INFO1},
    [PAGE_LAST_ENTRY] = {NULL, "the page of the last exit's first entry", EXIT_PAGE,
                         SOURCE_FIRST_GPA},
    [PAGE_LAST_MSR] = {NULL, "the page that the last exit's MSR names", EXIT_MSR, SOURCE_MSR_GPA},
};

/* What the exit names there; 0: nothing. */
static void page_named(const struct deviation_context *context, struct deviation_page *page)
{
    const struct page_row *row = &page_rows[page->row];
    const struct exit *exit = context->exit;
    uint64_t source[SOURCE_COUNT];
    unsigned entries = deviation_entries(exit);

    if (!row->lua) {
        page->named = context->last[row->source];
    } else if (row->protocol != exit->protocol) {
        page->named = 0;
    } else if (page->row == PAGE_ENTRY) {
        page->entry = (uint8_t)(entries ? page->entry % entries : 0);
        deviation_entry(exit, page->entry, &page->named);
        page->named &= PSC_GPA_MASK;
    } else {
        deviation_sources(exit, source);
        page->named = source[row->source];
    }
}

static uint64_t page_moved(const struct deviation_page *page)
{
    return page->named + (uint64_t)((int64_t)page->delta * PAGE_SIZE);
}

bool deviation_page(const struct deviation_context *context, unsigned what, unsigned entry,
                    int8_t delta, struct deviation_page *page)
{
    unsigned row = what & ~(unsigned)DEVIATION_PAGE_LARGE;

    *page = (struct deviation_page){
        .entry = (uint8_t)entry,
        .delta = delta,
        .size_bytes = what & DEVIATION_PAGE_LARGE ? LARGE_PAGE_SIZE : PAGE_SIZE,
    };
    for (unsigned i = 0; i < DEVIATION_PAGE_COUNT && !page->named; i++) {
        page->row = (uint8_t)((row + i) % DEVIATION_PAGE_COUNT);
        page_named(context, page);
    }
    if (!page->named) {
        return false;
    }
    page->gpa = page_moved(page) & ~(page->size_bytes - 1);
    return page->gpa < DEVIATION_GPA_LIMIT;
}

const char *deviation_page_words(const struct deviation_page *page, char text[DEVIATION_WORDS])
{
    const char *words = page_rows[page->row].words;
    int away = page->delta < 0 ? -page->delta : page->delta;
    char entry[16] = "", delta[32] = "";

    if (page->row == PAGE_ENTRY) {
        snprintf(entry, sizeof(entry), " %d", page->entry + 1);
    }
    if (away) {
        snprintf(delta, sizeof(delta), "%d page%s %s ", away, away == 1 ? "" : "s",
                 page->delta < 0 ? "before" : "behind");
    }
    snprintf(text, DEVIATION_WORDS, "%s%s%s", delta, words, entry);
    return text;
}

const char *deviation_page_lua(const struct deviation_page *page, char text[DEVIATION_WORDS])
{
    const char *name = page_rows[page->row].lua;
    char entry[32], moved[64];

    if (!name) {
        snprintf(text, DEVIATION_WORDS, "0x%" PRIX64, page->gpa);
        return text;
    }
    if (page->row == PAGE_ENTRY) {
        snprintf(entry, sizeof(entry), "exit.entries[%d].gpa", page->entry + 1);
        name = entry;
    }
    if (page->delta) {
        snprintf(moved, sizeof(moved), "%s %c 0x%X000", name, page->delta < 0 ? '-' : '+',
                 (unsigned)(page->delta < 0 ? -page->delta : page->delta));
        name = moved;
    }
    if (page_moved(page) == page->gpa) {
        snprintf(text, DEVIATION_WORDS, "%s", name);
    } else if (!page->delta) {
        snprintf(text, DEVIATION_WORDS, "%s & ~0x%" PRIX64, name, page->size_bytes - 1);
    } else {
        snprintf(text, DEVIATION_WORDS, "(%s) & ~0x%" PRIX64, name, page->size_bytes - 1);
    }
    return text;
}
