/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What different guests mean by the same termination: set 0 belongs to the specification, and each
 * guest uses its codes in its own way.
 */
#ifndef SNPEMU_TRACE_MEANING_USE_H
#define SNPEMU_TRACE_MEANING_USE_H

#include <stddef.h>
#include <stdint.h>

struct termination_use {
    uint8_t set, code;
    const char *guest;
    const char *meaning; /* one or two sentences */
    const char *source;
};

/* Use number `index` of one set and code; NULL after the last. */
const struct termination_use *termination_use_at(uint8_t set, uint8_t code, size_t index);

#endif
