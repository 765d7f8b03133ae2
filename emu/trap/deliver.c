/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/deliver.h"

#include <string.h>

#include "abi/x86.h"

#define SELECTOR_TI 4u

enum attempt attempt_refuse(struct fault *next, uint8_t vector, uint32_t error_code)
{
    *next = (struct fault){.vector = vector, .has_error_code = true, .error_code = error_code};
    return ATTEMPT_FAULT;
}

enum attempt attempt_mmu(struct trap_context *trap, const struct mmu_fault *fault,
                         struct fault *next)
{
    switch (fault->kind) {
    case MMU_FAULT_PF:
        attempt_refuse(next, VECTOR_PF, fault->error_code);
        next->sets_cr2 = true;
        next->cr2 = fault->gva;
        return ATTEMPT_FAULT;
    case MMU_FAULT_GP:
        return attempt_refuse(next, VECTOR_GP, 0);
    case MMU_FAULT_VC:
        attempt_refuse(next, VECTOR_VC, VC_PAGE_NOT_VALIDATED);
        next->sets_cr2 = true;
        next->cr2 = fault->gva;
        next->taken_gpa = trap_host_fault(trap, fault->gpa) ? fault->gpa & ~PAGE_MASK : 0;
        next->taken_stack = fault->access == MMU_WRITE && !fault->walk;
        next->taken_code = next->taken_gpa && fault->access == MMU_FETCH;
        return ATTEMPT_FAULT;
    case MMU_FAULT_NPF:
        trap_nested_fault(trap, fault);
        return ATTEMPT_ENDED;
    default:
        trap_end(trap, OUTCOME_UNMODELLED, "exception delivery in a paging mode not modelled");
        return ATTEMPT_ENDED;
    }
}

enum attempt attempt_read(struct trap_context *trap, uint64_t gva, void *bytes, size_t size_bytes,
                          struct fault *next)
{
    struct mmu_context context;
    struct mmu_fault fault;

    vcpu_mmu_context(trap->machine->vcpu, &context);
    context.cpl = 0;
    context.rflags &= ~RFLAGS_AC; /* to SMAP these are implicit accesses: AC does not count */
    return mmu_read(&trap->machine->mmu, &context, gva, bytes, size_bytes, &fault)
               ? ATTEMPT_DONE
               : attempt_mmu(trap, &fault, next);
}

uint32_t deliver_external(const struct fault *fault)
{
    return fault->interrupt ? 1 : 0;
}

uint32_t deliver_selector(const struct fault *fault, uint16_t selector)
{
    return (selector & SELECTOR_ERROR_MASK) | deliver_external(fault);
}

bool deliver_sets_resume(const struct fault *fault)
{
    return !fault->software_length && !fault->injected && !fault->no_resume;
}

uint64_t deliver_rflags(const struct trap_context *trap, const struct fault *fault)
{
    return vcpu_get(trap->machine->vcpu, VCPU_RFLAGS) |
           (deliver_sets_resume(fault) ? RFLAGS_RF : 0);
}

enum attempt attempt_write(struct trap_context *trap, unsigned cpl, uint64_t gva, const void *bytes,
                           size_t size_bytes, struct fault *next)
{
    struct mmu_context context;
    struct mmu_fault mmu_fault;

    vcpu_mmu_context(trap->machine->vcpu, &context);
    context.cpl = cpl;
    if (mmu_write(&trap->machine->mmu, &context, gva, bytes, size_bytes, &mmu_fault)) {
        return ATTEMPT_DONE;
    }
    if (mmu_fault.kind == MMU_FAULT_GP) {
        return attempt_refuse(next, VECTOR_SS, 0); /* non-canonical stack address */
    }
    return attempt_mmu(trap, &mmu_fault, next);
}

uint64_t load_le(const uint8_t *bytes, size_t size_bytes)
{
    uint64_t value = 0;

    memcpy(&value, bytes, size_bytes);
    return value;
}

static struct vcpu_segment descriptor_segment(uint16_t selector, uint64_t descriptor)
{
    struct vcpu_segment segment = {
        .selector = selector,
        .attributes = (uint16_t)((descriptor >> 40 & 0xFF) | (descriptor >> 44 & 0xF00)),
        .limit = (uint32_t)((descriptor & 0xFFFF) | (descriptor >> 32 & 0xF0000)),
        .base = (descriptor >> 16 & 0xFFFFFF) | (descriptor >> 32 & 0xFF000000),
    };

    if (segment.attributes & SEGMENT_GRANULAR) {
        segment.limit = segment.limit << PAGE_SHIFT | PAGE_MASK;
    }
    return segment;
}

enum attempt attempt_descriptor(struct trap_context *trap, const struct fault *fault,
                                uint16_t selector, uint8_t vector, struct vcpu_segment *segment,
                                struct fault *next)
{
    uint32_t offset = selector & 0xFFF8u;
    struct vcpu_table table;
    uint8_t bytes[8];
    enum attempt attempt;

    vcpu_get_table(trap->machine->vcpu, selector & SELECTOR_TI ? VCPU_LDTR : VCPU_GDTR, &table);
    if ((selector & SELECTOR_ERROR_MASK) == 0 || offset + 7 > table.limit) {
        return attempt_refuse(next, vector, deliver_selector(fault, selector));
    }
    attempt = attempt_read(trap, table.base + offset, bytes, sizeof(bytes), next);
    if (attempt == ATTEMPT_DONE) {
        *segment = descriptor_segment(selector, load_le(bytes, sizeof(bytes)));
    }
    return attempt;
}

enum attempt attempt_code_segment(struct trap_context *trap, const struct fault *fault,
                                  uint16_t selector, unsigned mask, unsigned want,
                                  struct vcpu_segment *code, unsigned *cpl, struct fault *next)
{
    uint32_t error_code = deliver_selector(fault, selector);
    enum attempt attempt = attempt_descriptor(trap, fault, selector, VECTOR_GP, code, next);
    unsigned dpl;

    if (attempt != ATTEMPT_DONE) {
        return attempt;
    }
    *cpl = vcpu_cpl(trap->machine->vcpu);
    dpl = SEGMENT_DPL(code->attributes);
    if (!SEGMENT_IS_CODE(code->attributes) || (code->attributes & mask) != want || dpl > *cpl) {
        return attempt_refuse(next, VECTOR_GP, error_code);
    }
    if (!(code->attributes & SEGMENT_PRESENT)) {
        return attempt_refuse(next, VECTOR_NP, error_code);
    }
    if (!(code->attributes & SEGMENT_CONFORMING)) {
        *cpl = dpl;
    }
    code->selector = (uint16_t)((selector & ~3u) | *cpl);
    return ATTEMPT_DONE;
}
