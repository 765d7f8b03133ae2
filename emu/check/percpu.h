/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * percpu: what must hold of the guest's per-CPU table once it is built. The caller reads the table.
 */
#ifndef SNPEMU_CHECK_PERCPU_H
#define SNPEMU_CHECK_PERCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/rmp.h"

/* One row of the table. */
struct percpu_row {
    uint32_t index, apic_id;
    uint64_t gva; /* of the area */
    /* What no two may share; 0: none yet. */
    uint64_t ghcb, tss;                         /* guest virtual */
    uint64_t vmsa[VMPL_COUNT], caa[VMPL_COUNT]; /* guest physical */
};

/*
 * False, with one line in `why`, when two rows share an APIC ID, an index, a GHCB, a TSS, a save
 * area or a calling area, when a row's index is not its place, or when the first is not the boot
 * CPU's. *at: the row.
 */
bool percpu_table_ok(const struct percpu_row *row, size_t count, uint32_t bsp_apic_id, size_t *at,
                     char *why, size_t size);

#endif
