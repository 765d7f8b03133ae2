/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz/reduce.h"

#include <string.h>

#include "check/oracle.h"
#include "host/bytes_mutate.h"

#define RUN_INSTRUCTIONS 500000 /* what a run may take on the average */
#define EXACT_COST 10           /* so many times as long takes an instruction of an exact run */

struct reduce {
    struct stage *stage;
    const struct finding_key *key;
    uint8_t *input; /* the best so far */
    size_t size_bytes;
    uint64_t done; /* host_bytes_done of its run */
    uint64_t runs, runs_max;
    uint64_t spent; /* instructions; hangs are not tried as often as what ends soon */
    /* The first input's fast run. What is suspected alike and ends alike is taken for the same, and
       confirmed at the end; unless `strict`, where that was not so. */
    struct finding_key fast_key;
    uint64_t suspicion;
    bool strict;
};

static bool has_more(const struct reduce *reduce)
{
    return reduce->runs < reduce->runs_max && reduce->spent / RUN_INSTRUCTIONS < reduce->runs_max;
}

/* A fast run misses no hit but those of oracles that it has not; it may suspect too much. Its end
   is what it is. */
static bool may_be(const struct reduce *reduce, const struct stage_result *fast,
                   const struct finding_key *fast_key)
{
    return (reduce->key->oracles & ~ORACLES_EXACT_ONLY & ~fast->outcome.oracles) == 0 &&
           (!reduce->key->phrase[0] || strcmp(fast_key->phrase, reduce->key->phrase) == 0);
}

static bool is_alike(const struct reduce *reduce, const struct stage_result *fast,
                     const struct finding_key *fast_key)
{
    return !reduce->strict && fast->suspicion == reduce->suspicion &&
           finding_same(fast_key, &reduce->fast_key);
}

static int confirm(struct reduce *reduce, const uint8_t *input, size_t size_bytes, bool *same,
                   struct error *error)
{
    struct stage_result result;
    struct finding_key key;
    int status = stage_confirm(reduce->stage, input, size_bytes, &result, error);

    reduce->runs++;
    if (status == SNPEMU_OK) {
        reduce->spent += result.instructions * EXACT_COST;
        finding_key(&result, &key);
        *same = finding_same(&key, reduce->key);
    }
    return status;
}

/* Whether this input shows the finding, too. Where nothing is suspected a fast run is exact. */
static int shows(struct reduce *reduce, const uint8_t *input, size_t size_bytes, bool *same,
                 struct error *error)
{
    uint32_t oracles = stage_subject(reduce->stage)->scenario->oracles;
    struct stage_result fast;
    struct finding_key key;
    int status = stage_play(reduce->stage, input, size_bytes, &fast, error);

    *same = false;
    reduce->runs++;
    if (status != SNPEMU_OK) {
        return status;
    }
    reduce->spent += fast.instructions;
    finding_key(&fast, &key);
    if (oracles & ORACLES_EXACT_ONLY) {
        status = confirm(reduce, input, size_bytes, same, error);
    } else if (!fast.outcome.oracles) {
        *same = finding_same(&key, reduce->key);
    } else if (is_alike(reduce, &fast, &key)) {
        *same = true;
    } else if (may_be(reduce, &fast, &key)) {
        status = confirm(reduce, input, size_bytes, same, error);
    }
    reduce->done = *same ? fast.done : reduce->done;
    return status;
}

/* Take this instead if it shows the finding. */
static int try(struct reduce *reduce, const uint8_t *input, size_t size_bytes, bool *taken,
               struct error *error)
{
    int status = SNPEMU_OK;

    *taken = false;
    if (size_bytes == reduce->size_bytes && memcmp(input, reduce->input, size_bytes) == 0) {
        return SNPEMU_OK;
    }
    if (has_more(reduce)) {
        status = shows(reduce, input, size_bytes, taken, error);
    }
    if (status == SNPEMU_OK && *taken) {
        memcpy(reduce->input, input, size_bytes);
        reduce->size_bytes = size_bytes;
    }
    return status;
}

/* Without the records that changed nothing in that run. */
static int drop_idle(struct reduce *reduce, struct error *error)
{
    uint8_t shorter[BYTES_INPUT_MAX];
    size_t size = 0;
    bool taken;

    for (size_t at = 0; at < reduce->size_bytes; at += BYTES_RECORD_SIZE) {
        size_t bytes = reduce->size_bytes - at;

        bytes = bytes < BYTES_RECORD_SIZE ? bytes : BYTES_RECORD_SIZE;
        if (reduce->done >> (at / BYTES_RECORD_SIZE) & 1) {
            memcpy(shorter + size, reduce->input + at, bytes);
            size += bytes;
        }
    }
    return try(reduce, shorter, size, &taken, error);
}

/* Each candidate once; where one is taken those that stood behind it have its number now. */
static int simplify(struct reduce *reduce, bool *changed, struct error *error)
{
    uint8_t simpler[BYTES_INPUT_MAX];
    int status = SNPEMU_OK;
    size_t step = 0;

    *changed = false;
    while (status == SNPEMU_OK && has_more(reduce)) {
        size_t size = bytes_simpler(reduce->input, reduce->size_bytes, step, simpler);
        bool taken;

        if (size == SIZE_MAX) {
            break;
        }
        status = try(reduce, simpler, size, &taken, error);
        *changed |= taken;
        step += !taken;
    }
    return status;
}

/* Until nothing helps any more. */
static int go_down(struct reduce *reduce, struct error *error)
{
    bool changed;
    int status;

    do {
        changed = false;
        status = drop_idle(reduce, error);
        if (status == SNPEMU_OK) {
            status = simplify(reduce, &changed, error);
        }
    } while (status == SNPEMU_OK && changed);
    return status;
}

/* What the first input does; an error when that is not what the key says. */
static int begin(struct reduce *reduce, struct error *error)
{
    struct stage_result fast;
    bool same = false;
    int status = stage_play(reduce->stage, reduce->input, reduce->size_bytes, &fast, error);

    reduce->runs++;
    if (status == SNPEMU_OK) {
        reduce->suspicion = fast.suspicion;
        reduce->done = fast.done;
        finding_key(&fast, &reduce->fast_key);
        status = confirm(reduce, reduce->input, reduce->size_bytes, &same, error);
    }
    return status != SNPEMU_OK || same
               ? status
               : error_set(error, SNPEMU_ERR_INTERNAL,
                           "an input does not do again what it did: a mistake of the emulator's");
}

int reduce(struct stage *stage, const struct finding_key *key, uint8_t *input, size_t *size_bytes,
           uint64_t *runs, struct error *error)
{
    struct reduce reduce = {
        .stage = stage,
        .key = key,
        .input = input,
        .size_bytes = *size_bytes,
        .runs_max = *runs,
    };
    uint8_t first[BYTES_INPUT_MAX];
    bool same = false;
    int status = begin(&reduce, error);
    uint64_t done = reduce.done;

    memcpy(first, input, *size_bytes);
    while (status == SNPEMU_OK && !same) {
        status = go_down(&reduce, error);
        if (status == SNPEMU_OK) {
            status = confirm(&reduce, input, reduce.size_bytes, &same, error);
        }
        if (status == SNPEMU_OK && !same) {
            memcpy(input, first, *size_bytes);
            reduce.size_bytes = *size_bytes;
            reduce.done = done;
            same = reduce.strict;
            reduce.strict = true;
        }
    }
    *size_bytes = reduce.size_bytes;
    *runs = reduce.runs;
    return status;
}
