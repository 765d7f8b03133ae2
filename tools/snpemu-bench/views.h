/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the guest's addresses led in a recorded run: for each page of addresses of each VMPL, the
 * pages of memory that it showed, and since which trap.
 */
#ifndef SNPEMU_BENCH_VIEWS_H
#define SNPEMU_BENCH_VIEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct view {
    uint64_t key;  /* of views_key */
    uint64_t trap; /* it holds from after this many traps on */
    uint32_t page;
    uint32_t next; /* the one that replaces it, 1 above its index; 0: none */
};

struct views {
    struct view *view;
    size_t count, capacity;
    uint32_t *slot; /* the first view of a key, 1 above its index; 0: free */
    size_t slot_count;
};

enum views_note {
    VIEWS_NOTED,
    VIEWS_TWICE, /* between two traps it led to two pages: nobody could tell when to change */
    VIEWS_MEMORY,
};

/* Calls come with `trap` ascending. */
enum views_note views_note(struct views *views, unsigned vmpl, uint64_t gva, uint64_t trap,
                           uint32_t page);
/* False when it led nowhere by then. */
bool views_find(const struct views *views, unsigned vmpl, uint64_t gva, uint64_t trap,
                uint32_t *page);
void views_release(struct views *views);

#endif
