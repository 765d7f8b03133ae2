/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu fuzz: a session of a campaign. Its workers are processes, each with a machine and a box of
 * its own; the supervisor looks into the boxes, and at what is left of a worker that died.
 */
#ifndef SNPEMU_FUZZ_H
#define SNPEMU_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "fuzz/campaign.h"
#include "fuzz/classes.h"
#include "fuzz/stage.h"
#include "subject.h"

#define FUZZ_WORKERS_MAX 256

/* What a campaign's earlier sessions have left in DIR/state. */
struct fuzz_state {
    uint64_t seed;
    uint64_t runs;
    double seconds;
    size_t workers;
    uint64_t random[FUZZ_WORKERS_MAX]; /* of each worker */
    struct classes classes;
};

struct fuzz_worker {
    pid_t pid;                /* 0: it does not run */
    struct campaign_box *box; /* shared; outlives the worker */
    struct campaign_options options;
    uint64_t died_at; /* runs of the box when it died last, */
    unsigned died;    /* and how often that was so */
};

struct fuzz {
    /* The session, as the user wants it. */
    const char *path; /* of the scenario or image, as given */
    const char *dir;
    uint64_t seconds_max; /* 0: no limit */
    uint64_t runs_max;    /* of this session; 0: no limit */

    struct subject subject;
    struct stage *stage; /* each worker goes on from a copy of it */
    struct fuzz_state before, now;
    bool resumed; /* there was a state */
    struct fuzz_worker worker[FUZZ_WORKERS_MAX];
    size_t worker_count;

    double started, stopping; /* on the machine's clock; stopping 0: not yet */
    size_t restarts, crashes;
    double shown;    /* when the last status line was */
    bool line_shown; /* it stands on the terminal */
};

double fuzz_clock(void);
/* A line for the user among the status lines. */
void fuzz_say(struct fuzz *fuzz, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* fuzz_state.c: what is there already (a state of another image is an error); writing it. */
int fuzz_state_read(struct fuzz *fuzz, struct error *error);
int fuzz_state_write(struct fuzz *fuzz, struct error *error);
/* fuzz->now from fuzz->before and the boxes. */
void fuzz_state_sum(struct fuzz *fuzz);

/* fuzz_workers.c: run the session to its end. The error is the first that ended it. */
int fuzz_workers_run(struct fuzz *fuzz, struct error *error);

/* fuzz_report.c */
void fuzz_status(struct fuzz *fuzz);
void fuzz_status_clear(struct fuzz *fuzz);
void fuzz_report(struct fuzz *fuzz);
size_t fuzz_finding_count(const struct classes *classes);

#endif
