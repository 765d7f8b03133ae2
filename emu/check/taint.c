/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check/taint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/taint_internal.h"

/* ---- making and keeping ---- */

int taint_new(struct taint **out, uint32_t page_count, uint32_t vcpu_count, taint_hit *hit,
              void *context, struct error *error)
{
    struct taint *taint = calloc(1, sizeof(*taint));

    if (taint) {
        taint->hit = hit;
        taint->context = context;
        taint->page_count = page_count;
        taint->vcpu_count = vcpu_count;
        taint->state = calloc(1, sizeof(*taint->state));
        taint->all = calloc(vcpu_count, sizeof(*taint->all));
        taint->page = calloc(TAINT_PAGE_MAX, sizeof(*taint->page));
        taint->slot = calloc(page_count, sizeof(*taint->slot));
    }
    if (!taint || !taint->state || !taint->all || !taint->page || !taint->slot) {
        taint_free(taint);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for following values");
    }
    *out = taint;
    return SNPEMU_OK;
}

void taint_free(struct taint *taint)
{
    if (!taint) {
        return;
    }
    for (uint32_t i = 0; i < taint->page_used; i++) {
        free(taint->page[i]);
    }
    free(taint->state);
    free(taint->all);
    free(taint->page);
    free(taint->slot);
    free(taint->saved_state);
    free(taint->saved_all);
    free(taint->saved_page);
    free(taint);
}

int taint_save(struct taint *taint, struct error *error)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < taint->page_used; i++) {
        count += taint->page[i]->held > 0;
    }
    free(taint->saved_page);
    taint->saved_page = calloc(count + 1, sizeof(*taint->saved_page));
    if (!taint->saved_state) {
        taint->saved_state = calloc(1, sizeof(*taint->saved_state));
        taint->saved_all = calloc(taint->vcpu_count, sizeof(*taint->saved_all));
    }
    if (!taint->saved_page || !taint->saved_state || !taint->saved_all) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a snapshot");
    }
    taint_finish(taint);
    *taint->saved_state = *taint->state;
    memcpy(taint->saved_all, taint->all, taint->vcpu_count * sizeof(*taint->all));
    taint->saved_page_count = 0;
    for (uint32_t i = 0; i < taint->page_used; i++) {
        if (taint->page[i]->held > 0) {
            taint->saved_page[taint->saved_page_count++] = *taint->page[i];
        }
    }
    return SNPEMU_OK;
}

/* As many pages as were saved are there already. */
void taint_restore(struct taint *taint)
{
    *taint->state = *taint->saved_state;
    memcpy(taint->all, taint->saved_all, taint->vcpu_count * sizeof(*taint->all));
    for (uint32_t i = 0; i < taint->page_used; i++) {
        taint->slot[taint->page[i]->page] = 0;
        memset(taint->page[i], 0, sizeof(*taint->page[i]));
    }
    for (uint32_t i = 0; i < taint->saved_page_count; i++) {
        *taint->page[i] = taint->saved_page[i];
        taint->slot[taint->page[i]->page] = (uint16_t)(i + 1);
    }
    taint->block.op = NULL;
}

void taint_add_allocator(struct taint *taint, uint64_t gva, unsigned reg)
{
    if (taint->allocator_count < TAINT_ALLOCATOR_MAX) {
        taint->allocator[taint->allocator_count].gva = gva;
        taint->allocator[taint->allocator_count++].reg = reg;
    }
}

bool taint_is_live(const struct taint *taint)
{
    return taint->state->live > 0 || taint->loaded;
}

/* ---- harm ---- */

static uint64_t op_gva(const struct taint *taint, const struct flow_op *op)
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
static void look_for_harm(struct taint *taint, const struct flow_op *op)
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

static void look_for_allocation(struct taint *taint)
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

/* The same value once more at the same instruction: it ends a loop. */
static void match(struct taint *taint, taint_label label, const struct flow_op *op, bool checks)
{
    struct taint_value *value = &taint->state->value[label];
    uint64_t gva = op_gva(taint, op);

    if (value->match_gva == gva) {
        report_op(taint, label, op, "loop bound unchecked");
    } else if (checks && value->match_gva) {
        label_done(taint, label);
    } else {
        value->match_gva = gva;
        value->compared = value->compared || checks;
    }
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
            match(taint, label[0], op, true);
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
        match(taint, result, op, false);
    }
}

/* ---- operations ---- */

/* What the present operation makes of what it reads; before anything is written. */
static taint_label op_result(const struct taint *taint, const struct flow_op *op)
{
    taint_label label = 0;

    if (op->kind == FLOW_PLAIN || op->kind == FLOW_STRING || op->kind == FLOW_DIVIDE) {
        label = label_of_registers(taint, taint->cpu, op->reads);
        label = label ? label : label_live(taint, taint->loaded);
    }
    return label;
}

static void note_counters(struct taint_cpu *cpu, const struct flow_op *op)
{
    bool fixed = (op->flags & FLOW_FIXES) || ((op->flags & FLOW_MOVES) && (op->reads & cpu->fixed));

    cpu->fixed = fixed ? cpu->fixed | op->writes : cpu->fixed & ~op->writes;
}

static void set_registers(struct taint *taint, uint32_t registers, taint_label label)
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
        set_registers(taint, FLOW_BIT(FLOW_RDX), 0);
        set_registers(taint, op->writes & ~FLOW_BIT(FLOW_RDX), result);
        return;
    }
    set_registers(taint, op->writes, result);
    if (op->flags & FLOW_REPEAT) {
        set_registers(taint, FLOW_BIT(FLOW_RCX), 0);
    }
}

/* It has been executed. */
static void op_end(struct taint *taint, const struct flow_op *op)
{
    struct taint_cpu *cpu = taint->cpu;

    if (taint->loaded || (cpu->tainted & (op->reads | op->writes | op->base | op->index)) ||
        ((op->flags & FLOW_REPEAT) && (cpu->tainted & FLOW_BIT(FLOW_RCX)))) {
        look_for_harm(taint, op);
        if (op->kind == FLOW_COMPARE) {
            compare(taint, op);
        } else {
            op_write(taint, op);
        }
        taint->loaded = 0;
    }
    note_counters(cpu, op);
}

/* End all operations before the one at code_gva. */
static void advance(struct taint *taint, uint64_t code_gva)
{
    const struct taint_block *block = &taint->block;
    uint64_t offset = code_gva - block->gva;

    while (taint->next < block->op_count && block->op[taint->next].offset < offset) {
        op_end(taint, &block->op[taint->next++]);
    }
}

/* The operation at code_gva, which has not ended; NULL: it is not known. */
static const struct flow_op *present(const struct taint *taint, uint64_t code_gva)
{
    const struct flow_op *op = taint->block.op ? taint->block.op + taint->next : NULL;

    return op && taint->next < taint->block.op_count && op_gva(taint, op) == code_gva ? op : NULL;
}

/* ---- what it is told ---- */

void taint_finish(struct taint *taint)
{
    const struct taint_block *block = &taint->block;

    if (!block->op) {
        return;
    }
    advance(taint, UINT64_MAX);
    taint->last_gva = block->op_count ? op_gva(taint, &block->op[block->op_count - 1]) : 0;
    taint->block.op = NULL;
}

void taint_begin(struct taint *taint, const struct taint_block *block)
{
    taint_finish(taint);
    taint->block = *block;
    taint->next = 0;
    taint->loaded = 0;
    taint->cpu = &taint->all[block->vcpu];
    if (taint->cpu->tainted) {
        look_for_allocation(taint);
    }
    taint->last_gva = 0;
}

void taint_enter(struct taint *taint, const struct taint_block *block, uint64_t code_gva)
{
    taint->block.op = NULL;
    taint_begin(taint, block);
    taint->cpu->fixed = 0;
    while (taint->next < block->op_count && block->gva + block->op[taint->next].offset < code_gva) {
        note_counters(taint->cpu, &block->op[taint->next++]);
    }
}

static taint_label source_label(struct taint *taint, const struct oracle_access *access)
{
    struct taint_value value = {
        .code_gva = access->code_gva,
        .gpa = access->gpa,
        .size_bytes = access->size_bytes,
    };

    memcpy(value.bytes, access->bytes, access->size_bytes < 8 ? access->size_bytes : 8);
    return label_new(taint, &value);
}

void taint_access(struct taint *taint, const struct oracle_access *access, bool source)
{
    uint32_t offset = (uint32_t)(access->gpa & PAGE_MASK);
    const struct flow_op *op;

    if (taint->block.op) {
        advance(taint, access->code_gva);
    }
    op = present(taint, access->code_gva);
    if (access->write) {
        /* What stands in shared memory is the hypervisor's, whoever wrote it. */
        taint_label label = 0;

        if (op && !access->shared) {
            label = op->kind == FLOW_SWAP ? label_of_registers(taint, taint->cpu, op->writes)
                                          : op_result(taint, op);
        }
        label_set_memory(taint, access->page, offset, access->size_bytes, label);
    } else if (op) {
        taint_label label = source
                                ? source_label(taint, access)
                                : label_of_memory(taint, access->page, offset, access->size_bytes);

        taint->loaded = label ? label : taint->loaded;
    }
}

void taint_settle(struct taint *taint, uint64_t code_gva)
{
    const struct flow_op *op;

    if (!taint->block.op) {
        return;
    }
    advance(taint, code_gva);
    op = present(taint, code_gva);
    if (op) {
        look_for_harm(taint, op);
    }
    taint->loaded = 0;
    taint->block.op = NULL;
    taint->last_gva = 0;
}

void taint_emulated(struct taint *taint, uint32_t vcpu, const struct flow_op *op, uint64_t code_gva,
                    uint64_t retired, bool source)
{
    taint_begin(taint, &(struct taint_block){vcpu, code_gva - op->offset, retired, op, 1});
    if (source) {
        taint->loaded = label_new(taint, &(struct taint_value){.code_gva = code_gva});
    }
    look_for_harm(taint, op);
    set_registers(taint, op->writes, taint->loaded);
    note_counters(taint->cpu, op);
    taint->loaded = 0;
    taint->block.op = NULL;
}

void taint_clear(struct taint *taint, uint32_t page, uint32_t offset, uint32_t size_bytes)
{
    label_set_memory(taint, page, offset, size_bytes, 0);
}
