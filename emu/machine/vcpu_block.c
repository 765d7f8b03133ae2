/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "abi/x86.h"
#include "machine/vcpu_engine.h"

/* ---- time ---- */

uint64_t vcpu_retired(const struct vcpu *vcpu)
{
    return vcpu->limit - (uint64_t)vcpu->left;
}

void vcpu_limit_apply(struct vcpu *vcpu, uint64_t limit)
{
    uint64_t retired = vcpu_retired(vcpu);

    vcpu->limit = limit;
    vcpu->left = (int64_t)(limit - retired);
}

/* The next block, whichever it is, goes through block_slow. */
void vcpu_limit_hold(struct vcpu *vcpu)
{
    vcpu_limit_apply(vcpu, vcpu_retired(vcpu) - 1);
}

void vcpu_set_limit(struct vcpu *vcpu, uint64_t limit)
{
    vcpu->asked = limit < LIMIT_NONE ? limit : LIMIT_NONE;
    vcpu_limit_apply(vcpu, vcpu->asked);
}

/* ---- blocks: counting, and finding what must trap ---- */

static inline uint32_t block_slot(uint64_t gva)
{
    return (uint32_t)(gva >> 1) & (BLOCK_SLOTS - 1);
}

/* Two of them are a number below VCPU_EDGES_SIZE. */
static inline uint16_t block_edge(uint64_t gva)
{
    _Static_assert(VCPU_EDGES_SIZE == 1u << 14, "the upper 14 bits of the hash");
    return (uint16_t)(gva * 0x9E3779B97F4A7C15ULL >> 50);
}

static struct block *block_find(struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    uint32_t slot = block_slot(gva);

    while (vcpu->block[slot].key &&
           (vcpu->block[slot].gva != gva || block_size(&vcpu->block[slot]) != size)) {
        slot = (slot + 1) & (BLOCK_SLOTS - 1);
    }
    return &vcpu->block[slot];
}

uint32_t vcpu_block_insns(struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    const struct block *block = block_find(vcpu, gva, size);

    return block->key ? block->insns : BLOCK_BYTES_MAX;
}

void vcpu_block_forget_all(struct vcpu *vcpu)
{
    if (vcpu->current) {
        vcpu->kept = *vcpu->current;
        vcpu->current = &vcpu->kept;
    }
    vcpu_tell_ran(vcpu);
    if (vcpu->block_count != 0) { /* a megabyte, most of it never touched */
        memset(vcpu->block, 0, sizeof(vcpu->block));
    }
    memset(vcpu->offset, 0, sizeof(vcpu->offset));
    vcpu->block_count = 0;
    if (vcpu->observer.forget) {
        vcpu->observer.forget(vcpu->observer.context);
    }
}

static bool site_known(const struct vcpu *vcpu, uint64_t gva, uint32_t *at)
{
    uint32_t low = 0, high = vcpu->site_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (vcpu->site[middle].gva < gva) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *at = low;
    return low < vcpu->site_count && vcpu->site[low].gva == gva;
}

/* Of a page that the engine may go on executing though the guest's tables lead there no more. */
static size_t code_view_peek(const struct vcpu *vcpu, uint64_t gva, uint8_t *bytes, size_t size)
{
    const struct code_view *view = &vcpu->code_view[(gva >> PAGE_SHIFT) % CODE_VIEW_SLOTS];
    size_t left = PAGE_SIZE - (gva & PAGE_MASK);

    if (view->page == MEMORY_NO_PAGE || (view->gva ^ gva) >> PAGE_SHIFT) {
        return 0;
    }
    size = size < left ? size : left;
    memcpy(bytes, memory_bytes(vcpu->memory, view->page) + (gva & PAGE_MASK), size);
    return size;
}

/* The guest's bytes at gva, as it would fetch them. */
size_t vcpu_code_peek(const struct vcpu *vcpu, uint64_t gva, uint8_t *bytes, size_t size)
{
    struct mmu_context context;
    size_t have;

    vcpu_mmu_context(vcpu, &context);
    if (vcpu_code(vcpu)->bits != 64) {
        gva &= UINT32_MAX;
    }
    have = mmu_peek(&vcpu->mmu, &context, gva, bytes, size);
    return have ? have : code_view_peek(vcpu, gva, bytes, size);
}

/* True when a hook was added. */
static bool site_add(struct vcpu *vcpu, uint64_t gva)
{
    uint32_t at;
    uc_hook hook;

    if (site_known(vcpu, gva, &at)) {
        return false;
    }
    if (vcpu->site_count == SITE_MAX ||
        uc_hook_add(vcpu->uc, &hook, UC_HOOK_CODE, (void *)vcpu_on_site, vcpu, gva, gva)) {
        vcpu->site_full = true;
        return false;
    }
    memmove(vcpu->site + at + 1, vcpu->site + at, (vcpu->site_count - at) * sizeof(*vcpu->site));
    vcpu->site[at] = (struct site){.gva = gva, .hook = hook};
    vcpu->site_count++;
    return true;
}

/* Start over with those that are met from now on. */
void vcpu_site_forget_all(struct vcpu *vcpu)
{
    for (uint32_t i = 0; i < vcpu->site_count; i++) {
        uc_hook_del(vcpu->uc, vcpu->site[i].hook);
    }
    vcpu->site_count = 0;
    vcpu->site_full = false;
    vcpu_block_forget_all(vcpu);
    engine_flush_blocks(vcpu->uc);
}

void vcpu_site_forget(struct vcpu *vcpu, uint64_t gva)
{
    uint32_t at;

    if (site_known(vcpu, gva, &at)) {
        uc_hook_del(vcpu->uc, vcpu->site[at].hook);
        vcpu->site_count--;
        memmove(vcpu->site + at, vcpu->site + at + 1,
                (vcpu->site_count - at) * sizeof(*vcpu->site));
        engine_flush_blocks(vcpu->uc);
    }
}

/* Decode a block that runs for the first time. Sets replan when it holds new trap sites. */
static void block_analyse(struct vcpu *vcpu, struct block *block)
{
    uint8_t bytes[BLOCK_BYTES_MAX + 16];
    unsigned bits = vcpu_code(vcpu)->bits;
    size_t size = block_size(block);
    size_t have = vcpu_code_peek(vcpu, block->gva, bytes,
                                 size + 15 < sizeof(bytes) ? size + 15 : sizeof(bytes));
    uint32_t at = 0;

    block->insns = 0;
    while (at < size && at < have) {
        struct vcpu_insn insn = {0};

        vcpu->decode(bytes + at, have - at, bits, &insn);
        block->insns++;
        block->key |= insn.mode ? BLOCK_MODE : 0;
        if (insn.trap && (site_add(vcpu, block->gva + at) || vcpu->site_full)) {
            vcpu->replan = true;
        }
        if (vcpu->site_full) {
            break; /* with a site of this block hooked at least */
        }
        if (insn.spin && at == 0 && size == insn.length) {
            vcpu->stop.kind = VCPU_STOP_SPIN;
        }
        if (insn.length == 0) {
            break; /* the engine ends a block at an instruction it does not know, too */
        }
        at += insn.length;
    }
    if (size <= have && vcpu_rep_is(vcpu, bytes, size)) {
        block->key |= BLOCK_REP;
    }
    /* Whatever it is, it must not run for nothing: the budget has to end. */
    block->insns = (uint16_t)(block->insns + (block->insns == 0));
}

static uint32_t block_insns_before(struct vcpu *vcpu, uint64_t gva);

/*
 * A store into the running block itself: the engine goes back to the storing instruction, runs it
 * as a block of its own, and translates the rest anew. Told from a jump back into the block by its
 * size; when the block's last instruction is the one, it cannot be told, and is taken for a jump.
 */
static bool block_was_left(const struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    const struct block *block = vcpu->current;
    struct vcpu_insn insn = {0};
    uint8_t bytes[15];

    if (!block || gva - block->gva >= block_size(block) ||
        gva + size >= block->gva + block_size(block)) {
        return false;
    }
    vcpu->decode(bytes, vcpu_code_peek(vcpu, gva, bytes, sizeof(bytes)), vcpu_code(vcpu)->bits,
                 &insn);
    return insn.length == size;
}

/* Stop before the block at gva, of which nothing has been counted. */
static void block_stop(struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    vcpu->replan_gva = gva;
    vcpu->replan_size = size;
    vcpu->current = NULL;
    uc_emu_stop(vcpu->uc);
}

/* What waited for the next block. True when that must wait, too. */
static bool block_attend(struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    vcpu_limit_apply(vcpu, vcpu->asked);
    if (vcpu->code_written && block_was_left(vcpu, gva, size)) {
        vcpu_ran_left(vcpu, gva);
        vcpu->left += vcpu->current->insns - block_insns_before(vcpu, gva);
    }
    vcpu->code_written = false;
    if (!vcpu_code_renew(vcpu)) {
        block_stop(vcpu, gva, size);
        return true;
    }
    if (vcpu->probe_due) {
        vcpu->stop.kind = VCPU_STOP_PROBE;
        block_stop(vcpu, gva, size);
        return true;
    }
    if (vcpu_debug_attends(vcpu) && (vcpu_get(vcpu, VCPU_RFLAGS) & RFLAGS_RF)) {
        vcpu->clear_resume = true;
        block_stop(vcpu, gva, size);
    }
    return vcpu->clear_resume;
}

/* The engine has come around to the same block: an iteration is done. */
static void block_repeat(struct vcpu *vcpu, const struct block *block)
{
    uint64_t done = vcpu_rep_run(vcpu, block);

    vcpu->left -= (int64_t)done;
    if (vcpu->edges) {
        vcpu->edges[block->edge ^ block->edge >> 1] += (uint8_t)done;
    }
}

/* First execution, the end of the budget, a crowded slot, or something that waited for it. */
__attribute__((noinline)) static void block_slow(struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    struct block *slot;

    if (vcpu->in_stub) {
        return;
    }
    if (vcpu->limit != vcpu->asked && block_attend(vcpu, gva, size)) {
        return;
    }
    slot = block_find(vcpu, gva, size);
    if (!slot->key) {
        struct block fresh = {.gva = gva, .key = size, .edge = block_edge(gva)};

        block_analyse(vcpu, &fresh);
        if (vcpu->replan || vcpu->stop.kind == VCPU_STOP_SPIN) {
            block_stop(vcpu, gva, size);
            return;
        }
        if (vcpu->block_count >= BLOCK_LOAD_MAX) {
            vcpu_block_forget_all(vcpu);
            slot = block_find(vcpu, gva, size);
        }
        *slot = fresh;
        if (vcpu->ran) {
            vcpu->ran_slot[vcpu->block_count] = (uint32_t)(slot - vcpu->block);
        }
        vcpu->block_count++;
    }
    if ((slot->key & BLOCK_REP) && vcpu->current == slot) {
        block_repeat(vcpu, slot);
    }
    if (vcpu->left < (int64_t)slot->insns) {
        vcpu->stop.kind = VCPU_STOP_LIMIT;
        block_stop(vcpu, gva, size);
        return;
    }
    vcpu->left -= slot->insns;
    vcpu->current = slot;
    if (slot->key & BLOCK_MODE) {
        vcpu->code.stale = true;
    }
    if (vcpu_debug_attends(vcpu) || vcpu->code.stale) {
        vcpu_limit_hold(vcpu);
    }
}

/* A block that is known, fits into the budget, and nothing waits for. */
static inline bool block_quick(struct vcpu *vcpu, const struct block *block, uint64_t gva,
                               uint32_t size)
{
    int64_t left = vcpu->left - block->insns;

    if (block->gva != gva || block->key != size ||
        left < 0) { /* never one with BLOCK_MODE, BLOCK_REP */
        return false;
    }
    vcpu->left = left;
    vcpu->current = block;
    return true;
}

/* Called before each block: the emulator's largest cost. Everything else is in block_slow. */
void vcpu_on_block(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    struct vcpu *vcpu = opaque;

    (void)uc;
    if (!block_quick(vcpu, &vcpu->block[block_slot(gva)], gva, size)) {
        block_slow(vcpu, gva, size);
    }
}

/* ---- edges: one block after another, as a fuzzer counts them ---- */

static inline void edge_count(struct vcpu *vcpu, const struct block *block)
{
    uint32_t edge = block->edge, from = vcpu->edge_from;

    vcpu->edge_from = edge >> 1; /* so that there and back are two edges */
    vcpu->edges[edge ^ from]++;
}

__attribute__((noinline)) static void edges_slow(struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    block_slow(vcpu, gva, size);
    if (vcpu->current) { /* else it has stopped before the block */
        edge_count(vcpu, vcpu->current);
    }
}

/* In place of vcpu_on_block: with two hooks the engine would call neither directly. */
static void on_block_edges(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    struct vcpu *vcpu = opaque;
    const struct block *block = &vcpu->block[block_slot(gva)];

    (void)uc;
    if (block_quick(vcpu, block, gva, size)) {
        edge_count(vcpu, block);
    } else {
        edges_slow(vcpu, gva, size);
    }
}

int vcpu_count_edges(struct vcpu *vcpu, struct error *error)
{
    uc_err err = uc_hook_del(vcpu->uc, vcpu->block_hook);

    vcpu_set_edges(vcpu, NULL);
    if (!err) {
        err = uc_hook_add(vcpu->uc, &vcpu->block_hook, UC_HOOK_BLOCK, (void *)on_block_edges, vcpu,
                          1, 0);
    }
    if (err) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine refuses a hook on blocks");
    }
    engine_flush_blocks(vcpu->uc);
    return 0;
}

void vcpu_set_edges(struct vcpu *vcpu, uint8_t *edges)
{
    vcpu->edges = edges ? edges : vcpu->edges_nowhere;
    vcpu->edge_from = 0;
}

/* ---- how often each block runs ---- */

/* The block before ends with the same instruction: the engine has come around to it. */
static bool block_goes_on(const struct block *before, const struct block *block)
{
    return (block->key & BLOCK_REP) && before &&
           before->gva + block_size(before) == block->gva + block_size(block);
}

__attribute__((noinline)) static void ran_slow(struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    struct block before = vcpu->current ? *vcpu->current : (struct block){0};

    block_slow(vcpu, gva, size);
    if (vcpu->in_stub) {
        return;
    }
    if (!vcpu->current) {
        if (vcpu->stop.kind == VCPU_STOP_SPIN) {
            vcpu_ran_more(vcpu, gva, size);
        }
    } else if (!block_goes_on(before.key ? &before : NULL, vcpu->current)) {
        vcpu->ran[vcpu->current - vcpu->block]++;
        if (vcpu->last) {
            vcpu_last_add(vcpu, gva, size);
        }
    }
}

/* In place of vcpu_on_block, as with edges. */
static void on_block_ran(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    struct vcpu *vcpu = opaque;
    uint32_t slot = block_slot(gva);

    (void)uc;
    if (block_quick(vcpu, &vcpu->block[slot], gva, size)) {
        vcpu->ran[slot]++;
        if (vcpu->last) {
            vcpu_last_add(vcpu, gva, size);
        }
    } else {
        ran_slow(vcpu, gva, size);
    }
}

int vcpu_count_ran(struct vcpu *vcpu, vcpu_ran *ran, void *context, struct error *error)
{
    uc_err err;

    vcpu->ran_inside = calloc(BLOCK_SLOTS, sizeof(*vcpu->ran_inside));
    vcpu->ran_outside = calloc(BLOCK_SLOTS, sizeof(*vcpu->ran_outside));
    vcpu->ran_slot = calloc(BLOCK_SLOTS, sizeof(*vcpu->ran_slot));
    if (!vcpu->ran_inside || !vcpu->ran_outside || !vcpu->ran_slot) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for coverage");
    }
    vcpu->tell_ran = ran;
    vcpu->tell_ran_context = context;
    vcpu_block_forget_all(vcpu);
    vcpu_ran_switch(vcpu);
    err = uc_hook_del(vcpu->uc, vcpu->block_hook);
    if (!err) {
        err = uc_hook_add(vcpu->uc, &vcpu->block_hook, UC_HOOK_BLOCK, (void *)on_block_ran, vcpu, 1,
                          0);
    }
    if (err) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine refuses a hook on blocks");
    }
    engine_flush_blocks(vcpu->uc);
    return 0;
}

/* Instructions of the current block before the one at gva. */
static uint32_t block_insns_before(struct vcpu *vcpu, uint64_t gva)
{
    const struct block *block = vcpu->current;
    struct block_offset *memo = &vcpu->offset[(gva * 31 + block->gva) % OFFSET_SLOTS];
    uint8_t bytes[BLOCK_BYTES_MAX + 16];
    unsigned bits = vcpu_code(vcpu)->bits;
    uint64_t at = 0;
    uint32_t insns = 0;
    size_t have;

    if (memo->at == gva && memo->gva == block->gva) {
        return memo->insns;
    }
    have = vcpu_code_peek(vcpu, block->gva, bytes,
                          block_size(block) + 15 < sizeof(bytes) ? block_size(block) + 15
                                                                 : sizeof(bytes));
    while (at < gva - block->gva && at < have) {
        struct vcpu_insn insn = {0};

        vcpu->decode(bytes + at, have - at, bits, &insn);
        if (insn.length == 0) {
            break;
        }
        at += insn.length;
        insns++;
    }
    *memo = (struct block_offset){.gva = block->gva, .at = gva, .insns = insns};
    return insns;
}

/* The engine counted the whole block; only the instructions before gva have retired. */
uint64_t vcpu_retired_at(struct vcpu *vcpu, uint64_t gva)
{
    const struct block *block = vcpu->current;
    uint64_t retired = vcpu_retired(vcpu);

    if (block && gva - block->gva < block_size(block)) {
        return retired - block->insns + block_insns_before(vcpu, gva);
    }
    return retired;
}

void vcpu_settle(struct vcpu *vcpu, uint64_t gva)
{
    if (vcpu->observer.settle && vcpu->current) {
        vcpu->observer.settle(vcpu->observer.context, gva);
    }
    vcpu_ran_left(vcpu, gva);
    vcpu->left = (int64_t)(vcpu->limit - vcpu_retired_at(vcpu, gva));
    vcpu->current = NULL;
}
