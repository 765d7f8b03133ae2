/* SPDX-License-Identifier: MIT */
#ifndef SVSM_SMP_H
#define SVSM_SMP_H

#include "svsm.h"

#pragma GCC visibility push(hidden)

/* Start all other CPUs, one after the other. Each halts until there is a guest to serve. */
void smp_init(void);

#pragma GCC visibility pop

#endif
