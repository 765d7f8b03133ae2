/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz/stage.h"

#include <assert.h>
#include <string.h>

#include "check/oracle.h"
#include "fuzz/stage_internal.h"
#include "host/bytes_record.h"
#include "host/deviation.h"

static int play(struct stage *stage, struct run *run, const uint8_t *input, size_t size_bytes,
                struct stage_result *result, struct error *error)
{
    int status;

    size_bytes = size_bytes < BYTES_INPUT_MAX ? size_bytes : BYTES_INPUT_MAX;
    if (stage->box) {
        stage->box->size_bytes = (uint32_t)size_bytes;
        memcpy(stage->box->input, input, size_bytes);
    }
    status = run_restore(run, error);
    memset(result, 0, sizeof(*result));
    host_bytes_set(stage->host, input, size_bytes, stage->first_exit);
    run_set_host(run, stage->host);
    if (status == SNPEMU_OK) {
        status = run_to_end(run, &result->outcome, error);
    }
    result->verdict = outcome_verdict(&result->outcome);
    result->instructions = result->outcome.instructions - stage->snapshot_instructions;
    result->last_exit = result->outcome.exits >= stage->first_exit ? run_last_exit(run) : NULL;
    result->done = host_bytes_done(stage->host);
    return status;
}

/* One counter of the map's part for what is no edge; `kind` keeps numbers of two sorts apart. */
static void feature_count(struct stage *stage, unsigned kind, uint64_t number)
{
    uint64_t hash = (number + kind + 1) * 0x9E3779B97F4A7C15ULL;
    uint8_t *counter =
        &stage->map[STAGE_EDGES + (hash ^ hash >> 29) * 0xBF58476D1CE4E5B9ULL % STAGE_FEATURES];

    *counter = (uint8_t)(*counter + (*counter < UINT8_MAX));
}

static void count_features(struct stage *stage, const struct stage_result *result)
{
    enum { OF_HOST, OF_SUSPICION, OF_OUTCOME, OF_EXIT };
    const struct outcome *outcome = &result->outcome;
    uint32_t feature[BYTES_FEATURE_MAX];
    size_t count = host_bytes_features(stage->host, feature, BYTES_FEATURE_MAX);
    uint64_t name = 0;

    for (size_t i = 0; i < count; i++) {
        feature_count(stage, OF_HOST, (uint64_t)feature[i] << 8);
    }
    if (result->suspicion) {
        feature_count(stage, OF_SUSPICION, result->suspicion << 8);
    }
    feature_count(stage, OF_OUTCOME,
                  (uint64_t)outcome->kind << 24 | (uint64_t)outcome->term_set << 16 |
                      (uint64_t)outcome->term_code << 8);
    for (const char *c = result->last_exit ? result->last_exit : ""; *c; c++) {
        name = name * 31 + (uint8_t)*c;
    }
    feature_count(stage, OF_EXIT, name << 8);
}

static bool may_watch(const uint8_t *input, size_t size_bytes)
{
    size_t count = bytes_record_count(size_bytes);
    struct bytes_record record;

    for (size_t i = 0; i < count; i++) {
        bytes_record_read(input, size_bytes, i, &record);
        if (record.kind == DEVIATION_ON_READ || record.kind == DEVIATION_ON_WRITE) {
            return true;
        }
    }
    return false;
}

/*
 * A machine that is made for watches has slow accesses; one that is not translates all code anew
 * with each run that has some. So there are two.
 */
static int choose_run(struct stage *stage, const uint8_t *input, size_t size_bytes,
                      struct error *error)
{
    int status = SNPEMU_OK;

    stage->last = stage->fast;
    if (!may_watch(input, size_bytes)) {
        return SNPEMU_OK;
    }
    if (!stage->watched) {
        status = stage_open_run(stage, &stage->watched, STAGE_WATCHED, error);
    }
    if (status != SNPEMU_OK) {
        run_free(stage->watched);
        stage->watched = NULL;
        return status;
    }
    stage->last = stage->watched;
    return SNPEMU_OK;
}

int stage_play(struct stage *stage, const uint8_t *input, size_t size_bytes,
               struct stage_result *result, struct error *error)
{
    int status = choose_run(stage, input, size_bytes, error);

    if (status != SNPEMU_OK) {
        return status;
    }
    if (!stage->map_clear) {
        memset(stage->map, 0, STAGE_MAP_SIZE);
    }
    stage->map_clear = false;
    run_set_edges(stage->last, stage->map);
    status = play(stage, stage->last, input, size_bytes, result, error);
    result->suspicion = run_suspicion(stage->last);
    if (status == SNPEMU_OK) {
        count_features(stage, result);
    }
    return status;
}

/* The exact machine, and what its oracles say of an honest host. */
static int open_exact(struct stage *stage, struct error *error)
{
    struct stage_result result;
    struct run_hit hit;
    int status = stage_open_run(stage, &stage->exact, STAGE_EXACT, error);

    if (status == SNPEMU_OK) {
        status = play(stage, stage->exact, (const uint8_t *)"", 0, &result, error);
    }
    stage->honest_hit_count = 0;
    while (status == SNPEMU_OK && run_hit(stage->exact, stage->honest_hit_count, &hit)) {
        stage->honest_hit[stage->honest_hit_count++] = hit;
    }
    if (status != SNPEMU_OK) {
        run_free(stage->exact);
        stage->exact = NULL;
    }
    return status;
}

static bool is_honest_hit(const struct stage *stage, const struct run_hit *hit)
{
    for (size_t i = 0; i < stage->honest_hit_count; i++) {
        if (stage->honest_hit[i].kind == hit->kind &&
            stage->honest_hit[i].function_gva == hit->function_gva) {
            return true;
        }
    }
    return false;
}

int stage_confirm(struct stage *stage, const uint8_t *input, size_t size_bytes,
                  struct stage_result *result, struct error *error)
{
    struct run_hit hit;
    int status = stage->exact ? SNPEMU_OK : open_exact(stage, error);

    if (status == SNPEMU_OK) {
        status = play(stage, stage->exact, input, size_bytes, result, error);
    }
    for (size_t i = 0; status == SNPEMU_OK && run_hit(stage->exact, i, &hit); i++) {
        bool fresh = !is_honest_hit(stage, &hit);

        if (i == 0 || (fresh && !result->fresh)) {
            result->has_hit = true;
            result->hit = hit;
        }
        result->fresh |= fresh ? ORACLE_BIT(hit.kind) : 0;
    }
    return status;
}

int stage_count(struct stage *stage, const uint8_t *input, size_t size_bytes, struct blocks *ran,
                struct error *error)
{
    struct stage_result unused;
    int status = SNPEMU_OK;

    assert(!stage->ran || stage->ran == ran);
    stage->ran = ran;
    if (!stage->counting) {
        status = stage_open_run(stage, &stage->counting, STAGE_COUNTING, error);
    }
    return status == SNPEMU_OK ? play(stage, stage->counting, input, size_bytes, &unused, error)
                               : status;
}

int stage_launch(struct stage *stage, const struct run_options *options, bool exact,
                 const uint8_t *input, size_t size_bytes, struct run **run, struct error *error)
{
    const struct run_options whole = {
        .firmware = stage->subject->firmware,
        .until = stage->options.until,
        .trace = options->trace,
        .console = options->console,
        .context = options->context,
        .cancelled = options->cancelled,
        .oracles = stage->subject->scenario->oracles,
        .oracles_exact = exact,
    };

    host_bytes_set(stage->host, input, size_bytes, stage->first_exit);
    return run_new(run, stage->subject->scenario, stage->subject->image, stage->host, &whole,
                   error);
}

int stage_digest(struct stage *stage, uint8_t digest[RUN_DIGEST_SIZE], struct error *error)
{
    return run_digest(stage->last, digest, error);
}

uint8_t *stage_map(struct stage *stage)
{
    return stage->map;
}

void stage_map_cleared(struct stage *stage)
{
    stage->map_clear = true;
}

void stage_set_map(struct stage *stage, uint8_t *map)
{
    stage->map = map ? map : stage->own_map;
    stage->map_clear = false;
}

void stage_set_box(struct stage *stage, struct stage_box *box)
{
    stage->box = box;
}

const struct host *stage_host(const struct stage *stage)
{
    return stage->host;
}

uint64_t stage_first_exit(const struct stage *stage)
{
    return stage->first_exit;
}

const struct subject *stage_subject(const struct stage *stage)
{
    return stage->subject;
}

const char *stage_until(const struct stage *stage)
{
    return stage->options.until;
}

const struct outcome *stage_honest(const struct stage *stage)
{
    return &stage->honest;
}
