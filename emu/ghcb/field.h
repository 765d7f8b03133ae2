/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fields of a GHCB page that an exit or a reply can name: one row each, with the name used in
 * scripts and traces. Offsets: abi/ghcb.h.
 */
#ifndef SNPEMU_GHCB_FIELD_H
#define SNPEMU_GHCB_FIELD_H

#include <stdint.h>
#include <string.h>

enum ghcb_field {
    FIELD_CPL,
    FIELD_XSS,
    FIELD_RAX,
    FIELD_RBX,
    FIELD_RCX,
    FIELD_RDX,
    FIELD_RSI,
    FIELD_RDI,
    FIELD_R8,
    FIELD_CODE,
    FIELD_INFO1,
    FIELD_INFO2,
    FIELD_SCRATCH,
    FIELD_XCR0,
    FIELD_COUNT,
};

#define FIELD_BIT(field) (1u << (field))

struct ghcb_field_row {
    const char *name;   /* "rax", "info1", ... */
    uint16_t offset;    /* bytes from the start of the page */
    uint8_t size_bytes; /* 1 or 8 */
};

extern const struct ghcb_field_row ghcb_field_rows[FIELD_COUNT];

/* Copies of a known length: a string instruction for each field costs more than all else there. */
static inline uint64_t ghcb_field_load(const struct ghcb_field_row *row, const uint8_t *page)
{
    uint64_t value;

    if (row->size_bytes == 1) {
        return page[row->offset];
    }
    memcpy(&value, page + row->offset, sizeof(value));
    return value;
}

static inline void ghcb_field_store(const struct ghcb_field_row *row, uint8_t *page, uint64_t value)
{
    if (row->size_bytes == 1) {
        page[row->offset] = (uint8_t)value;
    } else {
        memcpy(page + row->offset, &value, sizeof(value));
    }
}

/* FIELD_BIT()s of the fields that have any byte of [offset, offset + size_bytes) of the page. */
uint32_t ghcb_fields_at(uint64_t offset, uint32_t size_bytes);

/* The field of that name, or FIELD_COUNT. */
enum ghcb_field ghcb_field_named(const char *name);

#endif
