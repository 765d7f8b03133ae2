/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions on memory that the engine does not know. */
#include "abi/x86.h"
#include "trap/fault.h"
#include "trap/handlers.h"

#define CACHE_LINE_SIZE 64

/* The cache line at rAX. */
enum trap_next insn_clzero(struct trap_context *trap, const struct insn *insn)
{
    static const uint8_t zeros[CACHE_LINE_SIZE];
    struct machine *machine = trap->machine;
    uint64_t gva = vcpu_get(machine->vcpu, VCPU_RAX);
    struct mmu_context context;
    struct mmu_fault fault;

    gva = (insn->address_32 ? (uint32_t)gva : gva) & ~(uint64_t)(CACHE_LINE_SIZE - 1);
    vcpu_mmu_context(machine->vcpu, &context);
    if (!mmu_write(&machine->mmu, &context, gva, zeros, sizeof(zeros), &fault)) {
        return fault_raise_mmu(trap, &fault);
    }
    return insn_done(trap, insn);
}
