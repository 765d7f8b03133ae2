/* SPDX-License-Identifier: MIT */
#ifndef SVSM_STACK_H
#define SVSM_STACK_H

#include "svsm.h"

#pragma GCC visibility push(hidden)

/* A stack of `pages` with a page below it that is not present. Returns its top. */
u64 stack_create(u64 pages);

#pragma GCC visibility pop

#endif
