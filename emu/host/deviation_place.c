/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a deviation is: bytes and pages that the guest names in an exit, by the names that Lua has
 * for them.
 */
#include <inttypes.h>
#include <string.h>

#include "abi/ghcb.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/table.h"
#include "host/deviation_internal.h"

#define GPA_LIMIT (1ULL << 52) /* AMD APM Vol 2, 5.3 */

/* ---- what an exit lends ---- */

static bool is_list(const struct exit *exit)
{
    return exit->protocol == EXIT_PAGE && exit->row->code == NAE_APIC_ID_LIST;
}

uint32_t deviation_list_room(const struct exit *exit)
{
    uint64_t pages = exit_field(exit, FIELD_RAX);

    if (!is_list(exit) || pages == 0 || exit_field(exit, FIELD_INFO1) == 0) {
        return 0;
    }
    pages = pages < DEVIATION_LIST_PAGES ? pages : DEVIATION_LIST_PAGES;
    return (uint32_t)((pages * PAGE_SIZE - APIC_ID_LIST_HEADER_SIZE) / APIC_ID_LIST_ENTRY_SIZE);
}

unsigned deviation_entries(const struct exit *exit)
{
    uint32_t room;
    uint16_t end;

    if (exit->protocol != EXIT_PAGE || exit->row->code != NAE_PAGE_STATE_CHANGE ||
        exit->scratch_size_bytes < PSC_HEADER_SIZE) {
        return 0;
    }
    room = (exit->scratch_size_bytes - PSC_HEADER_SIZE) / PSC_ENTRY_SIZE;
    room = room < PSC_ENTRY_MAX ? room : PSC_ENTRY_MAX;
    memcpy(&end, exit->scratch + 2, sizeof(end));
    return end < room ? end + 1u : room;
}

bool deviation_entry(const struct exit *exit, unsigned i, uint64_t *entry)
{
    if (i >= deviation_entries(exit)) {
        return false;
    }
    memcpy(entry, exit->scratch + PSC_HEADER_SIZE + i * PSC_ENTRY_SIZE, PSC_ENTRY_SIZE);
    return true;
}

/* ---- bytes ---- */

enum region {
    REGION_LIST,
    REGION_GHCB,
    REGION_SCRATCH,
    REGION_RESPONSE,
};

static const char *const region_names[] = {
    [REGION_LIST] = "list",
    [REGION_GHCB] = "ghcb",
    [REGION_SCRATCH] = "scratch",
    [REGION_RESPONSE] = "response",
};

/* How many there are of what a place stands for; 0: none in this exit. */
static uint32_t one_in_list(const struct exit *exit)
{
    return deviation_list_room(exit) != 0;
}

static uint32_t one_in_request(const struct exit *exit)
{
    return deviation_entries(exit) != 0;
}

static uint32_t scratch_bytes(const struct exit *exit)
{
    return exit_marked(exit, FIELD_SCRATCH) ? exit->scratch_size_bytes : 0;
}

static uint32_t scratch_words(const struct exit *exit)
{
    return scratch_bytes(exit) / 8;
}

static uint32_t fields(const struct exit *exit)
{
    return exit->protocol == EXIT_PAGE ? FIELD_COUNT : 0;
}

static uint32_t bitmap_bytes(const struct exit *exit)
{
    return exit->protocol == EXIT_PAGE ? GHCB_VALID_BITMAP_SIZE : 0;
}

static uint32_t bitmap_words(const struct exit *exit)
{
    return bitmap_bytes(exit) / 8;
}

static uint32_t ghcb_words(const struct exit *exit)
{
    return exit->protocol == EXIT_PAGE ? PAGE_SIZE / 8 : 0;
}

static uint32_t response_words(const struct exit *exit)
{
    bool there = exit->protocol == EXIT_PAGE && (exit->row->flags & EXIT_MESSAGE) &&
                 exit_marked(exit, FIELD_INFO2);

    return there ? EXIT_REQUEST_SIZE / 8 : 0;
}

struct place_row {
    const char *words; /* NULL: the name of field `index` */
    const char *of;    /* "WORDS index of the OF", the index counted from `first` on */
    unsigned first;
    enum region region;
    uint32_t offset, stride, size_bytes; /* stride 0: there is one, and no index */
    uint32_t (*count)(const struct exit *exit);
};

#define ENTRY_TOP_BYTE 6 /* of an entry: the address's last bits, and the operation */

static const struct place_row place_rows[DEVIATION_PLACE_COUNT] = {
    {"the count of the list", NULL, 0, REGION_LIST, 0, 0, 4, one_in_list},
    {"ID", "list", 0, REGION_LIST, APIC_ID_LIST_HEADER_SIZE, APIC_ID_LIST_ENTRY_SIZE, 4,
     deviation_list_room},
    {"the first entry that is not done", NULL, 0, REGION_SCRATCH, 0, 0, 2, one_in_request},
    {"the last entry's number", NULL, 0, REGION_SCRATCH, 2, 0, 2, one_in_request},
    {"entry", "request", 1, REGION_SCRATCH, PSC_HEADER_SIZE, PSC_ENTRY_SIZE, 8, deviation_entries},
    {"the operation of entry", "request", 1, REGION_SCRATCH, PSC_HEADER_SIZE + ENTRY_TOP_BYTE,
     PSC_ENTRY_SIZE, 1, deviation_entries},
    {"byte", "scratch area", 0, REGION_SCRATCH, 0, 1, 1, scratch_bytes},
    {"word", "scratch area", 0, REGION_SCRATCH, 0, 8, 8, scratch_words},
    {NULL, NULL, 0, REGION_GHCB, 0, 0, 0, fields},
    {"byte", "marks", 0, REGION_GHCB, GHCB_VALID_BITMAP, 1, 1, bitmap_bytes},
    {"word", "marks", 0, REGION_GHCB, GHCB_VALID_BITMAP, 8, 8, bitmap_words},
    {"word", "GHCB", 0, REGION_GHCB, 0, 8, 8, ghcb_words},
    {"word", "response", 0, REGION_RESPONSE, 0, 8, 8, response_words},
};

/* Where a region begins; false when it is not there. */
static bool region_gpa(const struct exit *exit, enum region region, uint64_t *gpa)
{
    if (exit->protocol != EXIT_PAGE) {
        return false;
    }
    switch (region) {
    case REGION_LIST:
        *gpa = exit_field(exit, FIELD_INFO1);
        return deviation_list_room(exit) != 0;
    case REGION_SCRATCH:
        *gpa = exit_field(exit, FIELD_SCRATCH);
        return exit_marked(exit, FIELD_SCRATCH);
    case REGION_RESPONSE:
        *gpa = exit_field(exit, FIELD_INFO2);
        return response_words(exit) != 0;
    default:
        *gpa = exit->ghcb_gpa;
        return true;
    }
}

bool deviation_place_again(const struct deviation_context *context, struct deviation_place *place)
{
    uint64_t gpa;

    if (!region_gpa(context->exit, place_rows[place->row].region, &gpa) || gpa >= GPA_LIMIT ||
        GPA_LIMIT - gpa < place->offset + place->size_bytes) {
        return false;
    }
    place->gpa = gpa + place->offset;
    return (place->gpa & PAGE_MASK) + place->size_bytes <= PAGE_SIZE;
}

bool deviation_place(const struct deviation_context *context, unsigned what, unsigned index,
                     struct deviation_place *place)
{
    const struct place_row *row = &place_rows[what];
    uint32_t count = row->count(context->exit);

    for (unsigned i = 1; count == 0 && i < DEVIATION_PLACE_COUNT; i++) {
        row = &place_rows[(what + i) % DEVIATION_PLACE_COUNT];
        count = row->count(context->exit);
    }
    if (count == 0) {
        return false;
    }
    index %= count;
    place->row = (uint8_t)(row - place_rows);
    place->index = index;
    if (row->words) {
        place->offset = row->offset + (uint64_t)index * row->stride;
        place->size_bytes = row->size_bytes;
    } else {
        place->offset = ghcb_field_rows[index].offset;
        place->size_bytes = ghcb_field_rows[index].size_bytes;
    }
    return deviation_place_again(context, place);
}

const char *deviation_place_words(const struct deviation_place *place, char text[DEVIATION_WORDS])
{
    const struct place_row *row = &place_rows[place->row];

    if (!row->words) {
        snprintf(text, DEVIATION_WORDS, "%s in the GHCB", ghcb_field_rows[place->index].name);
    } else if (row->stride == 0) {
        snprintf(text, DEVIATION_WORDS, "%s", row->words);
    } else {
        snprintf(text, DEVIATION_WORDS, "%s %" PRIu32 " of the %s", row->words,
                 place->index + row->first, row->of);
    }
    return text;
}

const char *deviation_place_region(const struct deviation_place *place)
{
    return region_names[place_rows[place->row].region];
}

/* The field that an answer writes at `offset` of the GHCB, FIELD_COUNT: none of that size. */
static enum ghcb_field field_at(const struct deviation_place *place)
{
    for (int field = 0; field < FIELD_COUNT; field++) {
        if (ghcb_field_rows[field].offset == place->offset &&
            ghcb_field_rows[field].size_bytes == place->size_bytes) {
            return (enum ghcb_field)field;
        }
    }
    return FIELD_COUNT;
}

/* The valid bitmap as the answer leaves it, where it begins empty. */
static uint64_t answer_marks(const struct reply *reply, const struct deviation_place *place)
{
    uint8_t bitmap[GHCB_VALID_BITMAP_SIZE] = {0};
    uint64_t value = 0;

    for (int field = 0; field < FIELD_COUNT; field++) {
        unsigned bit = GHCB_VALID_BIT(ghcb_field_rows[field].offset);

        if (reply->marked & FIELD_BIT(field)) {
            bitmap[bit / 8] |= (uint8_t)(1u << bit % 8);
        }
    }
    memcpy(&value, bitmap + (place->offset - GHCB_VALID_BITMAP), place->size_bytes);
    return value;
}

/* What the answer writes into the GHCB page there; false when it leaves the place alone. */
static bool answer_has(const struct reply *reply, const struct deviation_place *place,
                       uint64_t *value)
{
    enum ghcb_field field;

    if (place_rows[place->row].region != REGION_GHCB) {
        return false;
    }
    if (place->offset >= GHCB_VALID_BITMAP &&
        place->offset + place->size_bytes <= GHCB_VALID_BITMAP + GHCB_VALID_BITMAP_SIZE) {
        *value = answer_marks(reply, place);
        return !reply->keep_marks;
    }
    field = field_at(place);
    if (field == FIELD_COUNT || !(reply->written & FIELD_BIT(field))) {
        return false;
    }
    *value = reply->field[field];
    return true;
}

bool deviation_answered(const struct deviation_context *context,
                        const struct deviation_place *place)
{
    uint64_t value;

    return answer_has(context->reply, place, &value);
}

bool deviation_honest(const struct deviation_context *context, const struct deviation_place *place,
                      uint64_t *value)
{
    const struct reply *reply = context->reply;

    *value = 0;
    if (answer_has(reply, place, value)) {
        return true;
    }
    for (size_t i = reply->action_count; i > 0; i--) {
        const struct reply_action *action = &reply->action[i - 1];

        if (action->kind == REPLY_WRITE && !action->delay.instructions &&
            place->gpa >= action->gpa && place->gpa - action->gpa < action->size_bytes &&
            place->size_bytes <= action->size_bytes - (place->gpa - action->gpa)) {
            memcpy(value, reply->data + action->data_offset + (place->gpa - action->gpa),
                   place->size_bytes);
            return true;
        }
    }
    return hypervisor_read(context->hypervisor, place->gpa, value, place->size_bytes);
}

/* ---- pages ---- */

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
    return page->gpa < GPA_LIMIT;
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
