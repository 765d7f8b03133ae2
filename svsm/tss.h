/* SPDX-License-Identifier: MIT */
/* A task state segment for each CPU: it holds the stack on which a double fault is handled. */
#ifndef SVSM_TSS_H
#define SVSM_TSS_H

#include "svsm.h"

#define TSS_SELECTOR 0x18
#define TSS_ATTRIBUTES 0x89 /* present, available 64-bit TSS */
#define TSS_SIZE 0x68

#pragma GCC visibility push(hidden)

void tss_init(void);       /* the BSP's: made and loaded */
u64 tss_create(u64 index); /* that of another CPU, which will start with it. Returns its VA. */

#pragma GCC visibility pop

#endif
