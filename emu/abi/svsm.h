/* SPDX-License-Identifier: MIT */
/*
 * What an SVSM image tells its launcher, what linux-svsm's per-CPU area looks like, and the
 * reasons it gives when it asks to be terminated.
 *
 * Source: AMDESE/linux-svsm at a2d150f959ed: src/start/start.S (.data.guids), src/start/svsm.h,
 * src/cpu/percpu.rs, src/globals.rs; AMDESE/qemu branch svsm-preview-v4 target/i386/sev.c.
 */
#ifndef SNPEMU_ABI_SVSM_H
#define SNPEMU_ABI_SVSM_H

/*
 * GUID tables. The image's last 16 bytes are the envelope's GUID; the u16 before it is the length
 * of all entries together, the envelope's own 18 bytes included. Entries lie below it, each as
 * data, u16 length (data + 18), GUID, and are walked downwards. GUIDs are stored in the
 * mixed-endian form of EFI_GUID.
 *
 * Metadata entry: u32 distance of the metadata header from the image end. Header: "SVSM", u32
 * length, u32 version, u32 section count; then sections of u64 GPA, u32 size, u32 type.
 *
 * Info entry, packed: u64 load GPA, u64 memory size, u64 CR3, u64 GDT base, u16 GDT limit, u64 IDT
 * base, u16 IDT limit, u16 CS selector, u64 CS descriptor, u64 RIP, u64 EFER, u64 CR0, u64 CR4.
 */
#define SVSM_GUID_ENVELOPE "81384fea-ad48-4eb6-af4f-6ac49316df2b"
#define SVSM_GUID_METADATA "be30189b-ab44-4a97-82dd-ea813941047e"
#define SVSM_GUID_INFO "a789a612-0597-4c4b-a49f-cbb1fe9d1ddd"

#define SVSM_METADATA_SIGNATURE "SVSM"
#define SVSM_METADATA_VERSION 1
#define SVSM_SECTION_SECRETS 2
#define SVSM_SECTION_CPUID 3
#define SVSM_SECTION_BIOS_VMSA 5

#define SVSM_GPA 0x8000000000ULL
#define SVSM_MEM_SIZE 0x10000000ULL
#define SVSM_VA_OFFSET 0xFFFF800000000000ULL

/* Per-CPU area: offsets in bytes; element i is at PERCPU_VA + i * stride. */
#define PERCPU_CPU_ID 0x00
#define PERCPU_APIC_ID 0x04
#define PERCPU_GHCB 0x08
#define PERCPU_VMSA 0x10 /* one GPA for each VMPL */
#define PERCPU_CAA 0x30  /* one GPA for each VMPL */
#define PERCPU_TSS 0x50
#define PERCPU_SIZE 0x58
#define PERCPU_STRIDE 0x80

/* Termination reason sets. */
#define TERM_SET_GENERAL 0x0
#define TERM_SET_LINUX 0x1
#define TERM_SET_SVSM 0xF

#define TERM_GENERAL_UNSPECIFIED 0x0
#define TERM_GENERAL_PROTOCOL 0x1
#define TERM_GENERAL_SNP_FEATURES 0x2

#define TERM_SVSM_GENERAL 0x0
#define TERM_SVSM_ENOMEM 0x1
#define TERM_SVSM_UNHANDLED_VC 0x2
#define TERM_SVSM_PSC_ERROR 0x3
#define TERM_SVSM_SET_PAGE_ERROR 0x4
#define TERM_SVSM_NO_GHCB 0x5
#define TERM_SVSM_GHCB_RESP_INVALID 0x6
#define TERM_SVSM_FW_CFG_ERROR 0x7
#define TERM_SVSM_BIOS_FORMAT 0x8
#define TERM_SVSM_NOT_VMPL0 0x9
#define TERM_SVSM_VMPL0_FEATURES 0xA
#define TERM_SVSM_INCORRECT_VMPL 0xB
#define TERM_SVSM_VMPL1_FEATURES 0xC

#endif
