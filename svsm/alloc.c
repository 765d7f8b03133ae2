/* SPDX-License-Identifier: MIT */
/*
 * All memory after the image: asked for, validated, and handed to the allocators.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/mem/alloc.rs.
 */
#include "alloc.h"
#include "vc.h"

/* The power of two of pages that holds `size_bytes`. */
static u32 get_order(u64 size_bytes)
{
    u32 order = 0;

    if (size_bytes == 0) {
        panic("assertion failed: size > 0");
    }
    for (u64 pages = (size_bytes - 1) >> PAGE_SHIFT; pages != 0; pages >>= 1) {
        order++;
    }
    return order;
}

u64 mem_allocate_frames(u64 count)
{
    u32 order = get_order(multiply_checked(count, PAGE_SIZE));
    u64 va = buddy_allocate(order);

    if (va == 0) {
        return 0;
    }
    memset((void *)va, 0, PAGE_SIZE << order);
    return va_to_gpa(va);
}

void mem_free_frames(u64 gpa)
{
    buddy_free(gpa_to_va(gpa));
}

/* The slabs are asked to keep themselves in order even when the piece will be whole pages. */
u64 mem_allocate(u64 size_bytes)
{
    slab_adjust_descriptors();
    if (size_bytes <= SLAB_SIZE_MAX) {
        return slab_allocate(size_bytes);
    }
    return buddy_allocate(get_order(size_bytes));
}

void mem_free(u64 va)
{
    u64 slab_va = buddy_slab_of(va);

    if (slab_va != 0) {
        slab_free(slab_va, va);
    } else {
        buddy_free(va);
    }
}

void mem_init(void)
{
    u64 begin = va_to_gpa(dyn_mem_begin);
    u64 end = va_to_gpa(dyn_mem_end);

    vc_early_make_pages_private(begin, end);
    buddy_init(dyn_mem_begin, (end - begin) / PAGE_SIZE);
    slab_init();
}
