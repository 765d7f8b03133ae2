/* SPDX-License-Identifier: MIT */
/*
 * The GHCB page: a 4 KiB page that a guest shares with its hypervisor. Hardware never reads it;
 * the layout is a software contract. Offsets are bytes from the start of the page.
 *
 * Source: AMD 56421 "SEV-ES Guest-Hypervisor Communication Block Standardization", GHCB layout;
 * cross-read with Linux arch/x86/include/asm/svm.h (struct ghcb_save_area) and
 * edk2 MdePkg/Include/Register/Amd/Ghcb.h.
 */
#ifndef SNPEMU_ABI_GHCB_H
#define SNPEMU_ABI_GHCB_H

#define GHCB_CPL 0x0CB
#define GHCB_XSS 0x140
#define GHCB_DR7 0x160
#define GHCB_RIP 0x178
#define GHCB_RSP 0x1D8
#define GHCB_RAX 0x1F8
#define GHCB_RCX 0x308
#define GHCB_RDX 0x310
#define GHCB_RBX 0x318
#define GHCB_RBP 0x328
#define GHCB_RSI 0x330
#define GHCB_RDI 0x338
#define GHCB_R8 0x340
#define GHCB_R9 0x348
#define GHCB_R10 0x350
#define GHCB_R11 0x358
#define GHCB_R12 0x360
#define GHCB_R13 0x368
#define GHCB_R14 0x370
#define GHCB_R15 0x378
#define GHCB_SW_EXITCODE 0x390
#define GHCB_SW_EXITINFO1 0x398
#define GHCB_SW_EXITINFO2 0x3A0
#define GHCB_SW_SCRATCH 0x3A8
#define GHCB_XCR0 0x3E8
#define GHCB_VALID_BITMAP 0x3F0
#define GHCB_VALID_BITMAP_SIZE 16
#define GHCB_X87_STATE_GPA 0x400
#define GHCB_SHARED_BUFFER 0x800
#define GHCB_SHARED_BUFFER_SIZE 0x7F0
#define GHCB_VERSION 0xFFA
#define GHCB_USAGE 0xFFC
#define GHCB_SIZE 0x1000

/* The valid bit of the field at byte `offset` (below 0x400) is bit offset / 8 of the bitmap. */
#define GHCB_VALID_BIT(offset) ((offset) / 8)

#define GHCB_VERSION_1 1
#define GHCB_VERSION_2 2
#define GHCB_USAGE_STANDARD 0

/* SW_EXITINFO1[31:0] of an answer. Source: Linux arch/x86/include/asm/sev-common.h. */
#define GHCB_INFO1_OK 0
#define GHCB_INFO1_EXCEPTION 1 /* SW_EXITINFO2 holds an event-injection word */
#define GHCB_INFO1_MALFORMED 2 /* SW_EXITINFO2 holds one of GHCB_ERR_* */

#define GHCB_ERR_NOT_REGISTERED 1
#define GHCB_ERR_INVALID_USAGE 2
#define GHCB_ERR_INVALID_SCRATCH 3
#define GHCB_ERR_MISSING_INPUT 4
#define GHCB_ERR_INVALID_INPUT 5
#define GHCB_ERR_INVALID_EVENT 6

/*
 * SW_EXITINFO2 of GHCB_INFO1_EXCEPTION: laid out as the VMCB's EVENTINJ. Guests honour an exception
 * with vector 6 or 13 and nothing else.
 * Source: edk2 OvmfPkg/Library/CcExitLib/CcExitLib.c (VmgExitErrorCheck).
 */
#define GHCB_EVENT_VECTOR_MASK 0xFFULL
#define GHCB_EVENT_TYPE_EXCEPTION (3ULL << 8)
#define GHCB_EVENT_HAS_ERROR_CODE (1ULL << 11)
#define GHCB_EVENT_VALID (1ULL << 31)
#define GHCB_EVENT_ERROR_CODE_SHIFT 32

#endif
