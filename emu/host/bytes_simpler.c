/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inputs that are simpler than one: fewer records first, then each record by itself. One that is
 * offered has fewer records, or a record that comes before the old one in the order of
 * is_simpler; so whoever takes one after the other comes to an end.
 */
#include <string.h>

#include "host/bytes_mutate.h"
#include "host/bytes_record.h"
#include "host/deviation.h"

struct offer {
    struct bytes_record record[BYTES_RECORD_MAX];
    size_t count;
    size_t left; /* how many to pass over until the one that is wanted */
    uint8_t *out;
    size_t size_bytes; /* of what is in `out`; SIZE_MAX: nothing yet */
};

/* ---- whole inputs ---- */

/* The records but [from, from + count); true when it is the one that is wanted. */
static bool offer_without(struct offer *offer, size_t from, size_t count)
{
    size_t kept = 0;

    if (offer->left-- > 0) {
        return false;
    }
    for (size_t i = 0; i < offer->count; i++) {
        if (i < from || i >= from + count) {
            bytes_record_write(&offer->record[i], offer->out + kept++ * BYTES_RECORD_SIZE);
        }
    }
    offer->size_bytes = kept * BYTES_RECORD_SIZE;
    return true;
}

/* All, then halves, quarters, ..., single ones. */
static bool offer_fewer(struct offer *offer)
{
    for (size_t count = offer->count; count > 0; count /= 2) {
        for (size_t from = 0; from < offer->count; from += count) {
            if (offer_without(offer, from, count)) {
                return true;
            }
        }
    }
    return false;
}

/* ---- one record ---- */

/* What is better to read comes first; one of these decides, in this order. */
static bool is_simpler(const struct bytes_record *a, const struct bytes_record *b)
{
    const uint64_t parts[][2] = {
        {a->kind, b->kind},   {a->flag, b->flag}, {a->form, b->form}, {a->when, b->when},
        {a->index, b->index}, {a->what, b->what}, {a->exit, b->exit}, {a->operand, b->operand},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i][0] != parts[i][1]) {
            return parts[i][0] < parts[i][1];
        }
    }
    return false;
}

static bool offer_record(struct offer *offer, size_t i, const struct bytes_record *record)
{
    const struct bytes_record old = offer->record[i];

    if (!is_simpler(record, &old)) {
        return false;
    }
    offer->record[i] = *record;
    if (offer_without(offer, offer->count, 0)) {
        return true;
    }
    offer->record[i] = old;
    return false;
}

/* Without what its kind does not look at. */
static struct bytes_record trimmed(const struct bytes_record *record)
{
    const struct deviation_row *row = deviation_rows[record->kind];
    struct bytes_record clean = *record;

    clean.what = row->parts & PART_WHAT ? clean.what : 0;
    clean.index = row->parts & PART_INDEX ? clean.index : 0;
    clean.when = row->parts & (PART_NTH | PART_DELAY) ? clean.when : 0;
    clean.flag = clean.flag && (row->parts & (PART_EVERY | PART_BACK));
    clean.form = row->parts & PART_VALUE ? clean.form : FORM_LITERAL;
    clean.operand = row->parts & (PART_VALUE | PART_CHOICE) ? clean.operand : 0;
    if (row->parts & PART_WHAT && clean.what < 0x80) {
        clean.what = (uint8_t)(clean.what % row->what_count);
    }
    return clean;
}

/* Many IDs are one, or only a count. */
static bool offer_ids(struct offer *offer, size_t i)
{
    const struct bytes_record old = offer->record[i];
    struct bytes_record other = old;

    if (old.kind != DEVIATION_IDS) {
        return false;
    }
    other.kind = DEVIATION_WRITE;
    other.index = 0;
    other.what = 1;
    if (offer_record(offer, i, &other)) {
        return true;
    }
    other.what = 0;
    other.form = FORM_LITERAL;
    other.operand = 1ULL + old.index;
    return offer_record(offer, i, &other);
}

/* Other kinds that do nearly the same, and are easier to understand. */
static bool offer_kinds(struct offer *offer, size_t i)
{
    static const uint8_t kinds[] = {DEVIATION_FIELD,   DEVIATION_UNMARK, DEVIATION_MARKS,
                                    DEVIATION_NOTHING, DEVIATION_WRITE,  DEVIATION_UNASSIGN};
    const struct bytes_record old = offer->record[i];

    for (size_t j = 0; j < sizeof(kinds) && kinds[j] < old.kind; j++) {
        struct bytes_record other = old;

        other.kind = kinds[j];
        other.when = 0;
        other = trimmed(&other);
        if (offer_record(offer, i, &other)) {
            return true;
        }
    }
    return offer_ids(offer, i);
}

/* A choice is made of bits: without one of them. */
static bool offer_choices(struct offer *offer, size_t i)
{
    const struct bytes_record old = offer->record[i];

    for (unsigned bit = 64; bit-- > 0;) {
        struct bytes_record other = old;

        other.operand &= ~(1ULL << bit);
        if (offer_record(offer, i, &other)) {
            return true;
        }
    }
    return false;
}

/* A value said as a number; zero and one; then nearer to zero, by ever smaller steps. */
static bool offer_values(struct offer *offer, size_t i)
{
    struct bytes_record other = offer->record[i];
    uint64_t operand = other.operand;

    if (other.form == FORM_INTERESTING) {
        other.form = FORM_LITERAL;
        other.operand = bytes_interesting[operand % bytes_interesting_count];
        if (offer_record(offer, i, &other)) {
            return true;
        }
    }
    other.form = FORM_LITERAL;
    for (uint64_t small = 0; small < 3; small++) {
        other.operand = small;
        if (offer_record(offer, i, &other)) {
            return true;
        }
    }
    other = offer->record[i];
    for (unsigned by = 1; by < 64 && operand >> by; by++) {
        other.operand = operand - (operand >> by);
        if (offer_record(offer, i, &other)) {
            return true;
        }
    }
    other.operand = operand & 0xFFFFFFFF;
    return offer_record(offer, i, &other);
}

/* The small numbers of a record: nothing, half, one less. */
static bool offer_parts(struct offer *offer, size_t i)
{
    const struct bytes_record old = offer->record[i];

    for (unsigned turn = 0; turn < 4; turn++) {
        uint64_t number = turn == 0   ? old.when
                          : turn == 1 ? old.index
                          : turn == 2 ? old.exit
                                      : old.what;
        const uint64_t less[] = {0, 1, number / 2, number - number / 4, number - 1};

        for (size_t j = 0; number && j < sizeof(less) / sizeof(less[0]); j++) {
            struct bytes_record other = old;

            other.when = turn == 0 ? (uint8_t)less[j] : old.when;
            other.index = turn == 1 ? (uint16_t)less[j] : old.index;
            other.exit = turn == 2 ? (uint16_t)less[j] : old.exit;
            other.what = turn == 3 ? (uint8_t)less[j] : old.what;
            if (offer_record(offer, i, &other)) {
                return true;
            }
        }
    }
    return false;
}

static bool offer_simpler(struct offer *offer, size_t i)
{
    struct bytes_record other = trimmed(&offer->record[i]);

    if (offer_record(offer, i, &other)) {
        return true;
    }
    other = offer->record[i];
    other.flag = false;
    return offer_record(offer, i, &other) || offer_kinds(offer, i) || offer_values(offer, i) ||
           offer_choices(offer, i) || offer_parts(offer, i);
}

size_t bytes_simpler(const uint8_t *input, size_t size_bytes, size_t step, uint8_t *out)
{
    struct offer offer = {
        .count = bytes_record_count(size_bytes),
        .left = step,
        .out = out,
        .size_bytes = SIZE_MAX,
    };

    for (size_t i = 0; i < offer.count; i++) {
        bytes_record_read(input, size_bytes, i, &offer.record[i]);
    }
    if (offer_fewer(&offer)) {
        return offer.size_bytes;
    }
    for (size_t i = 0; i < offer.count; i++) {
        if (offer_simpler(&offer, i)) {
            break;
        }
    }
    return offer.size_bytes;
}
