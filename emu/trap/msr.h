/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Model-specific registers: one row each, or one for a range that behaves alike. An MSR without a
 * row is `unmodelled`. All of it is at CPL 0: elsewhere RDMSR and WRMSR are #GP(0) anyway.
 */
#ifndef SNPEMU_TRAP_MSR_H
#define SNPEMU_TRAP_MSR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine/machine.h"

enum msr_result {
    MSR_OK,
    MSR_GUESS,      /* done, as in MSR_OK, but on a fact whose sources disagree, or are missing */
    MSR_GP,         /* #GP(0) */
    MSR_VC,         /* #VC 0x7C */
    MSR_UNMODELLED, /* no row, or a value whose effect is not modelled */
};

enum msr_flag {
    MSR_READ_ONLY = 1,  /* WRMSR: #GP(0) */
    MSR_ENGINE = 2,     /* the CPU engine keeps the value */
    MSR_CANONICAL = 4,  /* WRMSR of a non-canonical address: #GP(0) */
    MSR_INTERCEPT = 8,  /* the hypervisor has it intercepted: #VC 0x7C for both */
    MSR_UNVERIFIED = 16 /* rests, in part at least, on a fact with no source that was read */
};

struct msr_row {
    uint32_t index;
    uint32_t last; /* of a range; 0: index */
    const char *name;
    unsigned flags;      /* enum msr_flag */
    uint64_t reset;      /* as a guest finds it; not what the launch sets: see EFER */
    uint64_t write_mask; /* bits that software may change; a change of others: #GP(0) */
    uint64_t ignored;    /* bits of which a write is ignored */
    /* More rules for a value that the mask allows; NULL: none. */
    enum msr_result (*check)(const struct machine *machine, uint64_t old, uint64_t value);
    /* Where the value lives when not in the engine. A NULL `get`: #GP(0), without its feature. */
    uint64_t (*get)(const struct machine *machine);
    void (*set)(struct machine *machine, uint64_t value);
    const char *does; /* in a few words, for people; NULL: reads and writes */
    const char *source;
};

extern const struct msr_row msr_rows[];
extern const size_t msr_row_count;

const struct msr_row *msr_row_by_index(uint32_t index); /* NULL when there is none */

enum msr_result msr_read(const struct machine *machine, uint32_t index, uint64_t *value);
enum msr_result msr_write(struct machine *machine, uint32_t index, uint64_t value);

#endif
