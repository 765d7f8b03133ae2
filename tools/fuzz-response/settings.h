/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the environment says: fuzzers have options of their own.
 */
#ifndef SNPEMU_TOOLS_FUZZ_RESPONSE_SETTINGS_H
#define SNPEMU_TOOLS_FUZZ_RESPONSE_SETTINGS_H

#include <stdint.h>

#include "check/outcome.h"
#include "error.h"
#include "subject.h"

#define SETTINGS_STOP_BIT(verdict) (1u << (verdict))

struct settings {
    const char *scenario;
    struct overrides overrides;
    uint64_t margin;
    unsigned stop; /* SETTINGS_STOP_BIT() of the classes that end a run badly */
};

/* Texts stay the environment's. 0, or SNPEMU_ERR_INPUT. */
int settings_read(struct settings *settings, struct error *error);

#endif
