/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/insn.h"

#include "abi/msr.h"
#include "abi/x86.h"
#include "trap/debug.h"
#include "trap/fault.h"
#include "trap/handlers.h"

enum trap_next insn_done(struct trap_context *trap, const struct insn *insn)
{
    vcpu_retire(trap->machine->vcpu, insn->length);
    return debug_steps(trap) ? debug_raise_step(trap, false) : TRAP_RESUME;
}

unsigned insn_cpl(const struct trap_context *trap)
{
    return vcpu_cpl(trap->machine->vcpu);
}

uint32_t insn_get32(const struct trap_context *trap, enum vcpu_register reg)
{
    return (uint32_t)vcpu_get(trap->machine->vcpu, reg);
}

static enum trap_next insn_vmgexit(struct trap_context *trap, const struct insn *insn)
{
    if (debug_steps(trap)) {
        return trap_end(trap, OUTCOME_UNMODELLED, "vmgexit in a single step");
    }
    vcpu_retire(trap->machine->vcpu, insn->length);
    return TRAP_EXIT;
}

static enum trap_next insn_unmodelled(struct trap_context *trap, const struct insn *insn)
{
    return trap_end(trap, OUTCOME_UNMODELLED, "%s", insn_name(insn->id));
}

static enum trap_next insn_pause(struct trap_context *trap, const struct insn *insn)
{
    enum trap_next next = insn_done(trap, insn);

    return next == TRAP_RESUME ? TRAP_PAUSE : next;
}

/* The hypervisor intercepts it: #VC with the exit code of the row. */
static enum trap_next insn_vc(struct trap_context *trap, const struct insn *insn)
{
    return fault_raise_vc(trap, insn_rows[insn->id].exit_code);
}

/* What comes before the intercept of an SVM instruction. True when it decided; then *next. */
static bool svm_refuses(struct trap_context *trap, enum trap_next *next)
{
    bool enabled = vcpu_get_msr(trap->machine->vcpu, MSR_EFER) & EFER_SVME;

    if (enabled && insn_cpl(trap) == 0) {
        return false;
    }
    *next = enabled ? fault_raise_gp(trap, 0) : fault_raise_ud(trap);
    return true;
}

static enum trap_next insn_vc_svm(struct trap_context *trap, const struct insn *insn)
{
    enum trap_next next;

    return svm_refuses(trap, &next) ? next : insn_vc(trap, insn);
}

/*
 * Whether KVM intercepts these, or lets the processor's virtual GIF and virtual VMLOAD and VMSAVE
 * do them, depends on its version and on the processor.
 */
static enum trap_next insn_svm(struct trap_context *trap, const struct insn *insn)
{
    enum trap_next next;

    return svm_refuses(trap, &next) ? next : insn_unmodelled(trap, insn);
}

/* The engine does it, and decode_for_vcpu says so: it never comes here. */
static enum trap_next insn_native(struct trap_context *trap, const struct insn *insn)
{
    (void)insn;
    return trap_end(trap, OUTCOME_UNMODELLED, "the CPU engine stopped at an instruction it knows");
}

/* The 16th byte of an instruction is a general protection fault. AMD APM Vol 2 (24593), #GP. */
static enum trap_next insn_undefined(struct trap_context *trap, const struct insn *insn)
{
    return insn->too_long ? fault_raise_gp(trap, 0) : fault_raise_ud(trap);
}

/* What the engine does not know: #UD where the guest's processor does not either. */
static enum trap_next insn_other(struct trap_context *trap, const struct insn *insn)
{
    if (trap->profile && !cpu_profile_may_have(trap->profile, insn->feature)) {
        return fault_raise_ud(trap);
    }
    return trap_end(trap, OUTCOME_UNMODELLED, "instruction that the CPU engine does not know%s%s",
                    insn->feature > FEATURE_ABSENT ? ": " : "",
                    insn->feature > FEATURE_ABSENT ? feature_rows[insn->feature].name : "");
}

#define APM3 "AMD APM Vol 3 (24594), "
#define APM2_VC "AMD APM Vol 2 (24593) 15.35.5"
#define KVM_INTERCEPTS "Linux arch/x86/kvm/svm/svm.c init_vmcb, x86_intercept_map"
#define BOCHS_SVM "Bochs bochs/cpu/svm.cc"
#define BOCHS_MONITOR "Bochs bochs/cpu/mwait.cc"
#define LINUX_OPCODES "Linux arch/x86/coco/sev/vc-shared.c vc_check_opcode_bytes"
#define KVM_SEV_ES "Linux arch/x86/kvm/svm/sev.c sev_es_init_vmcb"

const struct insn_row insn_rows[INSN_COUNT] = {
    [INSN_OTHER] = {insn_other, .does = "#UD when the processor has no such; else unmodelled",
                    .source = "QEMU target/i386/cpu.c builtin_x86_defs"},
    [INSN_UNDEFINED] = {insn_undefined, .does = "#UD", .source = APM3 "UD0, UD1, UD2, opcode maps"},
    [INSN_VMGEXIT] = {insn_vmgexit, .does = "exit to the hypervisor", .source = APM3 "VMGEXIT"},
    [INSN_VMMCALL] = {insn_vc, .exit_code = VC_VMMCALL, .does = "#VC 0x81", .source = APM2_VC},
    [INSN_PVALIDATE] = {insn_pvalidate, INSN_UNVERIFIED | INSN_CPL_GUESS, INSN_CPL_GP,
                        .does = "executed on the RMP", .source = APM3 "PVALIDATE"},
    [INSN_RMPADJUST] = {insn_rmpadjust, INSN_UNVERIFIED | INSN_CPL_GUESS, INSN_CPL_GP,
                        .does = "executed on the RMP", .source = APM3 "RMPADJUST"},
    [INSN_RMPQUERY] = {insn_rmpquery, INSN_UNVERIFIED,
                       .does = "with CPUID 0x8000001F EAX[6]: asks the RMP; else #UD",
                       .source = APM3 "RMPQUERY"},
    [INSN_INVLPGB] = {insn_flush, INSN_UNVERIFIED | INSN_GUESS, INSN_CPL_GP,
                      .does = "flushes all translations", .source = APM3 "INVLPGB"},
    [INSN_TLBSYNC] = {insn_flush, INSN_UNVERIFIED | INSN_GUESS, INSN_CPL_GP,
                      .does = "flushes all translations", .source = APM3 "TLBSYNC"},
    [INSN_RMP_HOST] = {.source = APM3 "RMPUPDATE, PSMASH, RMPREAD"},
    [INSN_HLT] = {insn_native,
                  .does = "automatic exit: another vCPU runs; the last to halt ends the run",
                  .source = "AMD APM Vol 2 (24593) table 15-33"},
    [INSN_PAUSE] = {insn_pause, .does = "automatic exit: another vCPU may run; alone it goes on",
                    .source = "AMD APM Vol 2 (24593) table 15-33"},
    [INSN_RDMSR] = {insn_rdmsr, 0, INSN_CPL_GP, .does = "by the table of MSRs",
                    .source = APM3 "RDMSR"},
    [INSN_WRMSR] = {insn_wrmsr, 0, INSN_CPL_GP, .does = "by the table of MSRs",
                    .source = APM3 "WRMSR"},
    [INSN_CPUID] = {insn_vc, .exit_code = VC_CPUID, .does = "#VC 0x72", .source = APM2_VC},
    [INSN_IO] = {insn_port_io, .does = "#GP(0) without permission, else #VC 0x7B",
                 .source = APM2_VC "; permission: QEMU target/i386/seg_helper.c check_io"},
    [INSN_RDTSC] = {insn_rdtsc, .does = "virtual time", .source = APM3 "RDTSC"},
    [INSN_RDTSCP] = {insn_rdtsc, .does = "virtual time and TSC_AUX", .source = APM3 "RDTSCP"},
    [INSN_RDPMC] = {insn_rdpmc, .does = "#VC 0x6F", .source = KVM_INTERCEPTS},
    [INSN_RDRAND] = {insn_random, .does = "a number from the seed", .source = APM3 "RDRAND"},
    [INSN_RDSEED] = {insn_random, .does = "a number from the seed", .source = APM3 "RDSEED"},
    [INSN_XSETBV] = {insn_xsetbv,
                     .does = "x87 and SSE state; #GP(0) when the processor has no such; more is "
                             "unmodelled",
                     .source = "Linux arch/x86/kvm/x86.c __kvm_set_xcr; " KVM_SEV_ES},
    [INSN_INT] = {insn_int, .does = "through the IDT", .source = APM3 "INT, INT3"},
    [INSN_INT1] = {insn_int1,
                   .does = "through the IDT's #DB whatever the gate's DPL, intercepted or not",
                   .source = "Bochs bochs/cpu/soft_int.cc INT1"},
    [INSN_SYSCALL] = {insn_syscall, .does = "to LSTAR at CPL 0; #UD without EFER.SCE",
                      .source = "QEMU target/i386/seg_helper.c helper_syscall; Bochs "
                                "bochs/cpu/proc_ctrl.cc SYSCALL"},
    [INSN_SYSRET] = {insn_sysret, .does = "to 64-bit or 32-bit code at CPL 3; #UD without EFER.SCE",
                     .source = "QEMU target/i386/seg_helper.c helper_sysret; Bochs "
                               "bochs/cpu/proc_ctrl.cc SYSRET"},
    [INSN_SYSENTER] = {insn_undefined, .does = "#UD", .source = APM3 "SYSENTER, SYSEXIT"},
    [INSN_MONITOR] = {insn_monitor, 0, INSN_CPL_UD, .exit_code = VC_MONITOR,
                      .does = "#VC 0x8A; before it #GP(0) with ECX, #PF",
                      .source = BOCHS_MONITOR "; " KVM_INTERCEPTS},
    [INSN_MWAIT] = {insn_mwait, 0, INSN_CPL_UD, .exit_code = VC_MWAIT,
                    .does = "#VC 0x8B; before it #GP(0) with more than ECX[0]",
                    .source = BOCHS_MONITOR "; " KVM_INTERCEPTS},
    [INSN_MONITORX] = {insn_monitor, .exit_code = VC_MONITOR, .does = "as MONITOR, at any CPL",
                       .source = LINUX_OPCODES "; " BOCHS_MONITOR},
    [INSN_MWAITX] = {insn_mwait, .exit_code = VC_MWAIT,
                     .does = "as MWAIT, at any CPL, with ECX[1] too",
                     .source = LINUX_OPCODES "; " BOCHS_MONITOR},
    [INSN_RDPRU] = {insn_rdpru, INSN_UNVERIFIED, .exit_code = VC_RDPRU,
                    .does = "#VC 0x8E; at CPL 3 with CR4.TSD before it #UD",
                    .source = APM2_VC "; " KVM_INTERCEPTS},
    [INSN_CLZERO] = {insn_clzero, .does = "clears 64 bytes",
                     .source = APM3 "CLZERO; Bochs bochs/cpu/proc_ctrl.cc CLZERO"},
    [INSN_WBINVD] = {insn_vc, 0, INSN_CPL_GP, .exit_code = VC_WBINVD, .does = "#VC 0x89",
                     .source = KVM_INTERCEPTS},
    [INSN_INVD] = {insn_vc, 0, INSN_CPL_GP, .exit_code = VC_INVD, .does = "#VC 0x76",
                   .source = KVM_INTERCEPTS},
    [INSN_MOV_DR] = {debug_mov,
                     .does = "DR7: #VC 0x27 or 0x37 without debug swap; GD: #DB; instruction "
                             "breakpoints",
                     .source = KVM_SEV_ES "; Bochs bochs/cpu/crregs.cc MOV_DqRq"},
    [INSN_VMRUN] = {insn_vc_svm, .exit_code = VC_VMRUN, .does = "#VC 0x80; #GP(0) outside CPL 0",
                    .source = BOCHS_SVM "; " KVM_INTERCEPTS},
    [INSN_SKINIT] = {insn_vc_svm, .exit_code = VC_SKINIT, .does = "#VC 0x86; #GP(0) outside CPL 0",
                     .source = BOCHS_SVM "; " KVM_INTERCEPTS},
    [INSN_INVLPGA] = {insn_vc_svm, .exit_code = VC_INVLPGA,
                      .does = "#VC 0x7A; #GP(0) outside CPL 0",
                      .source = BOCHS_SVM "; " KVM_INTERCEPTS},
    [INSN_SVM] = {insn_svm, INSN_UNMODELLED, .does = "#GP(0) outside CPL 0",
                  .source = BOCHS_SVM "; Linux arch/x86/kvm/svm/svm.c "
                                      "svm_recalc_instruction_intercepts"},
};

/* The row's rule for CPL 1 to 3. True when it decided; then *next. */
static bool insn_privilege(struct trap_context *trap, const struct insn *insn, enum trap_next *next)
{
    const struct insn_row *row = &insn_rows[insn->id];

    if (row->cpl == INSN_CPL_ANY || insn_cpl(trap) == 0) {
        return false;
    }
    if ((row->flags & INSN_CPL_GUESS) && trap_is_guess(trap, insn_name(insn->id))) {
        *next = TRAP_END;
    } else {
        *next = row->cpl == INSN_CPL_UD ? fault_raise_ud(trap) : fault_raise_gp(trap, 0);
    }
    return true;
}

/* What these do in other code, or whether they exist there, is not modelled. */
static bool insn_is_64_bit_only(enum insn_id id)
{
    static const enum insn_id ids[] = {
        INSN_PVALIDATE, INSN_RMPADJUST, INSN_RMPQUERY, INSN_INVLPGB,  INSN_TLBSYNC, INSN_SYSCALL,
        INSN_SYSRET,    INSN_SYSENTER,  INSN_MONITOR,  INSN_MONITORX, INSN_CLZERO,  INSN_INVLPGA,
    };

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

enum trap_next insn_execute(struct trap_context *trap, const struct insn *insn)
{
    const struct insn_row *row = &insn_rows[insn->id];
    enum trap_next next;

    if (!row->handler) {
        return insn_unmodelled(trap, insn);
    }
    if (insn_is_64_bit_only(insn->id) && vcpu_code_bits(trap->machine->vcpu) != 64) {
        return trap_end(trap, OUTCOME_UNMODELLED, "%s in %u-bit code", insn_name(insn->id),
                        vcpu_code_bits(trap->machine->vcpu));
    }
    if ((row->flags & INSN_GUESS) && trap_is_guess(trap, insn_name(insn->id))) {
        return TRAP_END;
    }
    return insn_privilege(trap, insn, &next) ? next : row->handler(trap, insn);
}
