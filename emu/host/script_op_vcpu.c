/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The actions of a reply that say who runs: which vCPU, and at which VMPL.
 */
#include "host/script.h"
#include "host/value.h"

#define AT(field) offsetof(struct script_op, field)

static const struct value_row vcpu_rows[] = {
    {"vcpu", script_op_read_vcpu, AT(vcpu), 0, HYPERVISOR_CPU_MAX - 1},
};

static void check_vcpu(lua_State *L, const char *path, uint64_t given, struct script_op *op)
{
    (void)op;
    if (!given) {
        value_error(L, path, "must say which vcpu");
    }
}

static bool apply_vcpu(lua_State *L, struct script *script, const struct script_op *op,
                       const char *path, const char *where)
{
    (void)where;
    script_op_check_vcpu(L, script, op, path);
    return op->kind == SCRIPT_RUN_VCPU ? reply_run_vcpu(script->reply, (uint32_t)op->vcpu)
                                       : reply_stop_vcpu(script->reply, (uint32_t)op->vcpu);
}

static const struct value_row vmpl_rows[] = {
    {"vmpl", value_read_u64, AT(vmpl), 0, VMPL_COUNT - 1},
};

static void check_vmpl(lua_State *L, const char *path, uint64_t given, struct script_op *op)
{
    (void)op;
    if (!given) {
        value_error(L, path, "must say which vmpl");
    }
}

static bool apply_vmpl(lua_State *L, struct script *script, const struct script_op *op,
                       const char *path, const char *where)
{
    (void)L;
    (void)path;
    (void)where;
    return reply_run_vmpl(script->reply, (unsigned)op->vmpl, true);
}

const struct script_op_row script_op_run_vcpu = {
    .name = "run_vcpu",
    .row = vcpu_rows,
    .count = 1,
    .check = check_vcpu,
    .apply = apply_vcpu,
};
const struct script_op_row script_op_stop_vcpu = {
    .name = "stop_vcpu",
    .row = vcpu_rows,
    .count = 1,
    .check = check_vcpu,
    .apply = apply_vcpu,
};
const struct script_op_row script_op_run_vmpl = {
    .name = "run_vmpl",
    .row = vmpl_rows,
    .count = 1,
    .check = check_vmpl,
    .apply = apply_vmpl,
};
