/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What single steps cost. A new one is a kind, a name, and a function in the table below.
 */
#include <string.h>

#include "case.h"
#include "measure.h"
#include "ours.h"

#define COST_EXITS 8 /* answered before the measuring starts, so that all code has been seen */

const char *const cost_names[COST_COUNT] = {
    [COST_OPEN] = "open",
    [COST_RESTORE] = "restore",
    [COST_EXIT] = "exit",
};

const char *const cost_words[COST_COUNT] = {
    [COST_OPEN] = "open a machine, launch included",
    [COST_RESTORE] = "restore a snapshot after a run to the halt",
    [COST_EXIT] = "one port_io exit, answered honestly, guest code included",
};

static int cost_open(const struct workload *workload, unsigned runs, struct cost_result *result,
                     struct error *error)
{
    struct sample sample = {0};
    int status = 0;

    for (unsigned i = 0; status == 0 && i < runs; i++) {
        double start = measure_cpu_ns();
        struct ours ours;

        status = ours_open(&ours, workload, NULL, true, error);
        sample_add(&sample, measure_cpu_ns() - start);
        ours_close(&ours);
    }
    result->ns[COST_OPEN] = sample_median(&sample);
    return status;
}

/* The guest prints one line a CPU, a byte an exit: from the first such exits to the halt. */
static int cost_exit(const struct workload *workload, unsigned runs, struct cost_result *result,
                     struct error *error)
{
    struct sample restore = {0}, exit = {0};
    struct ours to_print = {0}, ours = {0};
    int status = ours_open(&to_print, workload, CASE_UNTIL, true, error);

    if (status == 0) {
        status = ours_run(&to_print, OUTCOME_REACHED, error);
    }
    if (status == 0) {
        status = ours_open(&ours, workload, NULL, true, error);
    }
    if (status == 0) {
        status = ours_save(&ours, to_print.outcome.exits + COST_EXITS, error);
    }
    for (unsigned i = 0; status == 0 && i <= runs; i++) {
        double start = measure_cpu_ns(), restored;
        double exits;

        status = run_restore(ours.run, error);
        restored = measure_cpu_ns();
        if (status == 0) {
            status = ours_run(&ours, OUTCOME_HALTED, error);
        }
        exits = (double)(ours.outcome.exits - to_print.outcome.exits - COST_EXITS + 1);
        if (i > 0) {
            sample_add(&restore, restored - start);
            sample_add(&exit, (measure_cpu_ns() - restored) / exits);
        }
        result->exit_instructions =
            (double)(ours.outcome.instructions - to_print.outcome.instructions) /
            (exits + COST_EXITS - 1);
    }
    result->ns[COST_RESTORE] = sample_median(&restore);
    result->ns[COST_EXIT] = sample_median(&exit);
    ours_close(&ours);
    ours_close(&to_print);
    return status;
}

static int cost_work(const void *opaque, void *out, struct error *error)
{
    static int (*const measure[])(const struct workload *, unsigned, struct cost_result *,
                                  struct error *) = {cost_open, cost_exit};
    const struct case_task *task = opaque;
    struct workload workload;
    int status = workload_open(&workload, task->image, task->cpus, "none", error);

    for (size_t i = 0; status == 0 && i < sizeof(measure) / sizeof(measure[0]); i++) {
        status = measure[i](&workload, task->runs, out, error);
    }
    workload_close(&workload);
    return status;
}

int cost_measure(const struct case_task *task, struct cost_result *result, struct error *error)
{
    memset(result, 0, sizeof(*result));
    return measure_in_child(cost_work, task, result, sizeof(*result), NULL, error);
}
