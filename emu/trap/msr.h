/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model-specific registers: one row each. An MSR without a row is `unmodelled`.
 */
#ifndef SNPEMU_TRAP_MSR_H
#define SNPEMU_TRAP_MSR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine/machine.h"

enum msr_result {
    MSR_OK,
    MSR_GP,         /* #GP(0) */
    MSR_UNMODELLED, /* no row, or a value whose effect is not modelled */
};

enum msr_flag {
    MSR_READ_ONLY = 1, /* WRMSR: #GP(0) */
    MSR_ENGINE = 2,    /* the CPU engine keeps the value */
    MSR_CANONICAL = 4, /* WRMSR of a non-canonical address: #GP(0) */
};

struct msr_row {
    uint32_t index;
    const char *name;
    unsigned flags;      /* enum msr_flag */
    uint64_t write_mask; /* bits that software may change; others must keep their value */
    /* Where the value lives when not in the engine. */
    uint64_t (*get)(const struct machine *machine);
    void (*set)(struct machine *machine, uint64_t value);
    const char *source;
};

extern const struct msr_row msr_rows[];
extern const size_t msr_row_count;

const struct msr_row *msr_row_by_index(uint32_t index); /* NULL when there is none */

enum msr_result msr_read(const struct machine *machine, uint32_t index, uint64_t *value);
enum msr_result msr_write(struct machine *machine, uint32_t index, uint64_t value);

#endif
