/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/fault.h"

#include <stdio.h>
#include <string.h>

#include "abi/x86.h"

#define GATE_SIZE 16
#define GATE_TYPE_INTERRUPT 0xE
#define GATE_TYPE_TRAP 0xF
#define TSS_RSP_OFFSET 0x04
#define TSS_IST_OFFSET 0x24
#define SELECTOR_TI 4u
#define SELECTOR_ERROR_MASK 0xFFFCu /* a selector in an error code: without its RPL */
#define DESCRIPTOR_CONFORMING 0x04
#define DELIVERY_MAX 4 /* first fault, second, double fault, and one to spare */

struct gate {
    uint64_t target;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint8_t dpl;
    bool present;
};

/* What became of one attempt to enter a handler. */
enum attempt {
    ATTEMPT_DONE,
    ATTEMPT_FAULT, /* another exception on the way: `next` */
    ATTEMPT_ENDED, /* the outcome is set */
};

static const char *fault_name(uint8_t vector)
{
    static const char *const names[32] = {
        [VECTOR_DE] = "#DE", [VECTOR_DB] = "#DB", [VECTOR_BP] = "#BP", [VECTOR_UD] = "#UD",
        [VECTOR_NM] = "#NM", [VECTOR_DF] = "#DF", [VECTOR_TS] = "#TS", [VECTOR_NP] = "#NP",
        [VECTOR_SS] = "#SS", [VECTOR_GP] = "#GP", [VECTOR_PF] = "#PF", [VECTOR_MF] = "#MF",
        [VECTOR_AC] = "#AC", [VECTOR_XM] = "#XM", [VECTOR_HV] = "#HV", [VECTOR_VC] = "#VC",
    };

    if (vector >= 32) {
        return "interrupt";
    }
    return names[vector] ? names[vector] : "exception";
}

static struct fault fault_with_code(uint8_t vector, uint32_t error_code)
{
    return (struct fault){.vector = vector, .has_error_code = true, .error_code = error_code};
}

/* Contributory exceptions. APM Vol 2 8.2.9; #VC is one: 15.35.5. */
static bool fault_is_contributory(uint8_t vector)
{
    return vector == VECTOR_DE || vector == VECTOR_VC || vector == VECTOR_HV ||
           (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

static bool fault_makes_double(const struct fault *first, uint8_t second)
{
    if (first->software_length) {
        return false; /* INT n is benign whatever n is */
    }
    if (first->vector == VECTOR_PF) {
        return second == VECTOR_PF || fault_is_contributory(second);
    }
    return fault_is_contributory(first->vector) && fault_is_contributory(second);
}

static unsigned fault_cpl(const struct trap_context *trap)
{
    return vcpu_get(trap->machine->vcpu, VCPU_CS) & 3;
}

/* A translation that failed during delivery. */
static enum attempt attempt_mmu(struct trap_context *trap, const struct mmu_fault *fault,
                                struct fault *next)
{
    switch (fault->kind) {
    case MMU_FAULT_PF:
        *next = fault_with_code(VECTOR_PF, fault->error_code);
        next->sets_cr2 = true;
        next->cr2 = fault->gva;
        return ATTEMPT_FAULT;
    case MMU_FAULT_GP:
        *next = fault_with_code(VECTOR_GP, 0);
        return ATTEMPT_FAULT;
    case MMU_FAULT_VC:
        *next = fault_with_code(VECTOR_VC, VC_PAGE_NOT_VALIDATED);
        next->sets_cr2 = true;
        next->cr2 = fault->gva;
        return ATTEMPT_FAULT;
    case MMU_FAULT_NPF:
        trap_nested_fault(trap, fault);
        return ATTEMPT_ENDED;
    default:
        trap_end(trap, OUTCOME_UNMODELLED, "exception delivery in a paging mode not modelled");
        return ATTEMPT_ENDED;
    }
}

/* Read as the processor does during delivery: at CPL 0 whatever the current one is. */
static enum attempt attempt_read(struct trap_context *trap, uint64_t gva, void *bytes, size_t size,
                                 struct fault *next)
{
    struct mmu_context context;
    struct mmu_fault fault;

    vcpu_mmu_context(trap->machine->vcpu, &context);
    context.cpl = 0;
    context.rflags &= ~RFLAGS_AC; /* to SMAP these are implicit accesses: AC does not count */
    return mmu_read(&trap->machine->mmu, &context, gva, bytes, size, &fault)
               ? ATTEMPT_DONE
               : attempt_mmu(trap, &fault, next);
}

static uint64_t load_le(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;

    memcpy(&value, bytes, size);
    return value;
}

static enum attempt attempt_gate(struct trap_context *trap, const struct fault *fault,
                                 struct gate *gate, struct fault *next)
{
    struct vcpu_table idt;
    uint8_t bytes[GATE_SIZE];
    uint32_t offset = fault->vector * GATE_SIZE;
    uint32_t error_code = fault->vector * 8u + 2; /* IDT bit */
    enum attempt attempt;

    vcpu_get_table(trap->machine->vcpu, VCPU_IDTR, &idt);
    if (offset + GATE_SIZE - 1 > idt.limit) {
        *next = fault_with_code(VECTOR_GP, error_code);
        return ATTEMPT_FAULT;
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
        *next = fault_with_code(VECTOR_GP, error_code);
        return ATTEMPT_FAULT;
    }
    if (fault->software_length && !fault->privileged && gate->dpl < fault_cpl(trap)) {
        *next = fault_with_code(VECTOR_GP, error_code);
        return ATTEMPT_FAULT;
    }
    if (!gate->present) {
        *next = fault_with_code(VECTOR_NP, error_code);
        return ATTEMPT_FAULT;
    }
    if (!mmu_canonical(gate->target)) {
        *next = fault_with_code(VECTOR_GP, 0);
        return ATTEMPT_FAULT;
    }
    return ATTEMPT_DONE;
}

/* The handler's code segment: present, 64-bit code; and the privilege level that it runs at. */
static enum attempt attempt_code_segment(struct trap_context *trap, const struct gate *gate,
                                         unsigned *cpl, struct fault *next)
{
    struct vcpu_table table;
    uint8_t bytes[8];
    uint32_t offset = gate->selector & 0xFFF8u;
    uint32_t error_code = gate->selector & SELECTOR_ERROR_MASK;
    unsigned dpl;
    enum attempt attempt;

    *cpl = fault_cpl(trap);
    vcpu_get_table(trap->machine->vcpu, gate->selector & SELECTOR_TI ? VCPU_LDTR : VCPU_GDTR,
                   &table);
    if (error_code == 0 || offset + 7 > table.limit) {
        *next = fault_with_code(VECTOR_GP, error_code);
        return ATTEMPT_FAULT;
    }
    attempt = attempt_read(trap, table.base + offset, bytes, sizeof(bytes), next);
    if (attempt != ATTEMPT_DONE) {
        return attempt;
    }
    dpl = (bytes[5] >> 5) & 3;
    /* S and code in the type byte; L set and D clear in the flags. */
    if ((bytes[5] & 0x18) != 0x18 || (bytes[6] & 0x60) != 0x20 || dpl > *cpl) {
        *next = fault_with_code(VECTOR_GP, error_code);
        return ATTEMPT_FAULT;
    }
    if (!(bytes[5] & 0x80)) {
        *next = fault_with_code(VECTOR_NP, error_code);
        return ATTEMPT_FAULT;
    }
    if (!(bytes[5] & DESCRIPTOR_CONFORMING)) {
        *cpl = dpl;
    }
    return ATTEMPT_DONE;
}

/* The stack: an IST entry, that of the inner privilege level, or the one in use. APM Vol 2 8.9. */
static enum attempt attempt_stack(struct trap_context *trap, const struct gate *gate, unsigned cpl,
                                  uint64_t *rsp, struct fault *next)
{
    struct vcpu_table tr;
    uint8_t bytes[8];
    uint32_t offset =
        gate->ist ? TSS_IST_OFFSET + 8u * (gate->ist - 1u) : TSS_RSP_OFFSET + 8u * cpl;
    enum attempt attempt;

    *rsp = vcpu_get(trap->machine->vcpu, VCPU_RSP);
    if (gate->ist != 0 || cpl != fault_cpl(trap)) {
        vcpu_get_table(trap->machine->vcpu, VCPU_TR, &tr);
        if ((tr.selector & SELECTOR_ERROR_MASK) == 0 || offset + 7 > tr.limit) {
            *next = fault_with_code(VECTOR_TS, tr.selector & SELECTOR_ERROR_MASK);
            return ATTEMPT_FAULT;
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
    /* RF is set in the image that a fault pushes, not in that of INT n or a trap. */
    uint64_t resume = fault->software_length || fault->no_resume ? 0 : RFLAGS_RF;
    /* Ascending from the new stack pointer. */
    uint64_t frame[6] = {
        fault->error_code,        vcpu_get(vcpu, VCPU_RIP) + fault->software_length,
        vcpu_get(vcpu, VCPU_CS),  vcpu_get(vcpu, VCPU_RFLAGS) | resume,
        vcpu_get(vcpu, VCPU_RSP), vcpu_get(vcpu, VCPU_SS),
    };
    size_t skip = fault->has_error_code ? 0 : 1;
    size_t size = sizeof(frame) - skip * sizeof(frame[0]);
    struct mmu_context context;
    struct mmu_fault mmu_fault;

    vcpu_mmu_context(vcpu, &context);
    context.cpl = cpl;
    *rsp -= size;
    if (mmu_write(&trap->machine->mmu, &context, *rsp, frame + skip, size, &mmu_fault)) {
        if (resume) {
            vcpu_expect_resume(vcpu);
        }
        return ATTEMPT_DONE;
    }
    if (mmu_fault.kind == MMU_FAULT_GP) {
        *next = fault_with_code(VECTOR_SS, 0); /* non-canonical stack address */
        return ATTEMPT_FAULT;
    }
    return attempt_mmu(trap, &mmu_fault, next);
}

static enum attempt fault_attempt(struct trap_context *trap, const struct fault *fault,
                                  struct fault *next)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    uint64_t clear = RFLAGS_TF | RFLAGS_NT | RFLAGS_RF;
    struct gate gate;
    uint64_t rsp;
    unsigned cpl;
    enum attempt attempt;

    if (fault->sets_cr2) {
        vcpu_set(vcpu, VCPU_CR2, fault->cr2);
    }
    attempt = attempt_gate(trap, fault, &gate, next);
    if (attempt == ATTEMPT_DONE) {
        attempt = attempt_code_segment(trap, &gate, &cpl, next);
    }
    if (attempt == ATTEMPT_DONE) {
        attempt = attempt_stack(trap, &gate, cpl, &rsp, next);
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
    if (cpl != fault_cpl(trap)) {
        vcpu_set(vcpu, VCPU_SS, cpl); /* a null selector with the new RPL */
        vcpu_set_cpl(vcpu, cpl);
    }
    vcpu_set(vcpu, VCPU_CS, (gate.selector & ~3u) | cpl);
    vcpu_set(vcpu, VCPU_RSP, rsp);
    vcpu_set(vcpu, VCPU_RFLAGS, vcpu_get(vcpu, VCPU_RFLAGS) & ~clear);
    vcpu_set(vcpu, VCPU_RIP, gate.target);
    return ATTEMPT_DONE;
}

static void fault_report(struct trap_context *trap, const struct fault *fault)
{
    struct event event;

    if (!trap_event_begin(trap, &event, "fault", fault_name(fault->vector))) {
        return;
    }
    event_dec(&event, "vector", fault->vector);
    if (fault->has_error_code) {
        event_hex(&event, "error", fault->error_code);
    }
    if (fault->sets_cr2) {
        event_hex(&event, "cr2", fault->cr2);
        event_full_only(&event); /* an address inside the guest: its compiler's choice */
    }
    snprintf(event.words, sizeof(event.words), "fault %s in %s", fault_name(fault->vector),
             event.symbol ? event.symbol : "unknown code");
    trap_event_emit(trap, &event);
}

enum trap_next fault_raise(struct trap_context *trap, const struct fault *first)
{
    struct fault fault = *first;

    for (int i = 0; i < DELIVERY_MAX; i++) {
        struct fault next = {0};

        fault_report(trap, &fault);
        switch (fault_attempt(trap, &fault, &next)) {
        case ATTEMPT_DONE:
            return TRAP_RESUME;
        case ATTEMPT_ENDED:
            return TRAP_END;
        case ATTEMPT_FAULT:
            break;
        }
        /* Even when it ends in a double fault: Intel SDM Vol 3, #PF, footnote to CR2. */
        if (next.sets_cr2) {
            vcpu_set(trap->machine->vcpu, VCPU_CR2, next.cr2);
        }
        if (fault.vector == VECTOR_DF) {
            fault_report(trap, &next);
            break;
        }
        fault = fault_makes_double(&fault, next.vector) ? fault_with_code(VECTOR_DF, 0) : next;
    }
    return trap_end(trap, OUTCOME_TRIPLE_FAULT, "after %s", fault_name(first->vector));
}

enum trap_next fault_raise_software(struct trap_context *trap, uint8_t vector, uint8_t length)
{
    return fault_raise(trap, &(struct fault){.vector = vector, .software_length = length});
}

enum trap_next fault_raise_int1(struct trap_context *trap, uint8_t length)
{
    return fault_raise(
        trap, &(struct fault){.vector = VECTOR_DB, .software_length = length, .privileged = true});
}

enum trap_next fault_raise_ud(struct trap_context *trap)
{
    return fault_raise(trap, &(struct fault){.vector = VECTOR_UD});
}

enum trap_next fault_raise_gp(struct trap_context *trap, uint32_t error_code)
{
    struct fault fault = fault_with_code(VECTOR_GP, error_code);

    return fault_raise(trap, &fault);
}

enum trap_next fault_raise_vc(struct trap_context *trap, uint32_t error_code)
{
    struct fault fault = fault_with_code(VECTOR_VC, error_code);

    return fault_raise(trap, &fault);
}

enum trap_next fault_raise_mmu(struct trap_context *trap, const struct mmu_fault *mmu_fault)
{
    struct fault fault;

    switch (attempt_mmu(trap, mmu_fault, &fault)) {
    case ATTEMPT_FAULT:
        return fault_raise(trap, &fault);
    default:
        return TRAP_END;
    }
}
