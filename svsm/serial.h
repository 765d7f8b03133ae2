/* SPDX-License-Identifier: MIT */
/* The first serial port. */
#ifndef SVSM_SERIAL_H
#define SVSM_SERIAL_H

#include "svsm.h"

#pragma GCC visibility push(hidden)

void serial_init(void);
void serial_out(const char *string);

#pragma GCC visibility pop

#endif
