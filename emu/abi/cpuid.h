/* SPDX-License-Identifier: MIT */
/*
 * The CPUID page that the AMD-SP checks at launch: u32 count, 12 reserved bytes, then entries.
 * Source: AMD 56860 SEV-SNP firmware ABI, CPUID page; Linux arch/x86/include/asm/sev.h.
 */
#ifndef SNPEMU_ABI_CPUID_H
#define SNPEMU_ABI_CPUID_H

#define CPUID_PAGE_COUNT 0x000
#define CPUID_PAGE_ENTRIES 0x010
#define CPUID_ENTRY_SIZE 0x30
#define CPUID_ENTRY_MAX 64

/* Byte offsets inside an entry. */
#define CPUID_ENTRY_EAX_IN 0x00
#define CPUID_ENTRY_ECX_IN 0x04
#define CPUID_ENTRY_XCR0_IN 0x08
#define CPUID_ENTRY_XSS_IN 0x10
#define CPUID_ENTRY_EAX 0x18
#define CPUID_ENTRY_EBX 0x1C
#define CPUID_ENTRY_ECX 0x20
#define CPUID_ENTRY_EDX 0x24

#define CPUID_LEAF_EXTENDED_TOPOLOGY 0xBu
#define CPUID_LEAF_SEV 0x8000001Fu
#define CPUID_SEV_EAX_RMPQUERY (1u << 6)

#endif
