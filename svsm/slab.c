/* SPDX-License-Identifier: MIT */
/*
 * Pieces smaller than a page, in powers of two. A slab owns pages of equal pieces; the first page
 * is described in the slab itself, the others by descriptors that come from a slab of their own.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/mem/alloc.rs, Slab and SlabPage.
 */
#include "alloc.h"

#define SLAB_ITEM_MIN 32
#define BITS_PER_WORD 64

/* Grow when less than this share is free, in percent; shrink when at least the other is. */
#define SLAB_FREE_LOW 25
#define SLAB_FREE_HIGH 50

struct slab_page {
    u64 va;
    u64 used[2]; /* a bit for each piece */
    struct slab_page *next;
    u16 capacity;
    u16 free;
    u16 item_size;
};
_Static_assert(sizeof(struct slab_page) == 40, "decides how many descriptors fit in a page");

/* Aligned, because a page's description keeps the type in the low bits of this address. */
struct slab {
    _Alignas(16) struct lock lock;
    u16 item_size;
    u32 capacity; /* pieces in all pages */
    u32 free;
    u32 free_pages; /* pages with no piece in use */
    struct slab_page page;
};

static struct slab SLAB_PAGE_SLAB = {.item_size = sizeof(struct slab_page)};

static struct slab slabs[] = {
    {.item_size = 32},  {.item_size = 64},   {.item_size = 128},  {.item_size = 256},
    {.item_size = 512}, {.item_size = 1024}, {.item_size = 2048},
};

static bool slab_page_init(struct slab_page *page, struct slab *slab)
{
    u16 item_size = slab->item_size < SLAB_ITEM_MIN ? SLAB_ITEM_MIN : slab->item_size;
    u64 va = buddy_allocate_slab_page((u64)slab);

    if (va == 0) {
        return false;
    }
    page->va = va;
    page->item_size = item_size;
    page->capacity = (u16)(PAGE_SIZE / item_size);
    page->free = page->capacity;
    return true;
}

/* Lowest free piece; 0 when the page is full. */
static u64 slab_page_allocate(struct slab_page *page)
{
    for (u32 i = 0; page->free != 0 && i < page->capacity; i++) {
        u64 mask = 1ULL << (i % BITS_PER_WORD);

        if ((page->used[i / BITS_PER_WORD] & mask) == 0) {
            page->used[i / BITS_PER_WORD] |= mask;
            page->free--;
            return page->va + (u64)i * page->item_size;
        }
    }
    return 0;
}

static bool slab_page_free(struct slab_page *page, u64 va)
{
    u64 i;

    if (va < page->va || va >= page->va + PAGE_SIZE) {
        return false;
    }
    i = (va - page->va) / page->item_size;
    page->used[i / BITS_PER_WORD] &= ~(1ULL << (i % BITS_PER_WORD));
    page->free++;
    return true;
}

static bool slab_first_page(struct slab *slab)
{
    if (!slab_page_init(&slab->page, slab)) {
        return false;
    }
    slab->capacity = slab->page.capacity;
    slab->free = slab->capacity;
    slab->free_pages = 1;
    return true;
}

static u64 slab_take_piece(struct slab *slab);
static void slab_give_back(struct slab *slab, u64 va);

static u64 slab_locked_take(struct slab *slab)
{
    u64 va;

    lock_take(&slab->lock);
    va = slab_take_piece(slab);
    lock_release(&slab->lock);
    return va;
}

static void slab_locked_give_back(struct slab *slab, u64 va)
{
    lock_take(&slab->lock);
    slab_give_back(slab, va);
    lock_release(&slab->lock);
}

static bool slab_grow(struct slab *slab)
{
    struct slab_page *page;

    if (slab->capacity == 0) {
        return slab_first_page(slab);
    }
    page = (struct slab_page *)slab_locked_take(&SLAB_PAGE_SLAB);
    if (page == NULL) {
        panic("called `Result::unwrap()` on an `Err` value: ()");
    }
    memset(page, 0, sizeof(*page));
    if (!slab_page_init(page, slab)) {
        slab_locked_give_back(&SLAB_PAGE_SLAB, (u64)page);
        return false;
    }
    page->next = slab->page.next;
    slab->page.next = page;
    slab->free_pages++;
    slab->capacity += page->capacity;
    slab->free += page->capacity;
    return true;
}

/* Return one page that is not in use; the first page stays. */
static void slab_shrink(struct slab *slab)
{
    struct slab_page *before = &slab->page;
    struct slab_page *page;

    for (page = before->next; page != NULL; page = page->next) {
        if (page->free == page->capacity) {
            slab->free_pages--;
            slab->capacity -= page->capacity;
            slab->free -= page->capacity;
            before->next = page->next;
            buddy_free(page->va);
            slab_locked_give_back(&SLAB_PAGE_SLAB, (u64)page);
            return;
        }
        before = page;
    }
}

/* Before each allocation and after each return. */
static bool slab_adjust(struct slab *slab)
{
    u32 free_percent;

    if (slab->capacity == 0) {
        return slab_grow(slab);
    }
    free_percent = slab->free * 100 / slab->capacity;
    if (free_percent < SLAB_FREE_LOW && slab->free_pages < 2) {
        return slab_grow(slab);
    }
    if (slab->free_pages > 1 && free_percent >= SLAB_FREE_HIGH) {
        slab_shrink(slab);
    }
    return true;
}

static u64 slab_take_piece(struct slab *slab)
{
    if (!slab_adjust(slab)) {
        return 0;
    }
    for (struct slab_page *page = &slab->page; page != NULL; page = page->next) {
        u64 va = slab_page_allocate(page);

        if (va != 0) {
            slab->free--;
            if (page->free + 1 == page->capacity) {
                slab->free_pages--;
            }
            return va;
        }
    }
    return 0;
}

static void slab_give_back(struct slab *slab, u64 va)
{
    for (struct slab_page *page = &slab->page; page != NULL; page = page->next) {
        if (slab_page_free(page, va)) {
            slab->free++;
            if (page->free == page->capacity) {
                slab->free_pages++;
            }
            if (!slab_adjust(slab)) {
                panic("Failed to adjust slab size in deallocation path");
            }
            return;
        }
    }
    panic_hex("Address ", va, " does not belong to the slab at ", (u64)slab);
}

void slab_init(void)
{
    bool done;

    lock_take(&SLAB_PAGE_SLAB.lock);
    done = slab_first_page(&SLAB_PAGE_SLAB);
    lock_release(&SLAB_PAGE_SLAB.lock);
    if (!done) {
        panic("Failed to initialize SLAB_PAGE_SLAB");
    }
}

void slab_adjust_descriptors(void)
{
    bool adjusted;

    lock_take(&SLAB_PAGE_SLAB.lock);
    adjusted = slab_adjust(&SLAB_PAGE_SLAB);
    lock_release(&SLAB_PAGE_SLAB.lock);
    if (!adjusted) {
        panic("Failed to adjust Slab size");
    }
}

u64 slab_allocate(u64 size_bytes)
{
    struct slab *slab = slabs;

    while (size_bytes > slab->item_size) {
        slab++;
    }
    return slab_locked_take(slab);
}

void slab_free(u64 slab_va, u64 va)
{
    slab_locked_give_back((struct slab *)slab_va, va);
}
