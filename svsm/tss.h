/* SPDX-License-Identifier: MIT */
/* A task state segment for each CPU: it holds the stack on which a double fault is handled. */
#ifndef SVSM_TSS_H
#define SVSM_TSS_H

#include "svsm.h"

#define TSS_SELECTOR 0x18
#define TSS_ATTRIBUTES 0x89 /* present, available 64-bit TSS */
#define TSS_SIZE 0x68

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

#pragma GCC visibility push(hidden)

void tss_init(void); /* the BSP's: made and loaded */
void tss_load(const struct tss *tss);
u64 tss_create(u64 index); /* that of another CPU, which will start with it. Returns its VA. */

#pragma GCC visibility pop

#endif
