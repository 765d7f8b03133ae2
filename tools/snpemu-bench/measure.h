/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clocks, medians, and children: each case is measured in a process of its own, so that one does
 * not inherit another's memory.
 */
#ifndef SNPEMU_BENCH_MEASURE_H
#define SNPEMU_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define SAMPLE_MAX 1000

/* CPU time of this process: other processes on the machine disturb it less than wall time. */
double measure_cpu_ns(void);
double measure_wall_ns(void);

struct sample {
    double value[SAMPLE_MAX];
    size_t count;
};

void sample_add(struct sample *sample, double value);
/* 0 without values. */
double sample_median(const struct sample *sample);
/* The median of a[i] / b[i]: what disturbs both at the same time cancels out. */
double sample_ratio(const struct sample *a, const struct sample *b);

/*
 * Run `work` in a child, which fills `result`; copied back here. *peak_kib gets the child's
 * largest resident size; may be NULL. Its error, or SNPEMU_ERR_INTERNAL when it dies.
 */
typedef int measure_work(const void *task, void *result, struct error *error);
int measure_in_child(measure_work *work, const void *task, void *result, size_t result_size,
                     long *peak_kib, struct error *error);

/* Run a command with its output dropped. SNPEMU_ERR_INTERNAL unless it exits with 0. */
struct command_cost {
    double wall_ns, cpu_ns;
    long peak_kib;
};
int measure_command(char *const argv[], struct command_cost *cost, struct error *error);

#endif
