/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz/known.h"

#include <stdlib.h>

#define SLOTS 32768 /* a power of two */
#define KNOWN_MAX (SLOTS / 4 * 3)

struct known {
    struct known_row row[SLOTS];
    size_t count;
};

int known_new(struct known **known, struct error *error)
{
    *known = calloc(1, sizeof(**known));
    return *known ? SNPEMU_OK : error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
}

void known_free(struct known *known)
{
    free(known);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9E3779B97F4A7C15ULL;
    return hash ^ hash >> 32;
}

/* Where a run ends says what it is, unless it ends where all end that are well. */
static uint64_t signature_of(const struct stage_result *result)
{
    const struct outcome *outcome = &result->outcome;
    uint64_t hash = mix(1, result->suspicion);

    hash = mix(hash, (uint64_t)result->verdict << 32 | (uint64_t)outcome->kind << 16 |
                         (uint64_t)outcome->term_set << 8 | outcome->term_code);
    if (outcome->kind != OUTCOME_HALTED && outcome->kind != OUTCOME_REACHED &&
        outcome->kind != OUTCOME_TERMINATED) {
        for (const char *c = outcome->symbol; *c; c++) {
            hash = mix(hash, (uint8_t)*c);
        }
    }
    return hash | 1;
}

struct known_row *known_see(struct known *known, const struct stage_result *result)
{
    uint64_t signature = signature_of(result);
    size_t at = (signature >> 8) % SLOTS;

    while (known->row[at].signature && known->row[at].signature != signature) {
        at = (at + 1) % SLOTS;
    }
    if (!known->row[at].signature) {
        if (known->count == KNOWN_MAX) {
            return NULL;
        }
        known->row[at].signature = signature;
        known->count++;
    }
    known->row[at].seen++;
    return &known->row[at];
}
