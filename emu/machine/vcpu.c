/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/vcpu.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/x86.h"
#include "machine/vcpu_engine.h"

/* ---- what the engine tells us ---- */

static void vcpu_stop_with(struct vcpu *vcpu, enum vcpu_stop_kind kind)
{
    vcpu->stop.kind = kind;
    uc_emu_stop(vcpu->uc);
}

void vcpu_on_site(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    struct vcpu *vcpu = opaque;
    uint8_t bytes[15];
    struct vcpu_insn insn = {0};

    (void)size;
    if (vcpu->passing && vcpu->pass_gva == gva) {
        vcpu->passing = false;
        return;
    }
    /* A breakpoint comes before the instruction, whichever hook does. */
    if (vcpu_debug_stops(vcpu, gva)) {
        vcpu_stop_with(vcpu, VCPU_STOP_DEBUG);
        return;
    }
    /* Code may have changed since the hook was set. */
    vcpu->decode(bytes, vcpu_code_peek(vcpu, gva, bytes, sizeof(bytes)), vcpu_code(vcpu)->bits,
                 &insn);
    if (insn.trap) {
        vcpu_stop_with(vcpu, VCPU_STOP_SITE);
    } else {
        vcpu->site_stale = true;
        uc_emu_stop(uc);
    }
}

static void vcpu_on_break(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    (void)uc;
    (void)gva;
    (void)size;
    vcpu_stop_with(opaque, VCPU_STOP_BREAK);
}

static void vcpu_on_limit(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    (void)uc;
    (void)gva;
    (void)size;
    vcpu_stop_with(opaque, VCPU_STOP_LIMIT);
}

static bool vcpu_on_invalid(uc_engine *uc, void *opaque)
{
    (void)uc;
    vcpu_stop_with(opaque, VCPU_STOP_INVALID);
    return true;
}

static void vcpu_on_interrupt(uc_engine *uc, uint32_t vector, void *opaque)
{
    struct vcpu *vcpu = opaque;

    (void)uc;
    vcpu->stop.vector = vector;
    vcpu_stop_with(vcpu, VCPU_STOP_INTERRUPT);
}

void vcpu_pass(struct vcpu *vcpu)
{
    vcpu->passing = true;
    vcpu->pass_gva = vcpu_code_gva(vcpu);
    vcpu->pass_at = vcpu_retired(vcpu);
}

/* ---- opening and running ---- */

static uc_err engine_add_hooks(struct vcpu *vcpu)
{
    uc_engine *uc = vcpu->uc;
    uc_hook hook;
    uc_err err;

    /* begin > end: everywhere */
    err = uc_hook_add(uc, &hook, UC_HOOK_INTR, (void *)vcpu_on_interrupt, vcpu, 1, 0);
    if (!err) {
        err = vcpu_record_find(vcpu);
    }
    if (!err) {
        err = vcpu_cpl_find(vcpu);
    }
    if (!err) {
        err = vcpu_xcr0_find(vcpu);
    }
    if (!err) {
        err = engine_use_vtlb(uc);
    }
    if (!err) {
        err = uc_hook_add(uc, &hook, UC_HOOK_TLB_FILL, (void *)vcpu_on_tlb_fill, vcpu, 1, 0);
    }
    if (!err) {
        err = uc_hook_add(uc, &vcpu->block_hook, UC_HOOK_BLOCK, (void *)vcpu_on_block, vcpu, 1, 0);
    }
    if (!err) {
        err = uc_hook_add(uc, &hook, UC_HOOK_INSN_INVALID, (void *)vcpu_on_invalid, vcpu, 1, 0);
    }
    return err;
}

static uc_err engine_open(struct vcpu *vcpu)
{
    struct memory *memory = vcpu->memory;
    uc_err err = uc_open(UC_ARCH_X86, UC_MODE_64, &vcpu->uc);

    if (!err) {
        err = engine_set_model(vcpu->uc);
    }
    if (!err) {
        err = engine_use_no_exits(vcpu->uc);
    }
    if (!err) {
        err = uc_mem_map_ptr(vcpu->uc, 0, ((size_t)memory->page_count + 1) * PAGE_SIZE, UC_PROT_ALL,
                             memory->ram);
    }
    if (!err) {
        err = uc_context_alloc(vcpu->uc, &vcpu->mending);
    }
    if (!err) {
        err = vcpu_live_open(vcpu);
    }
    return err ? err : engine_add_hooks(vcpu);
}

int vcpu_open(struct vcpu **out, struct memory *memory, struct rmp *rmp, vcpu_decode *decode,
              struct error *error)
{
    struct vcpu *vcpu = calloc(1, sizeof(*vcpu));
    uc_err err;

    if (!vcpu) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a vCPU");
    }
    vcpu->memory = memory;
    vcpu->rmp = rmp;
    vcpu->mmu = (struct mmu){.memory = memory, .rmp = rmp};
    vcpu->decode = decode;
    vcpu->asked = LIMIT_NONE;
    vcpu->limit = LIMIT_NONE;
    vcpu->left = (int64_t)LIMIT_NONE;
    vcpu->generation = 1;
    vcpu->pass_at = UINT64_MAX;
    vcpu_debug_forget(vcpu);
    vcpu->site = calloc(SITE_MAX, sizeof(*vcpu->site));
    vcpu->fill = calloc(memory->page_count, sizeof(*vcpu->fill));
    for (size_t i = 0; i < CODE_VIEW_SLOTS; i++) {
        vcpu->code_view[i].page = MEMORY_NO_PAGE;
    }
    if (!vcpu->site || !vcpu->fill) {
        vcpu_close(vcpu);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a vCPU");
    }
    err = engine_open(vcpu);
    if (err) {
        vcpu_close(vcpu);
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine does not start: %s",
                         uc_strerror(err));
    }
    vcpu->efer = vcpu_get_msr(vcpu, MSR_EFER);
    vcpu->code.stale = true;
    vcpu_set(vcpu, VCPU_MXCSR, 0x1F80);
    vcpu_set(vcpu, VCPU_FPCW, 0x37F);
    vcpu_set_xcr0(vcpu, 1); /* as after a reset; the engine starts with SSE state as well */
    *out = vcpu;
    return 0;
}

void vcpu_close(struct vcpu *vcpu)
{
    if (!vcpu) {
        return;
    }
    if (vcpu->saved) {
        uc_context_free(vcpu->saved);
    }
    if (vcpu->mending) {
        uc_context_free(vcpu->mending);
    }
    if (vcpu->uc) {
        uc_close(vcpu->uc);
    }
    free(vcpu->ran_inside);
    free(vcpu->ran_outside);
    free(vcpu->ran_slot);
    free(vcpu->last);
    free(vcpu->site);
    free(vcpu->fill);
    free(vcpu->view);
    free(vcpu->stub);
    free(vcpu->probe);
    free(vcpu);
}

void vcpu_set_translation(struct vcpu *vcpu, vcpu_translate *translate, void *context)
{
    vcpu->translate = translate;
    vcpu->translate_context = context;
}

/* Sort out why the engine came back when no hook asked it to. */
static void vcpu_classify(struct vcpu *vcpu, uc_err err, uint64_t gva)
{
    uint8_t byte = 0;

    if (err == UC_ERR_EXCEPTION && vcpu->faulted) {
        vcpu->stop.kind = VCPU_STOP_FAULT;
    } else if (err == UC_ERR_OK && vcpu_code_peek(vcpu, gva - 1, &byte, 1) == 1 && byte == 0xF4) {
        vcpu->stop.kind = VCPU_STOP_HALT;
    } else {
        vcpu->stop.kind = VCPU_STOP_ENGINE;
        vcpu->stop.vector = (uint32_t)err;
    }
}

/* The length of the instruction at gva, of which `have` bytes may be looked at; 0: none. */
static uint64_t insn_length(const struct vcpu *vcpu, uint64_t gva, size_t have)
{
    uint8_t bytes[15];
    struct vcpu_insn insn = {0};

    have = have < sizeof(bytes) ? have : sizeof(bytes);
    vcpu->decode(bytes, vcpu_code_peek(vcpu, gva, bytes, have), vcpu_code(vcpu)->bits, &insn);
    return insn.length;
}

/* What a run has set up in the engine for itself and takes away at its end. */
struct vcpu_plan {
    bool limit_hooked;
    uc_hook limit_hook;
    bool exit_set;
    uint64_t exit_gva, from_gva;
};

/*
 * The block at replan_gva does not fit into the budget: a hook where the budget ends in it, and on
 * all that follows, since the block may write over itself. The next block is beyond the budget.
 */
static uc_err plan_limit(struct vcpu *vcpu, struct vcpu_plan *plan)
{
    uint64_t at = vcpu->replan_gva, end = at + vcpu->replan_size;
    uc_err err;

    for (int64_t i = 0; i < vcpu->left; i++) {
        uint64_t length = insn_length(vcpu, at, 15);

        at += length ? length : 1;
    }
    err = uc_hook_add(vcpu->uc, &plan->limit_hook, UC_HOOK_CODE, (void *)vcpu_on_limit, vcpu, at,
                      at < end ? end - 1 : at);
    if (!err) {
        plan->limit_hooked = true;
        engine_remove_block(vcpu->uc, vcpu->replan_gva, vcpu->replan_size);
        vcpu_set_limit(vcpu, vcpu_retired(vcpu) +
                                 vcpu_block_insns(vcpu, vcpu->replan_gva, vcpu->replan_size));
    }
    return err;
}

/*
 * The engine translates a block up to its end before it runs any of it, into the next page if need
 * be. When that page's fetch fails, the instructions before it have not run: run them first, as a
 * block that ends where the next page begins. False when there are none.
 */
static bool plan_fetch(struct vcpu *vcpu, struct vcpu_plan *plan, uint64_t gva)
{
    uint64_t page = vcpu->stop.fault.gva & ~PAGE_MASK, at = gva, length;

    if (page - gva > BLOCK_BYTES_MAX) {
        return false;
    }
    while (at < page && (length = insn_length(vcpu, at, page - at)) != 0) {
        at += length;
    }
    if (at == gva || engine_set_exit(vcpu->uc, &at)) {
        return false;
    }
    plan->exit_set = true;
    plan->exit_gva = at;
    plan->from_gva = gva;
    return true;
}

static void plan_drop_exit(struct vcpu *vcpu, struct vcpu_plan *plan)
{
    if (plan->exit_set) {
        engine_set_exit(vcpu->uc, NULL);
        engine_remove_block(vcpu->uc, plan->from_gva, (uint32_t)(plan->exit_gva - plan->from_gva));
        plan->exit_set = false;
    }
}

/* Enter the engine once. True when that was not the end of it: the caller enters it again. */
static bool vcpu_enter(struct vcpu *vcpu, struct vcpu_plan *plan, uc_err *err)
{
    uint64_t rip = vcpu_get(vcpu, VCPU_RIP), gva;

    memset(&vcpu->stop, 0, sizeof(vcpu->stop));
    vcpu->faulted = false;
    vcpu->replan = false;
    vcpu->code_written = false;
    vcpu->clear_resume = false;
    vcpu_code_renew(vcpu);
    vcpu->site_stale = false;
    vcpu->probe_due = false;
    if (vcpu_debug_attends(vcpu)) {
        vcpu_limit_hold(vcpu);
    }
    vcpu->running = true;
    *err = uc_emu_start(vcpu->uc, rip, 0, 0, 0);
    vcpu->running = false;
    vcpu_limit_apply(vcpu, vcpu->asked);
    /* It may have gone to fetch from the wrong place, and failed. */
    if (!vcpu_code_renew(vcpu)) {
        vcpu_code_drop_base(vcpu);
        return true;
    }
    gva = vcpu_code_gva(vcpu);
    if (vcpu->replan) {
        if (vcpu->site_full) {
            vcpu_site_forget_all(vcpu);
        }
        engine_remove_block(vcpu->uc, vcpu->replan_gva, vcpu->replan_size);
        return true;
    }
    if (vcpu->clear_resume) {
        vcpu_set(vcpu, VCPU_RFLAGS, vcpu_get(vcpu, VCPU_RFLAGS) & ~RFLAGS_RF);
        vcpu->resuming = false;
        vcpu_debug_resumed(vcpu, gva);
        return true;
    }
    /* With a hook on it the engine spoils the flags of an instruction that faults. */
    if (vcpu->site_stale) {
        vcpu_settle(vcpu, gva);
        vcpu_site_forget(vcpu, gva);
        return true;
    }
    if (vcpu->stop.kind == VCPU_STOP_LIMIT && vcpu->left > 0 && !plan->limit_hooked) {
        *err = plan_limit(vcpu, plan);
        return !*err;
    }
    if (plan->exit_set && !*err && vcpu->stop.kind == VCPU_STOP_NONE && gva == plan->exit_gva) {
        vcpu_settle(vcpu, gva);
        plan_drop_exit(vcpu, plan);
        return true;
    }
    return *err == UC_ERR_EXCEPTION && vcpu->faulted && vcpu->stop.fault.access == MMU_FETCH &&
           !plan->exit_set && plan_fetch(vcpu, plan, gva);
}

/* At the limit, what stands before an instruction that has not begun can wait. */
static bool stop_can_wait(enum vcpu_stop_kind kind)
{
    return kind == VCPU_STOP_INVALID || kind == VCPU_STOP_SITE || kind == VCPU_STOP_FAULT ||
           kind == VCPU_STOP_SPIN || kind == VCPU_STOP_BREAK || kind == VCPU_STOP_DEBUG ||
           kind == VCPU_STOP_PROBE;
}

int vcpu_run(struct vcpu *vcpu, struct vcpu_stop *stop, struct error *error)
{
    uint64_t limit = vcpu->asked;
    bool in_time = vcpu_retired(vcpu) <= limit;
    struct vcpu_plan plan = {0};
    uint64_t gva;
    uc_err err;

    if (vcpu->debug_stale && vcpu_debug_update(vcpu, error) != 0) {
        return SNPEMU_ERR_INTERNAL;
    }
    vcpu->probes_until = limit;
    if (vcpu->memory->code_changed) {
        vcpu->memory->code_changed = false;
        vcpu_code_changed(vcpu);
    }
    if (vcpu->memory->table_changed) {
        vcpu->memory->table_changed = false;
        vcpu_flush(vcpu);
    }
    while (vcpu_enter(vcpu, &plan, &err)) {
    }
    gva = vcpu_code_gva(vcpu);
    plan_drop_exit(vcpu, &plan);
    if (plan.limit_hooked) {
        uc_hook_del(vcpu->uc, plan.limit_hook);
        engine_remove_block(vcpu->uc, vcpu->replan_gva, vcpu->replan_size);
    }
    if (vcpu->stop.kind == VCPU_STOP_NONE || (vcpu->faulted && err == UC_ERR_EXCEPTION)) {
        vcpu_classify(vcpu, err, gva);
    }
    /* A fetch that fails belongs to the next block, which has not been counted yet. */
    if (vcpu->stop.kind == VCPU_STOP_FAULT && vcpu->stop.fault.access == MMU_FETCH) {
        vcpu->current = NULL;
    }
    /* A single step has run its block, of one instruction, even when REP leaves RIP at its start.
     */
    if (vcpu->stop.kind == VCPU_STOP_INTERRUPT && vcpu->stop.vector == VECTOR_DB) {
        vcpu->stop.again = vcpu->current && vcpu->current->gva == gva;
        vcpu->current = NULL;
    }
    vcpu_settle(vcpu, gva);
    vcpu_set_limit(vcpu, limit);
    if (vcpu->probe_count > 0 &&
        (vcpu->stop.kind == VCPU_STOP_FAULT || vcpu->stop.kind == VCPU_STOP_INTERRUPT)) {
        vcpu_probe_mend(vcpu, gva);
    }
    if (vcpu->probe_count > 0 && vcpu->left > 0 && stop_can_wait(vcpu->stop.kind) &&
        vcpu_probe_stops(vcpu, gva)) {
        vcpu->stop.kind = VCPU_STOP_PROBE;
    }
    /* A block that writes over itself may have been counted again from where it did. */
    if (in_time && vcpu->left < 0) {
        vcpu->left = 0;
    }
    if (vcpu->left <= 0 && stop_can_wait(vcpu->stop.kind)) {
        vcpu->stop.kind = VCPU_STOP_LIMIT;
    }
    vcpu->stop.rip = vcpu_get(vcpu, VCPU_RIP);
    vcpu->stop.code_gva = gva;
    if (vcpu->stop.kind == VCPU_STOP_INTERRUPT && vcpu_record_take(vcpu)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine does not restore its context");
    }
    *stop = vcpu->stop;
    return 0;
}

void vcpu_retire(struct vcpu *vcpu, unsigned length)
{
    uint64_t rip = vcpu_get(vcpu, VCPU_RIP) + length;

    if (vcpu->ran && length > 0) {
        vcpu_ran_more(vcpu, vcpu_code_gva(vcpu), length);
    }
    vcpu_set(vcpu, VCPU_RIP, vcpu_code(vcpu)->bits == 64 ? rip : rip & UINT32_MAX);
    vcpu->left--;
}

void vcpu_pass_time(struct vcpu *vcpu, uint64_t instructions)
{
    vcpu->left -= (int64_t)instructions;
}

void vcpu_expect_resume(struct vcpu *vcpu)
{
    vcpu->resuming = true;
}

bool vcpu_expects_resume(const struct vcpu *vcpu)
{
    return vcpu->resuming;
}

void vcpu_switched(struct vcpu *vcpu)
{
    vcpu->resuming = vcpu_get(vcpu, VCPU_RFLAGS) & RFLAGS_RF;
    vcpu->passing = false;
    vcpu->current = NULL;
    vcpu->debug_stale = true;
    vcpu_debug_forget(vcpu);
    vcpu_flush(vcpu);
}

int vcpu_set_break(struct vcpu *vcpu, uint64_t gva, size_t *number, struct error *error)
{
    uc_hook hook;

    if (uc_hook_add(vcpu->uc, &hook, UC_HOOK_CODE, (void *)vcpu_on_break, vcpu, gva, gva)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine refuses a breakpoint");
    }
    if (number) {
        *number = hook;
    }
    engine_flush_blocks(vcpu->uc);
    return 0;
}

void vcpu_drop_break(struct vcpu *vcpu, size_t number)
{
    uc_hook_del(vcpu->uc, number);
    engine_flush_blocks(vcpu->uc);
}

/* ---- snapshot ---- */

int vcpu_save(struct vcpu *vcpu, struct error *error)
{
    if (!vcpu->saved && uc_context_alloc(vcpu->uc, &vcpu->saved)) {
        vcpu->saved = NULL;
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a vCPU's context");
    }
    if (uc_context_save(vcpu->uc, vcpu->saved)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine does not save its context");
    }
    vcpu->saved_retired = vcpu_retired(vcpu);
    vcpu->saved_resuming = vcpu->resuming;
    vcpu->saved_resumed_gva = vcpu->resumed_gva;
    vcpu->saved_resumed_at = vcpu->resumed_at;
    vcpu->saved_vmpl = vcpu->vmpl;
    vcpu_mmu_context(vcpu, &vcpu->saved_context);
    vcpu->restless_count = 0;
    return 0;
}

int vcpu_restore(struct vcpu *vcpu, bool anew, struct error *error)
{
    assert(vcpu->saved);
    vcpu->current = NULL;
    vcpu->vmpl = vcpu->saved_vmpl;
    vcpu_ran_switch(vcpu);
    if (anew || !vcpu_live_restore(vcpu)) {
        vcpu_flush(vcpu);
    }
    if (uc_context_restore(vcpu->uc, vcpu->saved)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine does not restore its context");
    }
    vcpu->efer = vcpu_get_msr(vcpu, MSR_EFER);
    vcpu->code.stale = true;
    vcpu->left = (int64_t)(vcpu->limit - vcpu->saved_retired);
    vcpu->resuming = vcpu->saved_resuming;
    vcpu->passing = false;
    vcpu->pass_at = UINT64_MAX;
    vcpu->resumed_gva = vcpu->saved_resumed_gva;
    vcpu->resumed_at = vcpu->saved_resumed_at;
    return vcpu_debug_update(vcpu, error);
}

void vcpu_code_changed(struct vcpu *vcpu)
{
    vcpu_block_forget_all(vcpu);
    engine_flush_blocks(vcpu->uc);
}

#define VERSION_TEXT_(x) #x
#define VERSION_TEXT(x) VERSION_TEXT_(x)

const char *vcpu_engine_version(void)
{
    return VERSION_TEXT(UC_VERSION_MAJOR) "." VERSION_TEXT(UC_VERSION_MINOR) "." VERSION_TEXT(
        UC_VERSION_PATCH);
}
