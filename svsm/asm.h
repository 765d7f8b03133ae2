/* SPDX-License-Identifier: MIT */
/* What the assembly files share, and what they share with idt.c. C sees the functions in cpu.h. */
#ifndef SVSM_ASM_H
#define SVSM_ASM_H

/* The 64-bit code segment, as in the GDT. */
#define SVSM_CS_SELECTOR 0x08
#define SVSM_CS_DESCRIPTOR 0x00af9a000000ffff

#ifdef __ASSEMBLER__
/* Not C. */
/* clang-format off */

/* Symbols carry type and size: a trap is reported by the name of the function that holds it. */
#define FUNCTION(name)                                                                             \
    .globl name;                                                                                   \
    .type name, @function;                                                                         \
    name:                                                                                          \
    .cfi_startproc
#define END_FUNCTION(name)                                                                         \
    .cfi_endproc;                                                                                  \
    .size name, . - name

#define OBJECT(name)                                                                               \
    .globl name;                                                                                   \
    .type name, @object;                                                                           \
    name:
#define END_OBJECT(name) .size name, . - name

/* Encodings: AMD APM Vol 3 (24594). As bytes, so that any assembler takes them. */
#define VMGEXIT .byte 0xf3, 0x0f, 0x01, 0xd9
#define PVALIDATE .byte 0xf2, 0x0f, 0x01, 0xff
#define RMPADJUST .byte 0xf3, 0x0f, 0x01, 0xfe
#define INVLPGB .byte 0x0f, 0x01, 0xfe
#define TLBSYNC .byte 0x0f, 0x01, 0xff

/* Secrets, CPUID and BIOS VMSA page, which the launcher puts after the image, in this order. */
#define LAUNCH_PAGES_SIZE (3 * PAGE_SIZE)

    .cfi_sections .debug_frame

/* clang-format on */
#endif

#endif
