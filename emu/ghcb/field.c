/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/field.h"

#include <string.h>

#include "abi/ghcb.h"

const struct ghcb_field_row ghcb_field_rows[FIELD_COUNT] = {
    [FIELD_CPL] = {"cpl", GHCB_CPL, 1},
    [FIELD_XSS] = {"xss", GHCB_XSS, 8},
    [FIELD_RAX] = {"rax", GHCB_RAX, 8},
    [FIELD_RBX] = {"rbx", GHCB_RBX, 8},
    [FIELD_RCX] = {"rcx", GHCB_RCX, 8},
    [FIELD_RDX] = {"rdx", GHCB_RDX, 8},
    [FIELD_RSI] = {"rsi", GHCB_RSI, 8},
    [FIELD_RDI] = {"rdi", GHCB_RDI, 8},
    [FIELD_R8] = {"r8", GHCB_R8, 8},
    [FIELD_CODE] = {"code", GHCB_SW_EXITCODE, 8},
    [FIELD_INFO1] = {"info1", GHCB_SW_EXITINFO1, 8},
    [FIELD_INFO2] = {"info2", GHCB_SW_EXITINFO2, 8},
    [FIELD_SCRATCH] = {"scratch", GHCB_SW_SCRATCH, 8},
    [FIELD_XCR0] = {"xcr0", GHCB_XCR0, 8},
};

#define WORD(offset, field) [(offset) / 8] = (field) + 1

/* By the word of the page in which a field lies: one more than the field. No word has two. */
static const uint8_t word_fields[GHCB_VALID_BITMAP / 8] = {
    WORD(GHCB_CPL, FIELD_CPL),
    WORD(GHCB_XSS, FIELD_XSS),
    WORD(GHCB_RAX, FIELD_RAX),
    WORD(GHCB_RBX, FIELD_RBX),
    WORD(GHCB_RCX, FIELD_RCX),
    WORD(GHCB_RDX, FIELD_RDX),
    WORD(GHCB_RSI, FIELD_RSI),
    WORD(GHCB_RDI, FIELD_RDI),
    WORD(GHCB_R8, FIELD_R8),
    WORD(GHCB_SW_EXITCODE, FIELD_CODE),
    WORD(GHCB_SW_EXITINFO1, FIELD_INFO1),
    WORD(GHCB_SW_EXITINFO2, FIELD_INFO2),
    WORD(GHCB_SW_SCRATCH, FIELD_SCRATCH),
    WORD(GHCB_XCR0, FIELD_XCR0),
};

uint32_t ghcb_fields_at(uint64_t offset, uint32_t size_bytes)
{
    uint64_t end = offset + size_bytes;
    uint32_t fields = 0;

    for (uint64_t word = offset / 8; word * 8 < end && word < GHCB_VALID_BITMAP / 8; word++) {
        const struct ghcb_field_row *row;

        if (word_fields[word] == 0) {
            continue;
        }
        row = &ghcb_field_rows[word_fields[word] - 1];
        if (row->offset < end && offset < (uint64_t)row->offset + row->size_bytes) {
            fields |= FIELD_BIT(word_fields[word] - 1u);
        }
    }
    return fields;
}

enum ghcb_field ghcb_field_named(const char *name)
{
    for (int field = 0; field < FIELD_COUNT; field++) {
        if (strcmp(ghcb_field_rows[field].name, name) == 0) {
            return (enum ghcb_field)field;
        }
    }
    return FIELD_COUNT;
}
