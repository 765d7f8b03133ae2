/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * #DB: single steps, instruction breakpoints, and general detection.
 *
 * Source: AMD APM Vol 2 (24593), software-debug resources; the order of events: Bochs
 * bochs/cpu/event.cc handleAsyncEvent; who intercepts #DB: Linux arch/x86/kvm/svm/sev.c
 * sev_es_init_vmcb.
 */
#ifndef SNPEMU_TRAP_DEBUG_H
#define SNPEMU_TRAP_DEBUG_H

#include "trap/insn.h"

enum debug_cause {
    DEBUG_STEP,
    DEBUG_STEP_AGAIN,
    DEBUG_BREAKPOINT,
    DEBUG_GENERAL_DETECT,
    DEBUG_IO,
    DEBUG_DATA,
    DEBUG_COUNT,
};

enum debug_flag {
    DEBUG_GUESS = 1,      /* rests on a fact with no source that was read, in part at least */
    DEBUG_UNMODELLED = 2, /* enabling it ends the run */
};

struct debug_row {
    const char *name;
    uint64_t dr6;
    bool resume;      /* RF is set in the frame */
    unsigned flags;   /* enum debug_flag */
    const char *does; /* NULL: not modelled */
    const char *source;
};

extern const struct debug_row debug_rows[DEBUG_COUNT];

/* Is the guest single-stepping, as its flags stand? */
bool debug_steps(const struct trap_context *trap);

/*
 * An instruction has retired at which the guest was single-stepping. The vCPU finds out by itself
 * about those that the engine executes. `repeats`: a string instruction is not done yet.
 */
enum trap_next debug_raise_step(struct trap_context *trap, bool repeats);

/* The instruction at RIP has a breakpoint that RF does not suppress. */
enum trap_next debug_raise_breakpoint(struct trap_context *trap);
bool debug_at_breakpoint(const struct trap_context *trap, uint64_t gva);

/* Registers came in from a VMSA. True when they enable what is not modelled: the outcome is set. */
bool debug_unmodelled_at_start(struct trap_context *trap);

/* MOV to and from a debug register. */
insn_handler debug_mov;

#endif
