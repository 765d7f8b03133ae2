/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SNPEMU_TRAP_FLOW_H
#define SNPEMU_TRAP_FLOW_H

#include <stddef.h>
#include <stdint.h>

#include "check/flow.h"

/*
 * The instructions of a block of 64-bit code as operations on values, at most `max`: how many. Ends
 * where an instruction cannot be decoded, or is not there whole.
 */
size_t flow_decode(const uint8_t *bytes, size_t size_bytes, struct flow_op *op, size_t max);

#endif
