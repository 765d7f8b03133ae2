/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often code has run: the blocks' counters, which the block hook increments (vcpu_block.c), and
 * what must be set right beside them.
 */
#include <string.h>

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

void vcpu_ran_left(struct vcpu *vcpu, uint64_t gva)
{
    const struct block *block = vcpu->current;

    if (vcpu->ran && block && gva - block->gva < block_size(block)) {
        vcpu->tell_ran(vcpu->tell_ran_context, vcpu->vmpl, block->gva, block_size(block), -1);
        if (gva != block->gva) {
            vcpu_ran_more(vcpu, block->gva, (uint32_t)(gva - block->gva));
        }
    }
}

void vcpu_ran_more(struct vcpu *vcpu, uint64_t gva, uint32_t size_bytes)
{
    if (vcpu->ran) {
        vcpu->tell_ran(vcpu->tell_ran_context, vcpu->vmpl, gva, size_bytes, 1);
    }
}
