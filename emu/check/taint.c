/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check/taint.h"

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
    taint->loaded = 0;
    taint->last_gva = 0;
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

/* ---- a block that runs ---- */

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
        op_look_for_allocation(taint);
    }
    taint->last_gva = 0;
}

void taint_enter(struct taint *taint, const struct taint_block *block, uint64_t code_gva)
{
    taint->block.op = NULL;
    taint_begin(taint, block);
    taint->cpu->fixed = 0;
    while (taint->next < block->op_count && block->gva + block->op[taint->next].offset < code_gva) {
        op_note_counters(taint, &block->op[taint->next++]);
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
        op_look_for_harm(taint, op);
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
    op_look_for_harm(taint, op);
    op_set_registers(taint, op->writes, taint->loaded);
    op_note_counters(taint, op);
    taint->loaded = 0;
    taint->block.op = NULL;
}

void taint_clear(struct taint *taint, uint32_t page, uint32_t offset, uint32_t size_bytes)
{
    label_set_memory(taint, page, offset, size_bytes, 0);
}
