/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One record of an input for the host that reads bytes, decoded. BYTES_RECORD_SIZE bytes, numbers
 * little endian:
 *
 *   0  u16  exit     which exit, counted from the one that the snapshot stands at
 *   2  u8   kind     what kind of deviation, modulo their number
 *   3  u8   what     field, place or variant, as the kind has them
 *   4  u16  index    which ID, entry, byte or page there
 *   6  u8   when     which read or write, less one; or how many instructions later
 *   7  u8   form     how the value comes about, modulo the number of forms; bit 7 is the flag
 *   8  u64  operand  of the value
 *
 * Any bytes are a record. A last record that is cut short goes on with zeroes.
 */
#ifndef SNPEMU_HOST_BYTES_RECORD_H
#define SNPEMU_HOST_BYTES_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/bytes.h"

enum bytes_form {
    FORM_LITERAL,      /* the operand */
    FORM_INTERESTING,  /* number `operand` of bytes_interesting */
    FORM_REQUEST,      /* something of the guest's request, and a little more or less */
    FORM_LAST_REQUEST, /* the same of the exit before this one */
    FORM_HONEST,       /* the honest value plus the operand */
    FORM_FLIP,         /* the honest value with bit `operand` flipped */
    FORM_COUNT,
};

struct bytes_record {
    uint16_t exit;
    uint8_t kind; /* enum deviation_kind */
    uint8_t what;
    uint16_t index;
    uint8_t when;
    uint8_t form; /* enum bytes_form */
    bool flag;
    uint64_t operand;
};

/* How many records an input has: at most BYTES_RECORD_MAX. */
size_t bytes_record_count(size_t size_bytes);
/* Number i, which must be below the count. */
void bytes_record_read(const uint8_t *input, size_t size_bytes, size_t i,
                       struct bytes_record *record);
void bytes_record_write(const struct bytes_record *record, uint8_t bytes[BYTES_RECORD_SIZE]);

/* What `when` says of a delay: exact to the instruction up to 128, then ever coarser. */
uint64_t bytes_record_delay(const struct bytes_record *record);

/*
 * Values at which code goes wrong: zero and one, ends of pages, of lists in pages and of tables,
 * powers of two and their neighbours.
 */
extern const uint64_t bytes_interesting[];
extern const size_t bytes_interesting_count;

#endif
