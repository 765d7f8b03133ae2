/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz/stage.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"
#include "host/bytes_record.h"
#include "host/deviation.h"

struct stage {
    struct subject *subject;
    struct stage_options options;
    struct place place;       /* of the snapshot */
    struct host *honest_host; /* up to the snapshot */
    struct host *host;
    struct run *fast;     /* for inputs that change no memory at an access; */
    struct run *watched;  /* for those that do, made when it is first needed, */
    struct run *exact;    /* and so is this */
    struct run *counting; /* and this, */
    struct blocks *ran;   /* which counts here */
    struct run *last;     /* of the last stage_play */
    uint64_t first_exit;
    uint64_t snapshot_instructions;
    struct outcome honest;
    struct run_hit honest_hit[RUN_HIT_MAX]; /* with `exact` */
    size_t honest_hit_count;
    struct stage_box *box; /* NULL: none */
    bool map_clear;        /* nothing to be cleared before the next run */
    uint8_t *map;          /* own_map, or somebody else's */
    uint8_t own_map[STAGE_MAP_SIZE];
};

/* What main calls after percpu_init, in the images that we know. */
static const char *const until_names[] = {"tss_init", "serial_init"};

const char *stage_until_default(const struct image *image)
{
    uint64_t gva;

    for (size_t i = 0; i < sizeof(until_names) / sizeof(until_names[0]); i++) {
        if (image_symbol_find(image, until_names[i], &gva, NULL)) {
            return until_names[i];
        }
    }
    return NULL;
}

/* The scenario's, from here on. */
static int choose_until(struct subject *subject, struct error *error)
{
    struct scenario *scenario = subject->scenario;
    const char *until = scenario->until ? NULL : stage_until_default(subject->image);

    if (until && !(scenario->until = strdup(until))) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a stage");
    }
    return SNPEMU_OK;
}

int stage_subject_open(struct subject *subject, const char *path, const struct overrides *overrides,
                       struct error *error)
{
    int status = subject_open(subject, path, overrides, error);

    if (status == SNPEMU_OK && subject->scenario->scripted) {
        status = error_set(error, SNPEMU_ERR_INPUT,
                           "%s: has handlers, and the inputs of a fuzzer answer instead of them; "
                           "take the 'on' out",
                           path);
        subject_close(subject);
    }
    if (status == SNPEMU_OK && subject->scenario->oracles == ORACLES_NONE &&
        !(overrides && overrides->oracles_given)) {
        subject->scenario->oracles = ORACLES_CHEAP;
    }
    if (status == SNPEMU_OK) {
        status = choose_until(subject, error);
    }
    return status;
}

/* Where the snapshot is to be, unless the scenario says it: the run goes on to there, or to its
 * end. */
static int choose_place(struct stage *stage, struct run *run, struct error *error)
{
    uint64_t number;
    bool arrived;
    int status;

    stage->place = stage->subject->scenario->snapshot;
    if (stage->place.kind != PLACE_NONE) {
        return SNPEMU_OK;
    }
    status = place_parse(&stage->place, "before apic_id_list", error);
    if (status == SNPEMU_OK) {
        status = run_to_place(run, &stage->place, &number, &arrived, error);
    }
    if (status == SNPEMU_OK && !arrived) {
        stage->place.kind = PLACE_NONE;
    }
    return status;
}

/* What the budgets are to be: the honest run's, and a margin. */
static int run_honestly(struct stage *stage, struct error *error)
{
    struct scenario *scenario = stage->subject->scenario;
    const struct run_options options = {
        .firmware = stage->subject->firmware,
        .until = stage->options.until,
    };
    struct run *run = NULL;
    int status =
        run_new(&run, scenario, stage->subject->image, stage->honest_host, &options, error);

    if (status == SNPEMU_OK) {
        status = choose_place(stage, run, error);
    }
    if (status == SNPEMU_OK) {
        status = run_to_end(run, &stage->honest, error);
    }
    run_free(run);
    if (status == SNPEMU_OK && stage->options.until && stage->honest.kind != OUTCOME_REACHED) {
        char phrase[160];

        outcome_phrase(&stage->honest, phrase, sizeof(phrase));
        status = error_set(error, SNPEMU_ERR_INPUT,
                           "%s: with an honest host it does not come to %s, it ends as %s; say "
                           "--until",
                           scenario->name, stage->options.until, phrase);
    }
    if (status == SNPEMU_OK) {
        scenario->budget = stage->honest.instructions + stage->options.margin_instructions;
        scenario->exit_budget = stage->honest.exits + stage->options.margin_exits;
    }
    return status;
}

/* From launch to where the snapshot is to be. */
enum speed { FAST, WATCHED, EXACT, COUNTING };

static int open_run(struct stage *stage, struct run **run, enum speed speed, struct error *error)
{
    const struct run_options options = {
        .firmware = stage->subject->firmware,
        .until = stage->options.until,
        .oracles = speed == COUNTING ? ORACLES_NONE : stage->subject->scenario->oracles,
        .oracles_exact = speed == EXACT,
        .ran = speed == COUNTING ? stage->ran : NULL,
        .edges = speed == FAST || speed == WATCHED,
    };
    uint64_t number = 1;
    bool arrived = false;
    int status = run_new(run, stage->subject->scenario, stage->subject->image, stage->honest_host,
                         &options, error);

    if (status == SNPEMU_OK) {
        status = stage->place.kind == PLACE_NONE
                     ? run_to_exit(*run, &number, &arrived, error)
                     : run_to_place(*run, &stage->place, &number, &arrived, error);
    }
    if (status == SNPEMU_OK && !arrived) {
        status =
            error_set(error, SNPEMU_ERR_INPUT, "%s: the run ends before it comes to the snapshot",
                      stage->subject->scenario->name);
    }
    if (status == SNPEMU_OK && (speed == WATCHED || speed == EXACT)) {
        status = run_watch_often(*run, error);
    }
    if (status == SNPEMU_OK) {
        status = run_snapshot(*run, error);
    }
    if (status == SNPEMU_OK) {
        stage->first_exit = number;
        stage->snapshot_instructions = run_instructions(*run);
    }
    return status;
}

int stage_open(struct stage **out, struct subject *subject, const struct stage_options *options,
               struct error *error)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    int status;

    if (!stage) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a stage");
    }
    stage->subject = subject;
    stage->options = *options;
    if (!stage->options.until) {
        stage->options.until = subject->scenario->until;
    }
    stage->map = stage->own_map;
    stage->honest_host = host_honest_new();
    stage->host = host_bytes_new();
    status = stage->honest_host && stage->host
                 ? run_honestly(stage, error)
                 : error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a host");
    if (status == SNPEMU_OK) {
        status = open_run(stage, &stage->fast, FAST, error);
        stage->last = stage->fast;
    }
    if (status != SNPEMU_OK) {
        stage_close(stage);
        return status;
    }
    *out = stage;
    return SNPEMU_OK;
}

void stage_close(struct stage *stage)
{
    if (!stage) {
        return;
    }
    run_free(stage->fast);
    run_free(stage->watched);
    run_free(stage->exact);
    run_free(stage->counting);
    if (stage->host) {
        stage->host->free(stage->host);
    }
    if (stage->honest_host) {
        stage->honest_host->free(stage->honest_host);
    }
    free(stage);
}

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
        status = open_run(stage, &stage->watched, WATCHED, error);
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
    int status = open_run(stage, &stage->exact, EXACT, error);

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
        status = open_run(stage, &stage->counting, COUNTING, error);
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
