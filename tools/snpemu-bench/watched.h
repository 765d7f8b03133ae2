/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What oracles cost: runs from a snapshot before the first question for the APIC ID list to the end
 * of percpu_init, and of the machine from launch to there, with oracles and without, in turn.
 */
#ifndef SNPEMU_BENCH_WATCHED_H
#define SNPEMU_BENCH_WATCHED_H

#include <stdint.h>

#include "error.h"

enum watched_kind {
    WATCHED_NONE,      /* no oracle */
    WATCHED_CHEAP,     /* all that are cheap, as fast as a fuzzer runs them */
    WATCHED_EXACT,     /* the same, with the instruction of each access */
    WATCHED_UNCHECKED, /* trusted-unchecked, exact, as it always is */
    WATCHED_BARE,      /* the CPU engine alone repeats the run, */
    WATCHED_BARE_INSN, /* with a hook on each instruction that counts it */
    WATCHED_COUNT,
};

extern const char *const watched_names[WATCHED_COUNT];
extern const char *const watched_words[WATCHED_COUNT];

struct watched_task {
    const char *image;
    uint32_t cpus;
    unsigned runs;
};

struct watched_result {
    uint64_t instructions; /* of a run from the snapshot */
    double ns[WATCHED_COUNT];
    /* To WATCHED_NONE; of WATCHED_BARE_INSN to WATCHED_BARE. */
    double ratio[WATCHED_COUNT];
    double boot_ratio[WATCHED_COUNT]; /* the same from launch on; of our own kinds alone */
};

int watched_measure(const struct watched_task *task, struct watched_result *result,
                    struct error *error);

#endif
