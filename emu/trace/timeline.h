/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace as a timeline: the JSON of trace events that Perfetto (ui.perfetto.dev) and
 * chrome://tracing read. docs/TRACE.md says what stands where.
 *
 * Time is virtual: one retired instruction is shown as one nanosecond. A vCPU is a process, each of
 * its VMPLs a thread; while it has the processor it has a slice "runs", and an exit, from the start
 * of its VMGEXIT to its reply, is a slice in that. All other events are instants.
 */
#ifndef SNPEMU_TRACE_TIMELINE_H
#define SNPEMU_TRACE_TIMELINE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "trace/writer.h"

/* A writer to `file`, which is not owned; there is only the full form. NULL when out of memory. */
struct trace_writer *timeline_new(enum text_form form, const struct text_header *header,
                                  FILE *file);

/* How many pages there were of each kind from then on; in any order of time, before finish. */
struct timeline_count {
    const char *name; /* static */
    uint64_t pages;
};
void timeline_counts(struct trace_writer *writer, uint64_t instructions,
                     const struct timeline_count *count, size_t kinds);

#endif
