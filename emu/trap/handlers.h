/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Handlers of instructions, for the table in insn.c, and what they share. Before one is called its
 * row's rule about the privilege level has been applied.
 */
#ifndef SNPEMU_TRAP_HANDLERS_H
#define SNPEMU_TRAP_HANDLERS_H

#include "trap/insn.h"

/* The instruction has retired. */
enum trap_next insn_done(struct trap_context *trap, const struct insn *insn);
unsigned insn_cpl(const struct trap_context *trap);
uint32_t insn_get32(const struct trap_context *trap, enum vcpu_register reg);

/* insn_memory.c */
insn_handler insn_clzero;
/* insn_rmp.c */
insn_handler insn_pvalidate, insn_rmpadjust, insn_rmpquery, insn_flush;
/* insn_register.c */
insn_handler insn_rdmsr, insn_wrmsr, insn_rdtsc, insn_rdpmc, insn_random, insn_xsetbv, insn_rdpru;
/* insn_flow.c */
insn_handler insn_int, insn_int1, insn_syscall, insn_sysret, insn_port_io, insn_monitor, insn_mwait;

#endif
