/* SPDX-License-Identifier: MIT */
/*
 * Per-CPU data: an array of PERCPU_STRIDE bytes a CPU, fields at PERCPU_* (abi/svsm.h). A CPU
 * reaches its own element through GS, any other by index.
 */
#ifndef SVSM_PERCPU_H
#define SVSM_PERCPU_H

#include "svsm.h"

#pragma GCC visibility push(hidden)

extern u64 PERCPU_VA; /* of element 0; 0 before percpu_init */
extern u64 CPU_COUNT;

void percpu_init(void);
u64 percpu_address(u64 index); /* panics when there is no such CPU */
u64 percpu_get_u64(u64 index, u64 offset);
void percpu_set_u64(u64 index, u64 offset, u64 value);
u32 percpu_apic_id(u64 index);
void percpu_print(void);

#pragma GCC visibility pop

INLINE u64 percpu_read_u64(u64 offset)
{
    u64 value;

    __asm__ volatile("movq %%gs:(%1), %0" : "=r"(value) : "r"(offset));
    return value;
}

INLINE u32 percpu_read_u32(u64 offset)
{
    u32 value;

    __asm__ volatile("movl %%gs:(%1), %0" : "=r"(value) : "r"(offset));
    return value;
}

INLINE void percpu_write_u64(u64 offset, u64 value)
{
    __asm__ volatile("movq %1, %%gs:(%0)" : : "r"(offset), "r"(value) : "memory");
}

INLINE void percpu_write_u32(u64 offset, u32 value)
{
    __asm__ volatile("movl %1, %%gs:(%0)" : : "r"(offset), "r"(value) : "memory");
}

#endif
