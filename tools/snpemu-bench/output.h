/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SNPEMU_BENCH_OUTPUT_H
#define SNPEMU_BENCH_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "boot.h"
#include "case.h"
#include "fuzzed.h"
#include "measure.h"
#include "miss.h"
#include "trap.h"
#include "watched.h"

#define BENCH_CASE_MAX 32
#define BENCH_WATCHED_MAX 2
#define BENCH_JSON_VERSION 1

/* All that was measured. */
struct bench {
    struct case_task task[BENCH_CASE_MAX];
    struct case_result result[BENCH_CASE_MAX];
    size_t case_count;
    struct boot_task boot_task[BENCH_CASE_MAX]; /* with --until, instead of all others */
    struct boot_result boot[BENCH_CASE_MAX];
    size_t boot_count;
    bool command_measured; /* `snpemu run` of the main job */
    struct command_cost command;
    struct cost_result cost;
    struct trap_result trap;
    struct miss_result miss;
    struct watched_task watched_task[BENCH_WATCHED_MAX];
    struct watched_result watched[BENCH_WATCHED_MAX];
    size_t watched_count;
    bool only_watched;                              /* nothing else was measured */
    struct fuzzed_task fuzzed_task[BENCH_CASE_MAX]; /* with --fuzz, instead of all others */
    struct fuzzed_result fuzzed[BENCH_CASE_MAX];
    size_t fuzzed_count;
};

void output_table_start(FILE *file, const struct bench *bench);
void output_table_row(FILE *file, const struct case_task *task, const struct case_result *result);
void output_table_end(FILE *file, const struct bench *bench);
void output_boot_start(FILE *file, const struct bench *bench);
void output_boot(FILE *file, const struct boot_task *task, const struct boot_result *result);
void output_boot_end(FILE *file);
void output_costs(FILE *file, const struct bench *bench);
void output_traps(FILE *file, const struct bench *bench);
void output_misses(FILE *file, const struct bench *bench);
void output_watched(FILE *file, const struct bench *bench);
/* output_fuzzed.c */
void output_fuzzed(FILE *file, const struct bench *bench);
void json_fuzzed(FILE *file, const struct bench *bench);
void output_json(FILE *file, const struct bench *bench);

#endif
