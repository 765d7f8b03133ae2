/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A finding: what a fuzzed run ended as when that is neither good nor unjudged, confirmed exactly.
 * Findings with one key are one: the smallest input of each is kept, as a scenario with its golden
 * trace, and as bytes.
 */
#ifndef SNPEMU_FUZZ_FINDING_H
#define SNPEMU_FUZZ_FINDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/outcome.h"
#include "error.h"
#include "fuzz/stage.h"

struct finding_key {
    enum verdict verdict;
    uint32_t oracles; /* ORACLE_BIT()s of those that hit, exactly */
    char symbol[96];  /* the function of the first hit, or of the end; empty: not known */
    char exit[32];    /* name of the last exit; empty: none since the snapshot */
    char phrase[160]; /* the outcome: outcome_phrase */
};

/* Neither pass nor contained nor unjudged; the emulator's own bugs are none either. */
bool finding_is(const struct stage_result *result);
/* Of what stage_confirm said. */
void finding_key(const struct stage_result *confirmed, struct finding_key *key);
bool finding_same(const struct finding_key *a, const struct finding_key *b);

/*
 * Make the input as simple as it can be with this key, and write DIR/findings/NAME.lua, .golden and
 * .input. Does nothing when that key is there; *is_new says which.
 */
int finding_write(struct stage *stage, const char *dir, const struct finding_key *key,
                  const uint8_t *input, size_t size_bytes, bool *is_new, struct error *error);

#endif
