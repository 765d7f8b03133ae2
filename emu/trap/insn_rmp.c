/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions on the RMP, and those that flush translations everywhere. */
#include <stdio.h>

#include "abi/cpuid.h"
#include "abi/rmp.h"
#include "abi/x86.h"
#include "trap/fault.h"
#include "trap/handlers.h"

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

enum trap_next insn_pvalidate(struct trap_context *trap, const struct insn *insn)
{
    bool validate = vcpu_get(trap->machine->vcpu, VCPU_RDX) & 1;
    unsigned status = RMP_FAIL_INPUT;
    bool unchanged = false;
    struct mmu_translation place;
    struct mmu_fault fault;
    bool large;
    enum operand_state operand;

    if (vcpu_vmpl(trap->machine->vcpu) != 0) {
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
    if (trap->pvalidated && status == RMP_SUCCESS) {
        trap->pvalidated(
            trap->pvalidated_context,
            &(struct trap_pvalidated){.gpa = place.gpa & ~PAGE_MASK,
                                      .size_bytes = large ? LARGE_PAGE_SIZE : PAGE_SIZE,
                                      .validate = validate,
                                      .unchanged = unchanged});
    }
    insn_report_pvalidate(trap, place.gpa & ~PAGE_MASK, large, validate, status, unchanged);
    insn_set_status(trap, status, unchanged);
    return insn_done(trap, insn);
}

enum trap_next insn_rmpadjust(struct trap_context *trap, const struct insn *insn)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    uint64_t operand = vcpu_get(vcpu, VCPU_RDX);
    unsigned status = RMP_FAIL_INPUT;
    struct mmu_translation place;
    struct mmu_fault fault;
    struct event event;
    bool large;
    enum operand_state state;

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

static void insn_report_rmpquery(struct trap_context *trap, uint64_t gpa, unsigned vmpl,
                                 unsigned status)
{
    struct event event;

    if (trap_event_begin(trap, &event, "rmpquery", NULL)) {
        event_hex(&event, "gpa", gpa);
        event_dec(&event, "vmpl", vmpl);
        event_dec(&event, "status", status);
        snprintf(event.words, sizeof(event.words), "rmpquery gpa 0x%llx for VMPL%u: status %u",
                 (unsigned long long)gpa, vmpl, status);
        trap_event_emit(trap, &event);
    }
}

/*
 * What a VMPL may do with a page. RDX: the VMPL, then its permissions and the VMSA bit as RMPADJUST
 * takes them; RCX: the size of the entry. A level above one's own is refused.
 */
enum trap_next insn_rmpquery(struct trap_context *trap, const struct insn *insn)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    const struct rmp *rmp = &trap->machine->rmp;
    unsigned vmpl = vcpu_get(vcpu, VCPU_RDX) & 0xFF;
    struct mmu_translation place;
    struct mmu_context context;
    struct mmu_fault fault;
    struct rmp_place where;
    const struct rmp_entry *entry;
    enum rmp_result result;
    unsigned status = RMP_SUCCESS;

    if (!(trap->sev_cpuid_eax & CPUID_SEV_EAX_RMPQUERY)) {
        return fault_raise_ud(trap);
    }
    if (trap_is_guess(trap, "rmpquery")) {
        return TRAP_END;
    }
    if (insn_cpl(trap) != 0) {
        return fault_raise_gp(trap, 0);
    }
    vcpu_mmu_context(vcpu, &context);
    if (!mmu_translate_operand(&trap->machine->mmu, &context, vcpu_get(vcpu, VCPU_RAX), &place,
                               &fault)) {
        return fault_raise_mmu(trap, &fault);
    }
    if (vmpl >= VMPL_COUNT) {
        return trap_end(trap, OUTCOME_UNMODELLED, "rmpquery for VMPL%u", vmpl);
    }
    where = mmu_place(&trap->machine->mmu, place.gpa);
    entry = &rmp->entry[where.page];
    fault.gva = vcpu_get(vcpu, VCPU_RAX);
    fault.gpa = place.gpa & ~PAGE_MASK;
    fault.private_access = true;
    result = rmp_check_place(rmp, &where, RMP_OPERAND, true, vcpu_vmpl(vcpu), false);
    if (result == RMP_OK && !(entry->flags & RMP_VALIDATED)) {
        result = RMP_VC_NOT_VALIDATED;
    }
    if (result != RMP_OK) {
        return insn_rmp_refused(trap, result, &fault);
    }
    if (vmpl < vcpu_vmpl(vcpu)) {
        status = RMP_FAIL_PERMISSION;
    } else {
        vcpu_set(vcpu, VCPU_RCX, entry->flags & RMP_LARGE ? 1 : 0);
        vcpu_set(vcpu, VCPU_RDX,
                 vmpl | (uint64_t)entry->perm[vmpl] << RMPADJUST_PERM_SHIFT |
                     (entry->flags & RMP_VMSA ? RMPADJUST_VMSA : 0));
    }
    insn_report_rmpquery(trap, fault.gpa, vmpl, status);
    insn_set_status(trap, status, false);
    return insn_done(trap, insn);
}

/* INVLPGB and TLBSYNC: with one vCPU at a time, forgetting everything at once is both. */
enum trap_next insn_flush(struct trap_context *trap, const struct insn *insn)
{
    vcpu_flush(trap->machine->vcpu);
    return insn_done(trap, insn);
}
