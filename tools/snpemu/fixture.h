/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fixture: a scenario with an expectation and a golden trace beside it. It is run from the
 * start, again in a second process, and once more from a snapshot in its middle; all must agree.
 * With oracles it is run without them, too, and with them in their fast way.
 */
#ifndef SNPEMU_FIXTURE_H
#define SNPEMU_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "coverage/coverage.h"
#include "error.h"

#define FIXTURE_GOLDEN_SUFFIX ".golden" /* instead of ".lua" */
#define FIXTURE_OPTION_REPLAY "replay-to"

enum fixture_result {
    FIXTURE_PASSED,
    FIXTURE_ACCEPTED, /* passed, with a new golden trace */
    FIXTURE_FAILED,
    FIXTURE_INPUT,    /* failed: a file or script is wrong */
    FIXTURE_INTERNAL, /* failed: the emulator itself did */
};

struct fixture_options {
    bool accept;     /* write the golden trace when all else is right */
    const char *out; /* directory for what failed; NULL: none */
    bool coverage;   /* the report is to have it, in this format */
    enum coverage_format coverage_format;
};

struct fixture_report {
    enum fixture_result result;
    char outcome[160]; /* as a phrase; empty when it did not come to that */
    char why[512];     /* the first problem, in one line; empty when it passed */
    char *coverage;    /* of the first run; owned; NULL when there is none */
    size_t coverage_size_bytes;
    char *details; /* all problems with their diffs; owned; NULL when there are none */
};

/* Check the scenario at `path`, shown as `name`. */
void fixture_check(const char *path, const char *name, const struct fixture_options *options,
                   struct fixture_report *report);
void fixture_report_release(struct fixture_report *report);

/*
 * Put what failed into the directory: NAME.lua, NAME.diff with all problems, and NAME.trace
 * unless `trace` is NULL.
 */
int fixture_keep(const char *out, const char *path, const char *name, const char *trace,
                 size_t trace_size_bytes, const struct fixture_report *report, struct error *error);

/*
 * The second process: run once and write the full trace to the descriptor, or the reason why not.
 */
int fixture_replay(const char *path, int fd);

#endif
