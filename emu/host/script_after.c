/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `after`: an action of a reply that is carried out when the guest has run on for so long. The
 * address that it is about is the one that this exit gives.
 */
#include "host/script.h"
#include "host/value.h"

struct after {
    uint64_t instructions;
    uint64_t vcpu;
    bool vcpu_given;
    bool unused_ok;
    enum script_op_kind kind;
    unsigned count; /* actions named; one is right */
};

static void read_vcpu(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct after *after = target;

    value_read_u64(L, path, row, target);
    after->vcpu_given = true;
}

/* The row's offset is the kind of the action; its table is read later. */
static void read_kind(lua_State *L, const char *path, const struct value_row *row, void *target)
{
    struct after *after = target;

    if (!lua_istable(L, -1) || lua_rawlen(L, -1) > 0) {
        value_error(L, path, "must be the table of one action");
    }
    after->kind = (enum script_op_kind)row->offset;
    after->count++;
}

#define AT(field) offsetof(struct after, field)

static const struct value_row rows[] = {
    {"instructions", value_read_u64, AT(instructions), 1, INT64_MAX},
    {"vcpu", read_vcpu, AT(vcpu), 0, HYPERVISOR_CPU_MAX - 1},
    {"unused_ok", value_read_bool, AT(unused_ok), 0, 0},
    {"write", read_kind, SCRIPT_WRITE, 0, 0},
    {"assign", read_kind, SCRIPT_ASSIGN, 0, 0},
    {"unassign", read_kind, SCRIPT_UNASSIGN, 0, 0},
    {"on_read", read_kind, SCRIPT_ON_READ, 0, 0},
    {"on_write", read_kind, SCRIPT_ON_WRITE, 0, 0},
    {"rmpupdate", read_kind, SCRIPT_RMPUPDATE, 0, 0},
    {"psmash", read_kind, SCRIPT_PSMASH, 0, 0},
    {"remap", read_kind, SCRIPT_REMAP, 0, 0},
    {"swap", read_kind, SCRIPT_SWAP, 0, 0},
    {"inject", read_kind, SCRIPT_INJECT, 0, 0},
    {"doorbell", read_kind, SCRIPT_DOORBELL, 0, 0},
    {"run_vcpu", read_kind, SCRIPT_RUN_VCPU, 0, 0},
    {"stop_vcpu", read_kind, SCRIPT_STOP_VCPU, 0, 0},
    {"run_vmpl", read_kind, SCRIPT_RUN_VMPL, 0, 0},
};

#define GIVEN_INSTRUCTIONS 1u

void script_after_read(lua_State *L, const char *path, struct script_op *op)
{
    struct after after = {0};
    uint64_t given = value_table(L, -1, path, rows, sizeof(rows) / sizeof(rows[0]), &after);
    char inner[VALUE_PATH_MAX];

    if (!(given & GIVEN_INSTRUCTIONS)) {
        value_error(L, path, "must say after how many instructions");
    }
    if (after.count != 1) {
        value_error(L, path, "must say one thing to be done then: write, unassign, inject, ...");
    }
    value_path(inner, path, script_op_name(after.kind));
    lua_pushstring(L, script_op_name(after.kind));
    lua_rawget(L, -2);
    script_op_read(L, inner, after.kind, op);
    lua_pop(L, 1);
    op->delay = (struct reply_delay){
        .instructions = after.instructions,
        .one_vcpu = after.vcpu_given,
        .vcpu = (uint32_t)after.vcpu,
    };
    op->delay_unused_ok = after.unused_ok;
}

void script_after_apply(lua_State *L, struct script *script, const struct script_op *op,
                        const char *path, const char *where, size_t first)
{
    struct reply_delay delay = op->delay;

    script_op_check_vcpu_number(L, script, delay.one_vcpu ? delay.vcpu : 0, path);
    if (!op->delay_unused_ok) {
        char name[VALUE_PATH_MAX];

        value_path(name, where, "instructions");
        delay.owner =
            script_site_named(L, script, name, path, "came due: the guest did not run so far");
    }
    reply_defer(script->reply, first, &delay);
}
