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
    INSN_UNVERIFIED = 1, /* rests on a fact with no source that was read, in part at least */
    INSN_GUESS = 2,      /* all of it does: a strict run ends there */
    INSN_UNMODELLED = 8, /* most of it is: the handler refuses what is certain to be refused */
    INSN_CPL_GUESS = 4,  /* what happens outside CPL 0 does: a strict run ends there */
};

/* What happens outside CPL 0, before anything else. */
enum insn_cpl_rule {
    INSN_CPL_ANY, /* nothing, or the handler's business */
    INSN_CPL_GP,
    INSN_CPL_UD,
};

struct insn_row {
    insn_handler *handler; /* NULL: known by name, not modelled */
    unsigned flags;        /* enum insn_flag */
    enum insn_cpl_rule cpl;
    uint32_t exit_code; /* error code of its #VC, for those that are always intercepted */
    const char *does;   /* what an SNP guest sees, in a few words; NULL without a handler */
    const char *source; /* document and section, or repository and file */
};

/* By enum insn_id. INSN_OTHER stands for what the CPU engine does not know. */
extern const struct insn_row insn_rows[INSN_COUNT];

/* Carry out the instruction at RIP. */
enum trap_next insn_execute(struct trap_context *trap, const struct insn *insn);

#endif
