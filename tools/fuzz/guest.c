/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One hostile guest through the real run loop. One input in eight runs again in a new machine, and
 * from a snapshot in the middle on: digests, outcomes and traces have to be the same.
 */
#include "guest.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "trace/text.h"

#define REPEAT_EVERY 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a run leaves behind. */
struct result {
    struct outcome outcome;
    uint8_t digest[RUN_DIGEST_SIZE];
    char *trace;
};

struct subject {
    struct image *image;
    struct scenario *scenario;
    struct run *run;
    struct host *host;
    struct text_trace *text;
    struct trace trace;
    struct error error;
};

__attribute__((format(printf, 1, 2))) static _Noreturn void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("fuzz-guest: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

static void check(int status, const struct subject *subject, const char *what)
{
    if (status != 0) {
        fail("%s: status %d: %s", what, status, subject->error.text);
    }
}

/* ---- the pieces of a run ---- */

static void subject_open(struct subject *subject, const uint8_t *data, size_t size)
{
    struct guest_header header;
    uint8_t *file = malloc(GUEST_IMAGE_BYTES);
    int status;

    memset(subject, 0, sizeof(*subject));
    if (!file) {
        fail("out of memory");
    }
    guest_header_read(&header, data, size);
    guest_image(file, &header, data, size);
    status = image_open_bytes(&subject->image, "fuzz", file, GUEST_IMAGE_BYTES, &subject->error);
    free(file);
    check(status, subject, "image");
    check(scenario_for_image(&subject->scenario, "fuzz", 2, &subject->error), subject, "scenario");
    subject->scenario->budget = GUEST_BUDGET;
    subject->scenario->exit_budget = GUEST_EXIT_BUDGET;
    subject->scenario->seed = header.seed + 1;
    subject->scenario->strict = header.strict & 1;
    subject->scenario->host.features ^= header.features;
    subject->scenario->host.sev_features |= (uint64_t)(header.sev_features & 0x7E);
}

static void subject_close(struct subject *subject)
{
    scenario_free(subject->scenario);
    image_close(subject->image);
}

static void subject_start(struct subject *subject)
{
    const struct text_header header = {
        .image = "fuzz", .cpus = 2, .memory_mib = 4, .seed = subject->scenario->seed};
    struct run_options options = {.trace = &subject->trace};

    subject->host = host_honest_new();
    subject->text = text_trace_new(TEXT_FULL, &header, NULL);
    if (!subject->host || !subject->text) {
        fail("out of memory");
    }
    subject->trace = (struct trace){.sink = {text_trace_sink(subject->text)}, .sink_count = 1};
    check(run_new(&subject->run, subject->scenario, subject->image, subject->host, &options,
                  &subject->error),
          subject, "launch");
}

static void subject_stop(struct subject *subject)
{
    run_free(subject->run);
    text_trace_free(subject->text);
    subject->host->free(subject->host);
}

/*
 * Run to the end, and hold the result against what every run must keep to. The trace goes to
 * `out`, if any, before that.
 */
static void subject_finish(struct subject *subject, struct result *result, FILE *out)
{
    const struct outcome *outcome = &result->outcome;
    const char *text;
    size_t size = 0;

    check(run_to_end(subject->run, &result->outcome, &subject->error), subject, "run");
    check(text_trace_finish(subject->text, &subject->error), subject, "trace");
    text = text_trace_text(subject->text, &size);
    result->trace = malloc(size + 1);
    if (!result->trace) {
        fail("out of memory");
    }
    memcpy(result->trace, text, size);
    result->trace[size] = '\0';
    if (out) {
        fputs(result->trace, out);
        fflush(out);
    }
    check(run_digest(subject->run, result->digest, &subject->error), subject, "digest");
    if (outcome->kind == OUTCOME_NONE || outcome->kind >= OUTCOME_KIND_COUNT) {
        fail("the run ended without an outcome (%d)", outcome->kind);
    }
    if (outcome->instructions > GUEST_BUDGET || outcome->exits > GUEST_EXIT_BUDGET) {
        fail("%llu instructions and %llu exits are more than the budget",
             (unsigned long long)outcome->instructions, (unsigned long long)outcome->exits);
    }
}

/* ---- the same again ---- */

static void compare(const struct result *first, const struct result *second, const char *what)
{
    size_t at = 0, line = 0;

    while (first->trace[at] && first->trace[at] == second->trace[at]) {
        line = first->trace[at++] == '\n' ? at : line;
    }
    if (first->trace[at] || second->trace[at]) {
        fail("%s: the traces differ:\n  %.300s\n---\n  %.300s", what, first->trace + line,
             second->trace + line);
    }
    if (first->outcome.kind != second->outcome.kind ||
        first->outcome.instructions != second->outcome.instructions) {
        fail("%s: the outcomes differ", what);
    }
    if (memcmp(first->digest, second->digest, sizeof(first->digest)) != 0) {
        fail("%s: the digests differ (%llu instructions)", what,
             (unsigned long long)first->outcome.instructions);
    }
}

/* The same in a second machine. */
static void repeat_fresh(struct subject *subject, const struct result *first)
{
    struct result again = {0};

    subject_start(subject);
    subject_finish(subject, &again, NULL);
    compare(first, &again, "second run");
    free(again.trace);
    subject_stop(subject);
}

/*
 * A machine stopped at exit number `stop`, kept, run on, brought back, and run on again. It is not
 * held against the first one: keeping it forgets its translations, and so a guest that changed its
 * page tables without a flush goes another way from there.
 */
static void repeat_restored(struct subject *subject, uint64_t stop)
{
    struct result kept = {0}, restored = {0};
    bool at_exit = false;
    size_t size = 0;

    subject_start(subject);
    check(run_to_exit(subject->run, &stop, &at_exit, &subject->error), subject, "run to exit");
    if (at_exit) {
        check(run_snapshot(subject->run, &subject->error), subject, "snapshot");
        text_trace_text(subject->text, &size);
        subject_finish(subject, &kept, NULL);
        text_trace_cut(subject->text, size);
        check(run_restore(subject->run, &subject->error), subject, "restore");
        subject_finish(subject, &restored, NULL);
        compare(&kept, &restored, "run after a restore");
        free(kept.trace);
        free(restored.trace);
    }
    subject_stop(subject);
}

/* FNV-1a */
static uint32_t hash(const uint8_t *data, size_t size)
{
    uint32_t value = 2166136261u;

    for (size_t i = 0; i < size; i++) {
        value = (value ^ data[i]) * 16777619u;
    }
    return value ^ value >> 15;
}

int fuzz_guest_show(const uint8_t *data, size_t size, FILE *out)
{
    uint32_t choice = hash(data, size);
    struct subject subject;
    struct result result = {0};
    char phrase[128];

    subject_open(&subject, data, size);
    subject_start(&subject);
    subject_finish(&subject, &result, out);
    subject_stop(&subject);
    if (out) {
        outcome_phrase(&result.outcome, phrase, sizeof(phrase));
        fprintf(out, "%s: %s, %llu instructions, %llu exits\n", phrase, result.outcome.detail,
                (unsigned long long)result.outcome.instructions,
                (unsigned long long)result.outcome.exits);
    }
    if (out || choice % REPEAT_EVERY == 0) {
        repeat_fresh(&subject, &result);
        repeat_restored(&subject, 1 + (choice >> 8) % 4);
    }
    free(result.trace);
    subject_close(&subject);
    return (int)result.outcome.kind;
}

int fuzz_guest(const uint8_t *data, size_t size)
{
    fuzz_guest_show(data, size, NULL);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_guest(data, size);
}
