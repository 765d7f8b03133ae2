/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/insn.h"

#include <stdio.h>

#include "abi/msr.h"
#include "abi/rmp.h"
#include "abi/x86.h"
#include "trap/fault.h"
#include "trap/msr.h"

static enum trap_next insn_done(struct trap_context *trap, const struct insn *insn)
{
    vcpu_retire(trap->machine->vcpu, insn->length);
    return TRAP_RESUME;
}

static unsigned insn_cpl(const struct trap_context *trap)
{
    return vcpu_get(trap->machine->vcpu, VCPU_CS) & 3;
}

static uint32_t insn_get32(const struct trap_context *trap, enum vcpu_register reg)
{
    return (uint32_t)vcpu_get(trap->machine->vcpu, reg);
}

/* OF, ZF, AF, PF and SF follow the code in EAX. AMD APM Vol 3 (24594), PVALIDATE and RMPADJUST. */
static void insn_set_status(struct trap_context *trap, unsigned status, bool carry)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    uint64_t flags = vcpu_get(vcpu, VCPU_RFLAGS);

    flags &= ~(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF);
    flags |= carry ? RFLAGS_CF : 0;
    flags |= status == 0 ? RFLAGS_ZF : 0;
    flags |= __builtin_parity(status & 0xFF) ? 0 : RFLAGS_PF;
    vcpu_set(vcpu, VCPU_RAX, status);
    vcpu_set(vcpu, VCPU_RFLAGS, flags);
}

/* ---- instructions on the RMP ---- */

enum operand_state {
    OPERAND_OK,
    OPERAND_BAD_INPUT, /* FAIL_INPUT: 2 MiB asked for, the address not so aligned */
    OPERAND_FAULT,
};

/* The page of RAX with the size of ECX[0]. RAX[11:0] are ignored. */
static enum operand_state insn_rmp_operand(struct trap_context *trap, bool *large,
                                           struct mmu_translation *place, struct mmu_fault *fault)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    uint64_t gva = vcpu_get(vcpu, VCPU_RAX);
    uint64_t size = vcpu_get(vcpu, VCPU_RCX);
    struct mmu_context context;

    vcpu_mmu_context(vcpu, &context);
    *large = size & 1;
    if (!mmu_translate_operand(&trap->machine->mmu, &context, gva, place, fault)) {
        return OPERAND_FAULT;
    }
    if ((uint32_t)size > 1 || (*large && (place->gpa & (LARGE_PAGE_SIZE - 1) & ~PAGE_MASK))) {
        return OPERAND_BAD_INPUT;
    }
    fault->gpa = place->gpa & ~PAGE_MASK;
    fault->private_access = true;
    return OPERAND_OK;
}

/* What the RMP said, when it was not a status for EAX. */
static enum trap_next insn_rmp_refused(struct trap_context *trap, enum rmp_result result,
                                       struct mmu_fault *fault)
{
    fault->reason = result;
    fault->access = MMU_WRITE;
    fault->kind = result == RMP_VC_NOT_VALIDATED ? MMU_FAULT_VC : MMU_FAULT_NPF;
    return fault_raise_mmu(trap, fault);
}

/* The host splits a 2 MiB entry that a 4 KiB instruction met. APM Vol 2 table 15-40. */
static void insn_psmash(struct trap_context *trap, const struct mmu_translation *place)
{
    struct event event;

    rmp_psmash(&trap->machine->rmp, place->page);
    if (trap_event_begin(trap, &event, "psmash", NULL)) {
        event_hex(&event, "gpa", place->gpa & ~(LARGE_PAGE_SIZE - 1));
        trap_event_emit(trap, &event);
    }
}

static void insn_report_pvalidate(struct trap_context *trap, uint64_t gpa, bool large,
                                  bool validate, unsigned status, bool unchanged)
{
    struct trap_pvalidate_run *run = &trap->pvalidate;
    bool same = run->count && run->next_gpa == gpa && run->large == large &&
                run->validate == validate && run->status == status && run->unchanged == unchanged;

    if (!same &&
        !trap_event_begin(trap, &run->event, "pvalidate", validate ? "validate" : "rescind")) {
        return;
    }
    if (!same) {
        run->gpa = gpa;
        run->large = large;
        run->validate = validate;
        run->status = status;
        run->unchanged = unchanged;
    }
    run->count++;
    run->next_gpa = gpa + (large ? LARGE_PAGE_SIZE : PAGE_SIZE);
}

static enum trap_next insn_pvalidate(struct trap_context *trap, const struct insn *insn)
{
    bool validate = vcpu_get(trap->machine->vcpu, VCPU_RDX) & 1;
    unsigned status = RMP_FAIL_INPUT;
    bool unchanged = false;
    struct mmu_translation place;
    struct mmu_fault fault;
    bool large;
    enum operand_state operand;

    if (insn_cpl(trap) != 0 || vcpu_vmpl(trap->machine->vcpu) != 0) {
        return fault_raise_gp(trap, 0);
    }
    operand = insn_rmp_operand(trap, &large, &place, &fault);
    if (operand == OPERAND_FAULT) {
        return fault_raise_mmu(trap, &fault);
    }
    if (operand == OPERAND_OK) {
        struct rmp *rmp = &trap->machine->rmp;
        struct rmp_place where = mmu_place(&trap->machine->mmu, place.gpa);
        enum rmp_result result =
            rmp_validate_place(rmp, &where, large, validate, &status, &unchanged);

        if (result == RMP_NPF_SIZE) {
            insn_psmash(trap, &place);
            result = rmp_validate_place(rmp, &where, large, validate, &status, &unchanged);
        }
        if (result != RMP_OK) {
            return insn_rmp_refused(trap, result, &fault);
        }
        if (!validate && status == RMP_SUCCESS && !unchanged) {
            for (uint32_t i = 0; i < (large ? PAGES_PER_LARGE_PAGE : 1); i++) {
                vcpu_page_changed(trap->machine->vcpu, place.page + i);
            }
        }
    }
    insn_report_pvalidate(trap, place.gpa & ~PAGE_MASK, large, validate, status, unchanged);
    insn_set_status(trap, status, unchanged);
    return insn_done(trap, insn);
}

static enum trap_next insn_rmpadjust(struct trap_context *trap, const struct insn *insn)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    uint64_t operand = vcpu_get(vcpu, VCPU_RDX);
    unsigned status = RMP_FAIL_INPUT;
    struct mmu_translation place;
    struct mmu_fault fault;
    struct event event;
    bool large;
    enum operand_state state;

    if (insn_cpl(trap) != 0) {
        return fault_raise_gp(trap, 0);
    }
    state = insn_rmp_operand(trap, &large, &place, &fault);
    if (state == OPERAND_FAULT) {
        return fault_raise_mmu(trap, &fault);
    }
    if (state == OPERAND_OK) {
        struct rmp *rmp = &trap->machine->rmp;
        struct rmp_place where = mmu_place(&trap->machine->mmu, place.gpa);
        enum rmp_result result =
            rmp_adjust_place(rmp, &where, large, vcpu_vmpl(vcpu), operand, &status);

        if (result == RMP_NPF_SIZE) {
            insn_psmash(trap, &place);
            result = rmp_adjust_place(rmp, &where, large, vcpu_vmpl(vcpu), operand, &status);
        }
        if (result != RMP_OK) {
            return insn_rmp_refused(trap, result, &fault);
        }
        vcpu_flush(vcpu);
    }
    if (trap_event_begin(trap, &event, "rmpadjust", NULL)) {
        event_hex(&event, "gpa", place.gpa & ~PAGE_MASK);
        event_string(&event, "size", large ? "2M" : "4K");
        event_dec(&event, "vmpl", operand & 0xFF);
        event_hex(&event, "permissions", (operand >> RMPADJUST_PERM_SHIFT) & 0xFF);
        event_dec(&event, "vmsa", operand & RMPADJUST_VMSA ? 1 : 0);
        event_dec(&event, "status", status);
        snprintf(event.words, sizeof(event.words), "rmpadjust gpa 0x%llx for VMPL%u: status %u",
                 (unsigned long long)(place.gpa & ~PAGE_MASK), (unsigned)(operand & 0xFF), status);
        trap_event_emit(trap, &event);
    }
    insn_set_status(trap, status, false);
    return insn_done(trap, insn);
}

/* CPUID 0x8000001F EAX[6] is clear on the modelled processor. */
static enum trap_next insn_not_supported(struct trap_context *trap, const struct insn *insn)
{
    (void)insn;
    return fault_raise_ud(trap);
}

/* ---- exits ---- */

static enum trap_next insn_vmgexit(struct trap_context *trap, const struct insn *insn)
{
    vcpu_retire(trap->machine->vcpu, insn->length);
    return TRAP_EXIT;
}

static enum trap_next insn_vc_cpuid(struct trap_context *trap, const struct insn *insn)
{
    (void)insn;
    return fault_raise_vc(trap, VC_CPUID);
}

static enum trap_next insn_vc_io(struct trap_context *trap, const struct insn *insn)
{
    (void)insn;
    if (insn_cpl(trap) > ((vcpu_get(trap->machine->vcpu, VCPU_RFLAGS) >> 12) & 3)) {
        return trap_end(trap, OUTCOME_UNMODELLED, "port i/o with the TSS's permission map");
    }
    return fault_raise_vc(trap, VC_IOIO);
}

static enum trap_next insn_vc_vmmcall(struct trap_context *trap, const struct insn *insn)
{
    (void)insn;
    return fault_raise_vc(trap, VC_VMMCALL);
}

/* ---- registers ---- */

static void insn_report_wrmsr(struct trap_context *trap, uint32_t index, uint64_t value)
{
    const struct msr_row *row = msr_row_by_index(index);
    struct event event;

    if (trap_event_begin(trap, &event, "wrmsr", row->name)) {
        event_hex(&event, "value", value);
        trap_event_emit(trap, &event);
    }
}

static enum trap_next insn_rdmsr(struct trap_context *trap, const struct insn *insn)
{
    uint32_t index = insn_get32(trap, VCPU_RCX);
    uint64_t value = 0;

    if (insn_cpl(trap) != 0) {
        return fault_raise_gp(trap, 0);
    }
    switch (msr_read(trap->machine, index, &value)) {
    case MSR_OK:
        vcpu_set(trap->machine->vcpu, VCPU_RAX, (uint32_t)value);
        vcpu_set(trap->machine->vcpu, VCPU_RDX, value >> 32);
        return insn_done(trap, insn);
    case MSR_GP:
        return fault_raise_gp(trap, 0);
    default:
        return trap_end(trap, OUTCOME_UNMODELLED, "rdmsr of 0x%x", index);
    }
}

static enum trap_next insn_wrmsr(struct trap_context *trap, const struct insn *insn)
{
    uint32_t index = insn_get32(trap, VCPU_RCX);
    uint64_t value = (uint64_t)insn_get32(trap, VCPU_RDX) << 32 | insn_get32(trap, VCPU_RAX);

    if (insn_cpl(trap) != 0) {
        return fault_raise_gp(trap, 0);
    }
    switch (msr_write(trap->machine, index, value)) {
    case MSR_OK:
        insn_report_wrmsr(trap, index, value);
        return insn_done(trap, insn);
    case MSR_GP:
        return fault_raise_gp(trap, 0);
    default:
        return trap_end(trap, OUTCOME_UNMODELLED, "wrmsr of 0x%x, value 0x%llx", index,
                        (unsigned long long)value);
    }
}

/* Time is retired instructions. */
static enum trap_next insn_rdtsc(struct trap_context *trap, const struct insn *insn)
{
    uint64_t now = vcpu_retired(trap->machine->vcpu);

    vcpu_set(trap->machine->vcpu, VCPU_RAX, (uint32_t)now);
    vcpu_set(trap->machine->vcpu, VCPU_RDX, now >> 32);
    if (insn->id == INSN_RDTSCP) {
        vcpu_set(trap->machine->vcpu, VCPU_RCX,
                 (uint32_t)vcpu_get_msr(trap->machine->vcpu, MSR_TSC_AUX));
    }
    return insn_done(trap, insn);
}

static enum trap_next insn_random(struct trap_context *trap, const struct insn *insn)
{
    static const enum vcpu_register by_number[16] = {
        VCPU_RAX, VCPU_RCX, VCPU_RDX, VCPU_RBX, VCPU_RSP, VCPU_RBP, VCPU_RSI, VCPU_RDI,
        VCPU_R8,  VCPU_R9,  VCPU_R10, VCPU_R11, VCPU_R12, VCPU_R13, VCPU_R14, VCPU_R15,
    };
    struct vcpu *vcpu = trap->machine->vcpu;
    enum vcpu_register reg = by_number[insn->reg & 15];
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

/* ---- the rest ---- */

static enum trap_next insn_undefined(struct trap_context *trap, const struct insn *insn)
{
    (void)insn;
    return fault_raise_ud(trap);
}

static enum trap_next insn_unmodelled(struct trap_context *trap, const struct insn *insn)
{
    return trap_end(trap, OUTCOME_UNMODELLED, "%s%s", insn_name(insn->id),
                    insn->id == INSN_OTHER ? " that the CPU engine does not know" : "");
}

#define APM3 "AMD APM Vol 3 (24594), "
#define APM2_VC "AMD APM Vol 2 (24593) 15.35.5"

const struct insn_row insn_rows[INSN_COUNT] = {
    [INSN_OTHER] = {.source = APM3 "opcode maps"},
    [INSN_UNDEFINED] = {insn_undefined, 0, "#UD", APM3 "UD0, UD1, UD2 and opcode maps"},
    [INSN_VMGEXIT] = {insn_vmgexit, 0, "exit to the hypervisor", APM3 "VMGEXIT"},
    [INSN_VMMCALL] = {insn_vc_vmmcall, 0, "#VC 0x81", APM2_VC},
    [INSN_PVALIDATE] = {insn_pvalidate, INSN_UNVERIFIED, "executed on the RMP", APM3 "PVALIDATE"},
    [INSN_RMPADJUST] = {insn_rmpadjust, INSN_UNVERIFIED, "executed on the RMP", APM3 "RMPADJUST"},
    [INSN_RMPQUERY] = {insn_not_supported, INSN_UNVERIFIED, "#UD", APM3 "RMPQUERY"},
    [INSN_INVLPGB] = {.source = APM3 "INVLPGB"},
    [INSN_TLBSYNC] = {.source = APM3 "TLBSYNC"},
    [INSN_RDMSR] = {insn_rdmsr, 0, "by the table of MSRs", APM3 "RDMSR"},
    [INSN_WRMSR] = {insn_wrmsr, 0, "by the table of MSRs", APM3 "WRMSR"},
    [INSN_CPUID] = {insn_vc_cpuid, 0, "#VC 0x72", APM2_VC},
    [INSN_IO] = {insn_vc_io, 0, "#VC 0x7B", APM2_VC},
    [INSN_RDTSC] = {insn_rdtsc, 0, "virtual time", APM3 "RDTSC"},
    [INSN_RDTSCP] = {insn_rdtsc, 0, "virtual time and TSC_AUX", APM3 "RDTSCP"},
    [INSN_RDRAND] = {insn_random, 0, "a number from the seed", APM3 "RDRAND"},
    [INSN_RDSEED] = {insn_random, 0, "a number from the seed", APM3 "RDSEED"},
    [INSN_XSETBV] = {.source = APM3 "XSETBV"},
    [INSN_SYSCALL] = {.source = APM3 "SYSCALL, SYSRET, SYSENTER, SYSEXIT"},
    [INSN_MONITOR] = {.source = APM3 "MONITOR, MONITORX"},
    [INSN_MWAIT] = {.source = APM3 "MWAIT, MWAITX"},
    [INSN_WBINVD] = {.source = APM3 "WBINVD"},
    [INSN_INVD] = {.source = APM3 "INVD"},
    [INSN_MOV_DR] = {.source = APM3 "MOV (DRn)"},
    [INSN_SVM] = {.source = APM3 "VMRUN and the other SVM instructions"},
};

enum trap_next insn_execute(struct trap_context *trap, const struct insn *insn)
{
    insn_handler *handler = insn_rows[insn->id].handler;

    return (handler ? handler : insn_unmodelled)(trap, insn);
}
