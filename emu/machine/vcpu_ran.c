/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often code has run: the blocks' counters, which the block hook increments (vcpu_block.c), and
 * what must be set right beside them; and which code ran last.
 */
#include <stdlib.h>

#include "machine/vcpu_engine.h"

static void tell(struct vcpu *vcpu, uint64_t *ran, unsigned vmpl)
{
    for (uint32_t i = 0; i < vcpu->block_count; i++) {
        uint32_t slot = vcpu->ran_slot[i];
        const struct block *block = &vcpu->block[slot];

        if (ran[slot]) {
            vcpu->tell_ran(vcpu->tell_ran_context, vmpl, block->gva, block_size(block),
                           (int64_t)ran[slot]);
            ran[slot] = 0;
        }
    }
}

void vcpu_tell_ran(struct vcpu *vcpu)
{
    if (vcpu->ran) {
        tell(vcpu, vcpu->ran_inside, 0);
        tell(vcpu, vcpu->ran_outside, 1);
    }
}

void vcpu_ran_switch(struct vcpu *vcpu)
{
    vcpu->ran = vcpu->vmpl == 0 ? vcpu->ran_inside : vcpu->ran_outside;
}

/* Of the last piece, which begins at gva, only so much has run. */
static void last_cut(struct vcpu *vcpu, uint64_t gva, uint32_t size_bytes)
{
    struct vcpu_last *last =
        vcpu->last_count ? &vcpu->last[(vcpu->last_count - 1) % vcpu->last_size] : NULL;

    if (!last || last->gva != gva) {
        return; /* an iteration of REP */
    }
    last->size_bytes = size_bytes;
    vcpu->last_count -= size_bytes == 0;
}

void vcpu_ran_left(struct vcpu *vcpu, uint64_t gva)
{
    const struct block *block = vcpu->current;

    if (vcpu->ran && block && gva - block->gva < block_size(block)) {
        vcpu->tell_ran(vcpu->tell_ran_context, vcpu->vmpl, block->gva, block_size(block), -1);
        if (gva != block->gva) {
            vcpu->tell_ran(vcpu->tell_ran_context, vcpu->vmpl, block->gva,
                           (uint32_t)(gva - block->gva), 1);
        }
        last_cut(vcpu, block->gva, (uint32_t)(gva - block->gva));
    }
}

void vcpu_ran_more(struct vcpu *vcpu, uint64_t gva, uint32_t size_bytes)
{
    if (vcpu->ran) {
        vcpu->tell_ran(vcpu->tell_ran_context, vcpu->vmpl, gva, size_bytes, 1);
        if (vcpu->last) {
            vcpu_last_add(vcpu, gva, size_bytes);
        }
    }
}

/* ---- the last pieces of code ---- */

/* The page where code at gva was seen last. */
static uint32_t last_page(const struct vcpu *vcpu, uint64_t gva)
{
    const struct code_view *view = &vcpu->code_view[(gva >> PAGE_SHIFT) % CODE_VIEW_SLOTS];

    return (view->gva ^ gva) >> PAGE_SHIFT ? MEMORY_NO_PAGE : view->page;
}

void vcpu_last_add(struct vcpu *vcpu, uint64_t gva, uint32_t size_bytes)
{
    vcpu->last[vcpu->last_count++ % vcpu->last_size] = (struct vcpu_last){
        .gva = gva,
        .size_bytes = size_bytes,
        .page = {last_page(vcpu, gva), last_page(vcpu, gva + size_bytes - 1)},
        .who = *vcpu->last_who,
        .vmpl = (uint8_t)vcpu->vmpl,
        .bits = (uint8_t)vcpu->code.bits,
    };
}

int vcpu_keep_last(struct vcpu *vcpu, size_t count, const uint32_t *who, struct error *error)
{
    vcpu->last = calloc(count, sizeof(*vcpu->last));
    if (!vcpu->last) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for the last instructions");
    }
    vcpu->last_size = count;
    vcpu->last_who = who;
    return 0;
}

bool vcpu_get_last(const struct vcpu *vcpu, size_t back, struct vcpu_last *last)
{
    if (!vcpu->last || back >= vcpu->last_size || back >= vcpu->last_count) {
        return false;
    }
    *last = vcpu->last[(vcpu->last_count - 1 - back) % vcpu->last_size];
    return true;
}
