/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One hostile guest through the real run loop. One input in eight runs again in a new machine, and
 * there from a snapshot in the middle on, and with oracles that watch it in each of their ways:
 * digests, outcomes and traces have to be the same. If asked to, it keeps machines and brings them
 * back to their launch for each input: making one takes longer than most inputs run. So what an
 * input does not leave as it was is found, too.
 */
#include "guest.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"
#include "run.h"
#include "trace/text.h"

#define REPEAT_EVERY 8
#define KEPT_MAX 4 /* machines */

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
    struct run_options options; /* how it is watched */
    struct error error;
    size_t launch_size; /* of the trace, at the snapshot of the launch */
};

bool fuzz_guest_keeps;

/* Machines at their launch, by seed; each with a plain host. */
static struct subject kept[KEPT_MAX];

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

static void image_of(struct image **image, const struct guest_header *header, const uint8_t *data,
                     size_t size, struct subject *subject)
{
    uint8_t *file = malloc(GUEST_IMAGE_BYTES);
    int status;

    if (!file) {
        fail("out of memory");
    }
    guest_image(file, header, data, size);
    status = image_open_bytes(image, "fuzz", file, GUEST_IMAGE_BYTES, &subject->error);
    free(file);
    check(status, subject, "image");
}

static void subject_open(struct subject *subject, const uint8_t *data, size_t size)
{
    struct guest_header header;

    memset(subject, 0, sizeof(*subject));
    guest_header_read(&header, data, size);
    image_of(&subject->image, &header, data, size, subject);
    check(scenario_for_image(&subject->scenario, "fuzz", 2, &subject->error), subject, "scenario");
    subject->scenario->budget = GUEST_BUDGET;
    subject->scenario->exit_budget = GUEST_EXIT_BUDGET;
    subject->scenario->seed = header.seed % KEPT_MAX + 1;
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
    struct run_options options = subject->options;

    options.trace = &subject->trace;
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
    if (outcome->kind == OUTCOME_NONE || outcome->kind >= OUTCOME_KIND_COUNT) {
        fail("the run ended without an outcome (%d)", outcome->kind);
    }
    if (outcome->instructions > GUEST_BUDGET || outcome->exits > GUEST_EXIT_BUDGET) {
        fail("%llu instructions and %llu exits are more than the budget",
             (unsigned long long)outcome->instructions, (unsigned long long)outcome->exits);
    }
}

static void subject_digest(struct subject *subject, struct result *result)
{
    check(run_digest(subject->run, result->digest, &subject->error), subject, "digest");
}

/* ---- machines that are kept ---- */

void fuzz_guest_forget(void)
{
    for (size_t i = 0; i < KEPT_MAX; i++) {
        if (kept[i].run) {
            subject_stop(&kept[i]);
            subject_close(&kept[i]);
            memset(&kept[i], 0, sizeof(kept[i]));
        }
    }
}

/* The machine for an input, at its launch; NULL when the input wants a host of its own. */
static struct subject *subject_kept(const uint8_t *data, size_t size)
{
    struct guest_header header;
    struct subject *subject;
    struct image *image;

    guest_header_read(&header, data, size);
    subject = &kept[header.seed % KEPT_MAX];
    if (!fuzz_guest_keeps || (header.strict & 1) || header.features ||
        (header.sev_features & 0x7E)) {
        return NULL;
    }
    if (!subject->run) {
        subject_open(subject, data, size);
        subject_start(subject);
        check(run_snapshot(subject->run, &subject->error), subject, "snapshot of the launch");
        text_trace_text(subject->text, &subject->launch_size);
        return subject;
    }
    image_of(&image, &header, data, size, subject);
    check(run_restore(subject->run, &subject->error), subject, "restore of the launch");
    check(run_relaunch(subject->run, image, &subject->error), subject, "launch again");
    text_trace_cut(subject->text, subject->launch_size);
    image_close(subject->image);
    subject->image = image;
    return subject;
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

/* In a machine of its own, which is gone afterwards. */
static void run_fresh(struct subject *subject, struct result *result, FILE *out)
{
    subject_start(subject);
    subject_finish(subject, result, out);
    subject_digest(subject, result);
    subject_stop(subject);
}

/*
 * A machine stopped at exit number `stop`, kept, run on, brought back, and run on again. It is not
 * held against the first one: keeping it forgets its translations, and so a guest that changed its
 * page tables without a flush goes another way from there.
 */
static void repeat_restored(struct subject *subject, uint64_t stop)
{
    struct result first = {0}, restored = {0};
    bool at_exit = false;
    size_t size = 0;

    subject_start(subject);
    check(run_to_exit(subject->run, &stop, &at_exit, &subject->error), subject, "run to exit");
    if (at_exit) {
        check(run_snapshot(subject->run, &subject->error), subject, "snapshot");
        text_trace_text(subject->text, &size);
        subject_finish(subject, &first, NULL);
        subject_digest(subject, &first);
        text_trace_cut(subject->text, size);
        check(run_restore(subject->run, &subject->error), subject, "restore");
        subject_finish(subject, &restored, NULL);
        subject_digest(subject, &restored);
        compare(&first, &restored, "run after a restore");
        free(first.trace);
        free(restored.trace);
    }
    subject_stop(subject);
}

/* ---- oracles ---- */

static void run_watched(struct subject *subject, uint32_t oracles, bool exact,
                        struct result *result)
{
    subject->options = (struct run_options){.oracles = oracles, .oracles_exact = exact};
    run_fresh(subject, result, NULL);
}

/* As what the guest sees it is the same run. */
static bool same_run(const struct result *first, const struct result *second)
{
    const struct outcome *a = &first->outcome, *b = &second->outcome;

    return a->kind == b->kind && a->rip == b->rip && a->vcpu == b->vcpu &&
           a->instructions == b->instructions && a->exits == b->exits &&
           memcmp(first->digest, second->digest, sizeof(first->digest)) == 0;
}

static void compare_watched(const struct result *plain, const struct result *watched,
                            const char *what)
{
    if (!same_run(plain, watched)) {
        fail("%s: the run is another one:\n%s---\n%s", what, plain->trace, watched->trace);
    }
}

/* The engine takes an instruction that overwrites itself in one of two ways, by whether accesses
   are shown to anybody. */
static bool differs_when_shown(struct subject *subject, const struct result *plain)
{
    struct result shown = {0};
    bool differs;

    run_watched(subject, ORACLE_BIT(ORACLE_PERCPU), true, &shown);
    differs = !same_run(plain, &shown);
    free(shown.trace);
    return differs;
}

/* All that exact oracles see fast ones suspect, and where to begin with the exact ones. */
static void compare_oracles(struct subject *subject, const struct result *fast,
                            const struct result *exact)
{
    struct result from = {0};

    if (exact->outcome.oracles & ~fast->outcome.oracles) {
        fail("oracles 0x%x hit, fast ones 0x%x:\n%s", exact->outcome.oracles, fast->outcome.oracles,
             exact->trace);
    }
    subject->options = (struct run_options){.oracles = ORACLES_CHEAP};
    check(run_suspects(subject->scenario, subject->image, &subject->options, &subject->error),
          subject, "suspects");
    if (subject->options.oracles_exact) {
        run_fresh(subject, &from, NULL);
        compare(exact, &from, "exact oracles from where they suspect something");
        free(from.trace);
    }
}

/* Whoever watches, the run is the same. */
static void repeat_watched(struct subject *subject, uint64_t stop, const struct result *plain)
{
    struct result fast = {0}, exact = {0}, all = {0};

    run_watched(subject, ORACLES_CHEAP, false, &fast);
    compare_watched(plain, &fast, "fast oracles");
    run_watched(subject, ORACLES_CHEAP, true, &exact);
    if (same_run(plain, &exact)) {
        compare_oracles(subject, &fast, &exact);
    } else if (!differs_when_shown(subject, plain)) {
        compare_watched(plain, &exact, "exact oracles");
    }
    run_watched(subject, ORACLES_ALL, true, &all);
    compare_watched(&exact, &all, "following values");
    repeat_restored(subject, stop);
    subject->options = (struct run_options){.oracles = ORACLES_CHEAP, .oracles_exact = stop & 1};
    repeat_restored(subject, stop);
    memset(&subject->options, 0, sizeof(subject->options));
    free(fast.trace);
    free(exact.trace);
    free(all.trace);
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

/* In a kept machine, then a new one, then from the middle on, then with oracles. */
static void repeat(struct subject *fresh, const uint8_t *data, size_t size, uint32_t choice,
                   const struct result *first)
{
    struct subject *subject = subject_kept(data, size);
    uint64_t stop = 1 + (choice >> 8) % 4;
    struct result again = {0};

    if (subject) {
        subject_finish(subject, &again, NULL);
        subject_digest(subject, &again);
    } else {
        run_fresh(fresh, &again, NULL);
    }
    compare(first, &again, subject ? "run in a machine that was used before" : "second run");
    free(again.trace);
    repeat_restored(fresh, stop);
    repeat_watched(fresh, stop, first);
}

int fuzz_guest_show(const uint8_t *data, size_t size, FILE *out)
{
    uint32_t choice = hash(data, size);
    struct subject fresh;
    struct result result = {0};
    char phrase[128];

    subject_open(&fresh, data, size);
    run_fresh(&fresh, &result, out);
    if (out) {
        outcome_phrase(&result.outcome, phrase, sizeof(phrase));
        fprintf(out, "%s: %s, %llu instructions, %llu exits\n", phrase, result.outcome.detail,
                (unsigned long long)result.outcome.instructions,
                (unsigned long long)result.outcome.exits);
    }
    repeat(&fresh, data, size, choice, &result);
    free(result.trace);
    subject_close(&fresh);
    return (int)result.outcome.kind;
}

int fuzz_guest(const uint8_t *data, size_t size)
{
    struct subject *subject;
    struct result result = {0};

    if (hash(data, size) % REPEAT_EVERY == 0) {
        fuzz_guest_show(data, size, NULL);
        return 0;
    }
    subject = subject_kept(data, size);
    if (subject) {
        subject_finish(subject, &result, NULL);
    } else {
        struct subject fresh;

        subject_open(&fresh, data, size);
        subject_start(&fresh);
        subject_finish(&fresh, &result, NULL);
        subject_stop(&fresh);
        subject_close(&fresh);
    }
    free(result.trace);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_guest(data, size);
}
