/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SNPEMU_BENCH_OPTIONS_H
#define SNPEMU_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "output.h"

#define IMAGE_DEFAULT "svsm-percpu"

/* The command line; 0 and NULL: not given. */
struct arguments {
    bool quick, steps, oracles, fuzz;
    unsigned runs, seconds;
    const char *json, *image, *until;
    const struct trap_row *trap;
    uint32_t cpus[BENCH_CASE_MAX];
    size_t cpus_count;
};

/* Ends the program when there is something wrong with it, with this status. */
void options_parse(struct arguments *arguments, int argc, char **argv, int wrong);

#endif
