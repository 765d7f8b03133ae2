/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: AMD APM Vol 2 (24593) 8.9, long-mode interrupt control transfers. */
#include "abi/x86.h"
#include "trap/deliver.h"

#define GATE_SIZE 16
#define GATE_TYPE_INTERRUPT 0xE
#define GATE_TYPE_TRAP 0xF
#define TSS_RSP_OFFSET 0x04
#define TSS_IST_OFFSET 0x24

struct gate {
    uint64_t target;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint8_t dpl;
    bool present;
};

static enum attempt attempt_gate(struct trap_context *trap, const struct fault *fault,
                                 struct gate *gate, struct fault *next)
{
    struct vcpu_table idt;
    uint8_t bytes[GATE_SIZE];
    uint32_t offset = fault->vector * GATE_SIZE;
    uint32_t error_code = fault->vector * 8u + 2 + deliver_external(fault); /* IDT bit */
    enum attempt attempt;

    vcpu_get_table(trap->machine->vcpu, VCPU_IDTR, &idt);
    if (offset + GATE_SIZE - 1 > idt.limit) {
        return attempt_refuse(next, VECTOR_GP, error_code);
    }
    attempt = attempt_read(trap, idt.base + offset, bytes, sizeof(bytes), next);
    if (attempt != ATTEMPT_DONE) {
        return attempt;
    }
    gate->target = load_le(bytes, 2) | load_le(bytes + 6, 2) << 16 | load_le(bytes + 8, 4) << 32;
    gate->selector = (uint16_t)load_le(bytes + 2, 2);
    gate->ist = bytes[4] & 7;
    gate->type = bytes[5] & 0x1F; /* with the S bit, which must be 0 */
    gate->dpl = (bytes[5] >> 5) & 3;
    gate->present = bytes[5] & 0x80;
    if (gate->type != GATE_TYPE_INTERRUPT && gate->type != GATE_TYPE_TRAP) {
        return attempt_refuse(next, VECTOR_GP, error_code);
    }
    if (fault->software_length && !fault->privileged && gate->dpl < vcpu_cpl(trap->machine->vcpu)) {
        return attempt_refuse(next, VECTOR_GP, error_code);
    }
    if (!gate->present) {
        return attempt_refuse(next, VECTOR_NP, error_code);
    }
    if (!mmu_canonical(gate->target)) {
        return attempt_refuse(next, VECTOR_GP, 0);
    }
    return ATTEMPT_DONE;
}

/* The stack: an IST entry, that of the inner privilege level, or the one in use. APM Vol 2 8.9. */
static enum attempt attempt_stack(struct trap_context *trap, const struct fault *fault,
                                  const struct gate *gate, unsigned cpl, uint64_t *rsp,
                                  struct fault *next)
{
    struct vcpu_table tr;
    uint8_t bytes[8];
    uint32_t offset =
        gate->ist ? TSS_IST_OFFSET + 8u * (gate->ist - 1u) : TSS_RSP_OFFSET + 8u * cpl;
    enum attempt attempt;

    *rsp = vcpu_get(trap->machine->vcpu, VCPU_RSP);
    if (gate->ist != 0 || cpl != vcpu_cpl(trap->machine->vcpu)) {
        vcpu_get_table(trap->machine->vcpu, VCPU_TR, &tr);
        if ((tr.selector & SELECTOR_ERROR_MASK) == 0 || offset + 7 > tr.limit) {
            return attempt_refuse(next, VECTOR_TS, deliver_selector(fault, tr.selector));
        }
        attempt = attempt_read(trap, tr.base + offset, bytes, sizeof(bytes), next);
        if (attempt != ATTEMPT_DONE) {
            return attempt;
        }
        *rsp = load_le(bytes, 8);
    }
    *rsp &= ~15ULL;
    return ATTEMPT_DONE;
}

static enum attempt attempt_push(struct trap_context *trap, const struct fault *fault, unsigned cpl,
                                 uint64_t *rsp, struct fault *next)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    /* Ascending from the new stack pointer. */
    uint64_t frame[6] = {
        fault->error_code,        vcpu_get(vcpu, VCPU_RIP) + fault->software_length,
        vcpu_get(vcpu, VCPU_CS),  deliver_rflags(trap, fault),
        vcpu_get(vcpu, VCPU_RSP), vcpu_get(vcpu, VCPU_SS),
    };
    size_t skip = fault->has_error_code ? 0 : 1;
    size_t size = sizeof(frame) - skip * sizeof(frame[0]);

    *rsp -= size;
    return attempt_write(trap, cpl, *rsp, frame + skip, size, next);
}

/* Going inwards leaves a null SS with the new level. */
static void enter_code(struct vcpu *vcpu, const struct vcpu_segment *code, unsigned cpl)
{
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];

    /* Most often nothing changes, and 64-bit code needs nothing else of its segment. */
    if (cpl == vcpu_cpl(vcpu) && vcpu_code_bits(vcpu) == 64 &&
        vcpu_get(vcpu, VCPU_CS) == code->selector) {
        return;
    }
    vcpu_get_segments(vcpu, segment);
    segment[VCPU_SEG_CS] = *code;
    if (cpl != vcpu_cpl(vcpu)) {
        segment[VCPU_SEG_SS] =
            (struct vcpu_segment){.selector = (uint16_t)cpl, .attributes = (uint16_t)(cpl << 5)};
    }
    vcpu_set_segments(vcpu, segment);
    vcpu_set_cpl(vcpu, cpl);
}

enum attempt deliver_long(struct trap_context *trap, const struct fault *fault, struct fault *next)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    uint64_t clear = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF;
    struct vcpu_segment code;
    struct gate gate = {0};
    uint64_t rsp;
    unsigned cpl;
    enum attempt attempt = attempt_gate(trap, fault, &gate, next);

    if (attempt == ATTEMPT_DONE) {
        attempt = attempt_code_segment(trap, fault, gate.selector, SEGMENT_LONG | SEGMENT_DEFAULT,
                                       SEGMENT_LONG, &code, &cpl, next);
    }
    if (attempt == ATTEMPT_DONE) {
        attempt = attempt_stack(trap, fault, &gate, cpl, &rsp, next);
    }
    if (attempt == ATTEMPT_DONE) {
        attempt = attempt_push(trap, fault, cpl, &rsp, next);
    }
    if (attempt != ATTEMPT_DONE) {
        return attempt;
    }
    if (gate.type == GATE_TYPE_INTERRUPT) {
        clear |= RFLAGS_IF;
    }
    if (fault->software_length) {
        vcpu_retire(vcpu, 0);
    }
    if (deliver_sets_resume(fault)) {
        vcpu_expect_resume(vcpu);
    }
    enter_code(vcpu, &code, cpl);
    vcpu_set(vcpu, VCPU_RSP, rsp);
    vcpu_set(vcpu, VCPU_RFLAGS, vcpu_get(vcpu, VCPU_RFLAGS) & ~clear);
    vcpu_set(vcpu, VCPU_RIP, gate.target);
    return ATTEMPT_DONE;
}
