/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* splitmix64: a full-period mixer, so that nearby seeds and addresses give unrelated words. */
static uint64_t memory_mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
}

/* Some words at a time: compilers make of it what the processor has. */
#define PATTERN_WORDS 4
typedef uint64_t memory_words __attribute__((vector_size(PATTERN_WORDS * 8)));

/* `start` is well mixed already: from word to word a step and a fold are enough. */
static void memory_pattern(uint8_t *bytes, uint64_t start)
{
    const uint64_t step = 0x9E3779B97F4A7C15ULL; /* odd, without a visible rhythm */
    memory_words x = {start, start + step, start + 2 * step, start + 3 * step};

    for (size_t at = 0; at < PAGE_SIZE; at += sizeof(x)) {
        memory_words word = x ^ (x >> 29);

        word ^= word << 17;
        /* Never zero, and never a plausible page-table entry: bit 0 is clear, bit 1 is set. */
        word = (word & ~1ULL) | 2;
        memcpy(bytes + at, &word, sizeof(word));
        x += PATTERN_WORDS * step;
    }
}

static size_t memory_ram_size(const struct memory *memory)
{
    return ((size_t)memory->page_count + 1) * PAGE_SIZE;
}

int memory_init(struct memory *memory, const struct memory_slot *slot, size_t slot_count,
                uint64_t seed, struct error *error)
{
    uint32_t pages = 0;

    assert(slot_count <= MEMORY_SLOT_MAX);
    memset(memory, 0, sizeof(*memory));
    for (size_t i = 0; i < slot_count; i++) {
        assert(slot[i].gpa % LARGE_PAGE_SIZE == 0);
        memory->slot[i] = slot[i];
        memory->slot[i].first_page = pages;
        pages += slot[i].page_count;
    }
    memory->slot_count = slot_count;
    memory->page_count = pages;
    memory->seed = seed;
    memory->flags = calloc(pages + 1, sizeof(*memory->flags));
    memory->generation = calloc(pages + 1, sizeof(*memory->generation));
    memory->dirty = calloc(pages + 1, sizeof(*memory->dirty));
    memory->ram = mmap(NULL, memory_ram_size(memory), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory->ram == MAP_FAILED) {
        memory->ram = NULL;
    }
    if (!memory->flags || !memory->generation || !memory->dirty || !memory->ram) {
        memory_release(memory);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for %u guest pages", pages);
    }
    memory_pattern(memory->ram + (size_t)pages * PAGE_SIZE, memory_mix(~seed));
    return 0;
}

void memory_release(struct memory *memory)
{
    if (memory->ram) {
        munmap(memory->ram, memory_ram_size(memory));
    }
    free(memory->nested);
    free(memory->moved);
    free(memory->flags);
    free(memory->generation);
    free(memory->dirty);
    memory_log_release(&memory->log);
    memset(memory, 0, sizeof(*memory));
}

uint64_t memory_gpa(const struct memory *memory, uint32_t page)
{
    for (size_t i = 0; i < memory->slot_count; i++) {
        const struct memory_slot *slot = &memory->slot[i];

        if (page - slot->first_page < slot->page_count) {
            return slot->gpa + ((uint64_t)(page - slot->first_page) << PAGE_SHIFT);
        }
    }
    assert(0 && "page number out of range");
    return 0;
}

/* ---- the nested map ---- */

/* Most hosts never remap: the map is there from the first time on. */
static int memory_need_nested(struct memory *memory, struct error *error)
{
    if (memory->nested) {
        return 0;
    }
    memory->nested = malloc(memory->page_count * sizeof(*memory->nested));
    memory->moved = calloc(memory->page_count / PAGES_PER_LARGE_PAGE + 1, sizeof(*memory->moved));
    if (!memory->nested || !memory->moved) {
        free(memory->nested);
        free(memory->moved);
        memory->nested = NULL;
        memory->moved = NULL;
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a map of %u guest pages",
                         memory->page_count);
    }
    for (uint32_t i = 0; i < memory->page_count; i++) {
        memory->nested[i] = i;
    }
    return 0;
}

int memory_map(struct memory *memory, uint32_t guest_page, uint32_t page, struct error *error)
{
    uint16_t *moved;
    int status = memory_need_nested(memory, error);

    if (status != 0) {
        return status;
    }
    assert(guest_page < memory->page_count && page < memory->page_count);
    moved = &memory->moved[guest_page / PAGES_PER_LARGE_PAGE];
    *moved = (uint16_t)(*moved - (memory->nested[guest_page] != guest_page) + (page != guest_page));
    memory->nested[guest_page] = page;
    memory->nested_changed = true;
    return 0;
}

bool memory_has_alias(const struct memory *memory, uint32_t page)
{
    for (uint32_t first = 0; memory->nested && first < memory->page_count;
         first += PAGES_PER_LARGE_PAGE) {
        uint32_t end = first + PAGES_PER_LARGE_PAGE;

        if (!memory->moved[first / PAGES_PER_LARGE_PAGE]) {
            continue;
        }
        end = end < memory->page_count ? end : memory->page_count;
        for (uint32_t i = first; i < end; i++) {
            if (memory->nested[i] == page && i != page) {
                return true;
            }
        }
    }
    return false;
}

int memory_map_all(struct memory *memory, const uint32_t *nested, struct error *error)
{
    int status = 0;

    if (!nested) {
        free(memory->nested);
        free(memory->moved);
        memory->nested = NULL;
        memory->moved = NULL;
    }
    for (uint32_t i = 0; nested && status == 0 && i < memory->page_count; i++) {
        status = memory_map(memory, i, nested[i], error);
    }
    return status;
}

/* ---- contents ---- */

static void memory_mark_dirty(struct memory *memory, uint32_t page)
{
    if (memory->log.on) {
        memory_log_note(memory, page);
    }
    if (memory->tracking && !(memory->flags[page] & MEMORY_DIRTY)) {
        memory->flags[page] |= MEMORY_DIRTY;
        memory->dirty[memory->dirty_count++] = page;
    }
}

/* Not only bits in a page table. */
static void memory_mark_written(struct memory *memory, uint32_t page)
{
    memory_mark_dirty(memory, page);
    if (memory->tracking) {
        memory->table_changed = memory->table_changed || (memory->flags[page] & MEMORY_TABLE);
        memory->flags[page] = (uint8_t)((memory->flags[page] & ~MEMORY_TABLE) | MEMORY_WRITTEN);
    }
}

void memory_touch(struct memory *memory, uint32_t page)
{
    uint64_t gpa = memory_gpa(memory, page);

    memory_pattern(memory->ram + (size_t)page * PAGE_SIZE,
                   memory_mix(memory->seed ^ memory_mix(gpa + memory->generation[page])));
    memory_mark_dirty(memory, page);
    memory->flags[page] |= MEMORY_TOUCHED;
}

uint8_t *memory_bytes_for_guest_write(struct memory *memory, uint32_t page)
{
    uint8_t *bytes = memory_bytes(memory, page);

    memory_mark_written(memory, page);
    return bytes;
}

/* The engine sees the guest's stores into code, and no others. */
static void memory_note_code(struct memory *memory, uint32_t page)
{
    memory->code_changed = memory->code_changed || (memory->flags[page] & MEMORY_CODE);
}

uint8_t *memory_bytes_for_write(struct memory *memory, uint32_t page)
{
    memory_note_code(memory, page);
    return memory_bytes_for_guest_write(memory, page);
}

uint8_t *memory_bytes_for_bits(struct memory *memory, uint32_t page)
{
    uint8_t *bytes = memory_bytes(memory, page);

    memory_note_code(memory, page);
    memory_mark_dirty(memory, page);
    return bytes;
}

void memory_discard(struct memory *memory, uint32_t page)
{
    memory_note_code(memory, page);
    memory_mark_written(memory, page);
    memory->flags[page] &= (uint8_t) ~(MEMORY_TOUCHED | MEMORY_CODE);
    memory->generation[page]++;
}

void memory_zero(struct memory *memory, uint32_t page)
{
    memory_note_code(memory, page);
    memory_mark_written(memory, page);
    memory->flags[page] |= MEMORY_TOUCHED;
    memset(memory->ram + (size_t)page * PAGE_SIZE, 0, PAGE_SIZE);
}

void memory_set_flag(struct memory *memory, uint32_t page, enum memory_flag flag)
{
    memory_mark_dirty(memory, page);
    memory->flags[page] |= (uint8_t)flag;
}

uint32_t memory_cipher_page(const struct memory *memory)
{
    return memory->page_count;
}
