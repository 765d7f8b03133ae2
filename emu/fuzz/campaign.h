/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A campaign: inputs are chosen, changed, played and judged, and those that cover something new are
 * kept. It is one process's work; others may work on the same directory.
 */
#ifndef SNPEMU_FUZZ_CAMPAIGN_H
#define SNPEMU_FUZZ_CAMPAIGN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "fuzz/classes.h"
#include "fuzz/stage.h"

/*
 * What a campaign tells while it runs, in memory that may be shared with a process that looks on
 * and that outlives it: with the same box another process goes on where this one ended.
 */
struct campaign_box {
    _Atomic uint32_t stop; /* set by others: end after the present run */
    _Atomic uint64_t runs; /* of this session */
    _Atomic uint64_t random;
    _Atomic uint64_t edges, features, entries;
    _Atomic uint64_t fresh;    /* findings that no session had before */
    struct classes classes;    /* of this session */
    bool written[CLASSES_MAX]; /* finding_write was called: once, whatever became of it */
    struct stage_box input;
    int status;                                  /* what it ended with, */
    char why[sizeof(((struct error *)0)->text)]; /* and why */
};

struct campaign_options {
    const char *dir;
    uint64_t runs;   /* of this session, those of the box counted; 0: no limit */
    uint64_t before; /* runs of earlier sessions */
    bool exact_only; /* an oracle watches that notices nothing in a fast run */
    bool alone;      /* nobody else adds to the corpus: it is read at the start only, and what
                        happens depends on the state of the box and the files there alone */
};

/* Until `runs`, `stop` or the first failure. */
int campaign_run(struct stage *stage, struct campaign_box *box,
                 const struct campaign_options *options, struct error *error);

/* What worker `number` of a campaign with this seed starts from. */
uint64_t campaign_random(uint64_t seed, uint64_t number);

#endif
