/* SPDX-License-Identifier: MIT */
/*
 * Control registers, page-table bits and exception vectors of the x86-64 architecture, as far as
 * emulator and guest share them.
 *
 * Source: AMD APM Vol 2 (24593), chapters 3, 5 and 8.
 */
#ifndef SNPEMU_ABI_X86_H
#define SNPEMU_ABI_X86_H

#define CR0_PE (1ULL << 0)
#define CR0_WP (1ULL << 16)
#define CR0_NW (1ULL << 29)
#define CR0_CD (1ULL << 30)
#define CR0_PG (1ULL << 31)
#define CR4_TSD (1ULL << 2)
#define CR4_DE (1ULL << 3)
#define CR4_PSE (1ULL << 4)
#define CR4_PAE (1ULL << 5)
#define CR4_PCE (1ULL << 8)
#define CR4_LA57 (1ULL << 12)
#define CR4_OSXSAVE (1ULL << 18)
#define CR4_SMEP (1ULL << 20)
#define CR4_SMAP (1ULL << 21)

#define PTE_PRESENT (1ULL << 0)
#define PTE_WRITE (1ULL << 1)
#define PTE_USER (1ULL << 2)
#define PTE_ACCESSED (1ULL << 5)
#define PTE_DIRTY (1ULL << 6)
#define PTE_LARGE (1ULL << 7)
#define PTE_NX (1ULL << 63)
#define PTE_ADDR_MASK 0x000FFFFFFFFFF000ULL

/* The C-bit of the machines modelled here. CPUID 0x8000001F EBX[5:0]. */
#define CBIT_POSITION 51
#define CBIT_MASK (1ULL << CBIT_POSITION)

/*
 * A segment's attributes in the short form that a VMSA has: byte 5 of the descriptor, then AVL, L,
 * D/B and G in bits 11:8. APM Vol 2, chapter 4, segment descriptors.
 */
#define SEGMENT_DPL(attributes) (((attributes) >> 5) & 3)
#define SEGMENT_LONG (1u << 9)
#define SEGMENT_DEFAULT (1u << 10)  /* D, B: 32-bit */
#define SEGMENT_GRANULAR (1u << 11) /* G: the limit counts pages */
#define SEGMENT_CODE_64 0xA9Bu
#define SEGMENT_CODE_32 0xC9Bu
#define SEGMENT_CODE_16 0x09Bu
#define SEGMENT_DATA_32 0xC93u
#define SEGMENT_DATA_16 0x093u

#define PAGE_SHIFT 12
#define PAGE_SIZE 0x1000ULL
#define PAGE_MASK 0xFFFULL
#define LARGE_PAGE_SIZE 0x200000ULL
#define PAGES_PER_LARGE_PAGE 512

#define RFLAGS_CF (1ULL << 0)
#define RFLAGS_FIXED (1ULL << 1)
#define RFLAGS_PF (1ULL << 2)
#define RFLAGS_AF (1ULL << 4)
#define RFLAGS_ZF (1ULL << 6)
#define RFLAGS_SF (1ULL << 7)
#define RFLAGS_TF (1ULL << 8)
#define RFLAGS_IF (1ULL << 9)
#define RFLAGS_DF (1ULL << 10)
#define RFLAGS_OF (1ULL << 11)
#define RFLAGS_NT (1ULL << 14)
#define RFLAGS_RF (1ULL << 16)
#define RFLAGS_VM (1ULL << 17)
#define RFLAGS_AC (1ULL << 18)

/* Breakpoints 0 to 3; access to a debug register under GD; single step. */
#define DR6_B 0xFULL
#define DR6_BD (1ULL << 13)
#define DR6_BS (1ULL << 14)
#define DR6_WRITABLE 0xE00FULL
#define DR6_FIXED 0xFFFF0FF0ULL
/* Of breakpoint n: L and G enable it, type and length say of what. */
#define DR7_ENABLE(n) (3ULL << (2 * (n)))
#define DR7_GD (1ULL << 13)
#define DR7_TYPE(dr7, n) ((unsigned)((dr7) >> (16 + 4 * (n))) & 3)
#define DR7_LENGTH(dr7, n) ((unsigned)((dr7) >> (18 + 4 * (n))) & 3)
#define DR7_TYPE_EXECUTE 0
#define DR7_TYPE_WRITE 1
#define DR7_TYPE_IO 2
#define DR7_TYPE_ACCESS 3
#define DR7_WRITABLE 0xFFFF2FFFULL
#define DR7_FIXED 0x400ULL
#define DR_BREAKPOINTS 4

#define VECTOR_DE 0
#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_UD 6
#define VECTOR_NM 7
#define VECTOR_DF 8
#define VECTOR_TS 10
#define VECTOR_NP 11
#define VECTOR_SS 12
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_MF 16
#define VECTOR_AC 17
#define VECTOR_MC 18
#define VECTOR_XM 19
#define VECTOR_HV 28
#define VECTOR_VC 29

#define PF_PRESENT (1u << 0)
#define PF_WRITE (1u << 1)
#define PF_USER (1u << 2)
#define PF_RESERVED (1u << 3)
#define PF_FETCH (1u << 4)

/* Error codes of #VC. APM Vol 2 15.35.5 and 15.36.10. */
#define VC_DR7_READ 0x27u
#define VC_DR7_WRITE 0x37u
#define VC_EXCEPTION_DB 0x41u
#define VC_RDPMC 0x6Fu
#define VC_CPUID 0x72u
#define VC_INVD 0x76u
#define VC_INVLPGA 0x7Au
#define VC_IOIO 0x7Bu
#define VC_MSR 0x7Cu
#define VC_VMRUN 0x80u
#define VC_VMMCALL 0x81u
#define VC_SKINIT 0x86u
#define VC_WBINVD 0x89u
#define VC_MONITOR 0x8Au
#define VC_MWAIT 0x8Bu
#define VC_RDPRU 0x8Eu
#define VC_PAGE_NOT_VALIDATED 0x404u

#endif
