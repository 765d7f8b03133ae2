/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The actions of a reply with which a hostile host reaches into the RMP and its nested page table.
 */
#include "abi/nae.h"
#include "host/script.h"
#include "host/value.h"

#define AT(field) offsetof(struct script_op, field)
#define OFFSET_MAX (SCRIPT_GPA_LIMIT - 1)
#define PAGE_BITS 0xFFFULL
/* An RMP entry has ten bits for it: 60:51, Linux arch/x86/virt/svm/sev.c struct rmpentry_raw. */
#define ASID_MAX 0x3FF

/* The second address of an action: of a page, whatever size. */
static void read_other(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct script_op *op = target;

    value_read_u64(L, path, row, target);
    if (op->other & PAGE_BITS) {
        value_error(L, path, "must be the address of a page");
    }
}

static const struct value_row rmpupdate_rows[] = {
    {"gpa", value_read_u64, AT(gpa), 0, OFFSET_MAX},
    {"entry", script_op_read_entry, AT(entry), 1, PSC_ENTRY_MAX},
    {"size", script_op_read_page_size, 0, 0, 0},
    {"assigned", value_read_bool, AT(assigned), 0, 0},
    {"asid", value_read_u64, AT(asid), 0, ASID_MAX},
    {"at", read_other, AT(other), 0, OFFSET_MAX},
    {"immutable", value_read_bool, AT(immutable), 0, 0},
};

#define GIVEN_ASID 0x10u
#define GIVEN_AT 0x20u
#define GIVEN_OPERAND 0x7Cu
#define GIVEN_OTHER 0x04u

/* Nothing said: the page as the guest has it, but for what every RMPUPDATE does. */
static void check_rmpupdate(lua_State *L, const char *path, uint64_t given, struct script_op *op)
{
    if (!(given & GIVEN_OPERAND)) {
        value_error(L, path,
                    "must say what the entry becomes: size, assigned, asid, at, immutable");
    }
    if (!op->assigned && (given & GIVEN_AT)) {
        value_error(L, path, "a page that is not assigned has no address to be at");
    }
    if (!(given & GIVEN_ASID)) {
        op->asid = op->assigned ? REPLY_ASID_GUEST : 0;
    }
    op->at_given = given & GIVEN_AT;
}

static bool apply_rmpupdate(lua_State *L, struct script *script, const struct script_op *op,
                            const char *path, const char *where)
{
    uint64_t size_bytes;
    uint64_t gpa = script_op_page(L, script, op, path, &size_bytes);
    const struct reply_rmpupdate operand = {
        .assigned = op->assigned,
        .immutable = op->immutable,
        .asid = (uint16_t)op->asid,
        .at_gpa = op->at_given ? op->other : gpa,
    };

    (void)where;
    return reply_rmpupdate(script->reply, gpa, size_bytes, &operand);
}

static const struct value_row psmash_rows[] = {
    {"gpa", value_read_u64, AT(gpa), 0, OFFSET_MAX},
    {"entry", script_op_read_entry, AT(entry), 1, PSC_ENTRY_MAX},
};

static bool apply_psmash(lua_State *L, struct script *script, const struct script_op *op,
                         const char *path, const char *where)
{
    uint64_t size_bytes;

    (void)where;
    return reply_psmash(script->reply, script_op_page(L, script, op, path, &size_bytes));
}

static const struct value_row remap_rows[] = {
    {"gpa", value_read_u64, AT(gpa), 0, OFFSET_MAX},
    {"entry", script_op_read_entry, AT(entry), 1, PSC_ENTRY_MAX},
    {"to", read_other, AT(other), 0, OFFSET_MAX},
};

static const struct value_row swap_rows[] = {
    {"gpa", value_read_u64, AT(gpa), 0, OFFSET_MAX},
    {"entry", script_op_read_entry, AT(entry), 1, PSC_ENTRY_MAX},
    {"with", read_other, AT(other), 0, OFFSET_MAX},
};

static void check_other(lua_State *L, const char *path, uint64_t given, struct script_op *op)
{
    if (!(given & GIVEN_OTHER)) {
        value_error(L, path,
                    op->kind == SCRIPT_SWAP ? "must say with which page" : "must say to where");
    }
}

static bool apply_nested_map(lua_State *L, struct script *script, const struct script_op *op,
                             const char *path, const char *where)
{
    uint64_t size_bytes;
    uint64_t gpa = script_op_page(L, script, op, path, &size_bytes);

    (void)where;
    return op->kind == SCRIPT_SWAP ? reply_swap(script->reply, gpa, op->other)
                                   : reply_remap(script->reply, gpa, op->other);
}

const struct script_op_row script_op_rmpupdate = {
    .name = "rmpupdate",
    .row = rmpupdate_rows,
    .count = sizeof(rmpupdate_rows) / sizeof(rmpupdate_rows[0]),
    .where = "gpa or entry",
    .check = check_rmpupdate,
    .apply = apply_rmpupdate,
};
const struct script_op_row script_op_psmash = {
    .name = "psmash",
    .row = psmash_rows,
    .count = sizeof(psmash_rows) / sizeof(psmash_rows[0]),
    .where = "gpa or entry",
    .apply = apply_psmash,
};
const struct script_op_row script_op_remap = {
    .name = "remap",
    .row = remap_rows,
    .count = sizeof(remap_rows) / sizeof(remap_rows[0]),
    .where = "gpa or entry",
    .check = check_other,
    .apply = apply_nested_map,
};
const struct script_op_row script_op_swap = {
    .name = "swap",
    .row = swap_rows,
    .count = sizeof(swap_rows) / sizeof(swap_rows[0]),
    .where = "gpa or entry",
    .check = check_other,
    .apply = apply_nested_map,
};
