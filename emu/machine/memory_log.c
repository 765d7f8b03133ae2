/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/memory_log.h"

#include <stdlib.h>
#include <string.h>

#include "machine/memory.h"

void memory_log_start(struct memory *memory)
{
    struct memory_log *log = &memory->log;

    if (!log->copy) {
        log->copy = malloc((size_t)MEMORY_LOG_PAGES * PAGE_SIZE);
    }
    log->on = true;
    log->full = !log->copy;
    log->count = 0;
}

void memory_log_stop(struct memory *memory)
{
    memory->log.on = false;
}

void memory_log_release(struct memory_log *log)
{
    free(log->copy);
    memset(log, 0, sizeof(*log));
}

bool memory_log_has(const struct memory *memory, uint32_t page)
{
    const struct memory_log *log = &memory->log;

    for (uint32_t i = 0; i < log->count; i++) {
        if (log->page[i] == page) {
            return true;
        }
    }
    return false;
}

void memory_log_note(struct memory *memory, uint32_t page)
{
    struct memory_log *log = &memory->log;

    if (log->full || memory_log_has(memory, page)) {
        return;
    }
    if (log->count == MEMORY_LOG_PAGES) {
        log->full = true;
        return;
    }
    memcpy(log->copy + (size_t)log->count * PAGE_SIZE, memory->ram + (size_t)page * PAGE_SIZE,
           PAGE_SIZE);
    log->page[log->count++] = page;
}

bool memory_log_unchanged(const struct memory *memory)
{
    const struct memory_log *log = &memory->log;

    for (uint32_t i = 0; !log->full && i < log->count; i++) {
        if (memcmp(log->copy + (size_t)i * PAGE_SIZE,
                   memory->ram + (size_t)log->page[i] * PAGE_SIZE, PAGE_SIZE) != 0) {
            return false;
        }
    }
    return !log->full;
}
