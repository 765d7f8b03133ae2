/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How fast a fuzzer runs: from a snapshot before the first question for the APIC ID list to the end
 * of percpu_init, with edges counted and all cheap oracles watching.
 */
#ifndef SNPEMU_BENCH_FUZZED_H
#define SNPEMU_BENCH_FUZZED_H

#include <stdint.h>

#include "check/outcome.h"
#include "error.h"

/* What a run of the campaign may have beyond the honest one. */
#define FUZZED_MARGIN_INSTRUCTIONS 100000
#define FUZZED_MARGIN_EXITS 100

struct fuzzed_task {
    const char *image;
    uint32_t cpus;
    unsigned runs;    /* rounds of the honest answer */
    unsigned seconds; /* of the campaign; 0: none */
};

/* Times are CPU time. */
struct fuzzed_result {
    /* The honest answer, again and again, beside the bare engine that repeats the same run. */
    uint64_t instructions;
    double ours_ns, bare_ns; /* of a run: medians */
    double ratio;            /* our runs a second to the bare engine's */

    /* Random inputs. */
    uint64_t played;
    double play_ns; /* of a run: the mean */
    uint64_t outcome[OUTCOME_KIND_COUNT];
    uint64_t suspected; /* runs in which an oracle suspects something */
    uint64_t hang_instructions, hang_exits;
    long start_kib, end_kib; /* resident, after the first runs and at the end */
};

/* SNPEMU_ERR_INTERNAL when a run of the honest answer does not end where the bare engine does. */
int fuzzed_measure(const struct fuzzed_task *task, struct fuzzed_result *result,
                   struct error *error);

#endif
