/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The emulator's own runs, as the benchmark needs them.
 */
#ifndef SNPEMU_BENCH_OURS_H
#define SNPEMU_BENCH_OURS_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "run.h"
#include "subject.h"

/* What runs are about, opened once: no run changes it. */
struct workload {
    struct subject subject;
    uint64_t gva_first; /* of the first page of memory */
    uint32_t page_count;
};

/* `firmware`: "none", which ours_open without `walk` needs; NULL: the built one. */
int workload_open(struct workload *workload, const char *image, uint32_t cpus, const char *firmware,
                  struct error *error);
void workload_close(struct workload *workload);

struct ours {
    const struct workload *workload;
    struct host *host;
    struct run *run;
    struct outcome outcome;
};

/* `until`: a symbol, or NULL. Without `walk`, addresses are translated by a constant offset. */
int ours_open(struct ours *ours, const struct workload *workload, const char *until, bool walk,
              struct error *error);
/* The same with oracles: ORACLE_BIT()s. `exact`: see run_options. */
int ours_open_watched(struct ours *ours, const struct workload *workload, const char *until,
                      uint32_t oracles, bool exact, struct error *error);
void ours_close(struct ours *ours);
/* To the end, which must be `kind`. */
int ours_run(struct ours *ours, enum outcome_kind kind, struct error *error);
/* Up to exit number `exit`, and keep that state. */
int ours_save(struct ours *ours, uint64_t exit, struct error *error);

#endif
