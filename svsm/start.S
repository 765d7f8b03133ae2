/* SPDX-License-Identifier: MIT */
/*
 * From the first instruction to C: check that C-bit and load address are what the image was built
 * for, share the early GHCB with the hypervisor, clear bss. An AP comes here too (cpu_mode != 0)
 * and goes straight to hl_main.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/start/start.S.
 */
#include "abi/msr.h"
#include "abi/rmp.h"
#include "abi/svsm.h"
#include "abi/x86.h"
#include "asm.h"

/*
 * What the stub at the end writes to the GHCB MSR: the termination request, set 0xf. start_checked.S,
 * which includes this file, has others, and two for when the early GHCB cannot be shared. Here there
 * are none: RSI then holds the page's address, and the stub sends that, as the published image does.
 */
#ifndef START_CHECKED
#define STUB_BAD_CBIT 0x1f100
#define STUB_BAD_ADDRESS 0x2f100
#define STUB_MAIN_RETURNED 0x3f100
#define SHARE_FAILED terminate_64
#endif

#define TABLE_FLAGS (PTE_PRESENT | PTE_WRITE)
#define PTES_PER_TABLE 512

    .section .text.reset, "ax"

FUNCTION(code_64)
    cli
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %ss
    movq cpu_stack(%rip), %rsp

    cmpl $0, cpu_mode(%rip)
    jne .Lenter_main
    movl %eax, %gs /* an AP's GS base was set for it */

    /*
     * Is the C-bit where the page tables put it? Instruction bytes are always decrypted when
     * fetched, so data read at the same address equals them only if the mapping decrypts too.
     * The immediate is the encoding of the compare's own first four bytes.
     */
    movl $STUB_BAD_CBIT, %esi
.Lself:
    cmpl $0xfff63d81, .Lself(%rip)
    jne terminate_64

    movl $STUB_BAD_ADDRESS, %esi
    movabsq $SVSM_VA_OFFSET, %rbx
    leaq code_64(%rip), %rax
    subq %rbx, %rax
    movabsq $SVSM_GPA, %rcx
    cmpq %rcx, %rax
    jne terminate_64

    /*
     * The early GHCB leaves the guest's memory: rescind, then ask the host to take it. The published
     * image does not look at EAX of PVALIDATE.
     */
    leaq ghcb(%rip), %rsi
    movq %rsi, early_ghcb(%rip)
    movq %rsi, %rax
    xorl %ecx, %ecx
    xorl %edx, %edx
    PVALIDATE
#ifdef START_CHECKED
    jc .Lrescind_failed
    testl %eax, %eax
    jnz .Lrescind_failed
#else
    jc terminate_64
#endif

    subq %rbx, %rsi
    movl $MSR_GHCB, %ecx
    rdmsr
    pushq %rax
    pushq %rdx
    movabsq $(2 << GHCB_MSR_PSC_OP_SHIFT) + GHCB_MSR_PSC_REQ, %rax
    addq %rsi, %rax
    movq %rax, %rdx
    shrq $32, %rdx
    wrmsr
    VMGEXIT
    rdmsr
    cmpq $GHCB_MSR_PSC_RESP, %rax
    jne SHARE_FAILED
    testq %rdx, %rdx
    jne SHARE_FAILED
    popq %rdx
    popq %rax
    wrmsr

    /* The 2 MiB mapping around the GHCB becomes 512 private pages, the GHCB's own shared. */
    movq %rsi, %rax
    andq $-LARGE_PAGE_SIZE, %rax
    movabsq $CBIT_MASK + TABLE_FLAGS, %rdx
    addq %rdx, %rax
    leaq pte(%rip), %rdi
    movl $PTES_PER_TABLE, %ecx
.Lfill:
    movq %rax, (%rdi)
    addq $PAGE_SIZE, %rax
    addq $8, %rdi
    decl %ecx
    jnz .Lfill

    movq %rsi, %rax
    shrq $PAGE_SHIFT, %rax
    andl $(PTES_PER_TABLE - 1), %eax
    leaq pte(%rip), %rdi
    leaq TABLE_FLAGS(%rsi), %rcx
    movq %rcx, (%rdi, %rax, 8)

    movq %rsi, %rax
    shrq $(PAGE_SHIFT + 9), %rax
    andl $(PTES_PER_TABLE - 1), %eax
    subq %rbx, %rdi
    addq %rdx, %rdi
    leaq pmd(%rip), %rcx
    movq %rdi, (%rcx, %rax, 8)

    movq %cr3, %rax
    movq %rax, %cr3

    cld
    xorl %eax, %eax
    leaq ghcb(%rip), %rdi
    movl $(PAGE_SIZE / 8), %ecx
    rep stosq
    leaq sbss(%rip), %rdi
    leaq ebss(%rip), %rcx
    subq %rdi, %rcx
    shrq $3, %rcx
    rep stosq

    movabsq $SVSM_GPA + SVSM_VA_OFFSET, %rax
    movq %rax, svsm_begin(%rip)
    addq $SVSM_MEM_SIZE, %rax
    movq %rax, svsm_end(%rip)
    movq %rax, dyn_mem_end(%rip)
    leaq edata(%rip), %rax
    addq $LAUNCH_PAGES_SIZE, %rax
    movq %rax, dyn_mem_begin(%rip)

.Lenter_main:
    xorl %edi, %edi
    xorl %esi, %esi
    xorl %edx, %edx
    xorl %ecx, %ecx
    xorl %r8d, %r8d
    xorl %r9d, %r9d
    callq *hl_main(%rip)
    movl $STUB_MAIN_RETURNED, %esi
    jmp terminate_64

#ifdef START_CHECKED
.Lrescind_failed:
    movl $STUB_RESCIND_FAILED, %esi
    jmp terminate_64
.Lshare_failed:
    movl $STUB_SHARE_FAILED, %esi
    jmp terminate_64
#endif
END_FUNCTION(code_64)

/* Give RSI's low half to the hypervisor through the GHCB MSR, and stop. */
FUNCTION(terminate_64)
    movq %rsi, %rax
    xorl %edx, %edx
    movl $MSR_GHCB, %ecx
    wrmsr
    VMGEXIT
.Lstop:
    hlt
    jmp .Lstop
END_FUNCTION(terminate_64)

    .section .note.GNU-stack, "", @progbits
