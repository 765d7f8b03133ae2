/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SNPEMU_TIMELINE_PAGES_H
#define SNPEMU_TIMELINE_PAGES_H

#include "machine/rmp_log.h"
#include "trace/writer.h"

/*
 * Counters of a timeline, before it is finished: how many pages of each kind there were when. The
 * log is closed. 0 or SNPEMU_ERR_MEMORY.
 */
int timeline_pages(struct trace_writer *timeline, const struct rmp_log *log, struct error *error);

#endif
