/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/certificates.h"

#include <string.h>

#define GUID_TEXT_SIZE 36

static int digit_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool certificates_guid(const char *text, uint8_t guid[CERTIFICATE_GUID_SIZE])
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    size_t digits = 0;

    if (strlen(text) != GUID_TEXT_SIZE) {
        return false;
    }
    memset(guid, 0, CERTIFICATE_GUID_SIZE);
    for (size_t i = 0; i < GUID_TEXT_SIZE; i++) {
        int digit = digit_of(text[i]);

        if (form[i] == '-' ? text[i] != '-' : digit < 0) {
            return false;
        }
        if (form[i] != '-') {
            guid[digits / 2] = (uint8_t)(guid[digits / 2] << 4 | digit);
            digits++;
        }
    }
    return true;
}

bool certificates_add(struct certificates *certificates, const uint8_t guid[CERTIFICATE_GUID_SIZE],
                      const void *bytes, size_t size)
{
    size_t i = certificates->count;

    if (i == CERTIFICATE_MAX || size > CERTIFICATE_BYTES_MAX - certificates->used) {
        return false;
    }
    memcpy(certificates->entry[i].guid, guid, CERTIFICATE_GUID_SIZE);
    certificates->entry[i].offset = certificates->used;
    certificates->entry[i].size = size;
    memcpy(certificates->bytes + certificates->used, bytes, size);
    certificates->used += size;
    certificates->count++;
    return true;
}

static void store(uint8_t *bytes, uint32_t value)
{
    for (size_t i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)(value >> 8 * i);
    }
}

size_t certificates_table(const struct certificates *certificates,
                          uint8_t table[CERTIFICATE_TABLE_MAX])
{
    size_t header = (certificates->count + 1) * CERTIFICATE_ENTRY_SIZE;

    memset(table, 0, header);
    for (size_t i = 0; i < certificates->count; i++) {
        uint8_t *entry = table + i * CERTIFICATE_ENTRY_SIZE;

        memcpy(entry, certificates->entry[i].guid, CERTIFICATE_GUID_SIZE);
        store(entry + CERTIFICATE_GUID_SIZE, (uint32_t)(header + certificates->entry[i].offset));
        store(entry + CERTIFICATE_GUID_SIZE + 4, (uint32_t)certificates->entry[i].size);
    }
    memcpy(table + header, certificates->bytes, certificates->used);
    return header + certificates->used;
}
