/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions that behave differently in an SNP guest: one row and one handler for each.
 */
#ifndef SNPEMU_TRAP_INSN_H
#define SNPEMU_TRAP_INSN_H

#include "trap/decode.h"
#include "trap/trap.h"

/* Carry out the instruction at RIP. */
enum trap_next insn_execute(struct trap_context *trap, const struct insn *insn);

#endif
