/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One operation: what harm it does, what it checks, and where values go.
 */
#include <stdio.h>
#include <string.h>

#include "check/taint_internal.h"

/* ---- harm ---- */

uint64_t op_gva(const struct taint *taint, const struct flow_op *op)
{
    return taint->block.gva + op->offset;
}

static void report(struct taint *taint, taint_label label, uint64_t code_gva, uint64_t retired,
                   const char *what)
{
    const struct taint_value *value = &taint->state->value[label];
    struct oracle_hit hit = {
        .kind = ORACLE_TRUSTED_UNCHECKED,
        .vcpu = taint->block.vcpu,
        .code_gva = code_gva,
        .retired = retired,
        .other_gva = value->code_gva,
        .gpa = value->gpa,
        .size_bytes = value->size_bytes,
    };

    memcpy(hit.bytes, value->bytes, sizeof(value->bytes));
    snprintf(hit.what, sizeof(hit.what), "%s", what);
    label_done(taint, label);
    taint->hit(taint->context, &hit);
}

static void report_op(struct taint *taint, taint_label label, const struct flow_op *op,
                      const char *what)
{
    report(taint, label, op_gva(taint, op), taint->block.retired + (uint64_t)(op - taint->block.op),
           what);
}

/* The label of these registers when nothing was asked of it yet. */
static taint_label unchecked(const struct taint *taint, uint32_t registers)
{
    taint_label label = label_of_registers(taint, taint->cpu, registers);

    return taint->state->value[label].compared ? 0 : label;
}

/* What the instruction does with addresses, counts and targets before it does anything else. */
void op_look_for_harm(struct taint *taint, const struct flow_op *op)
{
    taint_label label;

    if ((op->flags & FLOW_REPEAT) && (label = unchecked(taint, FLOW_BIT(FLOW_RCX))) != 0) {
        report_op(taint, label, op, "size unchecked");
    }
    if ((label = unchecked(taint, op->index)) != 0) {
        report_op(taint, label, op, "index unchecked");
    }
    if ((label = unchecked(taint, op->base)) != 0) {
        report_op(taint, label, op, "address unchecked");
    }
    if (op->kind == FLOW_CALL || op->kind == FLOW_JUMP) {
        label = unchecked(taint, op->reads);
        label = label ? label : label_live(taint, taint->loaded);
        if (label) {
            report_op(taint, label, op, "jump target unchecked");
        }
    }
}

void op_look_for_allocation(struct taint *taint)
{
    for (size_t i = 0; i < taint->allocator_count; i++) {
        taint_label label;

        if (taint->allocator[i].gva != taint->block.gva) {
            continue;
        }
        label = unchecked(taint, FLOW_BIT(taint->allocator[i].reg));
        if (label) {
            report(taint, label, taint->last_gva ? taint->last_gva : taint->block.gva,
                   taint->block.retired ? taint->block.retired - 1 : 0,
                   "allocation size unchecked");
        }
    }
}

/* ---- checks ---- */

/*
 * The same value once more at the same instruction, and `counted`, when the other side was, lies
 * between: it ends a loop. A search compares one value again and again, too, but with what stays.
 */
static void match(struct taint *taint, taint_label label, const struct flow_op *op, bool checks,
                  uint64_t counted)
{
    struct taint_value *value = &taint->state->value[label];
    uint64_t gva = op_gva(taint, op);

    if (value->match_gva != gva && checks && value->match_gva) {
        label_done(taint, label);
    } else if (value->match_gva != gva) {
        value->match_gva = gva;
        value->match_at = taint->state->time;
        value->compared = value->compared || checks;
    } else if (counted > value->match_at) {
        report_op(taint, label, op, "loop bound unchecked");
    }
}

/* When what the registers hold was counted last. The stack's pointer counts nothing. */
static uint64_t counted_at(const struct taint_cpu *cpu, uint32_t registers)
{
    uint64_t latest = 0;

    for (uint32_t left = registers & ~FLOW_BIT(FLOW_RSP); left; left &= left - 1) {
        uint64_t at = cpu->counted[__builtin_ctz(left)];

        latest = at > latest ? at : latest;
    }
    return latest;
}

/* Of two operands one is the hypervisor's: what is the other? */
static void compare(struct taint *taint, const struct flow_op *op)
{
    taint_label label[2] = {0, 0}, loaded = label_live(taint, taint->loaded);
    uint32_t clean = 0;
    size_t count = 0;

    for (uint32_t left = op->reads; left; left &= left - 1) {
        unsigned reg = (unsigned)__builtin_ctz(left);
        taint_label of = label_of_registers(taint, taint->cpu, FLOW_BIT(reg));

        clean |= of ? 0 : FLOW_BIT(reg);
        if (of && count < 2) {
            label[count++] = of;
        }
    }
    if (loaded && count < 2) {
        label[count++] = loaded;
    }
    if (count == 0 || (op->flags & FLOW_NOTHING)) {
        return;
    }
    if (op->flags & FLOW_CONSTANT) {
        label_done(taint, label[0]);
    } else if (count == 1) {
        if (clean & ~taint->cpu->fixed) {
            match(taint, label[0], op, true, counted_at(taint->cpu, clean));
        } else {
            label_done(taint, label[0]);
        }
    }
}

/* Arithmetic whose flags somebody looks at. */
static void check_flags(struct taint *taint, const struct flow_op *op, taint_label result)
{
    if (op->flags & FLOW_BOUNDS) {
        label_done(taint, result);
    } else if (op->flags & FLOW_ORDERS) {
        compare(taint, op);
    } else if (result && (op->flags & FLOW_STEPS)) {
        match(taint, result, op, false, UINT64_MAX);
    }
}

/* ---- operations ---- */

/* What the present operation makes of what it reads; before anything is written. */
taint_label op_result(const struct taint *taint, const struct flow_op *op)
{
    taint_label label = 0;

    if (op->kind == FLOW_PLAIN || op->kind == FLOW_STRING || op->kind == FLOW_DIVIDE) {
        label = label_of_registers(taint, taint->cpu, op->reads);
        label = label ? label : label_live(taint, taint->loaded);
    }
    return label;
}

void op_note_counters(struct taint *taint, const struct flow_op *op)
{
    struct taint_cpu *cpu = taint->cpu;
    bool fixed = (op->flags & FLOW_FIXES) || ((op->flags & FLOW_MOVES) && (op->reads & cpu->fixed));
    uint64_t now = ++taint->state->time, at = 0;

    cpu->fixed = fixed ? cpu->fixed | op->writes : cpu->fixed & ~op->writes;
    if (op->flags & FLOW_COUNTS) {
        at = now;
    } else if (!fixed) {
        uint32_t address = op->flags & (FLOW_LOAD | FLOW_STORE) ? 0 : op->base | op->index;

        at = counted_at(cpu, op->reads | address);
    }
    for (uint32_t left = op->writes; left; left &= left - 1) {
        cpu->counted[__builtin_ctz(left)] = at;
    }
}

void op_set_registers(struct taint *taint, uint32_t registers, taint_label label)
{
    for (uint32_t left = label ? registers : registers & taint->cpu->tainted; left;
         left &= left - 1) {
        label_set_register(taint, taint->cpu, (unsigned)__builtin_ctz(left), label);
    }
}

/* XCHG: with memory the register gets what was loaded; the other half is the store's. */
static void swap(struct taint *taint, const struct flow_op *op)
{
    uint32_t rest = op->writes & (op->writes - 1);
    unsigned first = op->writes ? (unsigned)__builtin_ctz(op->writes) : FLOW_RSP;
    taint_label other = taint->cpu->label[first];

    if (op->flags & FLOW_LOAD) {
        label_set_register(taint, taint->cpu, first, label_live(taint, taint->loaded));
    } else if (rest) {
        unsigned second = (unsigned)__builtin_ctz(rest);
        taint_label kept = taint->cpu->label[second];

        label_set_register(taint, taint->cpu, second, other);
        label_set_register(taint, taint->cpu, first, kept);
    }
}

static void op_write(struct taint *taint, const struct flow_op *op)
{
    taint_label result = op_result(taint, op);

    if (op->kind == FLOW_PLAIN) {
        check_flags(taint, op, result);
    }
    if (op->kind == FLOW_SWAP) {
        swap(taint, op);
        return;
    }
    if (op->kind == FLOW_DIVIDE) {
        op_set_registers(taint, FLOW_BIT(FLOW_RDX), 0);
        op_set_registers(taint, op->writes & ~FLOW_BIT(FLOW_RDX), result);
        return;
    }
    op_set_registers(taint, op->writes, result);
    if (op->flags & FLOW_REPEAT) {
        op_set_registers(taint, FLOW_BIT(FLOW_RCX), 0);
    }
}

/* It has been executed. */
void op_end(struct taint *taint, const struct flow_op *op)
{
    struct taint_cpu *cpu = taint->cpu;

    if (taint->loaded || (cpu->tainted & (op->reads | op->writes | op->base | op->index)) ||
        ((op->flags & FLOW_REPEAT) && (cpu->tainted & FLOW_BIT(FLOW_RCX)))) {
        op_look_for_harm(taint, op);
        if (op->kind == FLOW_COMPARE) {
            compare(taint, op);
        } else {
            op_write(taint, op);
        }
        taint->loaded = 0;
    }
    op_note_counters(taint, op);
}
