/* SPDX-License-Identifier: MIT */
/*
 * The data that entry code and launcher depend on, each part at a fixed place (svsm.lds): boot
 * stack, launch page tables, early GHCB, descriptor tables, the variables of start.S.
 *
 * Layout as published: AMDESE/linux-svsm a2d150f959ed, src/start/start.S.
 */
#include "abi/svsm.h"
#include "abi/x86.h"
#include "asm.h"

#define GPA(symbol) (symbol - SVSM_VA_OFFSET)
#define TABLE(symbol) (GPA(symbol) + CBIT_MASK + PTE_PRESENT + PTE_WRITE)
#define LARGE_LEAF (CBIT_MASK + PTE_PRESENT + PTE_WRITE + PTE_LARGE)

/* Where SVSM memory begins in each level of the tables. */
#define P4D_INDEX 0x101
#define PUD_INDEX 0
#define PMD_COUNT (SVSM_MEM_SIZE / LARGE_PAGE_SIZE)

    .section .data.layout, "aw"
    .balign PAGE_SIZE

/* The guard page stays mapped until pgtable.c builds the final tables. */
OBJECT(bsp_guard_page)
    .fill PAGE_SIZE, 1, 0
END_OBJECT(bsp_guard_page)
OBJECT(bsp_stack)
    .fill 4 * PAGE_SIZE, 1, 0
END_OBJECT(bsp_stack)
bsp_stack_end:

OBJECT(p4d)
    .fill P4D_INDEX, 8, 0
    .quad TABLE(pud)
    .fill 511 - P4D_INDEX, 8, 0
END_OBJECT(p4d)
OBJECT(pud)
    .fill PUD_INDEX, 8, 0
    .quad TABLE(pmd)
    .fill 511 - PUD_INDEX, 8, 0
END_OBJECT(pud)
OBJECT(pmd)
    .set .Lregion, SVSM_GPA
    .rept PMD_COUNT
    .quad .Lregion + LARGE_LEAF
    .set .Lregion, .Lregion + LARGE_PAGE_SIZE
    .endr
    .fill 512 - PMD_COUNT, 8, 0
END_OBJECT(pmd)
/* Spare: start.S splits the 2 MiB page that holds the early GHCB. */
OBJECT(pte)
    .fill 512, 8, 0
END_OBJECT(pte)

OBJECT(ghcb)
    .fill PAGE_SIZE, 1, 0
END_OBJECT(ghcb)

OBJECT(gdt64)
    .quad 0
    .quad SVSM_CS_DESCRIPTOR
    .quad 0x00cf92000000ffff /* data */
    .quad 0x0080890000000000 /* TSS, 16 bytes */
    .quad 0
END_OBJECT(gdt64)

/* The launcher's IDT: nothing present. idt.c loads a better one. */
OBJECT(idt64)
    .fill 256 * 2, 8, 0
END_OBJECT(idt64)

/* What the entry code runs; AP start-up changes all three. */
OBJECT(hl_main)
    .quad svsm_main
END_OBJECT(hl_main)
OBJECT(cpu_stack)
    .quad bsp_stack_end
END_OBJECT(cpu_stack)
OBJECT(cpu_mode)
    .quad 0
END_OBJECT(cpu_mode)

/* Set by start.S. Virtual addresses. */
OBJECT(early_ghcb)
    .quad 0
END_OBJECT(early_ghcb)
OBJECT(svsm_begin)
    .quad 0
END_OBJECT(svsm_begin)
OBJECT(svsm_end)
    .quad 0
END_OBJECT(svsm_end)
OBJECT(dyn_mem_begin)
    .quad 0
END_OBJECT(dyn_mem_begin)
OBJECT(dyn_mem_end)
    .quad 0
END_OBJECT(dyn_mem_end)

    .section .note.GNU-stack, "", @progbits
