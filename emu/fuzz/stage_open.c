/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"
#include "fuzz/stage_internal.h"

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

int stage_open_run(struct stage *stage, struct run **run, enum stage_speed speed,
                   struct error *error)
{
    const struct run_options options = {
        .firmware = stage->subject->firmware,
        .until = stage->options.until,
        .oracles = speed == STAGE_COUNTING ? ORACLES_NONE : stage->subject->scenario->oracles,
        .oracles_exact = speed == STAGE_EXACT,
        .ran = speed == STAGE_COUNTING ? stage->ran : NULL,
        .edges = speed == STAGE_FAST || speed == STAGE_WATCHED,
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
    if (status == SNPEMU_OK && (speed == STAGE_WATCHED || speed == STAGE_EXACT)) {
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
        status = stage_open_run(stage, &stage->fast, STAGE_FAST, error);
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
