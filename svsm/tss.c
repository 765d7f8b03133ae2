/* SPDX-License-Identifier: MIT */
/*
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/tss.rs. Layout and descriptor:
 * AMD APM Vol 2 (24593) 12.2.5 and 4.8.3.
 */
#include "tss.h"

#include "alloc.h"
#include "percpu.h"
#include "stack.h"
#include "vc.h"

#define IST_STACK_PAGES 3

u64 tss_create(u64 index)
{
    u64 va = mem_allocate(sizeof(struct tss));
    struct tss *tss = (struct tss *)va;

    if (va == 0) {
        vc_fail(SVSM_FAIL_NO_MEMORY);
    }
    memset(tss, 0, sizeof(*tss));
    tss->io_map_base = sizeof(*tss);
    tss->ist[0] = stack_create(IST_STACK_PAGES);
    percpu_set_u64(index, PERCPU_TSS, va);
    return va;
}

void tss_load(const struct tss *tss)
{
    u64 base = (u64)tss;
    u64 *descriptor = &gdt64[TSS_SELECTOR / 8];

    descriptor[0] = (u64)TSS_ATTRIBUTES << 40 | (base & 0xff000000) << 32 |
                    (base & 0x00ffffff) << 16 | (TSS_SIZE - 1);
    descriptor[1] = base >> 32;
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR) : "memory");
}

void tss_init(void)
{
    tss_load((const struct tss *)tss_create(0));
}
