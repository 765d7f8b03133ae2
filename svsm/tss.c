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

struct __attribute__((packed)) tss {
    u32 reserved_0;
    u64 rsp[3];
    u64 reserved_1;
    u64 ist[7]; /* ist[0] is IST1: the gate of #DF names it, idt.c */
    u64 reserved_2;
    u16 reserved_3;
    u16 io_map_base; /* at the segment's end: there is no map */
};
_Static_assert(sizeof(struct tss) == TSS_SIZE, "packed");

u64 tss_create(u64 index)
{
    u64 va = mem_allocate(sizeof(struct tss));
    struct tss *tss = (struct tss *)va;

    if (va == 0) {
        vc_terminate_svsm_enomem();
    }
    memset(tss, 0, sizeof(*tss));
    tss->io_map_base = sizeof(*tss);
    tss->ist[0] = stack_create(IST_STACK_PAGES);
    percpu_set_u64(index, PERCPU_TSS, va);
    return va;
}

void tss_init(void)
{
    u64 base = tss_create(0);
    u64 *descriptor = &gdt64[TSS_SELECTOR / 8];

    descriptor[0] = (u64)TSS_ATTRIBUTES << 40 | (base & 0xff000000) << 32 |
                    (base & 0x00ffffff) << 16 | (TSS_SIZE - 1);
    descriptor[1] = base >> 32;
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR) : "memory");
}
