/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the recorder's files:
 *
 *   recording.c         the run, trap by trap: registers, addresses, switches
 *   recording_memory.c  what memory held, and what changed in it
 */
#ifndef SNPEMU_BENCH_RECORDER_H
#define SNPEMU_BENCH_RECORDER_H

#include "recording.h"
#include "run_internal.h"

#define ROOT_MAX 64

/* The run that is written down, and a second memory that holds what is written down already. */
struct recorder {
    struct recording *out;
    struct host *host;
    struct run *run;
    struct memory shadow;
    uint64_t root[ROOT_MAX]; /* of page tables, each once */
    size_t root_count;
    const char *failure; /* why the run cannot be repeated; NULL: it can */
};

/* Room for `more` elements of *array; false when there is none. */
bool recorder_grow(void **array, size_t *capacity, size_t count, size_t more, size_t element_size);

#define GROW(recording, array, capacity, count, more)                                              \
    recorder_grow((void **)&(recording)->array, &(recording)->capacity, (recording)->count,        \
                  (more), sizeof(*(recording)->array))

/* A new page, with these contents; NULL: with its pattern. Once for each page. */
bool recorder_page(struct recorder *recorder, uint32_t page, const uint8_t *bytes);
/* From here on memory->dirty lists what is written. */
void recorder_dirty_start(struct recorder *recorder);
/* What the guest has written by itself since the last trap needs no record. */
bool recorder_follow_guest(struct recorder *recorder);
/* What was written since: to recording.write. */
bool recorder_memory(struct recorder *recorder);
/* At the end: which pages were page tables; the hash. */
void recorder_end_memory(struct recorder *recorder);

#endif
