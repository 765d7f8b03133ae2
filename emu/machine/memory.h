/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest physical memory: one compact host mapping, cut into 4 KiB pages that are numbered from 0.
 * A page costs host memory only once it is touched; until then its contents are a pattern made
 * from the seed, its GPA and how often it changed hands, so that no guest can rely on zeroes.
 *
 * Guest pages, which GPAs name, are numbered the same way. The host's nested map says which page a
 * guest page leads to: its own number, unless the host remapped it. A page's home is the GPA of its
 * own number.
 */
#ifndef SNPEMU_MACHINE_MEMORY_H
#define SNPEMU_MACHINE_MEMORY_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/x86.h"
#include "error.h"
#include "machine/memory_log.h"

#define MEMORY_SLOT_MAX 8
#define MEMORY_NO_PAGE UINT32_MAX

/* A range of guest physical addresses backed by memory. */
struct memory_slot {
    uint64_t gpa;        /* 2 MiB aligned */
    uint32_t page_count; /* a multiple of 512 */
    uint32_t first_page; /* number of its first page */
};

enum memory_flag {
    MEMORY_TOUCHED = 1,    /* the host mapping holds the contents */
    MEMORY_DIRTY = 2,      /* written since the snapshot was taken */
    MEMORY_CODE = 4,       /* was executable for the guest at some time, with what stands there */
    MEMORY_HOST_FAULT = 8, /* the host did not do with it what the guest asked */
    /* While a snapshot is kept, and longer than its runs: */
    MEMORY_WRITTEN = 16, /* it may have been written since, not counting A and D bits */
    MEMORY_TABLE = 32,   /* a page table of translations that the vCPU keeps */
#define MEMORY_LASTING (MEMORY_DIRTY | MEMORY_WRITTEN | MEMORY_TABLE)
};

struct memory {
    uint8_t *ram; /* page_count pages, then one page of ciphertext */
    uint32_t page_count;
    struct memory_slot slot[MEMORY_SLOT_MAX];
    size_t slot_count;
    uint64_t seed;
    /* The nested map: page of each guest page. NULL: each its own. */
    uint32_t *nested;
    uint16_t *moved;      /* for each 2 MiB of GPAs: guest pages that lead elsewhere */
    bool nested_changed;  /* since the snapshot was taken or brought back */
    uint8_t *flags;       /* enum memory_flag, one byte a page */
    uint16_t *generation; /* how often the page changed hands */
    /* The emulator, not the guest, changed a page that was executable; vcpu_run clears it. */
    bool code_changed;
    bool table_changed; /* the same of a MEMORY_TABLE */
    /* Pages that became dirty, in the order they did; only while a snapshot is kept. */
    bool tracking;
    uint32_t *dirty;
    uint32_t dirty_count;
    struct memory_log log;
};

/* The slots must not overlap. Returns 0 or SNPEMU_ERR_MEMORY. */
int memory_init(struct memory *memory, const struct memory_slot *slot, size_t slot_count,
                uint64_t seed, struct error *error);
void memory_release(struct memory *memory);

/* The number of the guest page that `gpa` is in, or MEMORY_NO_PAGE. */
static inline uint32_t memory_guest_page(const struct memory *memory, uint64_t gpa)
{
    for (size_t i = 0; i < memory->slot_count; i++) {
        const struct memory_slot *slot = &memory->slot[i];
        uint64_t page = (gpa - slot->gpa) >> PAGE_SHIFT;

        /* An address below the slot wraps to a number that is too large. */
        if (page < slot->page_count) {
            return slot->first_page + (uint32_t)page;
        }
    }
    return MEMORY_NO_PAGE;
}

/* The number of the page that holds `gpa`, or MEMORY_NO_PAGE. Here because each walk asks often. */
static inline uint32_t memory_page(const struct memory *memory, uint64_t gpa)
{
    uint32_t guest_page = memory_guest_page(memory, gpa);

    return memory->nested && guest_page != MEMORY_NO_PAGE ? memory->nested[guest_page] : guest_page;
}

/* Whether the nested map must hold the guest page as 4 KiB, because its region is not in one. */
static inline bool memory_nested_small(const struct memory *memory, uint32_t guest_page)
{
    return memory->nested && memory->moved[guest_page / PAGES_PER_LARGE_PAGE] != 0;
}

/* Let a guest page lead to `page`. Returns 0 or SNPEMU_ERR_MEMORY. */
int memory_map(struct memory *memory, uint32_t guest_page, uint32_t page, struct error *error);
/* The nested map becomes a copy of `nested`, of page_count pages; NULL: each leads home. */
int memory_map_all(struct memory *memory, const uint32_t *nested, struct error *error);

/* Whether a guest page that is not its home leads to the page. */
bool memory_has_alias(const struct memory *memory, uint32_t page);

/* The page's home. */
uint64_t memory_gpa(const struct memory *memory, uint32_t page);

/* Fill a page with its pattern at the first touch. */
void memory_touch(struct memory *memory, uint32_t page);

/* The page's 4096 bytes, filled with their pattern if this is the first touch. */
static inline uint8_t *memory_bytes(struct memory *memory, uint32_t page)
{
    assert(page < memory->page_count);
    if (!(memory->flags[page] & MEMORY_TOUCHED)) {
        memory_touch(memory, page);
    }
    return memory->ram + (size_t)page * PAGE_SIZE;
}

/* The same for the emulator's own writes: the page counts as written from now on. */
uint8_t *memory_bytes_for_write(struct memory *memory, uint32_t page);
/* The same for bits that page tables get by being used. */
uint8_t *memory_bytes_for_bits(struct memory *memory, uint32_t page);
/* The same when the guest is about to write. */
uint8_t *memory_bytes_for_guest_write(struct memory *memory, uint32_t page);
/* The contents are lost: the next touch finds a new pattern. */
void memory_discard(struct memory *memory, uint32_t page);
/* Contents become zero (launch pages). */
void memory_zero(struct memory *memory, uint32_t page);

/* Set a flag that a snapshot brings back. */
void memory_set_flag(struct memory *memory, uint32_t page, enum memory_flag flag);

/* The page number that stands for "ciphertext" towards the engine; never a guest page. */
uint32_t memory_cipher_page(const struct memory *memory);

#endif
