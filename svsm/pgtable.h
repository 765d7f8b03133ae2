/* SPDX-License-Identifier: MIT */
/* The final page tables. Ranges are virtual, and cover every page that they touch. */
#ifndef SVSM_PGTABLE_H
#define SVSM_PGTABLE_H

#include "svsm.h"

#pragma GCC visibility push(hidden)

void pgtable_init(void);

/* The hypervisor is asked and the pages are (in)validated too. Contents are lost. */
void pgtable_make_pages_shared(u64 va, u64 size_bytes);
void pgtable_make_pages_private(u64 va, u64 size_bytes);

/* One entry: level 1 for 4 KiB pages, 2 for 2 MiB pages. Whoever changes it, flushes. */
u64 *pgtable_entry(u64 va, u32 at_level); /* NULL when no table leads there */
u64 *pgtable_entry_create(u64 va, u32 at_level);
void pgtable_flush(u64 va);

/* No access at all; no execution. Whole pages. */
void pgtable_make_guard(u64 va);
void pgtable_make_nx(u64 va, u64 size_bytes);

#pragma GCC visibility pop

#endif
