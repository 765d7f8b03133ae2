/* SPDX-License-Identifier: MIT */
/*
 * Where memory of the guest below is mapped while it is looked at. Each CPU has windows of its
 * own, so that CPUs serving requests at the same time cannot unmap each other's pages.
 */
#ifndef SVSM_WINDOW_H
#define SVSM_WINDOW_H

#include "svsm.h"

enum window {
    WINDOW_COPY, /* guest_memory.c */
    WINDOW_VMSA, /* of the vCPU whose request is served */
    WINDOW_PAGE, /* that a request names */
    WINDOW_SMALL_COUNT,
    WINDOW_LARGE_PAGE = WINDOW_SMALL_COUNT, /* 2 MiB */
};

#pragma GCC visibility push(hidden)

void window_init(void);
/* `gpa` is aligned to the window's size. Returns the virtual address, readable and writable. */
u64 window_map(enum window window, u64 gpa);
void window_unmap(enum window window);

#pragma GCC visibility pop

#endif
