/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run, shown to a person as it goes: the order of exits in plain words, the guest's console, a
 * trace in a file, and at the end how it ended.
 */
#ifndef SNPEMU_SHOW_H
#define SNPEMU_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "aside.h"
#include "check/outcome.h"
#include "error.h"
#include "progress.h"
#include "run.h"
#include "subject.h"
#include "trace/ladder.h"
#include "trace/writer.h"

struct show {
    struct aside aside; /* where the trace comes to be */
    struct trace_writer *writer;
    struct rmp_log *rmp_log; /* for a timeline */
    struct ladder *ladder;
    struct trace trace;
    FILE *console;
    struct trace_sink before; /* takes the line of progress away before something else is shown */
    struct progress progress;
    const struct run *run; /* NULL: oracles look first, and silently */
};

/* A trace as the user wants it. */
struct show_trace {
    const char *path; /* NULL: none; "-": standard output */
    enum trace_format format;
    enum text_form form;
};

/* What cannot be written shows before anything runs. */
int show_open(struct show *show, const struct subject *subject, const struct show_trace *trace,
              struct error *error);
void show_close(struct show *show); /* takes one that is all zero, too */

/* Let a run with these options be shown: their trace, console and cancelled. */
void show_run(struct show *show, struct run_options *options);

/* Go on to the end, where the trace appears. */
int show_to_end(struct show *show, struct run *run, struct outcome *outcome, struct error *error);
/* Per-CPU areas, outcome and verdict; `dump_percpu`: the areas whole, to standard output. */
void show_outcome(struct run *run, const struct outcome *outcome, bool dump_percpu);

/* After the end: does what the scenario expects hold, and did its handlers all get their exit?
 * `why`: if not. */
bool show_expected(struct run *run, struct host *host, char *why, size_t size);

/* The exit status of a run from which nothing in particular is expected. */
int show_status(enum verdict verdict);

#endif
