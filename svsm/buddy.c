/* SPDX-License-Identifier: MIT */
/*
 * The page allocator: a binary buddy over all dynamic memory. Which page it hands out is visible
 * to the hypervisor, so lists, splitting and merging follow the published one step by step.
 *
 * Eight bytes describe each page; they fill the first pages of the region. Page number 0 is
 * therefore never free, and ends the lists.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/mem/alloc.rs, MemoryRegion.
 */
#include "alloc.h"

/* Page description: type in 3:0, order in 11:4, next page of the list in 63:12. */
#define PAGE_FREE 0
#define PAGE_ALLOCATED 1
#define PAGE_SLAB 2     /* 63:4 hold the slab's address */
#define PAGE_COMPOUND 3 /* not the first of its block */
#define PAGE_RESERVED 15
#define PAGE_TYPE_MASK 0xfULL
#define PAGE_ORDER_SHIFT 4
#define PAGE_ORDER_MASK 0xffULL
#define PAGE_NEXT_SHIFT 12

struct region {
    struct lock lock;
    u64 start_va;
    u64 page_count;
    u64 next_page[BUDDY_ORDERS]; /* heads of the free lists */
};

static struct region ROOT_MEM;

INLINE u64 *page_info(u64 pfn)
{
    if (pfn >= ROOT_MEM.page_count) {
        panic("Invalid Page Number");
    }
    return (u64 *)ROOT_MEM.start_va + pfn;
}

INLINE u64 info_make(u64 type, u64 order, u64 next)
{
    return type | order << PAGE_ORDER_SHIFT | next << PAGE_NEXT_SHIFT;
}

INLINE u64 info_type(u64 info)
{
    return info & PAGE_TYPE_MASK;
}

INLINE u64 info_order(u64 info)
{
    return info >> PAGE_ORDER_SHIFT & PAGE_ORDER_MASK;
}

INLINE u64 pfn_to_va(u64 pfn)
{
    return ROOT_MEM.start_va + pfn * PAGE_SIZE;
}

INLINE u64 va_to_pfn(u64 va)
{
    return (va - ROOT_MEM.start_va) / PAGE_SIZE;
}

INLINE u64 free_page_next(u64 pfn)
{
    u64 info = *page_info(pfn);

    if (info_type(info) != PAGE_FREE) {
        panic("Unexpected page type in a free list");
    }
    return info >> PAGE_NEXT_SHIFT;
}

/* Take the list's head; 0 when the list is empty. */
INLINE u64 list_pop(u32 order)
{
    u64 pfn = ROOT_MEM.next_page[order];

    if (pfn != 0) {
        ROOT_MEM.next_page[order] = free_page_next(pfn);
    }
    return pfn;
}

INLINE void list_push(u64 pfn, u32 order)
{
    *page_info(pfn) = info_make(PAGE_FREE, order, ROOT_MEM.next_page[order]);
    ROOT_MEM.next_page[order] = pfn;
}

/* Take one page out of the middle of its list. */
static bool list_remove(u64 pfn, u32 order)
{
    u64 before = ROOT_MEM.next_page[order];
    u64 at;

    if (before == 0) {
        return false;
    }
    if (before == pfn) {
        list_pop(order);
        return true;
    }
    for (at = free_page_next(before); at != 0; at = free_page_next(at)) {
        if (at == pfn) {
            *page_info(before) = info_make(PAGE_FREE, order, free_page_next(at));
            *page_info(at) = info_make(PAGE_ALLOCATED, order, 0);
            return true;
        }
        before = at;
    }
    return false;
}

static void block_describe(u64 pfn, u32 order, u64 next)
{
    *page_info(pfn) = info_make(PAGE_FREE, order, next);
    for (u64 i = 1; i < 1ULL << order; i++) {
        *page_info(pfn + i) = info_make(PAGE_COMPOUND, order, 0);
    }
}

/* Make sure that the list of `order` holds a block, by splitting larger ones: lower half first. */
static bool list_refill(u32 order)
{
    u64 pfn;
    u64 upper;

    if (ROOT_MEM.next_page[order] != 0) {
        return true;
    }
    if (order >= BUDDY_ORDERS - 1 || !list_refill(order + 1)) {
        return false;
    }
    pfn = list_pop(order + 1);
    upper = pfn + (1ULL << order);
    block_describe(pfn, order, upper);
    block_describe(upper, order, ROOT_MEM.next_page[order]);
    ROOT_MEM.next_page[order] = pfn;
    return true;
}

/* The block beside this one, by address; false at the region's ends and for the largest order. */
INLINE bool block_neighbour(u64 pfn, u32 order, u64 *neighbour)
{
    u64 size = PAGE_SIZE << order;
    u64 va = pfn_to_va(pfn) & ~(size - 1);
    u64 other = va ^ size;

    if (order >= BUDDY_ORDERS - 1 || va < ROOT_MEM.start_va || other < ROOT_MEM.start_va) {
        return false;
    }
    *neighbour = va_to_pfn(other);
    return *neighbour < ROOT_MEM.page_count;
}

/* Join with a free neighbour of the same order; `pfn` becomes the joint block's. */
INLINE bool block_merge(u64 *pfn, u32 order)
{
    u64 neighbour;
    u64 info;

    if (!block_neighbour(*pfn, order, &neighbour)) {
        return false;
    }
    info = *page_info(neighbour);
    if (info_type(info) != PAGE_FREE || info_order(info) != order) {
        return false;
    }
    if (!list_remove(neighbour, order)) {
        return false;
    }
    if (neighbour < *pfn) {
        *pfn = neighbour;
    }
    *page_info(*pfn) = info_make(PAGE_ALLOCATED, order + 1, 0);
    /* The rest of the upper half was described when that block was made. */
    for (u64 i = 1; i <= 1ULL << order; i++) {
        *page_info(*pfn + i) = info_make(PAGE_COMPOUND, order + 1, 0);
    }
    return true;
}

static void block_free(u64 pfn, u32 order)
{
    while (block_merge(&pfn, order)) {
        order++;
    }
    list_push(pfn, order);
}

u64 buddy_allocate(u32 order)
{
    u64 va = 0;

    lock_take(&ROOT_MEM.lock);
    if (order < BUDDY_ORDERS && list_refill(order)) {
        u64 pfn = list_pop(order);

        *page_info(pfn) = info_make(PAGE_ALLOCATED, order, 0);
        va = pfn_to_va(pfn);
    }
    lock_release(&ROOT_MEM.lock);
    return va;
}

u64 buddy_allocate_slab_page(u64 slab_va)
{
    u64 va = 0;

    lock_take(&ROOT_MEM.lock);
    if (list_refill(0)) {
        u64 pfn = list_pop(0);

        *page_info(pfn) = PAGE_SLAB | slab_va;
        va = pfn_to_va(pfn);
    }
    lock_release(&ROOT_MEM.lock);
    return va;
}

INLINE bool va_is_known(u64 va)
{
    return va >= ROOT_MEM.start_va && va < pfn_to_va(ROOT_MEM.page_count);
}

void buddy_free(u64 va)
{
    u64 info;

    lock_take(&ROOT_MEM.lock);
    if (va_is_known(va)) {
        info = *page_info(va_to_pfn(va));
        switch (info_type(info)) {
        case PAGE_ALLOCATED:
            block_free(va_to_pfn(va), (u32)info_order(info));
            break;
        case PAGE_SLAB:
            block_free(va_to_pfn(va), 0);
            break;
        default:
            panic("Unexpected page type in MemoryRegion::free_page()");
        }
    }
    lock_release(&ROOT_MEM.lock);
}

u64 buddy_slab_of(u64 va)
{
    u64 slab_va = 0;
    u64 info;

    lock_take(&ROOT_MEM.lock);
    if (!va_is_known(va)) {
        panic("Freeing unknown memory");
    }
    info = *page_info(va_to_pfn(va));
    if (info_type(info) == PAGE_SLAB) {
        slab_va = info & ~PAGE_TYPE_MASK;
    } else if (info_type(info) != PAGE_ALLOCATED) {
        panic("Freeing memory on unsupported page type");
    }
    lock_release(&ROOT_MEM.lock);
    return slab_va;
}

/* Every page starts as allocated and is freed one by one, upwards. */
void buddy_init(u64 start_va, u64 page_count)
{
    u64 reserved = (page_count * sizeof(u64) + PAGE_MASK) / PAGE_SIZE;

    lock_take(&ROOT_MEM.lock);
    ROOT_MEM.start_va = start_va;
    ROOT_MEM.page_count = page_count;
    for (u64 pfn = 0; pfn < page_count; pfn++) {
        *page_info(pfn) = info_make(pfn < reserved ? PAGE_RESERVED : PAGE_ALLOCATED, 0, 0);
    }
    for (u64 pfn = reserved; pfn < page_count; pfn++) {
        block_free(pfn, 0);
    }
    lock_release(&ROOT_MEM.lock);
}
