/* SPDX-License-Identifier: MIT */
/*
 * What a firmware image tells its launcher and the SVSM that starts it, and how the guest that it
 * becomes asks the SVSM for something.
 *
 * The image ends at 4 GiB. A GUID table, in the form of abi/svsm.h, ends 32 bytes below its end;
 * the entry for SEV holds a u32, the distance of the metadata from the image's end. Metadata:
 * "ASEV", u32 length, u32 version, u32 section count; then sections of u32 GPA, u32 size, u32 type.
 *
 * Source: AMDESE/qemu branch svsm-preview-v4 hw/i386/pc_sysfw_guid_parse.c, include/hw/i386/pc.h
 * (SEV_DESC_TYPE_*), target/i386/sev.c (snp_populate_metadata_pages); AMDESE/linux-svsm at
 * a2d150f959ed src/bios.rs.
 */
#ifndef SNPEMU_ABI_FIRMWARE_H
#define SNPEMU_ABI_FIRMWARE_H

#define FIRMWARE_END_GPA 0x100000000ULL
#define FIRMWARE_TABLE_DISTANCE 32 /* of the GUID table's end from the image's end */

#define FIRMWARE_GUID_TABLE "96b582de-1fb2-45f7-baea-a366c55a082d"
#define FIRMWARE_GUID_SEV_METADATA "dc886566-984a-4798-a75e-5585a7bf67cc"

#define FIRMWARE_METADATA_SIGNATURE "ASEV"
#define FIRMWARE_METADATA_VERSION 1
#define FIRMWARE_METADATA_HEADER_SIZE 16
#define FIRMWARE_SECTION_SIZE 12

#define FIRMWARE_SECTION_MEMORY 1  /* private and validated when the guest starts */
#define FIRMWARE_SECTION_SECRETS 2 /* the SVSM fills these two */
#define FIRMWARE_SECTION_CPUID 3
#define FIRMWARE_SECTION_CALLING_AREA 4

/* Files of the firmware configuration device: u64, little endian. */
#define FIRMWARE_FILE_GPA "etc/bios_gpa"
#define FIRMWARE_FILE_SIZE "etc/bios_size"

/* What the SVSM writes into the firmware's secrets page. LS src/bios.rs (SnpSecrets). */
#define SECRETS_VMPCK0 0x020 /* 32 bytes each, four of them */
#define SECRETS_SVSM_BASE 0x140
#define SECRETS_SVSM_SIZE 0x148
#define SECRETS_SVSM_CAA 0x150
#define SECRETS_SVSM_MAX_VERSION 0x158 /* 4 bytes */
#define SECRETS_SVSM_GUEST_VMPL 0x15C  /* 1 byte */

#endif
