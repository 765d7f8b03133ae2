/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From a stop of the vCPU to what hardware does about it: one handler for each kind of stop.
 */
#include "abi/x86.h"
#include "trap/debug.h"
#include "trap/decode.h"
#include "trap/fault.h"
#include "trap/insn.h"
#include "trap/trap.h"

#define INSN_BYTES_MAX 15

/* The instruction at gva as it stands in memory; how many of its bytes can be read. */
static size_t trap_peek(struct trap_context *trap, uint64_t gva, uint8_t bytes[INSN_BYTES_MAX])
{
    struct mmu_context context;

    vcpu_mmu_context(trap->machine->vcpu, &context);
    return mmu_peek(&trap->machine->mmu, &context, gva, bytes, INSN_BYTES_MAX);
}

/* The engine gives faults by page; CR2 and symbols want the byte. */
static enum trap_next trap_fault(struct trap_context *trap, const struct vcpu_stop *stop)
{
    struct mmu_fault fault = stop->fault;

    if (fault.access == MMU_FETCH && debug_at_breakpoint(trap, stop->code_gva)) {
        return debug_raise_breakpoint(trap); /* it comes before the fetch */
    }
    if (fault.access == MMU_FETCH) {
        fault.gva = (stop->code_gva & ~PAGE_MASK) == fault.gva ? stop->code_gva : fault.gva;
    } else {
        struct insn_access where;
        uint8_t bytes[INSN_BYTES_MAX];
        size_t have = trap_peek(trap, stop->code_gva, bytes);

        decode_fault_access(trap->machine->vcpu, bytes, have, stop->rip, fault.gva, fault.access,
                            &where);
        fault.gva = where.gva;
        /* The engine reads before it modifies; hardware checks for the write at once. */
        if (where.write && fault.kind == MMU_FAULT_PF) {
            fault.error_code |= PF_WRITE;
        }
        if (where.stack && fault.kind == MMU_FAULT_GP) {
            return fault_raise(trap, &(struct fault){.vector = VECTOR_SS, .has_error_code = true});
        }
    }
    return fault_raise_mmu(trap, &fault);
}

static enum trap_next trap_insn(struct trap_context *trap, const struct vcpu_stop *stop)
{
    uint8_t bytes[INSN_BYTES_MAX];
    size_t have = trap_peek(trap, stop->code_gva, bytes);
    struct insn insn;

    decode_insn(bytes, have, vcpu_code_bits(trap->machine->vcpu), &insn);
    return insn_execute(trap, &insn);
}

/* The engine has executed one instruction, or one iteration of it, with TF set. */
static enum trap_next trap_step(struct trap_context *trap, const struct vcpu_stop *stop)
{
    uint8_t bytes[INSN_BYTES_MAX];
    struct insn insn = {0};

    if (stop->again) {
        decode_insn(bytes, trap_peek(trap, stop->code_gva, bytes),
                    vcpu_code_bits(trap->machine->vcpu), &insn);
    }
    return debug_raise_step(trap, insn.repeats);
}

/* What the engine raises by itself. INT n and INT3 are instructions of ours: trap/insn.c. */
static enum trap_next trap_interrupt(struct trap_context *trap, const struct vcpu_stop *stop)
{
    static const struct {
        bool modelled, has_error_code;
    } rows[32] = {
        [VECTOR_DE] = {true, false}, [VECTOR_UD] = {true, false}, [VECTOR_NM] = {true, false},
        [VECTOR_TS] = {true, true},  [VECTOR_NP] = {true, true},  [VECTOR_SS] = {true, true},
        [VECTOR_GP] = {true, true},  [VECTOR_MF] = {true, false}, [VECTOR_AC] = {true, true},
        [VECTOR_XM] = {true, false},
    };
    struct fault fault = {.vector = (uint8_t)stop->vector};

    if (stop->vector == VECTOR_DB) {
        return trap_step(trap, stop);
    }
    if (stop->vector >= 32 || !rows[stop->vector].modelled) {
        return trap_end(trap, OUTCOME_UNMODELLED, "interrupt or exception %u raised by the engine",
                        stop->vector);
    }
    if (rows[stop->vector].has_error_code) {
        fault.has_error_code = true;
        fault.error_code = stop->vector == VECTOR_AC ? 0 : stop->error_code;
    }
    return fault_raise(trap, &fault);
}

static enum trap_next trap_halt(struct trap_context *trap, const struct vcpu_stop *stop)
{
    (void)stop;
    if (debug_steps(trap)) {
        return trap_end(trap, OUTCOME_UNMODELLED, "hlt in a single step");
    }
    return TRAP_HALT;
}

static enum trap_next trap_spin(struct trap_context *trap, const struct vcpu_stop *stop)
{
    if (debug_at_breakpoint(trap, stop->code_gva)) {
        return debug_raise_breakpoint(trap);
    }
    if (debug_steps(trap)) {
        vcpu_retire(trap->machine->vcpu, 0);
        return debug_raise_step(trap, false);
    }
    return TRAP_SPIN;
}

static enum trap_next trap_limit(struct trap_context *trap, const struct vcpu_stop *stop)
{
    (void)stop;
    return trap_end(trap, OUTCOME_BUDGET, "instructions");
}

static enum trap_next trap_break(struct trap_context *trap, const struct vcpu_stop *stop)
{
    (void)stop;
    return trap_end(trap, OUTCOME_REACHED, NULL);
}

static enum trap_next trap_debug(struct trap_context *trap, const struct vcpu_stop *stop)
{
    (void)stop;
    return debug_raise_breakpoint(trap);
}

static enum trap_next trap_engine(struct trap_context *trap, const struct vcpu_stop *stop)
{
    return trap_end(trap, OUTCOME_UNMODELLED, "the CPU engine stopped by itself, error %u",
                    stop->vector);
}

enum trap_next trap_handle(struct trap_context *trap, const struct vcpu_stop *stop)
{
    typedef enum trap_next trap_handler(struct trap_context *, const struct vcpu_stop *);
    static trap_handler *const handlers[] = {
        [VCPU_STOP_INVALID] = trap_insn,        [VCPU_STOP_SITE] = trap_insn,
        [VCPU_STOP_HALT] = trap_halt,           [VCPU_STOP_FAULT] = trap_fault,
        [VCPU_STOP_INTERRUPT] = trap_interrupt, [VCPU_STOP_SPIN] = trap_spin,
        [VCPU_STOP_LIMIT] = trap_limit,         [VCPU_STOP_BREAK] = trap_break,
        [VCPU_STOP_DEBUG] = trap_debug,         [VCPU_STOP_ENGINE] = trap_engine,
    };

    return handlers[stop->kind](trap, stop);
}
