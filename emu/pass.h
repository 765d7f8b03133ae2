/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass over a fixture: a run with its traces in memory.
 */
#ifndef SNPEMU_PASS_H
#define SNPEMU_PASS_H

#include <stdbool.h>
#include <stddef.h>

#include "run.h"
#include "subject.h"
#include "trace/text.h"

struct pass {
    const struct subject *subject;
    struct host *host;
    struct run *run;
    struct text_trace *full, *golden; /* golden may be NULL */
    struct trace trace;
    struct outcome outcome;
    uint8_t digest[RUN_DIGEST_SIZE]; /* of the final state */
    bool oracles_exact;              /* as struct run_options has them */
    uint64_t oracles_from;
};

/* `like`: a pass over the same subject, which has found out how far its oracles must be exact;
 * NULL: that is found out by a silent run. `ran`: as struct run_options has it. */
int pass_begin(struct pass *pass, const struct subject *subject, bool with_golden,
               const struct pass *like, struct blocks *ran, struct error *error);
/* To the end, the digest included. */
int pass_to_end(struct pass *pass, struct error *error);
/* A whole run without traces; these oracles (ORACLE_BIT()s) watch fast. */
int pass_fast(struct pass *pass, const struct subject *subject, uint32_t oracles,
              struct error *error);
void pass_release(struct pass *pass);

/*
 * Run up to where the scenario wants a snapshot; else to the first exit that the script answers, or
 * to the middle of `exits` without a script; keep a snapshot; go on to the end; restore, and go on
 * to the end with a fresh host. `first` is the full trace of the uninterrupted part with the first
 * end, `pass->full` with the second.
 */
int pass_restored(struct pass *pass, const struct subject *subject, const struct pass *like,
                  uint64_t exits, char **first, size_t *first_size_bytes, struct error *error);

#endif
