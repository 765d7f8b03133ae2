/* SPDX-License-Identifier: MIT */
/*
 * Which pages are VMSAs of the guest, and of which CPU. No call may touch them. The list has room
 * for two a CPU: a guest that restarts a CPU makes the new VMSA before it deletes the old one.
 *
 * One CPU at a time may be in here: during boot there is one, later request.c sees to it.
 */
#ifndef SVSM_VMSA_LIST_H
#define SVSM_VMSA_LIST_H

#include "svsm.h"

#pragma GCC visibility push(hidden)

void vmsa_list_init(void);
bool vmsa_list_add(u64 gpa, u64 cpu); /* false when it is full */
void vmsa_list_remove(u64 gpa);
bool vmsa_list_find(u64 gpa, u64 *cpu);
bool vmsa_list_overlaps(u64 gpa, u64 size_bytes); /* a range that guest_range_valid knows */

#pragma GCC visibility pop

#endif
