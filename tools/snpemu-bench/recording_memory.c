/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "abi/x86.h"
#include "recorder.h"

#define DIFF_GAP_BYTES 64 /* equal bytes that do not end a write */

/* Room for one more element of *array; false when there is none. */
bool recorder_grow(void **array, size_t *capacity, size_t count, size_t more, size_t element_size)
{
    size_t wanted = *capacity ? *capacity : 256;
    void *moved;

    while (wanted < count + more) {
        wanted *= 2;
    }
    if (wanted == *capacity) {
        return true;
    }
    moved = realloc(*array, wanted * element_size);
    if (!moved) {
        return false;
    }
    *array = moved;
    *capacity = wanted;
    return true;
}

static bool add_data(struct recording *out, const uint8_t *bytes, size_t size, size_t *offset)
{
    if (!GROW(out, data, data_capacity, data_size_bytes, size)) {
        return false;
    }
    memcpy(out->data + out->data_size_bytes, bytes, size);
    *offset = out->data_size_bytes;
    out->data_size_bytes += size;
    return true;
}

static uint8_t *ram_page(const struct memory *memory, uint32_t page)
{
    return memory->ram + (size_t)page * PAGE_SIZE;
}

/* The first sight of a page: note what it held when it was first touched. */
bool recorder_page(struct recorder *recorder, uint32_t page, const uint8_t *bytes)
{
    struct recording *out = recorder->out;
    struct memory *shadow = &recorder->shadow;
    struct recording_page *row;

    if (shadow->flags[page] & MEMORY_TOUCHED) {
        return true;
    }
    shadow->generation[page] = recorder->run->machine.memory.generation[page];
    if (bytes) {
        memcpy(memory_bytes(shadow, page), bytes, PAGE_SIZE);
    }
    if (!GROW(out, page, page_capacity, page_touched_count, 1)) {
        return false;
    }
    row = &out->page[out->page_touched_count++];
    *row = (struct recording_page){.page = page};
    return add_data(out, memory_bytes(shadow, page), PAGE_SIZE, &row->data_offset);
}

void recorder_dirty_start(struct recorder *recorder)
{
    struct memory *memory = &recorder->run->machine.memory;

    memory->tracking = true;
    for (uint32_t i = 0; i < memory->dirty_count; i++) {
        memory->flags[memory->dirty[i]] &= (uint8_t)~MEMORY_DIRTY;
    }
    memory->dirty_count = 0;
}

bool recorder_follow_guest(struct recorder *recorder)
{
    struct memory *memory = &recorder->run->machine.memory;

    for (uint32_t i = 0; i < memory->dirty_count; i++) {
        uint32_t page = memory->dirty[i];

        if (!recorder_page(recorder, page, NULL)) {
            return false;
        }
        memcpy(ram_page(&recorder->shadow, page), ram_page(memory, page), PAGE_SIZE);
    }
    recorder_dirty_start(recorder);
    return true;
}

/* The bytes in which a page differs from its shadow. */
static bool record_difference(struct recorder *recorder, uint32_t page)
{
    struct recording *out = recorder->out;
    const uint8_t *now = ram_page(&recorder->run->machine.memory, page);
    uint8_t *was = ram_page(&recorder->shadow, page);
    size_t at = 0;

    while (at < PAGE_SIZE) {
        size_t first = at, last;
        struct recording_write *row;

        while (first < PAGE_SIZE && now[first] == was[first]) {
            first++;
        }
        if (first == PAGE_SIZE) {
            break;
        }
        last = first;
        for (at = first; at < PAGE_SIZE && at - last <= DIFF_GAP_BYTES; at++) {
            last = now[at] != was[at] ? at : last;
        }
        if (!GROW(out, write, write_capacity, write_count, 1)) {
            return false;
        }
        row = &out->write[out->write_count++];
        row->offset = (uint64_t)page * PAGE_SIZE + first;
        row->size_bytes = (uint32_t)(last - first + 1);
        if (!add_data(out, now + first, row->size_bytes, &row->data_offset)) {
            return false;
        }
    }
    memcpy(was, now, PAGE_SIZE);
    return true;
}

bool recorder_memory(struct recorder *recorder)
{
    struct memory *memory = &recorder->run->machine.memory;
    uint32_t count = memory->dirty_count;
    bool done = true;

    for (uint32_t i = 0; done && i < count; i++) {
        uint32_t page = memory->dirty[i];
        bool known = recorder->shadow.flags[page] & MEMORY_TOUCHED;

        if (!known && !(memory->flags[page] & MEMORY_TOUCHED)) {
            continue; /* it changed hands; nobody has looked yet */
        }
        /* Contents that were lost come back as a pattern at the next touch: have it now. */
        memory_bytes(memory, page);
        done = recorder_page(recorder, page, NULL) && record_difference(recorder, page);
    }
    recorder_dirty_start(recorder);
    return done;
}

/* ---- the end ---- */

/* Mark the tables below `gpa`; the tree has at most 512^3 entries, of which few are present. */
static void mark_tables(struct recorder *recorder, uint64_t gpa, unsigned level)
{
    struct memory *memory = &recorder->run->machine.memory;
    uint32_t page = memory_page(memory, gpa);

    if (page == MEMORY_NO_PAGE || !(memory->flags[page] & MEMORY_TOUCHED)) {
        return;
    }
    for (size_t i = 0; i < recorder->out->page_touched_count; i++) {
        if (recorder->out->page[i].page == page) {
            recorder->out->page[i].is_table = true;
        }
    }
    for (size_t i = 0; level > 1 && i < PAGE_SIZE / 8; i++) {
        uint64_t entry;

        memcpy(&entry, ram_page(memory, page) + i * 8, 8);
        if ((entry & PTE_PRESENT) && !(entry & PTE_LARGE)) {
            mark_tables(recorder, entry & PTE_ADDR_MASK & ~CBIT_MASK, level - 1);
        }
    }
}

uint64_t recording_hash(const struct recording *recording, const uint8_t *ram)
{
    uint64_t hash = 0xCBF29CE484222325ULL;

    for (size_t i = 0; i < recording->page_touched_count; i++) {
        const struct recording_page *row = &recording->page[i];
        uint64_t ignored = row->is_table ? PTE_ACCESSED | PTE_DIRTY : 0;

        for (size_t at = 0; at < PAGE_SIZE; at += 8) {
            uint64_t word;

            memcpy(&word, ram + (size_t)row->page * PAGE_SIZE + at, 8);
            hash = (hash ^ (word & ~ignored)) * 0x9E3779B97F4A7C15ULL;
            hash ^= hash >> 29;
        }
    }
    return hash;
}

void recorder_end_memory(struct recorder *recorder)
{
    for (size_t i = 0; i < recorder->root_count; i++) {
        mark_tables(recorder, recorder->root[i] & PTE_ADDR_MASK & ~CBIT_MASK, 4);
    }
    recorder->out->memory_hash = recording_hash(recorder->out, recorder->run->machine.memory.ram);
}
