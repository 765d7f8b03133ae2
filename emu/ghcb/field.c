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

enum ghcb_field ghcb_field_named(const char *name)
{
    for (int field = 0; field < FIELD_COUNT; field++) {
        if (strcmp(ghcb_field_rows[field].name, name) == 0) {
            return (enum ghcb_field)field;
        }
    }
    return FIELD_COUNT;
}
