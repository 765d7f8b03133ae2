/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timeline_pages.h"

#include <stdlib.h>

#include "trace/timeline.h"

struct page_counts {
    struct timeline_count kind[RMP_KIND_COUNT];
    uint8_t *of; /* the kind of each page, as the changes go by */
};

static void count_start(struct page_counts *counts, const struct rmp_log *log)
{
    for (int kind = 0; kind < RMP_KIND_COUNT; kind++) {
        counts->kind[kind] = (struct timeline_count){rmp_kind_name((enum rmp_kind)kind), 0};
    }
    for (size_t i = 0; i < log->start_count; i++) {
        const struct rmp_log_span *span = &log->start[i];
        enum rmp_kind kind = rmp_log_kind(&log->state[span->state]);

        counts->kind[kind].pages += span->count;
        for (uint32_t page = span->page; page < span->page + span->count; page++) {
            counts->of[page] = (uint8_t)kind;
        }
    }
}

static void count_change(struct page_counts *counts, const struct rmp_log *log,
                         const struct rmp_log_change *change)
{
    enum rmp_kind kind = rmp_log_kind(&log->state[change->state]);

    for (uint32_t page = change->page; page < change->page + change->count; page++) {
        counts->kind[counts->of[page]].pages--;
        counts->kind[kind].pages++;
        counts->of[page] = (uint8_t)kind;
    }
}

int timeline_pages(struct trace_writer *timeline, const struct rmp_log *log, struct error *error)
{
    struct page_counts counts = {.of = malloc(log->page_count)};

    if (!counts.of) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a timeline");
    }
    count_start(&counts, log);
    timeline_counts(timeline, 0, counts.kind, RMP_KIND_COUNT);
    for (size_t i = 0; i < log->change_count; i++) {
        const struct rmp_log_change *change = &log->change[i];

        count_change(&counts, log, change);
        /* One value for each moment: the last one there. */
        if (i + 1 == log->change_count || change[1].last != change->last) {
            timeline_counts(timeline, change->last, counts.kind, RMP_KIND_COUNT);
        }
    }
    free(counts.of);
    return SNPEMU_OK;
}
