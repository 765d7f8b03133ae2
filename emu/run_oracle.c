/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the oracles are told of a run, and what becomes of their hits: an event each, and the
 * outcome's mask. They watch VMPL0 alone: the SVSM, not the guest that it serves.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cpuid.h"
#include "abi/nae.h"
#include "report.h"
#include "run_internal.h"

#define VMGEXIT_SIZE 4

static bool is_watched(const struct run *run)
{
    return run->oracles && vcpu_vmpl(run->machine.vcpu) == 0;
}

static bool is_shared(const struct run *run, uint32_t page)
{
    return !(run->machine.rmp.entry[page].flags & RMP_ASSIGNED);
}

/* ---- what they ask for ---- */

/* The first touch of a page fills it, and that is the guest's to do. Nobody stored anything there.
 */
static const uint8_t *on_shared_page(void *context, uint64_t gpa)
{
    static const uint8_t untouched[PAGE_SIZE];
    struct run *run = context;
    uint32_t page = memory_page(&run->machine.memory, gpa);

    if (!hypervisor_shares(&run->hypervisor, gpa)) {
        return NULL;
    }
    return run->machine.memory.flags[page] & MEMORY_TOUCHED
               ? memory_bytes(&run->machine.memory, page)
               : untouched;
}

static bool on_host_fault(void *context, uint64_t gpa)
{
    const struct run *run = context;

    return trap_host_fault(&run->trap, gpa);
}

static bool on_same_line(void *context, uint64_t a_gva, uint64_t b_gva)
{
    const struct run *run = context;
    const char *a_file, *b_file;
    unsigned a, b;

    return image_line_at(run->image, a_gva, &a_file, &a) &&
           image_line_at(run->image, b_gva, &b_file, &b) && a == b && strcmp(a_file, b_file) == 0;
}

static void on_flush(void *context)
{
    struct run *run = context;

    vcpu_flush(run->machine.vcpu);
}

static void on_forget_page(void *context, uint64_t gpa)
{
    struct run *run = context;
    uint32_t page = memory_page(&run->machine.memory, gpa);

    if (page != MEMORY_NO_PAGE) {
        vcpu_page_changed(run->machine.vcpu, page);
    }
}

static void on_forget_address(void *context, uint64_t gva)
{
    struct run *run = context;

    vcpu_address_changed(run->machine.vcpu, gva);
}

/* ---- hits ---- */

/* How many instructions of a function make the same mistake depends on the compiler. */
static bool is_first(struct run *run, enum oracle_kind kind, uint64_t code_gva)
{
    struct run_state *state = &run->state;
    uint64_t function_gva = code_gva, offset = 0;

    if (image_symbol_at(run->image, code_gva, &offset)) {
        function_gva -= offset;
    }
    for (size_t i = 0; i < state->hit_count; i++) {
        if (state->hit[i].kind == kind && state->hit[i].function_gva == function_gva) {
            return false;
        }
    }
    if (state->hit_count < RUN_HIT_MAX) {
        state->hit[state->hit_count].kind = kind;
        state->hit[state->hit_count].exit = run_last_exit(run);
        state->hit[state->hit_count].code_gva = code_gva;
        state->hit[state->hit_count++].function_gva = function_gva;
    }
    return true;
}

/* Of the exit that is being taken: RIP is behind VMGEXIT already. */
static uint64_t vmgexit_gva(const struct run *run)
{
    return vcpu_code_gva(run->machine.vcpu) - VMGEXIT_SIZE;
}

/* Without an instruction of its own it is about the exit. */
static void on_hit(void *context, const struct oracle_hit *hit)
{
    struct run *run = context;
    uint64_t code_gva = hit->code_gva ? hit->code_gva : vmgexit_gva(run);

    report_oracle(&run->trap, run->image, hit, code_gva, is_first(run, hit->kind, code_gva));
}

bool run_hit(const struct run *run, size_t i, struct run_hit *hit)
{
    const struct run_state *state = &run->state;

    if (i >= state->hit_count) {
        return false;
    }
    *hit = (struct run_hit){
        .kind = state->hit[i].kind,
        .code_gva = state->hit[i].code_gva,
        .function_gva = state->hit[i].function_gva,
        .symbol = image_symbol_at(run->image, state->hit[i].function_gva, NULL),
        .exit = state->hit[i].exit,
    };
    return true;
}

/* ---- what they are told ---- */

static const enum vcpu_view views[] = {
    [ORACLE_VIEW_NONE] = VCPU_VIEW_NONE,
    [ORACLE_VIEW_LOADS] = VCPU_VIEW_LOADS,
    [ORACLE_VIEW_READS] = VCPU_VIEW_READS,
    [ORACLE_VIEW_ALL] = VCPU_VIEW_ALL,
};

/* A page to which the host made another address lead is not looked at: under that one it would be
   taken for what it is at home, and what is read there for a second read. */
static bool is_looked_at(const struct run *run, const struct mmu_translation *place)
{
    const struct memory *memory = &run->machine.memory;

    return is_watched(run) && memory_gpa(memory, place->page) == (place->gpa & ~PAGE_MASK) &&
           !memory_has_alias(memory, place->page);
}

static bool on_settled(void *context, uint64_t gva, const struct mmu_translation *place,
                       enum vcpu_view view)
{
    struct run *run = context;
    enum oracle_view want = ORACLE_VIEW_NONE;

    if (!is_looked_at(run, place)) {
        return view == VCPU_VIEW_NONE;
    }
    while (views[want] != view) {
        want++;
    }
    return oracles_view_settled(run->oracles, run->trap.vcpu, gva, place->gpa,
                                is_shared(run, place->page), want);
}

static enum vcpu_view on_view(void *context, uint64_t gva, const struct mmu_translation *place)
{
    struct run *run = context;

    if (!is_looked_at(run, place)) {
        return VCPU_VIEW_NONE;
    }
    return views[oracles_view(run->oracles, run->trap.vcpu, gva, place->gpa,
                              is_shared(run, place->page))];
}

static void on_access(void *context, const struct vcpu_access *access)
{
    struct run *run = context;
    struct memory *memory = &run->machine.memory;
    const struct oracle_access shown = {
        .vcpu = run->trap.vcpu,
        .page = access->page,
        .gpa = memory_gpa(memory, access->page) + access->offset,
        .size_bytes = access->size_bytes,
        .beyond_bytes = access->beyond_bytes,
        .write = access->write,
        .shared = is_shared(run, access->page),
        .value = access->value,
        .bytes = memory->ram + (size_t)access->page * PAGE_SIZE + access->offset,
        .code_gva = access->code_gva,
        .retired = access->retired,
    };

    if (!is_watched(run)) {
        return;
    }
    if (!access->followed) {
        oracles_access(run->oracles, &shown);
    }
    if (run->taint) {
        run_taint_access(run, &shown);
    }
}

/* Of the SVSM's own memory: its guest's pages are that guest's business. */
static void on_pvalidated(void *context, const struct trap_pvalidated *done)
{
    struct run *run = context;
    const struct vcpu *vcpu = run->machine.vcpu;

    run_taint_page(run, done->gpa, done->unchanged ? 0 : done->size_bytes);
    if (done->gpa - run->image->load_gpa < run->svsm_size_bytes) {
        oracles_pvalidate(run->oracles,
                          &(struct oracle_pvalidate){
                              .vcpu = run->trap.vcpu,
                              .guest_page = memory_guest_page(&run->machine.memory, done->gpa),
                              .gpa = done->gpa,
                              .size_bytes = done->size_bytes,
                              .validate = done->validate,
                              .unchanged = done->unchanged,
                              .code_gva = vcpu_code_gva(vcpu),
                              .retired = vcpu_retired(vcpu)});
    }
}

/* ---- for the run ---- */

int run_oracles_open(struct run *run, struct error *error)
{
    const struct oracle_ops ops = {
        .context = run,
        .hit = on_hit,
        .shared_page = on_shared_page,
        .host_fault = on_host_fault,
        .same_line = on_same_line,
        .flush = on_flush,
        .forget_page = on_forget_page,
        .forget_address = on_forget_address,
    };
    struct vcpu_observer observer = {
        .context = run,
        .view = on_view,
        .settled = on_settled,
        .access = on_access,
        .exact = run->options.oracles_exact && run->options.oracles_from == 0,
    };
    int status;

    if (!run->options.oracles) {
        return 0;
    }
    run->svsm_size_bytes = run->scenario->memory_mib ? (uint64_t)run->scenario->memory_mib << 20
                                                     : run->image->memory_size_bytes;
    status = oracles_new(&run->oracles, run->options.oracles, observer.exact,
                         run->machine.memory.page_count, run->hypervisor.vcpus.count, &ops, error);
    for (uint32_t page = 0; status == 0 && page < run->machine.rmp.page_count; page++) {
        if (run->machine.rmp.entry[page].flags & RMP_VALIDATED) {
            oracles_validated(run->oracles, page);
        }
    }
    if (status == 0) {
        run->trap.pvalidated = on_pvalidated;
        run->trap.pvalidated_context = run;
        status = run_taint_open(run, &observer, error);
    }
    if (status == 0) {
        status = vcpu_observe(run->machine.vcpu, &observer, error);
    }
    return status;
}

void run_oracles_exit(struct run *run)
{
    struct exit_buffer buffer[EXIT_BUFFER_MAX];

    if (is_watched(run)) {
        oracles_exit(run->oracles, &run->exit, buffer,
                     exit_buffers(&run->hypervisor, &run->exit, buffer));
        run_percpu_exit(run);
    }
}

/* The answer stands where the guest will look for it. */
static void answer_told(struct run *run)
{
    const struct exit *exit = &run->exit;

    if (!is_watched(run)) {
        return;
    }
    oracles_answer(run->oracles, exit, &run->reply);
    run->state.msr_hosts = exit->protocol == EXIT_MSR ? exit->vcpu + 1 : 0;
    if (exit->vcpu == 0 && exit->protocol == EXIT_PAGE && exit->row->code == NAE_CPUID &&
        exit_field(exit, FIELD_RAX) == CPUID_LEAF_EXTENDED_TOPOLOGY) {
        run->state.bsp_asked = true;
        run->state.bsp_told = (uint32_t)run->reply.field[FIELD_RDX];
    }
}

int run_oracles_answer(struct run *run, struct error *error)
{
    const struct run_options *options = &run->options;

    if (run->oracles && options->oracles_exact && run->exit.number == options->oracles_from) {
        oracles_go_exact(run->oracles);
        if (vcpu_observe_exactly(run->machine.vcpu, error) != 0) {
            return SNPEMU_ERR_INTERNAL;
        }
    }
    answer_told(run);
    return 0;
}

/* What the loop of a spin waits for. */
static void end_waits(struct run *run, struct oracle_end *end)
{
    struct mmu_context context;

    vcpu_mmu_context(run->machine.vcpu, &context);
    end->waits = true;
    if (run->spin.awaited_gva &&
        mmu_peek_gpa(&run->machine.mmu, &context, run->spin.awaited_gva, &end->waits_gpa)) {
        end->waits_shared = hypervisor_shares(&run->hypervisor, end->waits_gpa);
    }
}

void run_oracles_end(struct run *run)
{
    struct outcome *outcome = &run->outcome;
    bool arrived = outcome->kind == OUTCOME_HALTED || outcome->kind == OUTCOME_REACHED;
    struct oracle_end end = {
        .vcpu = outcome->vcpu,
        .code_gva = outcome->rip,
        .retired = outcome->instructions,
        .went_on = arrived || outcome->kind == OUTCOME_BUDGET,
        .out_of_time = outcome->kind == OUTCOME_BUDGET,
    };

    if (!run->oracles) {
        return;
    }
    if (outcome->kind == OUTCOME_STUCK && vcpu_vmpl(run->machine.vcpu) == 0) {
        end.waits = true;
        if (run->spin.ended) {
            end_waits(run, &end);
        }
    }
    oracles_end(run->oracles, &end);
    if (arrived && is_watched(run) && !(oracles_hits(run->oracles) & ORACLE_BIT(ORACLE_PERCPU))) {
        run_percpu_end(run);
    }
    outcome->oracles = oracles_hits(run->oracles);
}
