/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a termination, an outcome or a verdict means, in words.
 */
#ifndef SNPEMU_TRACE_MEANING_H
#define SNPEMU_TRACE_MEANING_H

#include <stddef.h>
#include <stdint.h>

#include "check/outcome.h"

/* A reason that a guest gives in a termination request of the GHCB MSR protocol. */
struct termination {
    uint8_t set, code;
    const char *name;    /* a few words */
    const char *meaning; /* one or two sentences; NULL when the name says it all */
    const char *source;
};

/* The rows of the table, in order of set and code. NULL after the last. */
const struct termination *termination_at(size_t index);
/* NULL when there is no row. */
const struct termination *termination_find(uint8_t set, uint8_t code);
/* Who uses a set: "GHCB specification", "linux-svsm"; NULL when unknown. */
const char *termination_set_name(uint8_t set);
/* The same of one code: set 0xF is linux-svsm's, some of its codes our own svsm-hardened's. */
const char *termination_who(uint8_t set, uint8_t code);

/*
 * Read "0xf:0x6", "f:6", or the value of the GHCB MSR that asks for it, "0x6f100": the set is
 * bits 15:12, the code bits 23:16. Returns 0 or SNPEMU_ERR_INPUT.
 */
int termination_parse(const char *text, uint8_t *set, uint8_t *code);

const char *outcome_meaning(enum outcome_kind kind);
const char *verdict_meaning(enum verdict verdict);

#endif
