/* SPDX-License-Identifier: MIT */
/*
 * Non-automatic exit (NAE) events: the values of SW_EXITCODE and the layouts that go with them.
 *
 * Source: AMD 56421, NAE event summary; Linux arch/x86/include/uapi/asm/svm.h and
 * arch/x86/include/asm/sev-common.h.
 */
#ifndef SNPEMU_ABI_NAE_H
#define SNPEMU_ABI_NAE_H

#define NAE_DR7_READ 0x27ULL
#define NAE_DR7_WRITE 0x37ULL
#define NAE_RDTSC 0x6EULL
#define NAE_RDPMC 0x6FULL
#define NAE_CPUID 0x72ULL
#define NAE_INVD 0x76ULL
#define NAE_IOIO 0x7BULL
#define NAE_MSR 0x7CULL
#define NAE_VMMCALL 0x81ULL
#define NAE_RDTSCP 0x87ULL
#define NAE_WBINVD 0x89ULL
#define NAE_MONITOR 0x8AULL
#define NAE_MWAIT 0x8BULL
#define NAE_MMIO_READ 0x80000001ULL
#define NAE_MMIO_WRITE 0x80000002ULL
#define NAE_NMI_COMPLETE 0x80000003ULL
#define NAE_AP_RESET_HOLD 0x80000004ULL
#define NAE_AP_JUMP_TABLE 0x80000005ULL
#define NAE_PAGE_STATE_CHANGE 0x80000010ULL
#define NAE_GUEST_REQUEST 0x80000011ULL
#define NAE_EXT_GUEST_REQUEST 0x80000012ULL
#define NAE_AP_CREATION 0x80000013ULL
#define NAE_HV_DOORBELL 0x80000014ULL
#define NAE_HV_IPI 0x80000015ULL
#define NAE_HV_TIMER 0x80000016ULL
#define NAE_APIC_ID_LIST 0x80000017ULL
#define NAE_RUN_VMPL 0x80000018ULL
#define NAE_SECURE_AVIC 0x8000001AULL
/* The next three: coconut-svsm/svsm kernel/src/sev/ghcb.rs, GHCBExitCode. */
#define NAE_CONFIGURE_INTERRUPT 0x8000001BULL
#define NAE_DISABLE_ALTERNATE 0x8000001CULL
#define NAE_SPECIFIC_EOI 0x8000001DULL
#define NAE_HV_FEATURES 0x8000FFFDULL
#define NAE_TERMINATE 0x8000FFFEULL
#define NAE_UNSUPPORTED_EVENT 0x8000FFFFULL

/* MSR access: SW_EXITINFO1. Source: AMD APM Vol 2 (24593), MSR intercept, EXITINFO1. */
#define NAE_MSR_READ 0
#define NAE_MSR_WRITE 1

/* AP jump table: SW_EXITINFO1. Source: Linux uapi/asm/svm.h. */
#define AP_JUMP_TABLE_SET 0
#define AP_JUMP_TABLE_GET 1

/*
 * AP creation: SW_EXITINFO1 holds the request in 15:0, the VMPL in 19:16, the APIC ID in 63:32.
 * Source: Linux uapi/asm/svm.h; VMPL: LKML 20260608144252.351443-58-joro@8bytes.org.
 */
#define AP_CREATE_ON_INIT 0
#define AP_CREATE 1
#define AP_DESTROY 2
#define AP_CREATE_VMPL_SHIFT 16
#define AP_CREATE_VMPL_MASK 0xFULL
#define AP_CREATE_APIC_ID_SHIFT 32

/* #HV doorbell page: SW_EXITINFO1. Source: LKML 20260608144252.351443-3-joro@8bytes.org. */
#define DOORBELL_GET_PREFERRED 0
#define DOORBELL_SET 1
#define DOORBELL_QUERY 2
#define DOORBELL_CLEAR 3
#define DOORBELL_NONE (~0ULL)

/*
 * The page itself: one byte each. A vector is 0 when none is pending.
 * Source: coconut-svsm/svsm kernel/src/sev/hv_doorbell.rs (HVDoorbell, HVDoorbellFlags); Linux
 * guest patches, arch/x86/kernel/sev.c struct sev_hv_doorbell_page.
 */
#define DOORBELL_VECTOR 0x00
#define DOORBELL_FLAGS 0x01
#define DOORBELL_NO_EOI 0x02 /* bit 0: no explicit EOI is required */
#define DOORBELL_FLAG_NMI 0x01
#define DOORBELL_FLAG_MC 0x02
#define DOORBELL_FLAG_NO_FURTHER_SIGNAL 0x80

/* Termination: SW_EXITINFO1. Source: Linux uapi/asm/svm.h (SVM_VMGEXIT_TERM_REASON). */
#define NAE_TERM_SET_SHIFT 0
#define NAE_TERM_CODE_SHIFT 4

/* Port I/O: SW_EXITINFO1. Source: AMD APM Vol 2 (24593), IOIO intercept, EXITINFO1. */
#define IOIO_IN 0x1ULL
#define IOIO_STRING 0x4ULL
#define IOIO_REP 0x8ULL
#define IOIO_SIZE_8 0x10ULL
#define IOIO_SIZE_16 0x20ULL
#define IOIO_SIZE_32 0x40ULL
#define IOIO_SIZE_SHIFT 4
#define IOIO_SIZE_MASK 0x7ULL
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
