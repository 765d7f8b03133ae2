/* SPDX-License-Identifier: MIT */
#ifndef SVSM_SMP_H
#define SVSM_SMP_H

#include "svsm.h"

#pragma GCC visibility push(hidden)

/* Start all other CPUs, one after the other. Each halts until there is a guest to serve. */
void smp_init(void);

/* ap_wait.c: until *state is `wanted`. */
void ap_wait(const volatile u32 *state, u32 wanted);

#pragma GCC visibility pop

#endif
