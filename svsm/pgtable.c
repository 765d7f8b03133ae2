/* SPDX-License-Identifier: MIT */
/*
 * Four-level page tables of 4 KiB pages over all SVSM memory. The C-bit is in the leaves and in
 * CR3, not in between: table entries are read as private memory whatever they say.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/mem/pgtable.rs.
 */
#include "pgtable.h"

#include "alloc.h"
#include "vc.h"

#define TABLE_ENTRIES 512
#define TABLE_LEVELS 4
#define TABLE_FLAGS (PTE_PRESENT | PTE_WRITE)

/* The root, in bss at a fixed address: it goes to CR3. */
static u64 P4[TABLE_ENTRIES] __attribute__((aligned(4096), section(".bss.pgtable")));

static u64 *table_entry(u64 *table, u64 va, u32 level)
{
    return &table[va >> (PAGE_SHIFT + 9 * (level - 1)) & (TABLE_ENTRIES - 1)];
}

/* The table that an entry above level 1 points to; NULL when there is none. */
static u64 *table_below(u64 entry)
{
    if ((entry & PTE_PRESENT) == 0 || (entry & PTE_LARGE) != 0) {
        return NULL;
    }
    return (u64 *)gpa_to_va(entry & PTE_ADDR_MASK);
}

/* The entry of `va` at `level`, 1 for 4 KiB pages; NULL when no table leads there. */
u64 *pgtable_entry(u64 va, u32 at_level)
{
    u64 *table = P4;

    for (u32 level = TABLE_LEVELS; level > at_level; level--) {
        table = table_below(*table_entry(table, va, level));
        if (table == NULL) {
            return NULL;
        }
    }
    return table_entry(table, va, at_level);
}

/* The same, with frames for the tables that are missing. */
u64 *pgtable_entry_create(u64 va, u32 at_level)
{
    u64 *table = P4;

    for (u32 level = TABLE_LEVELS; level > at_level; level--) {
        u64 *entry = table_entry(table, va, level);

        if (*entry == 0) {
            u64 gpa = mem_allocate_frames(1);

            if (gpa == 0) {
                vc_fail(SVSM_FAIL_NO_TABLE);
            }
            *entry = gpa | TABLE_FLAGS;
        }
        table = table_below(*entry);
    }
    return table_entry(table, va, at_level);
}

INLINE bool page_starts_table(u64 va)
{
    return va % LARGE_PAGE_SIZE == 0;
}

void pgtable_flush(u64 va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* Flags other than present and writable are dropped. */
static void remap_page(u64 va, u64 cbit)
{
    u64 *leaf = pgtable_entry(va, 1);

    if (leaf == NULL || (*leaf & PTE_PRESENT) == 0) {
        vc_fail(SVSM_FAIL_NOT_MAPPED);
    }
    *leaf = (*leaf & PTE_ADDR_MASK & ~CBIT_MASK) | cbit | TABLE_FLAGS;
}

/* Not flushed: the early ones are in tables that are not in use yet. */
static void update_page_flags(u64 begin, u64 end, u64 set, u64 clear)
{
    u64 *leaf = NULL;

    for (u64 va = begin; va < end; va += PAGE_SIZE) {
        leaf = leaf == NULL || page_starts_table(va) ? pgtable_entry(va, 1) : leaf + 1;
        if (leaf == NULL || *leaf == 0) {
            vc_fail(SVSM_FAIL_NOT_MAPPED);
        }
        *leaf = (*leaf & ~clear) | set;
    }
}

static void map_everything(void)
{
    u64 *leaf = NULL;

    for (u64 va = svsm_begin; va < svsm_end; va += PAGE_SIZE) {
        leaf = page_starts_table(va) ? pgtable_entry_create(va, 1) : leaf + 1;
        *leaf = va_to_gpa(va) | CBIT_MASK | TABLE_FLAGS;
    }
}

void pgtable_init(void)
{
    u64 guard = (u64)bsp_guard_page;

    map_everything();
    remap_page(early_ghcb, 0);
    update_page_flags((u64)sbss, (u64)ebss, PTE_NX, 0);
    update_page_flags((u64)sdata, (u64)edata, PTE_NX, 0);
    update_page_flags(dyn_mem_begin, dyn_mem_end, PTE_NX, 0);
    update_page_flags(guard, guard + PAGE_SIZE, 0, PTE_PRESENT);

    __asm__ volatile("movq %0, %%cr3" : : "r"(va_to_gpa((u64)P4) | CBIT_MASK) : "memory");
}

static u64 last_page(u64 va, u64 size_bytes)
{
    if (size_bytes == 0) {
        panic("assertion failed: len != 0");
    }
    return add_checked(va, size_bytes - 1) & ~PAGE_MASK;
}

/* Away from the guest: out of the RMP first, then out of the private mapping. */
void pgtable_make_pages_shared(u64 va, u64 size_bytes)
{
    u64 last = last_page(va, size_bytes);

    for (u64 page = va & ~PAGE_MASK; page <= last; page += PAGE_SIZE) {
        vc_make_pages_shared(va_to_gpa(page), va_to_gpa(page) + PAGE_SIZE);
        remap_page(page, 0);
        pgtable_flush(page);
    }
}

/* And back the other way round. */
void pgtable_make_pages_private(u64 va, u64 size_bytes)
{
    u64 last = last_page(va, size_bytes);

    for (u64 page = va & ~PAGE_MASK; page <= last; page += PAGE_SIZE) {
        remap_page(page, CBIT_MASK);
        pgtable_flush(page);
        vc_make_pages_private(va_to_gpa(page), va_to_gpa(page) + PAGE_SIZE);
    }
}

static void flush_pages(u64 begin, u64 end)
{
    for (u64 va = begin; va < end; va += PAGE_SIZE) {
        pgtable_flush(va);
    }
}

void pgtable_make_guard(u64 va)
{
    update_page_flags(va, va + PAGE_SIZE, 0, PTE_PRESENT);
    pgtable_flush(va);
}

void pgtable_make_nx(u64 va, u64 size_bytes)
{
    update_page_flags(va, va + size_bytes, PTE_NX, 0);
    flush_pages(va, va + size_bytes);
}
