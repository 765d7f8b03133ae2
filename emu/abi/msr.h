/* SPDX-License-Identifier: MIT */
/*
 * Model-specific registers that the boot path of an SNP guest touches, and the GHCB MSR protocol.
 *
 * Source: AMD APM Vol 2 (24593), MSR cross-reference and section 15.35.7; AMD 56421, GHCB MSR
 * protocol; Linux arch/x86/include/asm/sev-common.h.
 */
#ifndef SNPEMU_ABI_MSR_H
#define SNPEMU_ABI_MSR_H

#define MSR_TSC 0x10u
#define MSR_APIC_BASE 0x1Bu
#define MSR_MTRR_CAP 0xFEu
#define MSR_SYSENTER_CS 0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_MCG_CAP 0x179u /* and STATUS, CTL */
#define MSR_MISC_ENABLE 0x1A0u
#define MSR_MTRR_VARIABLE 0x200u /* 8 pairs of base and mask */
#define MSR_MTRR_FIXED_64K 0x250u
#define MSR_MTRR_FIXED_16K 0x258u /* 2 */
#define MSR_MTRR_FIXED_4K 0x268u  /* 8 */
#define MSR_MTRR_DEF_TYPE 0x2FFu
#define MSR_X2APIC 0x800u /* to 0x8FF */
#define MSR_EFER 0xC0000080
#define MSR_STAR 0xC0000081
#define MSR_LSTAR 0xC0000082
#define MSR_CSTAR 0xC0000083
#define MSR_SFMASK 0xC0000084
#define MSR_FS_BASE 0xC0000100
#define MSR_GS_BASE 0xC0000101
#define MSR_KERNEL_GS_BASE 0xC0000102
#define MSR_TSC_AUX 0xC0000103
#define MSR_PAT 0x277u
#define MSR_XSS 0xDA0u
#define MSR_SYSCFG 0xC0010010
#define MSR_HWCR 0xC0010015
#define MSR_VM_CR 0xC0010114
#define MSR_VM_HSAVE_PA 0xC0010117
#define MSR_VM_PAGE_FLUSH 0xC001011E
#define MSR_GHCB 0xC0010130
#define MSR_SEV_STATUS 0xC0010131
#define MSR_RMP_BASE 0xC0010132
#define MSR_RMP_END 0xC0010133
#define MSR_GUEST_TSC_FREQ 0xC0010134
#define MSR_VIRTUAL_TOM 0xC0010135
#define VIRTUAL_TOM_MASK 0x000FFFFFFFE00000ULL /* the other bits read as zero */
#define MSR_SECURE_AVIC 0xC0010138
#define MSR_SVSM_CAA 0xC001F000

#define EFER_SCE (1ULL << 0)
#define EFER_LME (1ULL << 8)
#define EFER_LMA (1ULL << 10)
#define EFER_NXE (1ULL << 11)
#define EFER_SVME (1ULL << 12)
#define EFER_LMSLE (1ULL << 13)
#define EFER_FFXSR (1ULL << 14)
#define EFER_TCE (1ULL << 15)
#define EFER_MCOMMIT (1ULL << 17)
#define EFER_INTWB (1ULL << 18)
#define EFER_UAIE (1ULL << 20)
#define EFER_AIBRSE (1ULL << 21)

#define PAT_RESET 0x0007040600070406ULL

/* SEV_FEATURES of the VMSA. APM Vol 2 15.34.10. */
#define SEV_FEATURE_VTOM (1ULL << 1)
#define SEV_FEATURE_DEBUG_SWAP (1ULL << 5)

/* SEV_STATUS = SEV_FEATURES << 2 with SEV-ES in bit 1 and SEV in bit 0. APM Vol 2 15.34.10. */
#define SEV_STATUS_SEV (1ULL << 0)
#define SEV_STATUS_SEV_ES (1ULL << 1)
#define SEV_STATUS_SNP (1ULL << 2)
#define SEV_STATUS_VTOM (1ULL << 3)
#define SEV_STATUS_REFLECT_VC (1ULL << 4)
#define SEV_STATUS_RESTRICTED_INJECTION (1ULL << 5)

/* GHCBInfo, bits 11:0 of the GHCB MSR. 0 selects the GHCB page, whose GPA is then in 63:12. */
#define GHCB_MSR_INFO_MASK 0xFFFULL
#define GHCB_MSR_PAGE 0x000
#define GHCB_MSR_SEV_INFO_RESP 0x001
#define GHCB_MSR_SEV_INFO_REQ 0x002
#define GHCB_MSR_CPUID_REQ 0x004
#define GHCB_MSR_CPUID_RESP 0x005
#define GHCB_MSR_AP_RESET_HOLD_REQ 0x006
#define GHCB_MSR_AP_RESET_HOLD_RESP 0x007 /* 63:12 not zero: a start-up interrupt came */
#define GHCB_MSR_PREF_GPA_REQ 0x010
#define GHCB_MSR_PREF_GPA_RESP 0x011
#define GHCB_MSR_REGISTER_REQ 0x012
#define GHCB_MSR_REGISTER_RESP 0x013
#define GHCB_MSR_PSC_REQ 0x014
#define GHCB_MSR_PSC_RESP 0x015
#define GHCB_MSR_RUN_VMPL_REQ 0x016
#define GHCB_MSR_RUN_VMPL_RESP 0x017
#define GHCB_MSR_FEATURES_REQ 0x080
#define GHCB_MSR_FEATURES_RESP 0x081
#define GHCB_MSR_TERMINATE 0x100

/* SEV information response: 63:48 highest version, 47:32 lowest version, 31:24 C-bit position. */
#define GHCB_MSR_SEV_INFO_MAX_SHIFT 48
#define GHCB_MSR_SEV_INFO_MIN_SHIFT 32
#define GHCB_MSR_SEV_INFO_CBIT_SHIFT 24

/* Page state change: operation (PSC_OP_*) in 55:52, GPA in 51:12; response error in 63:32. */
#define GHCB_MSR_PSC_OP_SHIFT 52
#define GHCB_MSR_PSC_ERROR (1ULL << 63)

/* Run VMPL: the VMPL in 39:32; response error in 63:32. */
#define GHCB_MSR_RUN_VMPL_SHIFT 32
#define GHCB_MSR_RUN_VMPL_ERROR (1ULL << 32)

/* Termination: reason set in 15:12, reason code in 23:16. */
#define GHCB_MSR_TERM_SET_SHIFT 12
#define GHCB_MSR_TERM_CODE_SHIFT 16

/* Hypervisor features, bits of GHCBData in the 0x081 response. */
#define HV_FEATURE_SNP (1ULL << 0)
#define HV_FEATURE_AP_CREATION (1ULL << 1)
#define HV_FEATURE_RESTRICTED_INJECTION (1ULL << 2)
#define HV_FEATURE_RESTRICTED_INJECTION_TIMER (1ULL << 3)
#define HV_FEATURE_APIC_ID_LIST (1ULL << 4)
#define HV_FEATURE_MULTI_VMPL (1ULL << 5)

#endif
