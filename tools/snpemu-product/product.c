/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One machine, one snapshot before the first answer, and from there one run after the other.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"
#include "clock.h"
#include "product.h"
#include "progress.h"

#define EXIT_MARGIN 1000 /* exits that a run may have beyond the honest one */

/* What the budgets are to be: the honest run's, and a margin. */
static int run_honestly(struct product *product, struct host *host, struct error *error)
{
    const struct run_options options = {
        .firmware = product->subject.firmware,
        .until = product->until,
    };
    struct scenario *scenario = product->subject.scenario;
    struct run *run = NULL;
    int status = run_new(&run, scenario, product->subject.image, host, &options, error);

    if (status == SNPEMU_OK) {
        status = run_to_end(run, &product->honest, error);
    }
    run_free(run);
    if (status == SNPEMU_OK && product->honest.kind != OUTCOME_REACHED) {
        char phrase[160];

        outcome_phrase(&product->honest, phrase, sizeof(phrase));
        status = error_set(error, SNPEMU_ERR_INPUT,
                           "an honest host does not bring this image to %s, it ends as %s; say "
                           "--until",
                           product->until, phrase);
    }
    scenario->budget = product->honest.instructions + product->margin_instructions;
    scenario->exit_budget = product->honest.exits + EXIT_MARGIN;
    return status;
}

/* ---- the stage ---- */

/* From launch to the first exit that the host handles. */
static int open_run(struct run **run, const struct product *product, struct host *host, bool exact,
                    struct error *error)
{
    const struct run_options options = {
        .firmware = product->subject.firmware,
        .until = product->until,
        .oracles = product->subject.scenario->oracles,
        .oracles_exact = exact,
    };
    uint64_t number = UINT64_MAX;
    bool at_exit = false;
    int status =
        run_new(run, product->subject.scenario, product->subject.image, host, &options, error);

    if (status == SNPEMU_OK) {
        status = run_to_exit(*run, &number, &at_exit, error);
    }
    if (status == SNPEMU_OK && !at_exit) {
        status = error_set(error, SNPEMU_ERR_INPUT,
                           "this image does not ask for the APIC IDs before it comes to %s",
                           product->until);
    }
    return status == SNPEMU_OK ? run_snapshot(*run, error) : status;
}

int product_stage_open(struct product_stage *stage, struct product *product, struct host *host,
                       struct error *error)
{
    int status = run_honestly(product, host, error);

    *stage = (struct product_stage){.product = product};
    return status == SNPEMU_OK
               ? open_run(&stage->fast, product, host,
                          product->subject.scenario->oracles & ORACLES_EXACT_ONLY, error)
               : status;
}

void product_stage_close(struct product_stage *stage)
{
    run_free(stage->fast);
    run_free(stage->exact);
}

static int play_on(struct run *run, struct host *host, void (*begin)(struct host *host),
                   bool watches, bool *ready, struct outcome *outcome, struct error *error)
{
    int status = run_restore(run, error);

    if (status == SNPEMU_OK && watches && !*ready) {
        status = run_watch_often(run, error);
        *ready = true;
    }
    begin(host);
    return status == SNPEMU_OK ? run_to_end(run, outcome, error) : status;
}

int product_stage_play(struct product_stage *stage, struct host *host,
                       void (*begin)(struct host *host), bool watches, struct outcome *outcome,
                       struct run **last, struct error *error)
{
    int status = play_on(stage->fast, host, begin, watches, &stage->fast_watches, outcome, error);

    *last = stage->fast;
    if (status != SNPEMU_OK || outcome->oracles == 0) {
        return status;
    }
    if (!stage->exact) {
        status = open_run(&stage->exact, stage->product, host, true, error);
    }
    stage->again++;
    *last = stage->exact;
    return status == SNPEMU_OK
               ? play_on(stage->exact, host, begin, watches, &stage->exact_watches, outcome, error)
               : status;
}

/* ---- classes ---- */

/* The panic or the detail, each number in it as '#': equal for what is the same mistake. */
static void why_of(const struct outcome *outcome, char *why, size_t size)
{
    const char *from = outcome->panic[0] ? outcome->panic : outcome->detail;
    size_t used = 0;

    while (*from && used + 1 < size) {
        if (*from >= '0' && *from <= '9') {
            from += strspn(from, "0123456789abcdefx");
            why[used++] = '#';
        } else {
            why[used++] = *from++;
        }
    }
    why[used] = '\0';
}

/* The class of an outcome; PRODUCT_CLASSES_MAX when there are too many. */
static uint8_t class_of(struct product *product, const struct outcome *outcome)
{
    struct product_class fresh = {
        .verdict = outcome_verdict(outcome),
        .oracles = outcome->oracles,
    };
    size_t at = 0;

    outcome_phrase(outcome, fresh.phrase, sizeof(fresh.phrase));
    why_of(outcome, fresh.why, sizeof(fresh.why));
    while (at < product->class_count && (product->class[at].verdict != fresh.verdict ||
                                         product->class[at].oracles != fresh.oracles ||
                                         strcmp(product->class[at].phrase, fresh.phrase) != 0 ||
                                         strcmp(product->class[at].why, fresh.why) != 0)) {
        at++;
    }
    if (at == product->class_count) {
        if (at == PRODUCT_CLASSES_MAX) {
            return PRODUCT_CLASSES_MAX;
        }
        product->class[product->class_count++] = fresh;
    }
    product->class[at].runs++;
    return (uint8_t)at;
}

/* ---- all of them ---- */

static int run_one(struct product *product, struct product_stage *stage, struct product_host *host,
                   uint64_t number, struct error *error)
{
    struct product_result *result = &product->result[number - 1];
    struct combination combination;
    struct run *last;
    int status;

    product_axes_pick(&product->axes, number, &combination);
    host->combination = &combination;
    status = product_stage_play(stage, &host->host, product_host_begin,
                                combination.row[AXIS_CHANGE]->deed[0].kind == DEED_READ,
                                &product->last, &last, error);
    host->combination = NULL;
    if (status != SNPEMU_OK) {
        return status;
    }
    result->class = class_of(product, &product->last);
    if (result->class == PRODUCT_CLASSES_MAX) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "more than %d kinds of outcomes",
                         PRODUCT_CLASSES_MAX);
    }
    result->done = true;
    result->asked = host->asked;
    result->met = host->met;
    product->runs++;
    return SNPEMU_OK;
}

int product_run(struct product *product, struct error *error)
{
    uint64_t size = product_axes_size(&product->axes);
    struct product_host host;
    struct product_stage stage;
    struct progress progress;
    double start;
    int status;

    product->to = product->to < size ? product->to : size;
    product->result = calloc(size, sizeof(*product->result));
    if (!product->result) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for %" PRIu64 " results", size);
    }
    product_host_init(&host, product->axes.cpus);
    status = product_stage_open(&stage, product, &host.host, error);
    start = clock_seconds();
    progress_start(&progress);
    for (uint64_t number = product->from; status == SNPEMU_OK && number <= product->to;) {
        struct error why;

        if (progress_due(&progress)) {
            progress_show(&progress, "%" PRIu64 " of %" PRIu64 " combinations", number,
                          product->to);
        }
        status = run_one(product, &stage, &host, number, &why);
        if (status != SNPEMU_OK) {
            error_set(error, status, "combination %" PRIu64 ": %s", number, why.text);
        }
        number = product->every > UINT64_MAX - number ? UINT64_MAX : number + product->every;
    }
    progress_stop(&progress);
    product->seconds = clock_seconds() - start;
    product->again = stage.again;
    product_stage_close(&stage);
    return status;
}

uint64_t product_count(const struct product *product, enum verdict verdict)
{
    uint64_t runs = 0;

    for (size_t i = 0; i < product->class_count; i++) {
        const struct product_class *class = &product->class[i];
        bool good = class->verdict == VERDICT_PASS || class->verdict == VERDICT_CONTAINED;

        if (verdict == VERDICT_COUNT ? !good : class->verdict == verdict) {
            runs += class->runs;
        }
    }
    return runs;
}

void product_release(struct product *product)
{
    subject_close(&product->subject);
    free(product->result);
    product->result = NULL;
}
