/* SPDX-License-Identifier: MIT */
/*
 * Operands and results of PVALIDATE and RMPADJUST, and the VMPL permission mask.
 *
 * Source: AMD APM Vol 2 (24593) 15.36.3 to 15.36.7; AMD APM Vol 3 (24594) PVALIDATE, RMPADJUST.
 */
#ifndef SNPEMU_ABI_RMP_H
#define SNPEMU_ABI_RMP_H

#define RMP_SIZE_4K 0
#define RMP_SIZE_2M 1

#define RMP_SUCCESS 0
#define RMP_FAIL_INPUT 1
#define RMP_FAIL_PERMISSION 2
#define RMP_FAIL_INUSE 3
#define RMP_FAIL_OVERLAP 4
#define RMP_FAIL_SIZEMISMATCH 6

#define RMP_PERM_READ 0x1
#define RMP_PERM_WRITE 0x2
#define RMP_PERM_EXEC_USER 0x4
#define RMP_PERM_EXEC_SUPER 0x8
#define RMP_PERM_SSS 0x10
#define RMP_PERM_ALL 0x1F

/* RMPADJUST, RDX: target VMPL in 7:0, permission mask in 15:8, VMSA in 16. */
#define RMPADJUST_PERM_SHIFT 8
#define RMPADJUST_VMSA (1u << 16)
#define RMPADJUST_RESERVED_SHIFT 17

#define VMPL_COUNT 4

#endif
