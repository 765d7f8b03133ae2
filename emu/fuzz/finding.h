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

#define FINDING_DIR "findings" /* in a campaign's directory */
#define FINDING_NAME_MAX 192
#define FINDING_REDUCE_RUNS 2000 /* what finding_write spends to make an input simple */

/*
 * What is wrong with a run is a hit that the honest run does not have, else a bad end, else a hit
 * that the honest run has, too. Symbol and exit are those of the first of these that there is.
 */
struct finding_key {
    enum verdict verdict;
    uint32_t
        oracles; /* ORACLE_BIT()s of those that hit as they do not in the honest run; else all */
    char symbol[96]; /* the function of that hit, or of the end; empty: not known */
    char exit[32];   /* name of the last exit before; empty: none since the snapshot */
    /* The end, where that is what is wrong: outcome_phrase and what the guest said, or what
       happened, with '#' for numbers. Empty: what follows from the hit does not tell. */
    char phrase[160];
};

/* Neither pass nor contained nor unjudged; the emulator's own bugs are none either. */
bool finding_is(const struct stage_result *result);
/* Of what stage_confirm said; of a fast run without a suspicion the same. */
void finding_key(const struct stage_result *confirmed, struct finding_key *key);
bool finding_same(const struct finding_key *a, const struct finding_key *b);
/* "violation-overrun-read_list-apic_id_list-1a2b3c4d": good as a file's name, the same for the same
 * key. */
void finding_name(const struct finding_key *key, char name[FINDING_NAME_MAX]);
/* "violation (overrun) in read_list after apic_id_list; stuck: panic: ..." */
void finding_words(const struct finding_key *key, char *words, size_t size);

/*
 * Make the input as simple as it can be with this key, and write DIR/findings/NAME.lua, .golden and
 * .input. Does nothing when that key is there; *is_new says which. Several processes may do so at
 * once.
 */
int finding_write(struct stage *stage, const char *dir, const struct finding_key *key,
                  const uint8_t *input, size_t size_bytes, bool *is_new, struct error *error);

/* A run as a scenario: its text, and the golden trace that belongs to it. Both are owned. */
struct finding_scenario {
    char *lua, *golden;
    size_t lua_size_bytes, golden_size_bytes;
};

/*
 * What this input does, as a scenario to stand at `path`. It has been tried: run from launch by the
 * script it ends as it does here. If it does not that is our mistake, and an error that names
 * `name`.
 */
int finding_scenario(struct stage *stage, const char *path, const char *name, const uint8_t *input,
                     size_t size_bytes, struct finding_scenario *scenario, struct error *error);
void finding_scenario_release(struct finding_scenario *scenario);

#endif
