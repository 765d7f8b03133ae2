/* SPDX-License-Identifier: MIT */
/*
 * What the launcher reads: GUID tables in the image's last bytes, walked downwards. Formats and
 * GUIDs are described in abi/svsm.h. svsm.lds knows the size of this section.
 */
#include "abi/svsm.h"
#include "abi/x86.h"
#include "asm.h"

#define GPA(symbol) (symbol - SVSM_VA_OFFSET)

/* Start state of the BSP. Source: linux-svsm src/start/svsm.h. */
#define START_EFER 0x1d00    /* SVME, NXE, LMA, LME */
#define START_CR0 0x80010033 /* PG, WP, NE, ET, MP, PE */
#define START_CR4 0x668      /* OSXMMEXCPT, OSFXSR, MCE, PAE, DE */
#define GDT_LIMIT 0x27
#define IDT_LIMIT 0xfff

    .section .guids, "aw"

OBJECT(svsm_metadata)
    .ascii SVSM_METADATA_SIGNATURE
    .long metadata_end - svsm_metadata
    .long SVSM_METADATA_VERSION
    .long (metadata_end - metadata_sections) / 16
metadata_sections:
    .quad GPA(edata)
    .long PAGE_SIZE
    .long SVSM_SECTION_SECRETS
    .quad GPA(edata) + PAGE_SIZE
    .long PAGE_SIZE
    .long SVSM_SECTION_CPUID
    .quad GPA(edata) + 2 * PAGE_SIZE
    .long PAGE_SIZE
    .long SVSM_SECTION_BIOS_VMSA
metadata_end:
END_OBJECT(svsm_metadata)

OBJECT(svsm_guids)
metadata_entry:
    .long guids_end - svsm_metadata
    .word metadata_entry_end - metadata_entry
    .byte 0x9b, 0x18, 0x30, 0xbe, 0x44, 0xab, 0x97, 0x4a /* SVSM_GUID_METADATA */
    .byte 0x82, 0xdd, 0xea, 0x81, 0x39, 0x41, 0x04, 0x7e
metadata_entry_end:

info_entry:
    .quad SVSM_GPA
    .quad SVSM_MEM_SIZE
    .quad GPA(p4d) + CBIT_MASK
    .quad gdt64
    .word GDT_LIMIT
    .quad idt64
    .word IDT_LIMIT
    .word SVSM_CS_SELECTOR
    .quad SVSM_CS_DESCRIPTOR
    .quad code_64
    .quad START_EFER
    .quad START_CR0
    .quad START_CR4
    .word info_entry_end - info_entry
    .byte 0x12, 0xa6, 0x89, 0xa7, 0x97, 0x05, 0x4b, 0x4c /* SVSM_GUID_INFO */
    .byte 0xa4, 0x9f, 0xcb, 0xb1, 0xfe, 0x9d, 0x1d, 0xdd
info_entry_end:

    .word guids_end - svsm_guids
    .byte 0xea, 0x4f, 0x38, 0x81, 0x48, 0xad, 0xb6, 0x4e /* SVSM_GUID_ENVELOPE */
    .byte 0xaf, 0x4f, 0x6a, 0xc4, 0x93, 0x16, 0xdf, 0x2b
guids_end:
END_OBJECT(svsm_guids)

    .section .note.GNU-stack, "", @progbits
