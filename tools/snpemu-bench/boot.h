/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole boot: an image with its firmware and all of its vCPUs, up to a symbol; as the command
 * runs it from a cold start, by the emulator in this process, and by the bare engine.
 */
#ifndef SNPEMU_BENCH_BOOT_H
#define SNPEMU_BENCH_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct boot_task {
    const char *image, *until;
    const char *command; /* path of snpemu; NULL: not measured */
    uint32_t cpus;
    unsigned runs; /* of each kind */
};

/* Medians, in ns. */
struct boot_result {
    uint64_t instructions, exits, traps, switches;
    /* Instructions before the first switch: from there on the bare engine restores contexts. */
    uint64_t switch_instructions;
    double open_ns; /* the machine with its launch; CPU time */
    double run_ns;  /* of the emulator, to the symbol; CPU time */
    double bare_ns; /* of the bare engine; CPU time */
    double ratio;   /* of run_ns to bare_ns */
    double hook_ratio;
    double cold_wall_ns, cold_least_ns, cold_cpu_ns; /* the command, from start to exit */
    long cold_peak_kib;                              /* the largest */
};

/* SNPEMU_ERR_INTERNAL when any two of the runs end differently. */
int boot_measure(const struct boot_task *task, struct boot_result *result, struct error *error);

#endif
