/* SPDX-License-Identifier: MIT */
/*
 * The published code maps the guest at the offset that is used for the SVSM's own memory, in
 * tables that all CPUs share; there, a guest that has two vCPUs ask about one page at a time can
 * make one SVSM CPU unmap what another is reading. Here a CPU's windows are entries that no other
 * CPU touches: no lock, and a flush of the own TLB is enough.
 */
#include "window.h"

#include "percpu.h"
#include "pgtable.h"

#define SMALL_VA 0xffff900000000000ULL
#define LARGE_VA 0xffff910000000000ULL
#define SMALL_PER_CPU 4 /* windows, a power of two */
_Static_assert(WINDOW_SMALL_COUNT <= SMALL_PER_CPU, "a CPU's windows lie together");

#define WINDOW_FLAGS (PTE_PRESENT | PTE_WRITE | PTE_NX | CBIT_MASK)

static u64 window_va(enum window window, u64 index)
{
    if (window == WINDOW_LARGE_PAGE) {
        return LARGE_VA + index * LARGE_PAGE_SIZE;
    }
    return SMALL_VA + (index * SMALL_PER_CPU + window) * PAGE_SIZE;
}

static u32 window_level(enum window window)
{
    return window == WINDOW_LARGE_PAGE ? 2 : 1;
}

/* All tables, so that later on only entries change. */
void window_init(void)
{
    for (u64 i = 0; i < CPU_COUNT; i++) {
        for (u32 window = 0; window <= WINDOW_LARGE_PAGE; window++) {
            pgtable_entry_create(window_va(window, i), window_level(window));
        }
    }
}

static void window_set(u64 va, enum window window, u64 entry)
{
    *(volatile u64 *)pgtable_entry(va, window_level(window)) = entry;
    pgtable_flush(va);
}

u64 window_map(enum window window, u64 gpa)
{
    u64 va = window_va(window, percpu_read_u32(PERCPU_CPU_ID));

    window_set(va, window, gpa | WINDOW_FLAGS | (window == WINDOW_LARGE_PAGE ? PTE_LARGE : 0));
    return va;
}

void window_unmap(enum window window)
{
    window_set(window_va(window, percpu_read_u32(PERCPU_CPU_ID)), window, 0);
}
