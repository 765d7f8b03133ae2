/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions that read or write registers of their own: MSRs, time, random numbers, XCR0, DRn. */
#include "abi/msr.h"
#include "abi/x86.h"
#include "trap/fault.h"
#include "trap/handlers.h"
#include "trap/msr.h"

#define XCR0_X87 (1ULL << 0)
#define XCR0_SSE (1ULL << 1)
#define XCR0_AVX (1ULL << 2)
#define XCR0_AVX512 (7ULL << 5) /* all or none */

static void insn_report_wrmsr(struct trap_context *trap, uint32_t index, uint64_t value)
{
    const struct msr_row *row = msr_row_by_index(index);
    struct event event;

    if (trap_event_begin(trap, &event, "wrmsr", row->name)) {
        event_hex(&event, "value", value);
        trap_event_emit(trap, &event);
    }
}

/* A register without a row, or a value whose effect is not modelled. */
static enum trap_next insn_msr_unmodelled(struct trap_context *trap, const char *what,
                                          uint32_t index, const uint64_t *value)
{
    if (trap->unknown_msr_gp && !msr_row_by_index(index)) {
        return fault_raise_gp(trap, 0);
    }
    if (value) {
        return trap_end(trap, OUTCOME_UNMODELLED, "%s of 0x%x, value 0x%llx", what, index,
                        (unsigned long long)*value);
    }
    return trap_end(trap, OUTCOME_UNMODELLED, "%s of 0x%x", what, index);
}

/* A row that rests on an unverified fact. True in a strict run, which has ended. */
static bool insn_msr_is_guess(struct trap_context *trap, uint32_t index)
{
    const struct msr_row *row = msr_row_by_index(index);

    return row && (row->flags & MSR_UNVERIFIED) && trap_is_guess(trap, row->name);
}

enum trap_next insn_rdmsr(struct trap_context *trap, const struct insn *insn)
{
    uint32_t index = insn_get32(trap, VCPU_RCX);
    uint64_t value = 0;

    if (insn_msr_is_guess(trap, index)) {
        return TRAP_END;
    }
    switch (msr_read(trap->machine, index, &value)) {
    case MSR_OK:
        vcpu_set(trap->machine->vcpu, VCPU_RAX, (uint32_t)value);
        vcpu_set(trap->machine->vcpu, VCPU_RDX, value >> 32);
        return insn_done(trap, insn);
    case MSR_GP:
        return fault_raise_gp(trap, 0);
    case MSR_VC:
        return fault_raise_vc(trap, VC_MSR);
    default:
        return insn_msr_unmodelled(trap, "rdmsr", index, NULL);
    }
}

enum trap_next insn_wrmsr(struct trap_context *trap, const struct insn *insn)
{
    uint32_t index = insn_get32(trap, VCPU_RCX);
    uint64_t value = (uint64_t)insn_get32(trap, VCPU_RDX) << 32 | insn_get32(trap, VCPU_RAX);

    if (insn_msr_is_guess(trap, index)) {
        return TRAP_END;
    }
    switch (msr_write(trap->machine, index, value)) {
    case MSR_GUESS:
        if (trap_is_guess(trap, msr_row_by_index(index)->name)) {
            return TRAP_END;
        }
        /* fallthrough */
    case MSR_OK:
        insn_report_wrmsr(trap, index, value);
        return insn_done(trap, insn);
    case MSR_GP:
        return fault_raise_gp(trap, 0);
    case MSR_VC:
        return fault_raise_vc(trap, VC_MSR);
    default:
        return insn_msr_unmodelled(trap, "wrmsr", index, &value);
    }
}

/* Time is retired instructions. */
enum trap_next insn_rdtsc(struct trap_context *trap, const struct insn *insn)
{
    uint64_t now = vcpu_retired(trap->machine->vcpu);

    if (insn_cpl(trap) != 0 && (vcpu_get(trap->machine->vcpu, VCPU_CR4) & CR4_TSD)) {
        return fault_raise_gp(trap, 0);
    }
    vcpu_set(trap->machine->vcpu, VCPU_RAX, (uint32_t)now);
    vcpu_set(trap->machine->vcpu, VCPU_RDX, now >> 32);
    if (insn->id == INSN_RDTSCP) {
        vcpu_set(trap->machine->vcpu, VCPU_RCX,
                 (uint32_t)vcpu_get_msr(trap->machine->vcpu, MSR_TSC_AUX));
    }
    return insn_done(trap, insn);
}

enum trap_next insn_random(struct trap_context *trap, const struct insn *insn)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    enum vcpu_register reg = decode_register(insn->reg);
    uint64_t value = machine_random(trap->machine);
    uint64_t flags = RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF;

    if (insn->operand_size_bytes == 4) {
        value = (uint32_t)value;
    } else if (insn->operand_size_bytes == 2) {
        value = (vcpu_get(vcpu, reg) & ~0xFFFFULL) | (value & 0xFFFF);
    }
    vcpu_set(vcpu, reg, value);
    vcpu_set(vcpu, VCPU_RFLAGS, (vcpu_get(vcpu, VCPU_RFLAGS) & ~flags) | RFLAGS_CF);
    return insn_done(trap, insn);
}

enum trap_next insn_rdpmc(struct trap_context *trap, const struct insn *insn)
{
    (void)insn;
    if (insn_cpl(trap) != 0 && !(vcpu_get(trap->machine->vcpu, VCPU_CR4) & CR4_PCE)) {
        return fault_raise_gp(trap, 0);
    }
    return fault_raise_vc(trap, VC_RDPMC);
}

/* That CR4.TSD is looked at before the intercept is not certain. */
enum trap_next insn_rdpru(struct trap_context *trap, const struct insn *insn)
{
    (void)insn;
    if (insn_cpl(trap) != 0 && (vcpu_get(trap->machine->vcpu, VCPU_CR4) & CR4_TSD)) {
        return trap_is_guess(trap, "rdpru with CR4.TSD") ? TRAP_END : fault_raise_ud(trap);
    }
    return fault_raise_vc(trap, VC_RDPRU);
}

/* The engine keeps XCR0, but knows no state beyond SSE and would refuse what hardware takes. */
enum trap_next insn_xsetbv(struct trap_context *trap, const struct insn *insn)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    uint64_t value = (uint64_t)insn_get32(trap, VCPU_RDX) << 32 | insn_get32(trap, VCPU_RAX);

    (void)insn;
    if (!(vcpu_get(vcpu, VCPU_CR4) & CR4_OSXSAVE)) {
        return fault_raise_ud(trap);
    }
    if (insn_cpl(trap) != 0 || insn_get32(trap, VCPU_RCX) != 0 || !(value & XCR0_X87) ||
        (value & (XCR0_AVX | XCR0_SSE)) == XCR0_AVX ||
        ((value & XCR0_AVX512) && (~value & (XCR0_AVX512 | XCR0_AVX))) ||
        (trap->profile && (value & ~trap->profile->xcr0))) {
        return fault_raise_gp(trap, 0);
    }
    if (value & ~(XCR0_X87 | XCR0_SSE)) {
        return trap_end(trap, OUTCOME_UNMODELLED, "xsetbv of 0x%llx", (unsigned long long)value);
    }
    vcpu_pass(vcpu);
    return TRAP_RESUME;
}
