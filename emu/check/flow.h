/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an instruction does with values, as far as following them goes: which registers what it
 * writes is made of, where it has an address from, what it compares. Made by trap/flow.c, used by
 * check/taint.c.
 */
#ifndef SNPEMU_CHECK_FLOW_H
#define SNPEMU_CHECK_FLOW_H

#include <stdint.h>

/* General registers by their number in encodings, then XMM0 to XMM15. */
#define FLOW_REGISTERS 32
#define FLOW_BIT(reg) (1u << (reg))
#define FLOW_RAX 0
#define FLOW_RCX 1
#define FLOW_RDX 2
#define FLOW_RSP 4
#define FLOW_RDI 7

enum flow_kind {
    FLOW_PLAIN,     /* what is written is made of all that is read */
    FLOW_CLEAN,     /* what is written comes from nowhere, or has a bound: a mask, a remainder */
    FLOW_COMPARE,   /* two operands; nothing is written */
    FLOW_SWAP,      /* XCHG: two operands, each becomes the other */
    FLOW_DIVIDE,    /* RAX is made of what is read, RDX is smaller than the divisor */
    FLOW_STRING,    /* as PLAIN; with FLOW_REPEAT RCX counts down to zero */
    FLOW_CALL,      /* what is stored is a return address; what is read is the target */
    FLOW_JUMP,      /* what is read is the target */
    FLOW_MSR_READ,  /* by the emulator; of which MSR is in RCX */
    FLOW_MSR_WRITE, /* the same */
};

enum flow_flag {
    FLOW_LOAD = 1 << 0,
    FLOW_STORE = 1 << 1,
    FLOW_REPEAT = 1 << 2,
    FLOW_CONSTANT = 1 << 3, /* COMPARE: with an immediate that is a bound */
    FLOW_NOTHING = 1 << 4,  /* COMPARE: with zero or with itself: says nothing of how large */
    FLOW_BOUNDS = 1 << 5,   /* PLAIN: its flags say whether the value is below a power of two */
    FLOW_ORDERS = 1 << 6,   /* PLAIN: a subtraction whose flags say which operand is larger */
    FLOW_STEPS = 1 << 7,    /* PLAIN: counts in place by a constant, and its flags are looked at */
    FLOW_FIXES = 1 << 8,    /* the registers written do not count anything: constants, loads */
    FLOW_MOVES = 1 << 9,    /* from register to register */
    FLOW_COUNTS = 1 << 10, /* PLAIN: a register is counted in place by a constant, or may have been:
                              it comes from the stack */
};

struct flow_op {
    uint32_t reads, writes; /* FLOW_BIT()s */
    uint16_t base, index;   /* of the address: FLOW_BIT()s */
    uint16_t flags;         /* enum flow_flag */
    uint16_t offset;        /* from the start of its block */
    uint8_t kind;           /* enum flow_kind */
    uint8_t length;
};

#endif
