/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The certificates that a host keeps for its guests, and the table that an extended guest request
 * gets. Layout: abi/psp.h.
 */
#ifndef SNPEMU_GHCB_CERTIFICATES_H
#define SNPEMU_GHCB_CERTIFICATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"

#define CERTIFICATE_MAX 8
#define CERTIFICATE_BYTES_MAX 16384 /* of all together */
#define CERTIFICATE_TABLE_MAX                                                                      \
    ((CERTIFICATE_MAX + 1) * CERTIFICATE_ENTRY_SIZE + CERTIFICATE_BYTES_MAX)

struct certificates {
    bool given; /* false: what is there by itself, the test VCEK's */
    struct {
        uint8_t guid[CERTIFICATE_GUID_SIZE];
        size_t offset, size; /* in `bytes` */
    } entry[CERTIFICATE_MAX];
    size_t count;
    uint8_t bytes[CERTIFICATE_BYTES_MAX];
    size_t used;
};

/* False for a text that is no GUID. */
bool certificates_guid(const char *text, uint8_t guid[CERTIFICATE_GUID_SIZE]);
/* False, and nothing changed, when there is no room for it. */
bool certificates_add(struct certificates *certificates, const uint8_t guid[CERTIFICATE_GUID_SIZE],
                      const void *bytes, size_t size);
/* Its size: the end's 24 bytes at least. */
size_t certificates_table(const struct certificates *certificates,
                          uint8_t table[CERTIFICATE_TABLE_MAX]);

#endif
