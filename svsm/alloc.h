/* SPDX-License-Identifier: MIT */
/*
 * Memory of the guest: whole frames (buddy.c) and small pieces (slab.c). Addresses that a
 * hypervisor sees come from here, so the order of allocations is part of the behaviour.
 */
#ifndef SVSM_ALLOC_H
#define SVSM_ALLOC_H

#include "lock.h"
#include "svsm.h"

#pragma GCC visibility push(hidden)

/* alloc.c */
void mem_init(void);
/* `count` contiguous frames, zeroed to the next power of two. Returns a GPA, 0 when none is left.
 */
u64 mem_allocate_frames(u64 count);
void mem_free_frames(u64 gpa);
/* Not zeroed. Returns a virtual address, 0 when nothing is left. */
u64 mem_allocate(u64 size_bytes);
void mem_free(u64 va);

/* buddy.c: blocks of 2^order pages, addresses virtual, 0 when none is left. */
#define BUDDY_ORDERS 6

void buddy_init(u64 start_va, u64 page_count);
u64 buddy_allocate(u32 order);
u64 buddy_allocate_slab_page(u64 slab_va); /* one page, remembers whose it is */
void buddy_free(u64 va);
u64 buddy_slab_of(u64 va); /* the slab that owns the page, 0 for an ordinary block */

/* slab.c */
void slab_init(void);
void slab_adjust_descriptors(void);
u64 slab_allocate(u64 size_bytes); /* up to SLAB_SIZE_MAX */
void slab_free(u64 slab_va, u64 va);

#define SLAB_SIZE_MAX 2048

#pragma GCC visibility pop

#endif
