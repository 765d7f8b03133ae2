/* SPDX-License-Identifier: MIT */
/*
 * Why our own image svsm-hardened asks to be terminated: codes of set 0xF (abi/svsm.h), one for
 * each check, so that a trace says which one caught what. linux-svsm's own codes end at 0xC. The
 * name says what is wrong; where svsm makes the same check, svsm/failure.c has the published
 * reason.
 */
#ifndef SNPEMU_ABI_SVSM_HARDENED_H
#define SNPEMU_ABI_SVSM_HARDENED_H

#define SVSM_FAIL_FIRST 0x40

/* start.S, before there is C */
#define SVSM_FAIL_START_CBIT 0x40
#define SVSM_FAIL_START_ADDRESS 0x41
#define SVSM_FAIL_START_RESCIND 0x42
#define SVSM_FAIL_START_SHARE 0x43
#define SVSM_FAIL_START_RETURNED 0x44

/* self checks */
#define SVSM_FAIL_NOT_VMPL0 0x45
#define SVSM_FAIL_VMPL0_FEATURES 0x46
#define SVSM_FAIL_OWN_ADDRESS 0x47

/* exceptions and panics */
#define SVSM_FAIL_PANIC 0x48
#define SVSM_FAIL_DF 0x49
#define SVSM_FAIL_GP 0x4A
#define SVSM_FAIL_PF 0x4B
#define SVSM_FAIL_VC 0x4C

/* GHCB MSR protocol */
#define SVSM_FAIL_VERSION_ANSWER 0x50
#define SVSM_FAIL_VERSION_RESERVED 0x51
#define SVSM_FAIL_VERSION_CBIT 0x52
#define SVSM_FAIL_VERSION_RANGE 0x53
#define SVSM_FAIL_FEATURES_ANSWER 0x54
#define SVSM_FAIL_FEATURES_MISSING 0x55
#define SVSM_FAIL_REGISTER_ANSWER 0x56
#define SVSM_FAIL_REGISTER_ADDRESS 0x57

/* any exit with a GHCB page */
#define SVSM_FAIL_MARKS_KEPT 0x58
#define SVSM_FAIL_INFO1_UNMARKED 0x59
#define SVSM_FAIL_INFO1_ERROR 0x5A
#define SVSM_FAIL_INFO1_RESERVED 0x5B
#define SVSM_FAIL_CPUID_UNMARKED 0x5C
#define SVSM_FAIL_PORT_UNMARKED 0x5D

/* page state changes */
#define SVSM_FAIL_PSC_UNMARKED 0x60
#define SVSM_FAIL_PSC_REFUSED 0x61
#define SVSM_FAIL_PSC_PROGRESS 0x62
#define SVSM_FAIL_PVALIDATE 0x63
#define SVSM_FAIL_PVALIDATE_UNCHANGED 0x64

/* memory of its own */
#define SVSM_FAIL_NO_MEMORY 0x68
#define SVSM_FAIL_NO_TABLE 0x69
#define SVSM_FAIL_NOT_MAPPED 0x6A

/* the list of APIC IDs */
#define SVSM_FAIL_LIST_UNMARKED 0x70
#define SVSM_FAIL_LIST_PAGES_NONE 0x71
#define SVSM_FAIL_LIST_PAGES_MAX 0x72
#define SVSM_FAIL_LIST_PAGES_CHANGED 0x73
#define SVSM_FAIL_LIST_EMPTY 0x74
#define SVSM_FAIL_LIST_COUNT_MAX 0x75
#define SVSM_FAIL_LIST_COUNT_ROOM 0x76
#define SVSM_FAIL_LIST_ID_TWICE 0x77
#define SVSM_FAIL_LIST_BSP_TWICE 0x78
#define SVSM_FAIL_LIST_BSP_MISSING 0x79

/* the firmware configuration device */
#define SVSM_FAIL_FW_CFG_SIGNATURE 0x80
#define SVSM_FAIL_FW_CFG_NO_DMA 0x81
#define SVSM_FAIL_FW_CFG_FILE_COUNT 0x82
#define SVSM_FAIL_FW_CFG_DMA_ERROR 0x83
#define SVSM_FAIL_FW_CFG_DMA_NOT_DONE 0x84
#define SVSM_FAIL_FW_CFG_NAME 0x85
#define SVSM_FAIL_FW_CFG_NO_FIRMWARE 0x86
#define SVSM_FAIL_FW_CFG_FIRMWARE_RANGE 0x87

/* other CPUs, the firmware, VMPL1 */
#define SVSM_FAIL_AP_VMSA 0x88
#define SVSM_FAIL_AP_NOT_STARTED 0x89
#define SVSM_FAIL_FIRMWARE_FORMAT 0x8A
#define SVSM_FAIL_FIRMWARE_VMPL 0x8B
#define SVSM_FAIL_FIRMWARE_FEATURES 0x8C
#define SVSM_FAIL_FIRMWARE_PERMISSIONS 0x8D

#define SVSM_FAIL_LAST 0x8D

#endif
