/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixtures in processes of their own, a few at a time: what one of them does, a crash included,
 * touches no other.
 */
#ifndef SNPEMU_WORKERS_H
#define SNPEMU_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fixture.h"

struct job {
    char *path, *name;
    struct fixture_report report;
    double seconds; /* of this machine's clock; shown to people, never part of a trace */
    bool done;

    /* While it runs. */
    pid_t pid;
    int fd;
    char *answer;
    size_t answer_size_bytes;
    double started;
};

struct workers {
    struct job *job;
    size_t job_count, max_workers;
    const struct fixture_options *options;
    /* Told of each job, in order; and now and then, with the number of jobs done. */
    void (*finished)(void *context, struct job *job);
    void (*progress)(void *context, size_t done, const struct job *running);
    void *context;
};

/* Run all. 0, or SNPEMU_ERR_INTERNAL when processes cannot be made. Stops when interrupted. */
int workers_run(const struct workers *workers, struct error *error);

#endif
