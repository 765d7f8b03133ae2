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

/* Between two traps it led to several pages: only the guest's page tables tell when to which. */
#define VIEWS_WALK UINT32_MAX

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

/* Calls come with `trap` ascending. False: out of memory. */
bool views_note(struct views *views, unsigned vmpl, uint64_t gva, uint64_t trap, uint32_t page);
/* False when it led nowhere by then. *page may be VIEWS_WALK. */
bool views_find(const struct views *views, unsigned vmpl, uint64_t gva, uint64_t trap,
                uint32_t *page);
void views_release(struct views *views);

#endif
