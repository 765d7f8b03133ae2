/* SPDX-License-Identifier: MIT */
/* One batch of page state changes. Layout: AMD 56421, NAE event SNP Page State Change. */
#ifndef SVSM_PSC_H
#define SVSM_PSC_H

#include "abi/nae.h"
#include "ghcb.h"
#include "svsm.h"

struct psc {
    u16 cur_entry;
    u16 end_entry; /* last one, included */
    u32 reserved;
    u64 entry[PSC_ENTRY_MAX];
};
_Static_assert(sizeof(struct psc) == PSC_HEADER_SIZE + PSC_ENTRY_MAX * PSC_ENTRY_SIZE, "packed");

#pragma GCC visibility push(hidden)

/*
 * Have the hypervisor carry out all entries; does not return if it refuses. There are two: that of
 * psc_exits.c behaves as published, that of psc_exits_checked.c is repaired.
 */
void psc_exits(struct ghcb *ghcb, struct psc *psc);

#pragma GCC visibility pop

#endif
