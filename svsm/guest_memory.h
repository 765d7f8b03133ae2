/* SPDX-License-Identifier: MIT */
/*
 * Memory of the guest below. Addresses come from it, and pages may be missing or not validated:
 * so addresses are checked, and an access that faults fails.
 */
#ifndef SVSM_GUEST_MEMORY_H
#define SVSM_GUEST_MEMORY_H

#include "svsm.h"

#pragma GCC visibility push(hidden)

/* Is the whole range addressable, without C-bit, and outside SVSM memory? VMSAs: vmsa_list.h. */
bool guest_range_valid(u64 gpa, u64 size_bytes);

/* Each byte is accessed once. False, perhaps half way, when a page is not there. */
bool guest_read(u64 gpa, void *to, u64 size_bytes);
bool guest_write(u64 gpa, const void *from, u64 size_bytes);

/* guest_access.S: one of the two virtual addresses is in a window. False when it faulted. */
bool guest_copy(void *to, const void *from, u64 size_bytes);
bool guest_zero(void *to, u64 size_bytes);
/* As rmpadjust, or RMPADJUST_FAULTED when the page is not validated. */
u32 guest_rmpadjust(u64 va, u32 size, u64 attributes);

#define RMPADJUST_FAULTED 0x100

#pragma GCC visibility pop

#endif
