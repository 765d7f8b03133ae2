/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One case: an image with some number of CPUs, run to the end of percpu_init by the emulator, by
 * the emulator without page walk, C-bit and RMP, by the bare engine, and by the bare engine with an
 * empty block hook, in turn.
 */
#ifndef SNPEMU_BENCH_CASE_H
#define SNPEMU_BENCH_CASE_H

#include <stdint.h>

#include "error.h"

/* The first thing that svsm_main calls after percpu_init. */
#define CASE_UNTIL "serial_init"

struct case_task {
    const char *image;
    uint32_t cpus;
    unsigned runs; /* of each kind */
};

/* Times are CPU time in ns, medians; ratios are medians of the ratios of neighbouring runs. */
struct case_part {
    double ours_ns, bare_ns;
    double ratio;      /* ours to the bare engine */
    double hook_ratio; /* ours to the bare engine with an empty block hook */
    double walk_ratio; /* ours to ours without the walk */
};

struct case_result {
    uint64_t instructions, exits, traps;
    struct case_part fresh; /* open a machine, run, close it */
    struct case_part run;   /* of that the running alone */
    uint64_t snapshot_instructions;
    struct case_part snapshot; /* restore, run from the APIC ID list on */
    long peak_kib;
};

/* SNPEMU_ERR_INTERNAL when any two of the runs end differently. */
int case_measure(const struct case_task *task, struct case_result *result, struct error *error);

/* What single steps cost, in ns. */
enum cost_kind {
    COST_OPEN,    /* a machine with its launch */
    COST_RESTORE, /* a snapshot whose run went to the end */
    COST_EXIT,    /* one exit for port I/O, honestly answered, with what the guest does for it */
    COST_COUNT,
};

struct cost_result {
    double ns[COST_COUNT];
    double exit_instructions; /* of the guest, for one of COST_EXIT */
};

extern const char *const cost_names[COST_COUNT];
extern const char *const cost_words[COST_COUNT];

int cost_measure(const struct case_task *task, struct cost_result *result, struct error *error);

#endif
