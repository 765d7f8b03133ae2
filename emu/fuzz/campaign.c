/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz/campaign.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check/oracle.h"
#include "fingerprint.h"
#include "fuzz/corpus.h"
#include "fuzz/cover.h"
#include "fuzz/finding.h"
#include "fuzz/known.h"
#include "fuzz/random.h"
#include "host/bytes_mutate.h"

#define CHANGES_MAX 8  /* of one input, before it is played */
#define CROSS_ONE_IN 8 /* so many inputs begin as a mixture of two */
#define LOOK_RUNS 1024 /* between two looks at the clock */
#define LOOK_SECONDS 2 /* between two looks for files of others */
#define EMULATOR_DIR "emulator"

struct campaign {
    struct stage *stage;
    struct campaign_box *box;
    const struct campaign_options *options;
    struct cover *cover;
    struct corpus *corpus;
    struct known *known;
    uint64_t random;
    time_t looked;
};

uint64_t campaign_random(uint64_t seed, uint64_t number)
{
    uint64_t state = seed + number;

    return random_draw(&state);
}

static uint64_t box_get(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void box_set(_Atomic uint64_t *value, uint64_t to)
{
    atomic_store_explicit(value, to, memory_order_relaxed);
}

static void tell(struct campaign *campaign)
{
    box_set(&campaign->box->edges, cover_edges(campaign->cover));
    box_set(&campaign->box->features, cover_features(campaign->cover));
    box_set(&campaign->box->entries, corpus_count(campaign->corpus));
}

/* ---- judging ---- */

/* The class of a result: of findings the bucket, of others the outcome. */
static size_t class_of(struct campaign *campaign, const struct stage_result *result)
{
    struct finding_key key = {.verdict = result->verdict};

    if (finding_is(result)) {
        finding_key(result, &key);
    } else {
        outcome_phrase(&result->outcome, key.phrase, sizeof(key.phrase));
        if (result->verdict == VERDICT_UNJUDGED) {
            snprintf(key.symbol, sizeof(key.symbol), "%s", result->outcome.symbol);
        }
    }
    return classes_find(&campaign->box->classes, &key);
}

/* What it is really, and a file for it if it is the first of its bucket. */
static int confirm(struct campaign *campaign, const uint8_t *input, size_t size_bytes,
                   struct stage_result *result, size_t *class, struct error *error)
{
    int status = SNPEMU_OK;
    bool is_new = false;

    if (result->suspicion || campaign->options->exact_only) {
        status = stage_confirm(campaign->stage, input, size_bytes, result, error);
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    *class = class_of(campaign, result);
    if (!finding_is(result) || *class == CLASSES_MAX || campaign->box->written[*class]) {
        return SNPEMU_OK;
    }
    campaign->box->written[*class] = true;
    status =
        finding_write(campaign->stage, campaign->options->dir,
                      &campaign->box->classes.row[*class].key, input, size_bytes, &is_new, error);
    box_set(&campaign->box->fresh, box_get(&campaign->box->fresh) + is_new);
    return status;
}

/*
 * A suspicion that is known already is most likely the same mistake again. It is looked at for its
 * first, second, fourth, eighth... run, and when the run was new in other ways.
 */
static int judge(struct campaign *campaign, const uint8_t *input, size_t size_bytes, bool kept,
                 struct stage_result *result, size_t *class, struct error *error)
{
    struct known_row *row = known_see(campaign->known, result);
    int status = SNPEMU_OK;

    if (result->verdict == VERDICT_EMULATOR_BUG) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "verdict %s: %s",
                         verdict_name(result->verdict), result->outcome.detail);
    }
    if (!row) {
        *class = CLASSES_MAX;
        return SNPEMU_OK;
    }
    /* An exact run of the whole budget takes long: not for each. */
    kept = kept && result->outcome.kind != OUTCOME_BUDGET;
    if (finding_is(result) && (kept || (row->seen & (row->seen - 1)) == 0)) {
        status = confirm(campaign, input, size_bytes, result, &row->class, error);
        *class = row->class;
        return status;
    }
    if (row->seen == 1) {
        row->class = class_of(campaign, result);
    }
    *class = row->class;
    /* What only an exact run shows says nothing of others that end alike. */
    if (kept && campaign->options->exact_only) {
        status = confirm(campaign, input, size_bytes, result, class, error);
    }
    return status;
}

/* ---- keeping ---- */

/* The input without the records that changed nothing, if the run is the same without them. */
static int trim(struct campaign *campaign, uint8_t *input, size_t *size_bytes,
                const struct stage_result *result, struct error *error)
{
    uint8_t shorter[BYTES_INPUT_MAX];
    struct stage_result again;
    size_t size = 0;
    int status;

    for (size_t record = 0; record * BYTES_RECORD_SIZE < *size_bytes; record++) {
        size_t at = record * BYTES_RECORD_SIZE;
        size_t bytes = *size_bytes - at;

        bytes = bytes < BYTES_RECORD_SIZE ? bytes : BYTES_RECORD_SIZE;
        if (result->done >> record & 1) {
            memcpy(shorter + size, input + at, bytes);
            size += bytes;
        }
    }
    if (size == *size_bytes) {
        return SNPEMU_OK;
    }
    status = stage_play(campaign->stage, shorter, size, &again, error);
    if (status != SNPEMU_OK) {
        return status;
    }
    cover_take(campaign->cover, stage_map(campaign->stage));
    stage_map_cleared(campaign->stage);
    if (again.instructions == result->instructions && again.suspicion == result->suspicion &&
        again.outcome.rip == result->outcome.rip && again.last_exit == result->last_exit) {
        memcpy(input, shorter, size);
        *size_bytes = size;
    }
    return SNPEMU_OK;
}

/* Play one input; *class is where its run belongs. */
static int play(struct campaign *campaign, uint8_t *input, size_t *size_bytes, bool file,
                bool *kept, size_t *class, struct error *error)
{
    struct stage_result result;
    int status = stage_play(campaign->stage, input, *size_bytes, &result, error);

    if (status != SNPEMU_OK) {
        return status;
    }
    *kept = cover_take(campaign->cover, stage_map(campaign->stage)) != COVER_NOTHING;
    stage_map_cleared(campaign->stage);
    if (*kept) {
        status = file ? trim(campaign, input, size_bytes, &result, error) : SNPEMU_OK;
        if (status == SNPEMU_OK) {
            status =
                corpus_add(campaign->corpus, input, *size_bytes, result.instructions, file, error);
        }
        tell(campaign);
    }
    /* After it is kept: a process that is killed here finds it again. */
    return status == SNPEMU_OK
               ? judge(campaign, input, *size_bytes, *kept && file, &result, class, error)
               : status;
}

/* ---- the corpus on disk ---- */

/* The emulator itself has failed with this input, and it is not to fail again at each start. */
static bool is_set_apart(const struct campaign *campaign, const uint8_t *input, size_t size_bytes)
{
    char name[FINGERPRINT_SIZE], path[4096];
    struct error unused;

    return fingerprint(input, size_bytes, name, &unused) == SNPEMU_OK &&
           (size_t)snprintf(path, sizeof(path), "%s/" EMULATOR_DIR "/%s.input",
                            campaign->options->dir, name) < sizeof(path) &&
           access(path, F_OK) == 0;
}

static int play_file(void *context, const uint8_t *input, size_t size_bytes, struct error *error)
{
    struct campaign *campaign = context;
    uint8_t copy[BYTES_INPUT_MAX];
    size_t class;
    bool kept;

    if (atomic_load_explicit(&campaign->box->stop, memory_order_relaxed) ||
        is_set_apart(campaign, input, size_bytes)) {
        return SNPEMU_OK;
    }
    memcpy(copy, input, size_bytes);
    return play(campaign, copy, &size_bytes, false, &kept, &class, error);
}

/* What other processes have found meanwhile. */
static int look_around(struct campaign *campaign, struct error *error)
{
    struct timespec now;

    if (campaign->options->alone || box_get(&campaign->box->runs) % LOOK_RUNS != 0) {
        return SNPEMU_OK;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec < campaign->looked + LOOK_SECONDS) {
        return SNPEMU_OK;
    }
    campaign->looked = now.tv_sec;
    return corpus_read(campaign->corpus, play_file, campaign, error);
}

/* ---- the loop ---- */

/* The honest answers are in memory only: they are what an input without a byte means. */
static int start(struct campaign *campaign, struct error *error)
{
    struct stage_result result;
    int status = stage_play(campaign->stage, (const uint8_t *)"", 0, &result, error);
    size_t class;

    if (status != SNPEMU_OK) {
        return status;
    }
    cover_take(campaign->cover, stage_map(campaign->stage));
    stage_map_cleared(campaign->stage);
    status =
        corpus_add(campaign->corpus, (const uint8_t *)"", 0, result.instructions, false, error);
    tell(campaign);
    if (status == SNPEMU_OK) {
        status = judge(campaign, (const uint8_t *)"", 0, true, &result, &class, error);
    }
    return status == SNPEMU_OK ? corpus_read(campaign->corpus, play_file, campaign, error) : status;
}

/* A new input from old ones; returns its size. */
static size_t make_input(struct campaign *campaign, size_t parent, uint8_t *input)
{
    const struct corpus_entry *entry = corpus_entry(campaign->corpus, parent);
    uint64_t changes = 1 + random_below(&campaign->random, CHANGES_MAX);
    size_t size = entry->size_bytes;

    if (random_below(&campaign->random, CROSS_ONE_IN) == 0) {
        const struct corpus_entry *other =
            corpus_entry(campaign->corpus, corpus_choose(campaign->corpus, &campaign->random));

        size = bytes_cross(input, BYTES_INPUT_MAX, entry->input, size, other->input,
                           other->size_bytes, &campaign->random);
    } else {
        memcpy(input, entry->input, size);
    }
    for (; changes > 0; changes--) {
        size = bytes_mutate(input, size, BYTES_INPUT_MAX, &campaign->random);
    }
    return size;
}

static int run_once(struct campaign *campaign, struct error *error)
{
    size_t parent = corpus_choose(campaign->corpus, &campaign->random), class;
    uint8_t input[BYTES_INPUT_MAX];
    size_t size = make_input(campaign, parent, input);
    bool kept = false;
    int status;

    /* Whoever goes on after a crash goes on behind this input. */
    box_set(&campaign->box->random, campaign->random);
    status = play(campaign, input, &size, true, &kept, &class, error);
    if (status != SNPEMU_OK) {
        return status;
    }
    if (kept) {
        corpus_led_on(campaign->corpus, parent);
    }
    box_set(&campaign->box->runs, box_get(&campaign->box->runs) + 1);
    classes_count(&campaign->box->classes, class, 1,
                  campaign->options->before + box_get(&campaign->box->runs));
    return SNPEMU_OK;
}

static int run_all(struct campaign *campaign, struct error *error)
{
    const struct campaign_options *options = campaign->options;
    struct campaign_box *box = campaign->box;
    int status = start(campaign, error);

    while (status == SNPEMU_OK && !atomic_load_explicit(&box->stop, memory_order_relaxed) &&
           (options->runs == 0 || box_get(&box->runs) < options->runs)) {
        status = run_once(campaign, error);
        if (status == SNPEMU_OK) {
            status = look_around(campaign, error);
        }
    }
    return status;
}

int campaign_run(struct stage *stage, struct campaign_box *box,
                 const struct campaign_options *options, struct error *error)
{
    struct campaign campaign = {
        .stage = stage,
        .box = box,
        .options = options,
        .random = box_get(&box->random),
    };
    int status = cover_new(&campaign.cover, error);

    if (status == SNPEMU_OK) {
        status = known_new(&campaign.known, error);
    }
    if (status == SNPEMU_OK) {
        status = corpus_open(&campaign.corpus, options->dir, error);
    }
    if (status == SNPEMU_OK) {
        stage_set_box(stage, &box->input);
        status = run_all(&campaign, error);
        stage_set_box(stage, NULL);
    }
    corpus_close(campaign.corpus);
    known_free(campaign.known);
    cover_free(campaign.cover);
    return status;
}
