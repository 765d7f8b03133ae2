/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery of exceptions through the guest's own IDT, in whatever mode it is.
 *
 * Source: AMD APM Vol 2 (24593) 8.2 (vectors and error codes), 8.2.9 (which pairs of exceptions
 * make a double fault).
 */
#ifndef SNPEMU_TRAP_FAULT_H
#define SNPEMU_TRAP_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "trap/trap.h"

struct fault {
    uint8_t vector;
    bool has_error_code;
    uint32_t error_code;
    bool sets_cr2;
    uint64_t cr2;
    /* INT n and INT3: bytes of the instruction, which has retired when its handler runs. 0: none.
     */
    uint8_t software_length;
    bool privileged; /* of those, INT1: whatever the gate's DPL */
    bool no_resume;  /* a trap, or an instruction breakpoint: RF stays clear in the frame */
    /* The host injected it between two instructions: RIP's instruction has not begun. */
    bool injected;
    bool interrupt; /* an interrupt or NMI: benign whatever its vector is */
    /* #VC for a page that the host has made invalid: its GPA, else 0. By a write: to a stack. */
    uint64_t taken_gpa;
    bool taken_stack;
    bool taken_code; /* by a fetch */
};

/*
 * Raise a fault at the current instruction (RIP is pushed as it is). TRAP_RESUME when a handler
 * runs, TRAP_END after a triple fault, a nested page fault or something not modelled.
 */
enum trap_next fault_raise(struct trap_context *trap, const struct fault *fault);

/* INT n, INT3: the gate's DPL counts, and RIP after the instruction is pushed. */
enum trap_next fault_raise_software(struct trap_context *trap, uint8_t vector, uint8_t length);

enum trap_next fault_raise_ud(struct trap_context *trap);
enum trap_next fault_raise_gp(struct trap_context *trap, uint32_t error_code);
enum trap_next fault_raise_vc(struct trap_context *trap, uint32_t error_code);

/* INT1: through the gate of #DB, with nothing in DR6 and whatever the gate's DPL. */
enum trap_next fault_raise_int1(struct trap_context *trap, uint8_t length);

/* What a failed translation means to the guest: #PF, #GP, #VC 0x404, or a nested page fault. */
enum trap_next fault_raise_mmu(struct trap_context *trap, const struct mmu_fault *fault);

#endif
