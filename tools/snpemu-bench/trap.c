/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cpuid.h"
#include "host/host.h"
#include "host/scenario.h"
#include "measure.h"
#include "run.h"
#include "trap/insn.h"

/* A loop in a machine of its own, kept at its launch. */
struct loop {
    struct image *image;
    struct scenario *scenario;
    struct host *host;
    struct run *run;
    int64_t extra;
    uint64_t instructions;
};

static uint32_t row_rounds(const struct trap_row *row, uint32_t rounds)
{
    return row->share > 1 ? (rounds + row->share - 1) / row->share : rounds;
}

static void write_code(struct code *code, const struct trap_row *row)
{
    size_t loop;

    if (row->setup) {
        row->setup(code);
    }
    loop = code_loop(code);
    if (row->round) {
        row->round(code);
    } else if (row->fault.size) {
        code_fault(code, &row->fault);
    } else {
        code_trap(code, row->bytes, row->size);
    }
    code_end(code, loop);
}

/* RMPQUERY is there. */
static void offer_rmpquery(struct hypervisor_config *config)
{
    for (size_t i = 0; i < config->cpuid_count; i++) {
        if (config->cpuid[i].eax_in == CPUID_LEAF_SEV) {
            config->cpuid[i].eax |= CPUID_SEV_EAX_RMPQUERY;
        }
    }
}

static void loop_close(struct loop *loop)
{
    run_free(loop->run);
    if (loop->host) {
        loop->host->free(loop->host);
    }
    scenario_free(loop->scenario);
    image_close(loop->image);
}

static int loop_open(struct loop *loop, const struct trap_row *row, bool with, uint32_t rounds,
                     struct error *error)
{
    const struct run_options options = {0};
    struct code code = {.with = with, .rounds = row_rounds(row, rounds)};
    int status;

    memset(loop, 0, sizeof(*loop));
    write_code(&code, row);
    loop->extra = code.extra;
    status = code_image(&loop->image, &code, error);
    if (status == 0) {
        status = scenario_for_image(&loop->scenario, "loop", 1, error);
    }
    if (status == 0) {
        offer_rmpquery(&loop->scenario->host);
        loop->host = host_honest_new();
        status = loop->host ? 0 : error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    if (status == 0) {
        status = run_new(&loop->run, loop->scenario, loop->image, loop->host, &options, error);
    }
    return status ? status : run_snapshot(loop->run, error);
}

static int loop_run(struct loop *loop, double *ns, struct error *error)
{
    struct outcome outcome;
    int status = run_restore(loop->run, error);
    double start = measure_cpu_ns();

    if (status == 0) {
        status = run_to_end(loop->run, &outcome, error);
    }
    *ns = measure_cpu_ns() - start;
    if (status == 0 && outcome.kind != OUTCOME_HALTED) {
        status = error_set(error, SNPEMU_ERR_INTERNAL, "a loop ended as %s at 0x%" PRIx64 ": %s",
                           outcome_name(outcome.kind), outcome.rip, outcome.detail);
    }
    loop->instructions = outcome.instructions;
    return status;
}

/* Each round trapped: the two loops differ by just the instructions that they should. */
static int check_loops(const struct trap_row *row, const struct loop *with,
                       const struct loop *without, uint32_t rounds, struct error *error)
{
    int64_t expected = (with->extra - without->extra) * (int64_t)row_rounds(row, rounds);
    int64_t seen = (int64_t)(with->instructions - without->instructions);

    return seen == expected ? 0
                            : error_set(error, SNPEMU_ERR_INTERNAL,
                                        "%s: %" PRIi64 " instructions more than without the trap, "
                                        "instead of %" PRIi64,
                                        row->name, seen, expected);
}

static int measure_row(const struct trap_task *task, const struct trap_row *row,
                       struct floor *floor, struct trap_result *result, struct error *error)
{
    struct sample trap = {0}, bare = {0};
    struct loop loop[2];
    unsigned each = row_rounds(row, task->rounds) * (row->traps ? row->traps : 1);
    size_t index = (size_t)(row - trap_rows);
    int status = loop_open(&loop[0], row, false, task->rounds, error);

    memset(&loop[1], 0, sizeof(loop[1]));
    if (status == 0) {
        status = loop_open(&loop[1], row, true, task->rounds, error);
    }
    for (unsigned i = 0; status == 0 && i <= task->runs; i++) {
        double ns[2], floor_ns = 0;

        status = loop_run(&loop[i & 1], &ns[i & 1], error);
        if (status == 0) {
            status = loop_run(&loop[~i & 1], &ns[~i & 1], error);
        }
        if (status == 0) {
            status = floor_run(floor, &floor_ns, error);
        }
        if (i > 0) { /* the first one warms up */
            sample_add(&trap, (ns[1] - ns[0]) / each);
            sample_add(&bare, floor_ns);
        }
    }
    if (status == 0) {
        status = check_loops(row, &loop[1], &loop[0], task->rounds, error);
    }
    result->ns[index] = sample_median(&trap);
    result->ratio[index] = sample_ratio(&trap, &bare);
    if (result->floor_ns == 0) {
        result->floor_ns = sample_median(&bare);
    }
    loop_close(&loop[1]);
    loop_close(&loop[0]);
    return status;
}

/* Some end the run. HLT ends it, too, and PAUSEs in a row are taken for a spin, which is looked
 * into. */
static int check_list(struct error *error)
{
    for (enum insn_id id = INSN_OTHER + 1; id < INSN_COUNT; id++) {
        bool found = !insn_rows[id].handler || (insn_rows[id].flags & INSN_UNMODELLED) ||
                     id == INSN_HLT || id == INSN_PAUSE;

        for (size_t i = 0; i < trap_row_count; i++) {
            found = found || trap_rows[i].insn == id;
        }
        if (!found) {
            return error_set(error, SNPEMU_ERR_INTERNAL, "no row measures %s", insn_name(id));
        }
    }
    return 0;
}

static int trap_work(const void *opaque, void *out, struct error *error)
{
    const struct trap_task *task = opaque;
    struct floor *floor = NULL;
    int status = check_list(error);

    if (status == 0) {
        status = floor_open(&floor, task->rounds, error);
    }
    for (size_t i = 0; status == 0 && i < trap_row_count; i++) {
        if (!task->only || task->only == &trap_rows[i]) {
            status = measure_row(task, &trap_rows[i], floor, out, error);
        }
    }
    floor_close(floor);
    return status;
}

const struct trap_row *trap_row_by_name(const char *name)
{
    for (size_t i = 0; i < trap_row_count; i++) {
        if (strcmp(trap_rows[i].name, name) == 0) {
            return &trap_rows[i];
        }
    }
    return NULL;
}

int trap_measure(const struct trap_task *task, struct trap_result *result, struct error *error)
{
    memset(result, 0, sizeof(*result));
    return measure_in_child(trap_work, task, result, sizeof(*result), NULL, error);
}
