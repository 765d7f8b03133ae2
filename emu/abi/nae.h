/* SPDX-License-Identifier: MIT */
/*
 * Non-automatic exit (NAE) events: the values of SW_EXITCODE and the layouts that go with them.
 *
 * Source: AMD 56421, NAE event summary; Linux arch/x86/include/uapi/asm/svm.h and
 * arch/x86/include/asm/sev-common.h.
 */
#ifndef SNPEMU_ABI_NAE_H
#define SNPEMU_ABI_NAE_H

#define NAE_CPUID 0x72ULL
#define NAE_IOIO 0x7BULL
#define NAE_MSR 0x7CULL
#define NAE_PAGE_STATE_CHANGE 0x80000010ULL
#define NAE_AP_CREATION 0x80000013ULL
#define NAE_APIC_ID_LIST 0x80000017ULL
#define NAE_RUN_VMPL 0x80000018ULL
#define NAE_HV_FEATURES 0x8000FFFDULL
#define NAE_TERMINATE 0x8000FFFEULL

/* Port I/O: SW_EXITINFO1. Source: AMD APM Vol 2 (24593), IOIO intercept, EXITINFO1. */
#define IOIO_IN 0x1ULL
#define IOIO_STRING 0x4ULL
#define IOIO_REP 0x8ULL
#define IOIO_SIZE_8 0x10ULL
#define IOIO_SIZE_16 0x20ULL
#define IOIO_SIZE_32 0x40ULL
#define IOIO_ADDR_16 0x80ULL
#define IOIO_ADDR_32 0x100ULL
#define IOIO_ADDR_64 0x200ULL
#define IOIO_PORT_SHIFT 16

/*
 * Page state change buffer: u16 cur_entry, u16 end_entry (inclusive), u32 reserved, then 64-bit
 * entries. Source: Linux sev-common.h (struct psc_hdr, struct psc_entry).
 */
#define PSC_HEADER_SIZE 8
#define PSC_ENTRY_SIZE 8
#define PSC_ENTRY_MAX 253 /* (0x7F0 - 8) / 8 */
#define PSC_CUR_PAGE_MASK 0xFFFULL
#define PSC_GPA_MASK 0x000FFFFFFFFFF000ULL
#define PSC_OP_SHIFT 52
#define PSC_OP_MASK 0xFULL
#define PSC_OP_PRIVATE 1ULL
#define PSC_OP_SHARED 2ULL
#define PSC_OP_PSMASH 3ULL
#define PSC_OP_UNSMASH 4ULL
#define PSC_PAGE_SIZE_2M (1ULL << 56)
/* SW_EXITINFO2 of an answer; 0 is "all entries done". */
#define PSC_INFO2_INVALID_HEADER 0x0000000100000001ULL
#define PSC_INFO2_INVALID_ENTRY 0x0000000100000002ULL
#define PSC_INFO2_GENERIC 0x0000010000000000ULL

/*
 * APIC ID list: RAX in = pages the guest lends, RAX out = pages needed when that is too few. The
 * list is a u32 count followed by that many u32 APIC IDs.
 * Source: LKML 20260608144252.351443-57-joro@8bytes.org (KVM, GET_AP_APIC_IDS).
 */
#define APIC_ID_LIST_HEADER_SIZE 4
#define APIC_ID_LIST_ENTRY_SIZE 4

#endif
