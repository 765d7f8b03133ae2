/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/debug.h"

#include "abi/msr.h"
#include "abi/x86.h"
#include "trap/fault.h"
#include "trap/handlers.h"

static const enum vcpu_register debug_address[DR_BREAKPOINTS] = {VCPU_DR0, VCPU_DR1, VCPU_DR2,
                                                                 VCPU_DR3};

#define EVENTS "Bochs bochs/cpu/event.cc handleAsyncEvent"
#define INTERCEPT "Linux arch/x86/kvm/svm/sev.c sev_es_init_vmcb"

const struct debug_row debug_rows[DEBUG_COUNT] = {
    [DEBUG_STEP] = {"single-step", DR6_BS,
                    .does = "after each instruction, with TF as it was before it",
                    .source = EVENTS},
    [DEBUG_STEP_AGAIN] = {"single-step-in-rep", DR6_BS, .resume = true,
                          .does = "after each iteration, with RF in the frame",
                          .source = "AMD APM Vol 2 (24593) 3.1.6; Bochs bochs/cpu/cpu.cc repeat"},
    [DEBUG_BREAKPOINT] = {"breakpoint-instruction",
                          .does = "before the instruction, unless RF; RF clear in the frame",
                          .source = "AMD APM Vol 2 (24593) 3.1.6; " EVENTS},
    [DEBUG_GENERAL_DETECT] = {"general-detect", DR6_BD, .resume = true, .flags = DEBUG_GUESS,
                              .does = "before the access; RF in the frame as with other faults",
                              .source = "Bochs bochs/cpu/crregs.cc MOV_DqRq"},
    [DEBUG_IO] = {"breakpoint-i/o",
                  .does = "never: I/O is a #VC, a fault, and the breakpoint would come after it",
                  .source = "AMD APM Vol 2 (24593) 15.35.5"},
    [DEBUG_DATA] = {"breakpoint-data", .flags = DEBUG_UNMODELLED,
                    .source = "AMD APM Vol 2 (24593), software-debug resources"},
};

/*
 * Has the guest debug registers of its own, all of them? Else the hypervisor intercepts #DB, and
 * the guest gets #VC in its place. Source: INTERCEPT; Linux arch/x86/coco/sev/vc-handle.c
 * vc_handle_trap_db.
 */
static bool debug_swap(const struct trap_context *trap)
{
    return trap->machine->state.sev_features & SEV_FEATURE_DEBUG_SWAP;
}

/*
 * DR6 keeps what it holds but for the breakpoints, DR7.GD is cleared, and both are so before the
 * interception. Source: Bochs bochs/cpu/exception.cc exception; Linux arch/x86/kvm/x86.c
 * kvm_deliver_exception_payload.
 */
static enum trap_next debug_raise(struct trap_context *trap, enum debug_cause cause,
                                  uint64_t breakpoints)
{
    const struct debug_row *row = &debug_rows[cause];
    struct vcpu *vcpu = trap->machine->vcpu;
    struct fault fault = {.vector = VECTOR_DB, .no_resume = !row->resume};

    if ((row->flags & DEBUG_GUESS) && trap_is_guess(trap, row->name)) {
        return TRAP_END;
    }
    vcpu_set(vcpu, VCPU_DR6, (vcpu_get(vcpu, VCPU_DR6) & ~DR6_B) | row->dr6 | breakpoints);
    vcpu_set(vcpu, VCPU_DR7, vcpu_get(vcpu, VCPU_DR7) & ~DR7_GD);
    if (!debug_swap(trap)) {
        fault.vector = VECTOR_VC;
        fault.has_error_code = true;
        fault.error_code = VC_EXCEPTION_DB;
    }
    return fault_raise(trap, &fault);
}

bool debug_steps(const struct trap_context *trap)
{
    return vcpu_get(trap->machine->vcpu, VCPU_RFLAGS) & RFLAGS_TF;
}

enum trap_next debug_raise_step(struct trap_context *trap, bool repeats)
{
    return debug_raise(trap, repeats ? DEBUG_STEP_AGAIN : DEBUG_STEP, 0);
}

/* The bits of DR6 for an instruction at gva. */
static uint64_t debug_breakpoints(const struct trap_context *trap, uint64_t gva)
{
    const struct vcpu *vcpu = trap->machine->vcpu;
    uint64_t dr7 = vcpu_get(vcpu, VCPU_DR7), bits = 0;

    for (unsigned i = 0; i < DR_BREAKPOINTS; i++) {
        if ((dr7 & DR7_ENABLE(i)) && DR7_TYPE(dr7, i) == DR7_TYPE_EXECUTE &&
            vcpu_get(vcpu, debug_address[i]) == gva) {
            bits |= 1ULL << i;
        }
    }
    return bits;
}

bool debug_at_breakpoint(const struct trap_context *trap, uint64_t gva)
{
    const struct vcpu *vcpu = trap->machine->vcpu;

    return !(vcpu_get(vcpu, VCPU_RFLAGS) & RFLAGS_RF) && !vcpu_debug_passes(vcpu) &&
           debug_breakpoints(trap, gva) != 0;
}

enum trap_next debug_raise_breakpoint(struct trap_context *trap)
{
    return debug_raise(trap, DEBUG_BREAKPOINT,
                       debug_breakpoints(trap, vcpu_code_gva(trap->machine->vcpu)));
}

/* ---- MOV DRn ---- */

/*
 * What DR7 enables and is not modelled, or -1. A breakpoint on I/O comes after the instruction,
 * and in an SNP guest none gets so far: each is a #VC.
 */
static int debug_unmodelled(const struct trap_context *trap, uint64_t dr7)
{
    bool extensions = vcpu_get(trap->machine->vcpu, VCPU_CR4) & CR4_DE;

    for (unsigned i = 0; i < DR_BREAKPOINTS; i++) {
        unsigned type = DR7_TYPE(dr7, i);

        if ((dr7 & DR7_ENABLE(i)) && !(type == DR7_TYPE_EXECUTE && DR7_LENGTH(dr7, i) == 0) &&
            !(type == DR7_TYPE_IO && extensions)) {
            return (int)i;
        }
    }
    return -1;
}

bool debug_unmodelled_at_start(struct trap_context *trap)
{
    uint64_t dr7 = vcpu_get(trap->machine->vcpu, VCPU_DR7);
    int unmodelled = debug_unmodelled(trap, dr7);

    if (unmodelled < 0) {
        return false;
    }
    trap_end(trap, OUTCOME_UNMODELLED,
             "breakpoint in DR%d on data, or with a length: DR7 0x%llx of a VMSA", unmodelled,
             (unsigned long long)dr7);
    return true;
}

static enum trap_next debug_write(struct trap_context *trap, const struct insn *insn,
                                  unsigned number, uint64_t value)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    int unmodelled = number == 7 ? debug_unmodelled(trap, value) : -1;
    struct error error;

    if (number >= 6 && value >> 32) {
        return fault_raise_gp(trap, 0);
    }
    if (unmodelled >= 0) {
        return trap_end(trap, OUTCOME_UNMODELLED,
                        "breakpoint in DR%d on data, or with a length: mov of 0x%llx to DR7",
                        unmodelled, (unsigned long long)value);
    }
    if (number < DR_BREAKPOINTS) {
        vcpu_set(vcpu, debug_address[number], value);
    } else if (number == 6) {
        vcpu_set(vcpu, VCPU_DR6, (value & DR6_WRITABLE) | DR6_FIXED);
    } else {
        vcpu_set(vcpu, VCPU_DR7, (value & DR7_WRITABLE) | DR7_FIXED);
    }
    if (vcpu_debug_update(vcpu, &error) != 0) {
        return trap_end(trap, OUTCOME_UNMODELLED, "%s", error.text);
    }
    return insn_done(trap, insn);
}

static enum trap_next debug_read(struct trap_context *trap, const struct insn *insn,
                                 unsigned number)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    enum vcpu_register from = number < DR_BREAKPOINTS ? debug_address[number]
                              : number == 6           ? VCPU_DR6
                                                      : VCPU_DR7;

    uint64_t value = vcpu_get(vcpu, from);

    vcpu_set(vcpu, decode_register(insn->reg),
             vcpu_code_bits(vcpu) == 64 ? value : (uint32_t)value);
    return insn_done(trap, insn);
}

/*
 * DR4 and DR5 are DR6 and DR7 where CR4.DE does not make them undefined; there are none from 8 on.
 * GD stops every access, before the hypervisor hears of it. Source: AMD APM Vol 3 (24594), MOV
 * (DRn); Bochs bochs/cpu/crregs.cc MOV_DqRq; DR7 is intercepted without debug swap: Linux
 * arch/x86/kvm/svm/sev.c sev_es_init_vmcb.
 */
enum trap_next debug_mov(struct trap_context *trap, const struct insn *insn)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    unsigned number = insn->debug_register;
    uint64_t value = vcpu_get(vcpu, decode_register(insn->reg));

    if (number >= 8 || ((number == 4 || number == 5) && (vcpu_get(vcpu, VCPU_CR4) & CR4_DE))) {
        return fault_raise_ud(trap);
    }
    if (insn_cpl(trap) != 0) {
        return fault_raise_gp(trap, 0);
    }
    if (vcpu_get(vcpu, VCPU_DR7) & DR7_GD) {
        return debug_raise(trap, DEBUG_GENERAL_DETECT, 0);
    }
    number += number == 4 || number == 5 ? 2 : 0;
    if (number == 7 && !debug_swap(trap)) {
        return fault_raise_vc(trap, insn->writes ? VC_DR7_WRITE : VC_DR7_READ);
    }
    value = vcpu_code_bits(vcpu) == 64 ? value : (uint32_t)value;
    return insn->writes ? debug_write(trap, insn, number, value) : debug_read(trap, insn, number);
}
