/* SPDX-License-Identifier: MIT */
/*
 * The instructions that leave the guest, or would, each alone in a function: a trace names the
 * function, whatever compiler built the rest. Then the exception entries and the block moves that
 * compilers expect to find.
 */
#include "abi/rmp.h"
#include "asm.h"

/* PVALIDATE's results are 4 bits wide; the carry flag of a success becomes one of its own. */
#define PVALIDATE_RESULT_MAX 0x0f
#define PVALIDATE_UNCHANGED 0x10
#define PVALIDATE_BAD_RESULT 0x11

#define INVLPGB_GLOBAL (1 << 3) /* of RAX: AMD APM Vol 3 (24594), INVLPGB */

    .text

/* u64 rdmsr(u32 msr) */
FUNCTION(rdmsr)
    movl %edi, %ecx
    rdmsr
    shlq $32, %rdx
    movl %eax, %eax
    orq %rdx, %rax
    ret
END_FUNCTION(rdmsr)

/* void wrmsr(u32 msr, u64 value) */
FUNCTION(wrmsr)
    movl %edi, %ecx
    movl %esi, %eax
    movq %rsi, %rdx
    shrq $32, %rdx
    wrmsr
    ret
END_FUNCTION(wrmsr)

/* void vc_vmgexit(void) */
FUNCTION(vc_vmgexit)
    VMGEXIT
    ret
END_FUNCTION(vc_vmgexit)

/* u32 pvalidate(u64 va, u32 size, u32 validate) */
FUNCTION(pvalidate)
    movq %rdi, %rax
    movl %esi, %ecx
    xorl %r8d, %r8d
    PVALIDATE
    setc %r8b
    cmpl $PVALIDATE_RESULT_MAX, %eax
    ja 1f
    testl %eax, %eax
    jnz 2f
    movl %r8d, %eax
    imull $PVALIDATE_UNCHANGED, %eax
    ret
1:  movl $PVALIDATE_BAD_RESULT, %eax
2:  ret
END_FUNCTION(pvalidate)

/* u32 rmpadjust(u64 va, u32 size, u64 attributes) */
FUNCTION(rmpadjust)
    movq %rdi, %rax
    movl %esi, %ecx
    RMPADJUST
    ret
END_FUNCTION(rmpadjust)

/* void invlpgb_all(void): global translations too, of all of this guest's */
FUNCTION(invlpgb_all)
    movl $INVLPGB_GLOBAL, %eax
    xorl %ecx, %ecx
    xorl %edx, %edx
    INVLPGB
    ret
END_FUNCTION(invlpgb_all)

/* void tlbsync(void) */
FUNCTION(tlbsync)
    TLBSYNC
    ret
END_FUNCTION(tlbsync)

/* void halt(void) */
FUNCTION(halt)
    hlt
    ret
END_FUNCTION(halt)

/* void cpu_pause(void) */
FUNCTION(cpu_pause)
    pause
    ret
END_FUNCTION(cpu_pause)

/*
 * An instruction that touches memory of the guest below may fault because of what that guest or
 * the hypervisor did. Those that expect it are listed in the section .fixup, as pairs of their own
 * address and the one to go on at (guest_access.S); the error code is dropped. An image without
 * such instructions has an empty list.
 */
.macro FIXUP_SEARCH
    pushq %rax
    pushq %rcx
    pushq %rdx
    movq 32(%rsp), %rax
    leaq fixup_begin(%rip), %rcx
    leaq fixup_end(%rip), %rdx
1:  cmpq %rdx, %rcx
    jae 2f
    cmpq %rax, (%rcx)
    je 3f
    addq $16, %rcx
    jmp 1b
3:  movq 8(%rcx), %rax
    movq %rax, 32(%rsp)
    popq %rdx
    popq %rcx
    popq %rax
    addq $8, %rsp
    iretq
2:  popq %rdx
    popq %rcx
    popq %rax
.endm

/*
 * Exceptions with an error code. None of the handlers returns: what they need of the frame goes
 * to C, as f(RIP, error code). AMD APM Vol 2 (24593) 8.9.3: error code, RIP, CS, RFLAGS, RSP, SS.
 */
.macro EXCEPTION_ENTRY handler
FUNCTION(entry_\handler)
    FIXUP_SEARCH
    movq (%rsp), %rsi
    movq 8(%rsp), %rdi
    cld
    andq $-16, %rsp
    call \handler
    ud2
END_FUNCTION(entry_\handler)
.endm

EXCEPTION_ENTRY df_handler
EXCEPTION_ENTRY gp_handler
EXCEPTION_ENTRY pf_handler
EXCEPTION_ENTRY vc_handler

/* void *memset(void *to, int byte, size_t size) */
FUNCTION(memset)
    movq %rdi, %r8
    movzbl %sil, %eax
    movabsq $0x0101010101010101, %rcx
    imulq %rcx, %rax
    movq %rdx, %rcx
    shrq $3, %rcx
    rep stosq
    movl %edx, %ecx
    andl $7, %ecx
    rep stosb
    movq %r8, %rax
    ret
END_FUNCTION(memset)

/* void *memcpy(void *to, const void *from, size_t size) */
FUNCTION(memcpy)
    movq %rdi, %rax
    movq %rdx, %rcx
    shrq $3, %rcx
    rep movsq
    movl %edx, %ecx
    andl $7, %ecx
    rep movsb
    ret
END_FUNCTION(memcpy)

    .section .note.GNU-stack, "", @progbits
