/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "snpemu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/expect.h"
#include "check/oracle.h"
#include "check/outcome.h"
#include "program_host.h"
#include "run.h"
#include "subject.h"
#include "trace/text.h"

/* The public numbers are the private ones. */
_Static_assert((int)SNPEMU_BAD_INPUT == SNPEMU_ERR_INPUT && (int)SNPEMU_BUG == SNPEMU_ERR_INTERNAL,
               "status");
_Static_assert((int)SNPEMU_HALTED == OUTCOME_HALTED && (int)SNPEMU_UNMODELLED == OUTCOME_UNMODELLED,
               "outcome");
_Static_assert((int)SNPEMU_PASS == VERDICT_PASS && (int)SNPEMU_EMULATOR_BUG == VERDICT_EMULATOR_BUG,
               "verdict");
_Static_assert(SNPEMU_DIGEST_SIZE == RUN_DIGEST_SIZE, "digest");

#define PERCPU_MAX HYPERVISOR_CPU_MAX

struct snpemu {
    struct subject subject;
    char *until;
    snpemu_console *console;
    void *console_context;
    snpemu_line *line;
    void *line_context;
    struct program_host program;
    struct run_percpu *percpu;
    size_t percpu_count;
};

static int give_text(int status, const struct error *error, char *text)
{
    if (text) {
        snprintf(text, SNPEMU_TEXT_MAX, "%s", status ? error->text : "");
    }
    return status;
}

int snpemu_open(struct snpemu **out, const char *path, char *text)
{
    struct error error = {{0}};
    struct snpemu *snpemu = calloc(1, sizeof(*snpemu));
    int status;

    if (!snpemu) {
        return give_text(error_set(&error, SNPEMU_ERR_MEMORY, "out of memory"), &error, text);
    }
    status = subject_open(&snpemu->subject, path, NULL, &error);
    if (status == 0) {
        *out = snpemu;
    } else {
        free(snpemu);
    }
    return give_text(status, &error, text);
}

void snpemu_close(struct snpemu *snpemu)
{
    if (snpemu) {
        subject_close(&snpemu->subject);
        free(snpemu->until);
        free(snpemu->percpu);
        free(snpemu);
    }
}

int snpemu_set_firmware(struct snpemu *snpemu, const char *path, char *text)
{
    struct error error = {{0}};

    return give_text(subject_set_firmware(&snpemu->subject, path ? path : "none", &error), &error,
                     text);
}

int snpemu_set_cpus(struct snpemu *snpemu, uint32_t cpus, char *text)
{
    struct error error = {{0}};

    return give_text(scenario_set_cpus(snpemu->subject.scenario, cpus, &error), &error, text);
}

int snpemu_set_apic_ids(struct snpemu *snpemu, const uint32_t *apic_id, size_t count, char *text)
{
    struct error error = {{0}};

    if (count == 0 || count > HYPERVISOR_APIC_ID_MAX) {
        return give_text(error_set(&error, SNPEMU_ERR_INPUT, "APIC IDs: give 1 to %d of them",
                                   HYPERVISOR_APIC_ID_MAX),
                         &error, text);
    }
    scenario_set_apic_ids(snpemu->subject.scenario, apic_id, count);
    return give_text(0, &error, text);
}

void snpemu_set_seed(struct snpemu *snpemu, uint64_t seed)
{
    snpemu->subject.scenario->seed = seed;
}

void snpemu_set_budget(struct snpemu *snpemu, uint64_t instructions, uint64_t exits)
{
    snpemu->subject.scenario->budget = instructions;
    snpemu->subject.scenario->exit_budget = exits;
}

int snpemu_set_until(struct snpemu *snpemu, const char *symbol, char *text)
{
    struct error error = {{0}};
    char *copy = symbol ? strdup(symbol) : NULL;

    if (symbol && !copy) {
        return give_text(error_set(&error, SNPEMU_ERR_MEMORY, "out of memory"), &error, text);
    }
    if (symbol && !image_symbol_find(snpemu->subject.image, symbol, NULL, NULL)) {
        free(copy);
        return give_text(run_no_symbol(snpemu->subject.image, symbol, &error), &error, text);
    }
    free(snpemu->until);
    snpemu->until = copy;
    return give_text(0, &error, text);
}

void snpemu_on_console(struct snpemu *snpemu, snpemu_console *callback, void *context)
{
    snpemu->console = callback;
    snpemu->console_context = context;
}

void snpemu_on_trace(struct snpemu *snpemu, snpemu_line *callback, void *context)
{
    snpemu->line = callback;
    snpemu->line_context = context;
}

void snpemu_on_exit(struct snpemu *snpemu, snpemu_answer *callback, void *context)
{
    snpemu->program = (struct program_host){.answer = callback, .context = context};
}

/* ---- a run ---- */

static void forward_console(void *context, const uint8_t *bytes, size_t size_bytes)
{
    struct snpemu *snpemu = context;

    if (snpemu->console) {
        snpemu->console(snpemu->console_context, bytes, size_bytes);
    }
}

int snpemu_set_oracles(struct snpemu *snpemu, const char *names, char *text)
{
    struct error error = {{0}};
    char why[320];
    int status = SNPEMU_OK;

    if (!oracles_parse(names, &snpemu->subject.scenario->oracles, why, sizeof(why))) {
        status = error_set(&error, SNPEMU_ERR_INPUT, "oracles: %s", why);
    }
    return give_text(status, &error, text);
}

/* Hand out the trace's lines. */
static int forward_trace(struct snpemu *snpemu, struct text_trace *trace, struct error *error)
{
    size_t size;
    int status = text_trace_finish(trace, error);
    char *text = status == 0 ? strdup(text_trace_text(trace, &size)) : NULL;
    char *rest = text;

    if (status == 0 && !text) {
        status = error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    for (char *line = text ? strsep(&rest, "\n") : NULL; line; line = strsep(&rest, "\n")) {
        if (*line) {
            snpemu->line(snpemu->line_context, line);
        }
    }
    free(text);
    return status;
}

static void fill_result(struct snpemu *snpemu, struct run *run, const struct outcome *outcome,
                        struct snpemu_result *result)
{
    enum verdict verdict = outcome_verdict(outcome);
    const struct expect *expect = &snpemu->subject.scenario->expect;

    memset(result, 0, sizeof(*result));
    result->outcome = (enum snpemu_outcome)outcome->kind;
    result->verdict = (enum snpemu_verdict)verdict;
    result->reason_set = outcome->term_set;
    result->reason_code = outcome->term_code;
    result->rip = outcome->rip;
    result->instructions = outcome->instructions;
    result->exits = outcome->exits;
    outcome_phrase(outcome, result->phrase, sizeof(result->phrase));
    snprintf(result->symbol, sizeof(result->symbol), "%s", outcome->symbol);
    snprintf(result->detail, sizeof(result->detail), "%s", outcome->detail);
    snprintf(result->panic, sizeof(result->panic), "%s", outcome->panic);
    if (outcome->oracles) {
        oracle_list(outcome->oracles, result->oracles, sizeof(result->oracles));
    }
    result->expected = expect->given
                           ? run_expected(run, result->difference, sizeof(result->difference))
                           : verdict == VERDICT_PASS || verdict == VERDICT_CONTAINED;
}

static int run_once(struct snpemu *snpemu, struct run *run, struct host *host,
                    struct text_trace *text, struct snpemu_result *result, struct error *error)
{
    struct outcome outcome;
    int status = run_to_end(run, &outcome, error);

    if (status == 0 && host->finish) {
        status = host->finish(host, error);
    }
    if (status != 0) {
        return status;
    }
    fill_result(snpemu, run, &outcome, result);
    status = run_digest(run, result->digest, error);
    if (status == 0 && text) {
        text_trace_digest(text, result->digest, sizeof(result->digest));
        status = forward_trace(snpemu, text, error);
    }
    snpemu->percpu_count = run_percpu_table(run, snpemu->percpu, PERCPU_MAX);
    return status;
}

/* The scenario's host, or the program's function. */
static int run_host(struct snpemu *snpemu, struct host **host, struct error *error)
{
    return snpemu->program.answer ? program_host_new(host, &snpemu->program, error)
                                  : scenario_host(snpemu->subject.scenario, host, error);
}

/* The function must not be asked twice, so nobody looks first. */
static int run_look(struct snpemu *snpemu, struct run_options *options, struct error *error)
{
    if (!snpemu->program.answer) {
        return run_suspects(snpemu->subject.scenario, snpemu->subject.image, options, error);
    }
    options->oracles_exact = options->oracles != 0;
    return SNPEMU_OK;
}

int snpemu_run(struct snpemu *snpemu, struct snpemu_result *result, char *text)
{
    struct text_header header = subject_header(&snpemu->subject);
    struct text_trace *trace = NULL;
    struct trace sinks = {0};
    struct run_options options = {
        .firmware = snpemu->subject.firmware,
        .until = snpemu->until,
        .trace = &sinks,
        .console = forward_console,
        .context = snpemu,
    };
    struct error error = {{0}};
    struct host *host = NULL;
    struct run *run = NULL;
    int status = SNPEMU_ERR_MEMORY;

    options.oracles = snpemu->subject.scenario->oracles;
    error_set(&error, SNPEMU_ERR_MEMORY, "out of memory");
    if (!snpemu->percpu) {
        snpemu->percpu = calloc(PERCPU_MAX, sizeof(*snpemu->percpu));
    }
    if (snpemu->line) {
        trace = text_trace_new(TEXT_FULL, &header, NULL);
        sinks.sink[sinks.sink_count++] = trace ? text_trace_sink(trace) : NULL;
    }
    if (snpemu->percpu && (trace || !snpemu->line)) {
        status = run_look(snpemu, &options, &error);
    }
    if (status == 0) {
        status = run_host(snpemu, &host, &error);
    }
    if (status == 0) {
        status =
            run_new(&run, snpemu->subject.scenario, snpemu->subject.image, host, &options, &error);
    }
    if (status == 0) {
        status = run_once(snpemu, run, host, trace, result, &error);
    }
    run_free(run);
    text_trace_free(trace);
    if (host) {
        host->free(host);
    }
    return give_text(status, &error, text);
}

size_t snpemu_percpu_table(const struct snpemu *snpemu, struct snpemu_percpu *row, size_t max)
{
    for (size_t i = 0; i < max && i < snpemu->percpu_count; i++) {
        row[i] = (struct snpemu_percpu){
            .index = snpemu->percpu[i].index,
            .apic_id = snpemu->percpu[i].apic_id,
            .gva = snpemu->percpu[i].gva,
        };
    }
    return snpemu->percpu_count;
}

const char *snpemu_outcome_name(enum snpemu_outcome outcome)
{
    return outcome_name((enum outcome_kind)outcome);
}

const char *snpemu_verdict_name(enum snpemu_verdict verdict)
{
    return verdict_name((enum verdict)verdict);
}

const char *snpemu_version(void)
{
    return SNPEMU_VERSION;
}
