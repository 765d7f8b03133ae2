/* SPDX-License-Identifier: MIT */
#ifndef SVSM_FIRMWARE_H
#define SVSM_FIRMWARE_H

#include "svsm.h"

#pragma GCC visibility push(hidden)

/* Start the firmware on this CPU at VMPL1. Returns when it asks for VMPL0. */
void firmware_start(void);

#pragma GCC visibility pop

#endif
