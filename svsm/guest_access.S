/* SPDX-License-Identifier: MIT */
/*
 * The instructions that touch memory of the guest below. Each may fault, and then goes on at the
 * second label of its FIXUP (cpu.S).
 */
#include "asm.h"

#define RMPADJUST_FAULTED 0x100

.macro FIXUP at, then
    .pushsection .fixup, "a"
    .balign 8
    .quad \at, \then
    .popsection
.endm

    .text

/* bool guest_copy(void *to, const void *from, u64 size_bytes) */
FUNCTION(guest_copy)
    movq %rdx, %rcx
    movl $1, %eax
1:  rep movsb
    ret
2:  xorl %eax, %eax
    ret
    FIXUP 1b, 2b
END_FUNCTION(guest_copy)

/* bool guest_zero(void *to, u64 size_bytes): whole 8 bytes */
FUNCTION(guest_zero)
    movq %rsi, %rcx
    shrq $3, %rcx
    xorl %eax, %eax
1:  rep stosq
    movl $1, %eax
    ret
2:  xorl %eax, %eax
    ret
    FIXUP 1b, 2b
END_FUNCTION(guest_zero)

/* u32 guest_rmpadjust(u64 va, u32 size, u64 attributes) */
FUNCTION(guest_rmpadjust)
    movq %rdi, %rax
    movl %esi, %ecx
1:  RMPADJUST
    ret
2:  movl $RMPADJUST_FAULTED, %eax
    ret
    FIXUP 1b, 2b
END_FUNCTION(guest_rmpadjust)

    .section .note.GNU-stack, "", @progbits
