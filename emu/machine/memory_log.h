/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages change, for a while: each page is copied before its first write. What cannot be kept
 * makes the log full, and then it says that something changed.
 */
#ifndef SNPEMU_MACHINE_MEMORY_LOG_H
#define SNPEMU_MACHINE_MEMORY_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define MEMORY_LOG_PAGES 64

struct memory;

struct memory_log {
    bool on, full;
    uint32_t count;
    uint32_t page[MEMORY_LOG_PAGES];
    uint8_t *copy; /* MEMORY_LOG_PAGES pages, made at the first start */
};

/* Before it, translations that allow writing must be flushed. */
void memory_log_start(struct memory *memory);
void memory_log_stop(struct memory *memory);
void memory_log_release(struct memory_log *log);

/* For memory.c: the page is about to be written. */
void memory_log_note(struct memory *memory, uint32_t page);

bool memory_log_has(const struct memory *memory, uint32_t page);
/* All pages hold what they held at the start. */
bool memory_log_unchanged(const struct memory *memory);

#endif
