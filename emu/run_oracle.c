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
#include "abi/vmsa.h"
#include "check/percpu.h"
#include "report.h"
#include "run_internal.h"

#define VMGEXIT_SIZE 4
#define PERCPU_NUMBERS_SIZE 8 /* index and APIC ID */

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

/* ---- hits ---- */

/* How many instructions of a function make the same mistake depends on the compiler. */
static bool is_first(struct run *run, enum oracle_kind kind, uint64_t code_gva)
{
    struct run_state *state = &run->state;
    uint64_t offset = 0;

    if (image_symbol_at(run->image, code_gva, &offset)) {
        code_gva -= offset;
    }
    for (size_t i = 0; i < state->hit_count; i++) {
        if (state->hit[i].kind == kind && state->hit[i].function_gva == code_gva) {
            return false;
        }
    }
    if (state->hit_count < RUN_HIT_MAX) {
        state->hit[state->hit_count].kind = kind;
        state->hit[state->hit_count++].function_gva = code_gva;
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

/* ---- what they are told ---- */

static enum vcpu_view on_view(void *context, uint64_t gva, const struct mmu_translation *place)
{
    static const enum vcpu_view views[] = {
        [ORACLE_VIEW_NONE] = VCPU_VIEW_NONE,
        [ORACLE_VIEW_LOADS] = VCPU_VIEW_LOADS,
        [ORACLE_VIEW_READS] = VCPU_VIEW_READS,
        [ORACLE_VIEW_ALL] = VCPU_VIEW_ALL,
    };
    struct run *run = context;

    /* Under an address that the host made lead here the page is not looked at: it would be taken
       for what it is at home. */
    if (!is_watched(run) ||
        memory_gpa(&run->machine.memory, place->page) != (place->gpa & ~PAGE_MASK)) {
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

    if (is_watched(run)) {
        oracles_access(run->oracles, &shown);
    }
}

/* Of the SVSM's own memory: its guest's pages are that guest's business. */
static void on_pvalidated(void *context, const struct trap_pvalidated *done)
{
    struct run *run = context;
    const struct vcpu *vcpu = run->machine.vcpu;

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

/* ---- the per-CPU table ---- */

/* With the first bytes of the CPU's row, which has its numbers. */
static void percpu_hit(struct run *run, uint64_t gva, const char *what)
{
    struct oracle_hit hit = {
        .kind = ORACLE_PERCPU,
        .vcpu = run->trap.vcpu,
        .code_gva = run->outcome.kind == OUTCOME_NONE ? 0 : run->outcome.rip,
        .retired = vcpu_retired(run->machine.vcpu),
        .size_bytes = PERCPU_NUMBERS_SIZE,
    };
    struct mmu_context context;

    machine_launch_context(&run->machine, &context);
    mmu_peek_gpa(&run->machine.mmu, &context, gva, &hit.gpa);
    run_peek(run, gva, hit.bytes, hit.size_bytes);
    snprintf(hit.what, sizeof(hit.what), "%s", what);
    oracles_report(run->oracles, &hit);
}

static uint32_t bsp_apic_id(const struct run *run)
{
    return run->state.bsp_asked ? run->state.bsp_told : run->hypervisor.vcpus.slot[0].apic_id;
}

/* GS of a vCPU that has an area must lead to it. `apic_id`: the one that the guest knows it by. */
static void percpu_check_gs(struct run *run, const struct percpu_row *row, size_t count,
                            uint32_t apic_id, uint64_t gs_base)
{
    char what[112];

    for (size_t i = 0; i < count; i++) {
        if (row[i].apic_id == apic_id && row[i].gva != gs_base) {
            snprintf(what, sizeof(what), "GS of the CPU with APIC ID %u leads to 0x%llx", apic_id,
                     (unsigned long long)gs_base);
            percpu_hit(run, row[i].gva, what);
            return;
        }
    }
}

static void percpu_check_table(struct run *run, const struct percpu_row *row, size_t count)
{
    char what[112];
    size_t at;

    if (!percpu_table_ok(row, count, bsp_apic_id(run), &at, what, sizeof(what))) {
        percpu_hit(run, row[at].gva, what);
    }
    if (run->trap.vcpu == 0) {
        percpu_check_gs(run, row, count, bsp_apic_id(run),
                        vcpu_get(run->machine.vcpu, VCPU_GS_BASE));
    }
}

/* The save area with which a vCPU is to start. */
static void percpu_check_start(struct run *run, const struct percpu_row *row, size_t count)
{
    const struct exit *exit = &run->exit;
    uint64_t gpa = exit_field(exit, FIELD_INFO2), info1 = exit_field(exit, FIELD_INFO1), gs_base;
    uint32_t page = memory_page(&run->machine.memory, gpa);

    if (page == MEMORY_NO_PAGE || !(run->machine.memory.flags[page] & MEMORY_TOUCHED) ||
        (gpa & PAGE_MASK) || ((info1 >> AP_CREATE_VMPL_SHIFT) & AP_CREATE_VMPL_MASK) != 0) {
        return;
    }
    memcpy(&gs_base, memory_bytes(&run->machine.memory, page) + VMSA_GS + VMSA_SEGMENT_BASE,
           sizeof(gs_base));
    percpu_check_gs(run, row, count, (uint32_t)(info1 >> AP_CREATE_APIC_ID_SHIFT), gs_base);
}

typedef void percpu_look(struct run *run, const struct percpu_row *row, size_t count);

static void percpu_examine(struct run *run, percpu_look *look)
{
    size_t count = run_percpu_count(run);
    struct run_percpu *table = calloc(count + 1, sizeof(*table));
    struct percpu_row *row = calloc(count + 1, sizeof(*row));

    count = table && row ? run_percpu_table(run, table, count) : 0;

    for (size_t i = 0; i < count; i++) {
        row[i] = (struct percpu_row){
            .index = table[i].index,
            .apic_id = table[i].apic_id,
            .gva = table[i].gva,
            .ghcb = table[i].ghcb,
            .tss = table[i].tss,
        };
        memcpy(row[i].vmsa, table[i].vmsa, sizeof(row[i].vmsa));
        memcpy(row[i].caa, table[i].caa, sizeof(row[i].caa));
    }
    if (count > 0) {
        look(run, row, count);
    }
    free(table);
    free(row);
}

/* The bring-up is over when the first of the others is started, or the guest run. */
static void percpu_exit_look(struct run *run)
{
    bool starts = run->exit.row->code == NAE_AP_CREATION,
         runs = run->exit.row->code == NAE_RUN_VMPL;

    if (run->exit.protocol != EXIT_PAGE || (!starts && !runs)) {
        return;
    }
    if (!run->state.percpu_checked) {
        run->state.percpu_checked = true;
        percpu_examine(run, percpu_check_table);
    }
    if (starts) {
        percpu_examine(run, percpu_check_start);
    }
}

/* ---- for the run ---- */

int run_oracles_open(struct run *run, struct error *error)
{
    const struct oracle_ops ops = {
        .context = run,
        .hit = on_hit,
        .shared_page = on_shared_page,
        .same_line = on_same_line,
        .flush = on_flush,
    };
    const struct vcpu_observer observer = {
        .context = run,
        .view = on_view,
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
        percpu_exit_look(run);
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
        percpu_examine(run, percpu_check_table);
    }
    outcome->oracles = oracles_hits(run->oracles);
}
