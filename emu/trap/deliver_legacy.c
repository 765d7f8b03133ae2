/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Protected mode without long mode, where a guest's firmware handles its first #VC, and real mode.
 *
 * Source: AMD APM Vol 2 (24593), chapter 8 (real-mode and legacy protected-mode interrupt control
 * transfers) and chapter 12 (legacy task-state segment).
 */
#include <string.h>

#include "abi/x86.h"
#include "trap/deliver.h"

#define GATE_SIZE 8
#define GATE_TASK 0x5
#define GATE_INTERRUPT_16 0x6
#define GATE_TRAP_16 0x7
#define GATE_INTERRUPT_32 0xE
#define GATE_TRAP_32 0xF
#define TSS_ESP_OFFSET 0x04
#define TSS_TYPE(flags) (((flags) >> 8) & 0xD) /* without the busy bit */
#define TSS_TYPE_32 0x9
#define VECTOR_SIZE 4 /* of the real-mode table */
#define FRAME_MAX 6

struct gate {
    uint32_t target;
    uint16_t selector;
    uint8_t size_bytes; /* of what it pushes: 2 or 4 each */
    bool interrupt;     /* clears IF */
};

struct stack {
    struct vcpu_segment segment;
    uint32_t esp;
};

static enum attempt attempt_gate(struct trap_context *trap, const struct fault *fault,
                                 struct gate *gate, struct fault *next)
{
    struct vcpu_table idt;
    uint8_t bytes[GATE_SIZE];
    uint32_t offset = fault->vector * GATE_SIZE;
    uint32_t error_code = fault->vector * 8u + 2 + deliver_external(fault); /* IDT bit */
    unsigned type;
    enum attempt attempt;

    vcpu_get_table(trap->machine->vcpu, VCPU_IDTR, &idt);
    if (offset + GATE_SIZE - 1 > idt.limit) {
        return attempt_refuse(next, VECTOR_GP, error_code);
    }
    attempt = attempt_read(trap, (uint32_t)(idt.base + offset), bytes, sizeof(bytes), next);
    if (attempt != ATTEMPT_DONE) {
        return attempt;
    }
    type = bytes[5] & 0x1F; /* with the S bit, which must be 0 */
    if (type != GATE_TASK && (type & ~9u) != GATE_INTERRUPT_16) {
        return attempt_refuse(next, VECTOR_GP, error_code);
    }
    if (fault->software_length && !fault->privileged &&
        ((bytes[5] >> 5) & 3u) < vcpu_cpl(trap->machine->vcpu)) {
        return attempt_refuse(next, VECTOR_GP, error_code);
    }
    if (!(bytes[5] & 0x80)) {
        return attempt_refuse(next, VECTOR_NP, error_code);
    }
    if (type == GATE_TASK) {
        trap_end(trap, OUTCOME_UNMODELLED, "exception through a task gate");
        return ATTEMPT_ENDED;
    }
    gate->selector = (uint16_t)load_le(bytes + 2, 2);
    gate->size_bytes = type == GATE_INTERRUPT_32 || type == GATE_TRAP_32 ? 4 : 2;
    gate->interrupt = type == GATE_INTERRUPT_32 || type == GATE_INTERRUPT_16;
    gate->target = (uint32_t)load_le(bytes, 2);
    if (gate->size_bytes == 4) {
        gate->target |= (uint32_t)load_le(bytes + 6, 2) << 16;
    }
    return ATTEMPT_DONE;
}

/* SS:ESP of an inner level, from the TSS. */
static enum attempt attempt_inner_stack(struct trap_context *trap, const struct fault *fault,
                                        unsigned cpl, struct stack *stack, struct fault *next)
{
    uint32_t offset = TSS_ESP_OFFSET + 8u * cpl, error_code;
    struct vcpu_table tr;
    uint8_t bytes[6];
    uint16_t selector, attributes;
    enum attempt attempt;

    vcpu_get_table(trap->machine->vcpu, VCPU_TR, &tr);
    error_code = deliver_selector(fault, tr.selector);
    if ((tr.selector & SELECTOR_ERROR_MASK) && TSS_TYPE(tr.flags) != TSS_TYPE_32) {
        trap_end(trap, OUTCOME_UNMODELLED, "a 16-bit TSS");
        return ATTEMPT_ENDED;
    }
    if ((tr.selector & SELECTOR_ERROR_MASK) == 0 || offset + sizeof(bytes) - 1 > tr.limit) {
        return attempt_refuse(next, VECTOR_TS, error_code);
    }
    attempt = attempt_read(trap, (uint32_t)(tr.base + offset), bytes, sizeof(bytes), next);
    if (attempt != ATTEMPT_DONE) {
        return attempt;
    }
    stack->esp = (uint32_t)load_le(bytes, 4);
    selector = (uint16_t)load_le(bytes + 4, 2);
    attempt = attempt_descriptor(trap, fault, selector, VECTOR_TS, &stack->segment, next);
    if (attempt != ATTEMPT_DONE) {
        return attempt;
    }
    error_code = deliver_selector(fault, selector);
    attributes = stack->segment.attributes;
    if ((selector & 3u) != cpl || SEGMENT_DPL(attributes) != cpl ||
        (attributes & (0x18 | SEGMENT_WRITABLE)) != (0x10 | SEGMENT_WRITABLE)) {
        return attempt_refuse(next, VECTOR_TS, error_code);
    }
    return attributes & SEGMENT_PRESENT ? ATTEMPT_DONE
                                        : attempt_refuse(next, VECTOR_SS, error_code);
}

/* [offset, offset + size) lies within the segment. */
static bool stack_reaches(const struct vcpu_segment *segment, uint32_t offset, uint32_t size_bytes)
{
    uint64_t last = (uint64_t)offset + size_bytes - 1;
    uint32_t top = segment->attributes & SEGMENT_DEFAULT ? UINT32_MAX : UINT16_MAX;

    if (segment->attributes & SEGMENT_EXPAND_DOWN) {
        return offset > segment->limit && last <= top;
    }
    return last <= segment->limit;
}

/* `count` words, the one at the lowest address first, each of size_bytes bytes. */
static enum attempt attempt_push(struct trap_context *trap, struct stack *stack, unsigned cpl,
                                 const uint32_t *word, unsigned count, unsigned size_bytes,
                                 struct fault *next)
{
    bool wide = stack->segment.attributes & SEGMENT_DEFAULT;
    uint32_t size = count * size_bytes;
    uint32_t offset = stack->esp - size;
    uint8_t bytes[FRAME_MAX * 4];

    offset = wide ? offset : offset & UINT16_MAX;
    if (!stack_reaches(&stack->segment, offset, size)) {
        return attempt_refuse(next, VECTOR_SS, 0);
    }
    for (unsigned i = 0; i < count; i++) {
        memcpy(bytes + (size_t)i * size_bytes, &word[i], size_bytes);
    }
    stack->esp = wide ? offset : (stack->esp & ~(uint32_t)UINT16_MAX) | offset;
    return attempt_write(trap, cpl, (uint32_t)(stack->segment.base + offset), bytes, size, next);
}

static enum attempt attempt_frame(struct trap_context *trap, const struct fault *fault,
                                  const struct gate *gate, struct stack *stack, unsigned cpl,
                                  struct fault *next)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    const uint32_t frame[FRAME_MAX] = {
        fault->error_code,
        (uint32_t)vcpu_get(vcpu, VCPU_RIP) + fault->software_length,
        (uint32_t)vcpu_get(vcpu, VCPU_CS),
        (uint32_t)deliver_rflags(trap, fault),
        (uint32_t)vcpu_get(vcpu, VCPU_RSP),
        (uint32_t)vcpu_get(vcpu, VCPU_SS),
    };
    unsigned skip = fault->has_error_code ? 0 : 1;
    unsigned count = cpl == vcpu_cpl(vcpu) ? FRAME_MAX - 2 : FRAME_MAX;

    return attempt_push(trap, stack, cpl, frame + skip, count - skip, gate->size_bytes, next);
}

static void enter_handler(struct vcpu *vcpu, const struct fault *fault,
                          const struct vcpu_segment segment[], const struct stack *stack,
                          uint64_t clear, uint32_t target)
{
    if (fault->software_length) {
        vcpu_retire(vcpu, 0);
    }
    vcpu_set_segments(vcpu, segment);
    vcpu_set(vcpu, VCPU_RSP, stack->esp);
    vcpu_set(vcpu, VCPU_RFLAGS, vcpu_get(vcpu, VCPU_RFLAGS) & ~clear);
    vcpu_set(vcpu, VCPU_RIP, target);
}

enum attempt deliver_protected(struct trap_context *trap, const struct fault *fault,
                               struct fault *next)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    uint64_t clear = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF;
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];
    struct stack stack;
    struct gate gate = {0};
    unsigned cpl;
    enum attempt attempt;

    if (vcpu_get(vcpu, VCPU_RFLAGS) & RFLAGS_VM) {
        trap_end(trap, OUTCOME_UNMODELLED, "exception delivery from virtual-8086 mode");
        return ATTEMPT_ENDED;
    }
    vcpu_get_segments(vcpu, segment);
    stack = (struct stack){segment[VCPU_SEG_SS], (uint32_t)vcpu_get(vcpu, VCPU_RSP)};
    attempt = attempt_gate(trap, fault, &gate, next);
    if (attempt == ATTEMPT_DONE) {
        attempt = attempt_code_segment(trap, fault, gate.selector, 0, 0, &segment[VCPU_SEG_CS],
                                       &cpl, next);
    }
    if (attempt == ATTEMPT_DONE && cpl != vcpu_cpl(vcpu)) {
        attempt = attempt_inner_stack(trap, fault, cpl, &stack, next);
        segment[VCPU_SEG_SS] = stack.segment;
    }
    if (attempt == ATTEMPT_DONE) {
        attempt = attempt_frame(trap, fault, &gate, &stack, cpl, next);
    }
    if (attempt != ATTEMPT_DONE) {
        return attempt;
    }
    if (gate.target > segment[VCPU_SEG_CS].limit) {
        return attempt_refuse(next, VECTOR_GP, 0);
    }
    if (deliver_sets_resume(fault) && gate.size_bytes == 4) { /* a smaller frame has no RF */
        vcpu_expect_resume(vcpu);
    }
    enter_handler(vcpu, fault, segment, &stack, clear | (gate.interrupt ? RFLAGS_IF : 0),
                  gate.target);
    return ATTEMPT_DONE;
}

/* Through the table of far pointers; there are no error codes. */
enum attempt deliver_real(struct trap_context *trap, const struct fault *fault, struct fault *next)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];
    const uint32_t frame[3] = {
        (uint32_t)vcpu_get(vcpu, VCPU_RIP) + fault->software_length,
        (uint32_t)vcpu_get(vcpu, VCPU_CS),
        (uint32_t)vcpu_get(vcpu, VCPU_RFLAGS),
    };
    uint32_t offset = fault->vector * VECTOR_SIZE;
    struct vcpu_table idt;
    struct stack stack;
    uint8_t bytes[VECTOR_SIZE];
    enum attempt attempt;

    vcpu_get_segments(vcpu, segment);
    stack = (struct stack){segment[VCPU_SEG_SS], (uint32_t)vcpu_get(vcpu, VCPU_RSP)};
    vcpu_get_table(vcpu, VCPU_IDTR, &idt);
    if (offset + VECTOR_SIZE - 1 > idt.limit) {
        return attempt_refuse(next, VECTOR_GP, 0);
    }
    attempt = attempt_read(trap, (uint32_t)(idt.base + offset), bytes, sizeof(bytes), next);
    if (attempt == ATTEMPT_DONE) {
        attempt = attempt_push(trap, &stack, 0, frame, 3, 2, next);
    }
    if (attempt != ATTEMPT_DONE) {
        return attempt;
    }
    segment[VCPU_SEG_CS].selector = (uint16_t)load_le(bytes + 2, 2);
    segment[VCPU_SEG_CS].base = (uint64_t)segment[VCPU_SEG_CS].selector << 4;
    enter_handler(vcpu, fault, segment, &stack, RFLAGS_IF | RFLAGS_TF | RFLAGS_RF | RFLAGS_AC,
                  (uint32_t)load_le(bytes, 2));
    return ATTEMPT_DONE;
}
