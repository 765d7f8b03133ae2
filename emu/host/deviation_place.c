/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a deviation is: bytes in regions that an exit has, by the names that Lua has for them.
 */
#include <inttypes.h>
#include <string.h>

#include "abi/ghcb.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/table.h"
#include "host/deviation_internal.h"

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

    if (!region_gpa(context->exit, place_rows[place->row].region, &gpa) ||
        gpa >= DEVIATION_GPA_LIMIT ||
        DEVIATION_GPA_LIMIT - gpa < place->offset + place->size_bytes) {
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
