/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of exits for a person: a ladder between guest and hypervisor, in the plain words of
 * each event. Repeats of one exit are counted, not repeated.
 */
#ifndef SNPEMU_TRACE_LADDER_H
#define SNPEMU_TRACE_LADDER_H

#include <stdbool.h>
#include <stdio.h>

#include "trace/event.h"

struct ladder;

/* `file` is not owned. NULL when out of memory. */
struct ladder *ladder_new(FILE *file, bool colour);
void ladder_free(struct ladder *ladder); /* takes NULL */

struct trace_sink *ladder_sink(struct ladder *ladder);

/* Write what is still held back because it may be the beginning of a repeat. */
void ladder_finish(struct ladder *ladder);

#endif
