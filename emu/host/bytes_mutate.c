/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/bytes_mutate.h"

#include <inttypes.h>
#include <string.h>

#include "host/bytes_record.h"
#include "host/deviation.h"

/* An input as records, to be changed. */
struct draft {
    struct bytes_record record[BYTES_RECORD_MAX];
    size_t count, max;
    uint64_t *random;
};

/* splitmix64: each state is as good as any other to begin with. */
static uint64_t draw(uint64_t *random)
{
    uint64_t z = *random += 0x9E3779B97F4A7C15ULL;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ z >> 27) * 0x94D049BB133111EBULL;
    return z ^ z >> 31;
}

static uint64_t draw_below(uint64_t *random, uint64_t n)
{
    return draw(random) % n;
}

static bool one_in(uint64_t *random, uint64_t n)
{
    return draw_below(random, n) == 0;
}

/* Mostly small: below 2, 4, 8 ... 2^bits, each as often. */
static uint64_t draw_small(uint64_t *random, unsigned bits)
{
    return draw(random) & ((2ULL << draw_below(random, bits)) - 1);
}

/* ---- one record from scratch ---- */

static uint8_t draw_kind(uint64_t *random)
{
    unsigned total = 0;
    uint64_t left;

    for (unsigned kind = 0; kind < DEVIATION_KIND_COUNT; kind++) {
        total += deviation_rows[kind]->weight;
    }
    left = draw_below(random, total);
    for (unsigned kind = 0; kind < DEVIATION_KIND_COUNT; kind++) {
        if (left < deviation_rows[kind]->weight) {
            return (uint8_t)kind;
        }
        left -= deviation_rows[kind]->weight;
    }
    return 0;
}

static uint8_t draw_what(uint64_t *random, uint8_t kind)
{
    const struct deviation_row *row = deviation_rows[kind];
    bool often = row->what_often && one_in(random, 2);

    return (uint8_t)draw_below(random, often ? row->what_often : row->what_count);
}

static uint16_t draw_index(uint64_t *random)
{
    return one_in(random, 4)
               ? (uint16_t)bytes_interesting[draw_below(random, bytes_interesting_count)]
               : (uint16_t)draw_small(random, one_in(random, 4) ? 12 : 4);
}

/* An operand that goes with the form. */
static uint64_t draw_operand(uint64_t *random, uint8_t form)
{
    uint64_t near = draw_small(random, 5);

    near = one_in(random, 2) ? near : 0 - near;
    switch ((enum bytes_form)form) {
    case FORM_INTERESTING:
        return draw_below(random, bytes_interesting_count);
    case FORM_REQUEST:
    case FORM_LAST_REQUEST:
        return draw_below(random, SOURCE_COUNT) | near << 8;
    case FORM_HONEST:
        return near * (one_in(random, 4) ? 4096 : 1);
    case FORM_FLIP:
        return draw_below(random, 64);
    default:
        return draw_small(random, one_in(random, 4) ? 63 : 16);
    }
}

static void draw_value(uint64_t *random, struct bytes_record *record)
{
    static const uint8_t forms[] = {
        FORM_LITERAL, FORM_INTERESTING,  FORM_INTERESTING, FORM_INTERESTING, FORM_REQUEST,
        FORM_REQUEST, FORM_LAST_REQUEST, FORM_HONEST,      FORM_HONEST,      FORM_FLIP,
    };
    unsigned parts = deviation_rows[record->kind]->parts;

    record->form = forms[draw_below(random, sizeof(forms))];
    record->operand = draw_operand(random, record->form);
    if (parts & PART_CHOICE) {
        record->form = FORM_LITERAL;
        record->operand = draw_below(random, 32) | draw_small(random, 8) << 8;
    }
}

/* Most exits are early ones, and most that matter are near those that others are about. */
static uint16_t draw_exit(const struct draft *draft)
{
    uint64_t *random = draft->random;
    uint64_t near = draw_below(random, 3);

    if (draft->count && one_in(random, 3)) {
        return (uint16_t)(draft->record[draw_below(random, draft->count)].exit + near);
    }
    return (uint16_t)draw_small(random, one_in(random, 16) ? 10 : 3);
}

static void draw_record(const struct draft *draft, struct bytes_record *record)
{
    uint64_t *random = draft->random;

    *record = (struct bytes_record){
        .exit = draw_exit(draft),
        .kind = draw_kind(random),
        .index = draw_index(random),
        .flag = one_in(random, 6),
    };
    record->what = draw_what(random, record->kind);
    record->when = (deviation_rows[record->kind]->parts & PART_DELAY) && !one_in(random, 4)
                       ? 0
                       : (uint8_t)draw_small(random, 8);
    draw_value(random, record);
}

/* ---- changes of one part ---- */

static void change_operand(uint64_t *random, struct bytes_record *record)
{
    switch (draw_below(random, 5)) {
    case 0:
        record->operand += draw_small(random, 6);
        break;
    case 1:
        record->operand -= draw_small(random, 6);
        break;
    case 2:
        record->operand ^= 1ULL << draw_below(random, 64);
        break;
    case 3:
        record->operand = draw_operand(random, record->form);
        break;
    default:
        record->operand = one_in(random, 2) ? record->operand << 1 : record->operand >> 1;
        break;
    }
}

static void change_part(struct draft *draft, struct bytes_record *record)
{
    uint64_t *random = draft->random;
    bool up = one_in(random, 2);

    switch (draw_below(random, 10)) {
    case 0:
        record->exit = (uint16_t)(record->exit + (up ? 1 : -1));
        break;
    case 1:
        record->exit = draw_exit(draft);
        break;
    case 2:
        record->kind = draw_kind(random);
        break;
    case 3:
        record->what = draw_what(random, record->kind);
        if (one_in(random, 16)) {
            record->what |= 0x80; /* a page: the large one around it */
        }
        break;
    case 4:
        record->index = draw_index(random);
        break;
    case 5:
        record->index = (uint16_t)(record->index + (up ? 1 : -1));
        break;
    case 6:
        record->when = one_in(random, 2) ? (uint8_t)(record->when + (up ? 1 : -1))
                                         : (uint8_t)draw_small(random, 8);
        break;
    case 7:
        record->flag = !record->flag;
        break;
    case 8:
        draw_value(random, record);
        break;
    default:
        change_operand(random, record);
        break;
    }
}

/* ---- changes of the list ---- */

static void insert(struct draft *draft, size_t at, const struct bytes_record *record)
{
    const struct bytes_record copy = *record;

    if (draft->count < draft->max) {
        memmove(&draft->record[at + 1], &draft->record[at],
                (draft->count - at) * sizeof(draft->record[0]));
        draft->record[at] = copy;
        draft->count++;
    }
}

static void drop(struct draft *draft, size_t at)
{
    memmove(&draft->record[at], &draft->record[at + 1],
            (draft->count - at - 1) * sizeof(draft->record[0]));
    draft->count--;
}

static void insert_new(struct draft *draft)
{
    struct bytes_record record;

    draw_record(draft, &record);
    insert(draft, draw_below(draft->random, draft->count + 1), &record);
}

/* Bytes without any sense for what they mean. */
static void make_noise(struct draft *draft, struct bytes_record *record)
{
    uint8_t bytes[BYTES_RECORD_SIZE];

    bytes_record_write(record, bytes);
    bytes[draw_below(draft->random, sizeof(bytes))] = (uint8_t)draw(draft->random);
    bytes_record_read(bytes, sizeof(bytes), 0, record);
}

static void change(struct draft *draft)
{
    uint64_t *random = draft->random;
    size_t at, other;
    struct bytes_record swapped;

    if (draft->count == 0) {
        insert_new(draft);
        return;
    }
    at = draw_below(random, draft->count);
    other = draw_below(random, draft->count);
    switch (draw_below(random, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        insert_new(draft);
        break;
    case 4:
        insert(draft, other, &draft->record[at]);
        change_part(draft, &draft->record[other]);
        break;
    case 5:
    case 6:
        drop(draft, at);
        break;
    case 7:
        swapped = draft->record[at];
        draft->record[at] = draft->record[other];
        draft->record[other] = swapped;
        break;
    case 8:
        make_noise(draft, &draft->record[at]);
        break;
    default:
        change_part(draft, &draft->record[at]);
        break;
    }
}

/* ---- to bytes and back ---- */

static void read_records(struct draft *draft, const uint8_t *input, size_t size_bytes)
{
    size_t count = bytes_record_count(size_bytes);

    draft->count = count < draft->max ? count : draft->max;
    for (size_t i = 0; i < draft->count; i++) {
        bytes_record_read(input, size_bytes, i, &draft->record[i]);
    }
}

static size_t write_records(const struct draft *draft, uint8_t *out)
{
    for (size_t i = 0; i < draft->count; i++) {
        bytes_record_write(&draft->record[i], out + i * BYTES_RECORD_SIZE);
    }
    return draft->count * BYTES_RECORD_SIZE;
}

static size_t records_in(size_t max)
{
    return max / BYTES_RECORD_SIZE < BYTES_RECORD_MAX ? max / BYTES_RECORD_SIZE : BYTES_RECORD_MAX;
}

size_t bytes_mutate(uint8_t *input, size_t size_bytes, size_t max, uint64_t *random)
{
    struct draft draft = {.max = records_in(max), .random = random};

    if (draft.max == 0) {
        return 0;
    }
    read_records(&draft, input, size_bytes);
    do {
        change(&draft);
    } while (one_in(random, 2));
    return write_records(&draft, input);
}

size_t bytes_cross(uint8_t *out, size_t max, const uint8_t *a, size_t a_size, const uint8_t *b,
                   size_t b_size, uint64_t *random)
{
    struct draft first = {.max = BYTES_RECORD_MAX}, second = {.max = BYTES_RECORD_MAX};
    struct draft draft = {.max = records_in(max)};
    size_t from;

    read_records(&first, a, a_size);
    read_records(&second, b, b_size);
    from = draw_below(random, second.count + 1);
    for (size_t i = 0, end = draw_below(random, first.count + 1); i < end; i++) {
        insert(&draft, draft.count, &first.record[i]);
    }
    for (size_t i = from; i < second.count; i++) {
        insert(&draft, draft.count, &second.record[i]);
    }
    return write_records(&draft, out);
}

size_t bytes_keep(uint8_t *input, size_t size_bytes, uint64_t records)
{
    struct draft draft = {.max = BYTES_RECORD_MAX};
    size_t kept = 0;

    read_records(&draft, input, size_bytes);
    for (size_t i = 0; i < draft.count; i++) {
        if (records >> i & 1) {
            draft.record[kept++] = draft.record[i];
        }
    }
    draft.count = kept;
    return write_records(&draft, input);
}

/* ---- a dictionary ---- */

static void print_entry(FILE *file, const char *name, unsigned number, const uint8_t *bytes,
                        size_t size_bytes)
{
    fprintf(file, "%s_%u=\"", name, number);
    for (size_t i = 0; i < size_bytes; i++) {
        fprintf(file, "\\x%02X", bytes[i]);
    }
    fprintf(file, "\"\n");
}

/* Whole records, each kind in the first exits, and values as operands. */
void bytes_print_dictionary(FILE *file)
{
    uint8_t bytes[BYTES_RECORD_SIZE];

    for (unsigned kind = 0; kind < DEVIATION_KIND_COUNT; kind++) {
        for (uint16_t exit = 0; exit < 4; exit++) {
            bytes_record_write(&(struct bytes_record){.exit = exit, .kind = (uint8_t)kind}, bytes);
            print_entry(file, deviation_rows[kind]->name, exit, bytes, sizeof(bytes));
        }
    }
    for (size_t i = 0; i < bytes_interesting_count; i++) {
        bytes_record_write(&(struct bytes_record){.operand = bytes_interesting[i]}, bytes);
        print_entry(file, "value", (unsigned)i, bytes + BYTES_RECORD_SIZE - 8, 8);
    }
}
