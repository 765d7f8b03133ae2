/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What fast runs have ended as: a number for each suspicion with its outcome, and the class that a
 * confirmation has put it in.
 */
#ifndef SNPEMU_FUZZ_KNOWN_H
#define SNPEMU_FUZZ_KNOWN_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "fuzz/stage.h"

struct known_row {
    uint64_t signature; /* 0: free */
    uint64_t seen;      /* how often */
    size_t class;       /* row of classes.h */
};

struct known; /* opaque */

int known_new(struct known **known, struct error *error);
void known_free(struct known *known); /* takes NULL */

/* The row of what this run ended as, seen once more; NULL when too many others are known. */
struct known_row *known_see(struct known *known, const struct stage_result *result);

#endif
