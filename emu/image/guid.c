/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The GUID table at the end of an SVSM image or of a firmware image, walked downwards from its end.
 *
 * Source: AMDESE/linux-svsm at a2d150f959ed, src/start/start.S (.data.guids), and AMDESE/qemu
 * branch svsm-preview-v4, hw/i386/pc_sysfw_guid_parse.c, as abi/svsm.h and abi/firmware.h describe
 * them.
 */
#include "image/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "image/input.h"

#define FOOTER_SIZE 18u /* u16 length and GUID, at the end of an entry and of the envelope */
#define GUID_TEXT_SIZE 37
#define NOT_FOUND UINT64_MAX

struct footer {
    uint32_t length;
    char guid[GUID_TEXT_SIZE];
};

/* Read the footer whose last byte is the one before `end`. */
static struct footer footer_read(const struct flat *flat, uint64_t end)
{
    uint8_t bytes[FOOTER_SIZE];
    const uint8_t *at = bytes;
    struct footer footer;
    unsigned int a, b, c;

    flat_copy(flat, end - FOOTER_SIZE, bytes, sizeof(bytes));
    footer.length = (uint32_t)take_le(&at, 2);
    a = (unsigned int)take_le(&at, 4);
    b = (unsigned int)take_le(&at, 2);
    c = (unsigned int)take_le(&at, 2);
    snprintf(footer.guid, sizeof(footer.guid), "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             a, b, c, at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7]);
    return footer;
}

static int note_entry(const struct guid_table *table, const struct footer *footer, uint64_t end,
                      const struct guid_row *rows, size_t row_count, uint64_t *offsets,
                      struct error *error)
{
    uint32_t data_size_bytes = footer->length - FOOTER_SIZE;
    uint64_t address = table->flat->gva + end - FOOTER_SIZE;

    for (size_t i = 0; i < row_count; i++) {
        if (strcmp(footer->guid, rows[i].guid) != 0) {
            continue;
        }
        if (offsets[i] != NOT_FOUND) {
            return input_refuse(table->path, error,
                                "GUID entry at %s 0x%" PRIx64
                                ": a second %s entry; leave one in the table",
                                table->space, address, rows[i].name);
        }
        if (data_size_bytes != rows[i].data_size_bytes) {
            return input_refuse(table->path, error,
                                "GUID entry at %s 0x%" PRIx64 ": %s entry has length %" PRIu32
                                ", not %" PRIu32 "; correct its length field",
                                table->space, address, rows[i].name, footer->length,
                                rows[i].data_size_bytes + FOOTER_SIZE);
        }
        offsets[i] = end - footer->length;
    }
    return 0; /* an unknown GUID is for another launcher */
}

static int walk_table(const struct guid_table *table, const struct guid_row *rows, size_t row_count,
                      uint64_t *offsets, struct error *error)
{
    const struct flat *flat = table->flat;
    uint64_t end = table->end;
    uint64_t bottom;
    struct footer footer = footer_read(flat, end);
    uint64_t address = flat->gva + end - FOOTER_SIZE;

    if (strcmp(footer.guid, table->envelope) != 0) {
        return input_refuse(table->path, error,
                            "GUID envelope at %s 0x%" PRIx64 ": its GUID is not %s; %s",
                            table->space, address, table->envelope, table->remedy);
    }
    if (footer.length < FOOTER_SIZE || footer.length > end) {
        return input_refuse(table->path, error,
                            "GUID envelope at %s 0x%" PRIx64 ": length %" PRIu32
                            " is not between %u and the image's %" PRIu64
                            "; correct its length field",
                            table->space, address, footer.length, FOOTER_SIZE, end);
    }
    bottom = end - footer.length;
    end -= FOOTER_SIZE;

    /* At most 65535 / 18 turns: each takes away a length of at least one footer. */
    while (end > bottom) {
        int status;

        if (end - bottom < FOOTER_SIZE) {
            return input_refuse(table->path, error,
                                "GUID entry below %s 0x%" PRIx64 ": %" PRIu64
                                " bytes are left, fewer than an entry has; correct the lengths in "
                                "the table",
                                table->space, flat->gva + end, end - bottom);
        }
        footer = footer_read(flat, end);
        address = flat->gva + end - FOOTER_SIZE;
        if (footer.length < FOOTER_SIZE || footer.length > end - bottom) {
            return input_refuse(table->path, error,
                                "GUID entry at %s 0x%" PRIx64 ": length %" PRIu32
                                " is not between %u and the %" PRIu64
                                " bytes left in the table; correct its length field",
                                table->space, address, footer.length, FOOTER_SIZE, end - bottom);
        }
        status = note_entry(table, &footer, end, rows, row_count, offsets, error);
        if (status != 0) {
            return status;
        }
        end -= footer.length;
    }
    return 0;
}

int guid_table_read(const struct guid_table *table, const struct guid_row *rows, size_t row_count,
                    uint64_t *offsets, struct error *error)
{
    int status;

    for (size_t i = 0; i < row_count; i++) {
        offsets[i] = NOT_FOUND;
    }
    status = walk_table(table, rows, row_count, offsets, error);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < row_count; i++) {
        if (offsets[i] == NOT_FOUND) {
            return input_refuse(
                table->path, error,
                "GUID table below %s 0x%" PRIx64 ": no %s entry (%s); add it to the table",
                table->space, table->flat->gva + table->end, rows[i].name, rows[i].guid);
        }
    }
    return 0;
}
