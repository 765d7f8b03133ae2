/* SPDX-License-Identifier: MIT */
/*
 * The GHCB page, which the hypervisor may change at any moment. Every access here is one access
 * of the CPU, in the order written: who reads twice can be answered twice, and this guest reads
 * as often as the published one (AMDESE/linux-svsm a2d150f959ed, src/mem/ghcb.rs). Fields are
 * named by their offset, GHCB_* of abi/ghcb.h.
 */
#ifndef SVSM_GHCB_H
#define SVSM_GHCB_H

#include "abi/ghcb.h"
#include "svsm.h"

struct ghcb {
    volatile u8 byte[GHCB_SIZE];
};

INLINE volatile u64 *ghcb_field(struct ghcb *ghcb, u32 offset)
{
    return (volatile u64 *)(ghcb->byte + offset);
}

INLINE volatile u8 *ghcb_mark(struct ghcb *ghcb, u32 offset)
{
    return ghcb->byte + GHCB_VALID_BITMAP + GHCB_VALID_BIT(offset) / 8;
}

INLINE u64 ghcb_get(struct ghcb *ghcb, u32 offset)
{
    return *ghcb_field(ghcb, offset);
}

INLINE bool ghcb_is_valid(struct ghcb *ghcb, u32 offset)
{
    return (*ghcb_mark(ghcb, offset) & (1u << (GHCB_VALID_BIT(offset) % 8))) != 0;
}

/* Store a field and mark it valid. */
INLINE void ghcb_set(struct ghcb *ghcb, u32 offset, u64 value)
{
    volatile u8 *mark = ghcb_mark(ghcb, offset);

    *ghcb_field(ghcb, offset) = value;
    *mark = (u8)(*mark | (1u << (GHCB_VALID_BIT(offset) % 8)));
}

#pragma GCC visibility push(hidden)

/* After an answer has been read: exit.c forgets the marks, exit_checked.c what was passed, too. */
void ghcb_clear(struct ghcb *ghcb);

void ghcb_init(void);

#pragma GCC visibility pop

#endif
