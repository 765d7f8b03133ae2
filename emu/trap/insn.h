/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that behave differently in an SNP guest: one row and one handler for each.
 */
#ifndef SNPEMU_TRAP_INSN_H
#define SNPEMU_TRAP_INSN_H

#include "trap/decode.h"
#include "trap/trap.h"

typedef enum trap_next insn_handler(struct trap_context *trap, const struct insn *insn);

enum insn_flag {
    INSN_UNVERIFIED = 1, /* rests on a fact with no source that was read */
};

struct insn_row {
    insn_handler *handler; /* NULL: known by name, not modelled */
    unsigned flags;        /* enum insn_flag */
    const char *does;      /* what an SNP guest sees, in a few words; NULL without a handler */
    const char *source;    /* document and section, or repository and file */
};

/* By enum insn_id. INSN_OTHER stands for what the CPU engine does not know. */
extern const struct insn_row insn_rows[INSN_COUNT];

/* Carry out the instruction at RIP. */
enum trap_next insn_execute(struct trap_context *trap, const struct insn *insn);

#endif
