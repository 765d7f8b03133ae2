/* SPDX-License-Identifier: MIT */
/*
 * Messages between a guest and the AMD-SP: header, types, statuses, payloads; the secrets page that
 * has their keys; what a launch measures; the table of certificates of an extended request.
 *
 * Source: amd/AMD-ASPFW (SEV firmware 1.55.25), fw/psp_bl_uapps/sev_uapp/src: sev_rmp.h
 * (snp_guest_message_header_t, snp_msg_*_t, snp_attestation_report_t, snp_mix_data_t), sev_mcmd.h
 * (snp_mcmd_launch_update_page_info_t, snp_launch_update_secrets_page_t). The second source of
 * each is named where it differs from Linux arch/x86/include/asm/sev.h (struct snp_guest_msg_hdr)
 * and virtee/sev src/firmware/guest/types/snp.rs.
 */
#ifndef SNPEMU_ABI_PSP_H
#define SNPEMU_ABI_PSP_H

/* ---- message: one page ---- */

#define PSP_TAG 0x00 /* of which 16 bytes are used */
#define PSP_TAG_SIZE 16
#define PSP_SEQUENCE 0x20
#define PSP_ALGO 0x30
#define PSP_HEADER_VERSION 0x31
#define PSP_HEADER_SIZE 0x32
#define PSP_TYPE 0x34
#define PSP_VERSION 0x35
#define PSP_SIZE 0x36
#define PSP_KEY 0x3C
#define PSP_PAYLOAD 0x60 /* and the header's size */
#define PSP_AAD PSP_ALGO
#define PSP_AAD_SIZE (PSP_PAYLOAD - PSP_AAD)

#define PSP_ALGO_AES_256_GCM 1
#define PSP_IV_SIZE 12
#define PSP_KEY_COUNT 4 /* VMPCK0 to VMPCK3 */
#define PSP_KEY_SIZE 32
#define PSP_MESSAGE_ALIGN 16 /* of the payload's size */

#define PSP_MSG_CPUID_REQ 1
#define PSP_MSG_KEY_REQ 3
#define PSP_MSG_REPORT_REQ 5
#define PSP_MSG_EXPORT_REQ 7
#define PSP_MSG_IMPORT_REQ 9
#define PSP_MSG_ABSORB_REQ 11
#define PSP_MSG_VMRK_REQ 13
#define PSP_MSG_ABSORB_NOMA_REQ 15
#define PSP_MSG_TSC_INFO_REQ 17

/* Firmware statuses: SW_EXITINFO2[31:0], or the first word of a response's payload. */
#define PSP_SUCCESS 0x00
#define PSP_BAD_MEASUREMENT 0x0B
#define PSP_INVALID_PARAM 0x16
#define PSP_AEAD_OFLOW 0x1D
#define PSP_INVALID_KEY 0x27

/* SW_EXITINFO2[63:32]: the hypervisor's own. Source: Linux include/uapi/linux/sev-guest.h. */
#define GUEST_REQUEST_INVALID_LENGTH (1ULL << 32)
#define GUEST_REQUEST_BUSY (2ULL << 32)

/* ---- MSG_REPORT ---- */

#define PSP_REPORT_REQ_SIZE 0x60
#define PSP_REPORT_REQ_DATA 0x00
#define PSP_REPORT_DATA_SIZE 64
#define PSP_REPORT_REQ_VMPL 0x40
#define PSP_REPORT_REQ_KEY_SELECT 0x44 /* bits 1:0; the others are reserved */
#define PSP_REPORT_REQ_RESERVED 0x48
#define PSP_KEY_SELECT_ANY 0 /* VLEK if there is one, else VCEK */
#define PSP_KEY_SELECT_VCEK 1
#define PSP_KEY_SELECT_VLEK 2

#define PSP_REPORT_RSP_STATUS 0x00
#define PSP_REPORT_RSP_REPORT_SIZE 0x04
#define PSP_REPORT_RSP_REPORT 0x20
#define PSP_REPORT_RSP_SIZE (PSP_REPORT_RSP_REPORT + REPORT_SIZE)

/* The report itself, version 2. */
#define REPORT_VERSION 0x000
#define REPORT_GUEST_SVN 0x004
#define REPORT_POLICY 0x008
#define REPORT_FAMILY_ID 0x010
#define REPORT_IMAGE_ID 0x020
#define REPORT_VMPL 0x030
#define REPORT_SIGNATURE_ALGO 0x034
#define REPORT_CURRENT_TCB 0x038
#define REPORT_PLATFORM_INFO 0x040
#define REPORT_KEY_INFO 0x048 /* 0 author key, 1 chip key masked, 4:2 signing key: 0 VCEK */
#define REPORT_DATA 0x050
#define REPORT_MEASUREMENT 0x090
#define REPORT_HOST_DATA 0x0C0
#define REPORT_HOST_DATA_SIZE 32
#define REPORT_ID_KEY_DIGEST 0x0E0
#define REPORT_AUTHOR_KEY_DIGEST 0x110
#define REPORT_ID 0x140
#define REPORT_ID_SIZE 32
#define REPORT_ID_MA 0x160
#define REPORT_REPORTED_TCB 0x180
#define REPORT_CHIP_ID 0x1A0
#define REPORT_CHIP_ID_SIZE 64
#define REPORT_COMMITTED_TCB 0x1E0
#define REPORT_CURRENT_BUILD 0x1E8
#define REPORT_CURRENT_MINOR 0x1E9
#define REPORT_CURRENT_MAJOR 0x1EA
#define REPORT_COMMITTED_BUILD 0x1EC
#define REPORT_COMMITTED_MINOR 0x1ED
#define REPORT_COMMITTED_MAJOR 0x1EE
#define REPORT_LAUNCH_TCB 0x1F0
#define REPORT_SIGNATURE 0x2A0 /* r and s, little endian, of what stands before it */
#define REPORT_SIGNATURE_S 0x2E8
#define REPORT_SIZE 0x4A0
#define REPORT_ALGO_ECDSA_P384_SHA384 1

/* ---- MSG_KEY ---- */

#define PSP_KEY_REQ_SIZE 0x20
#define PSP_KEY_REQ_ROOT 0x00 /* bit 0: 0 VCEK, 1 VMRK; bits 2:1 as PSP_REPORT_REQ_KEY_SELECT */
#define PSP_KEY_REQ_RESERVED 0x04
#define PSP_KEY_REQ_FIELDS 0x08
#define PSP_KEY_REQ_VMPL 0x10
#define PSP_KEY_REQ_SVN 0x14
#define PSP_KEY_REQ_TCB 0x18
#define PSP_KEY_ROOT_VMRK 1u
#define PSP_KEY_SELECT_SHIFT 1

#define PSP_FIELD_POLICY (1ULL << 0)
#define PSP_FIELD_IMAGE_ID (1ULL << 1)
#define PSP_FIELD_FAMILY_ID (1ULL << 2)
#define PSP_FIELD_MEASUREMENT (1ULL << 3)
#define PSP_FIELD_SVN (1ULL << 4)
#define PSP_FIELD_TCB (1ULL << 5)
#define PSP_FIELD_ALL 0x3FULL

#define PSP_KEY_RSP_STATUS 0x00
#define PSP_KEY_RSP_KEY 0x20
#define PSP_KEY_RSP_SIZE 0x40

/* ---- launch ---- */

/* The page that has the guest's keys. */
#define SECRETS_VERSION 0x00
#define SECRETS_VMPCK 0x20
#define SECRETS_VERSION_3 3

/* PAGE_INFO, whose SHA-384 is the next launch digest. */
#define PAGE_INFO_DIGEST 0x00
#define PAGE_INFO_CONTENTS 0x30 /* SHA-384 of the page, or zero */
#define PAGE_INFO_LENGTH 0x60
#define PAGE_INFO_TYPE 0x62
#define PAGE_INFO_VMPL1_PERM 0x66 /* after those of VMPL3 and VMPL2 */
#define PAGE_INFO_GPA 0x68
#define PAGE_INFO_SIZE 0x70
#define LAUNCH_DIGEST_SIZE 48

#define LAUNCH_NORMAL 1
#define LAUNCH_VMSA 2
#define LAUNCH_ZERO 3
#define LAUNCH_UNMEASURED 4
#define LAUNCH_SECRETS_PAGE 5
#define LAUNCH_CPUID_PAGE 6

/* Source: virtee/sev src/firmware/guest/types/snp.rs, GuestPolicy. */
#define POLICY_SMT (1ULL << 16)
#define POLICY_RESERVED_ONE (1ULL << 17)

/* ---- certificates of an extended request ---- */

/*
 * Entries of GUID (in the order of its digits), u32 offset from the table's start, u32 length; an
 * entry of zeroes ends them. Source: AMDESE/sev-guest src/cert-table.c, virtee/sev
 * src/firmware/linux/host/types/snp.rs.
 */
#define CERTIFICATE_ENTRY_SIZE 24
#define CERTIFICATE_GUID_SIZE 16
#define CERTIFICATE_VCEK_GUID "63da758d-e664-4564-adc5-f4b93be8accd"

#endif
