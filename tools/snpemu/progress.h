/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A line on standard error that says how far something is, for what takes longer than a second: on
 * a terminal one that is written over, else a plain one now and then.
 *
 * A timer notes that a line is due, so that asking costs nothing. One progress at a time.
 */
#ifndef SNPEMU_PROGRESS_H
#define SNPEMU_PROGRESS_H

#include <stdbool.h>

struct progress {
    bool on, terminal, shown;
    double
        started; /* of this machine's clock, in seconds; shown to people, never part of a trace */
    unsigned passed; /* ticks since the last line */
};

void progress_start(struct progress *progress);
/* For what cannot be asked in between: the line says `what`, static text, and the time. */
void progress_start_blind(struct progress *progress, const char *what);
/* Take the line away, and let the timer end. Takes one that was not started. */
void progress_stop(struct progress *progress);

bool progress_due(struct progress *progress);
/* Show a line, with the seconds since the start before it. */
void progress_show(struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Take it away before something else is written. */
void progress_clear(struct progress *progress);

#endif
