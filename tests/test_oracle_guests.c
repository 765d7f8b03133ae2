/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests that make one mistake each, under the oracles: each case alone, fast and exactly. What an
 * exact run finds a fast one must suspect; and no guest may see whether anybody watches.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cpuid.h"
#include "check/oracle.h"
#include "run.h"
#include "subject.h"
#include "trace/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIXTURES SNPEMU_SOURCE_DIR "/fixtures/"
#define GUESTS FIXTURES "guests/oracles/"
#define SELECT_LEAF 0x4FFFFFFFu /* of the guests' library */
#define CASES_MAX 64

enum watch {
    NOBODY,
    FAST,
    EXACT,
};

struct result {
    struct outcome outcome;
    char *trace, *console; /* of the full form; freed by result_free */
    uint8_t digest[RUN_DIGEST_SIZE];
};

static struct error error;

static void must(int status)
{
    ck_assert_msg(status == 0, "%s", error.text);
}

static struct result run_with(const struct subject *subject, struct run_options options)
{
    const struct text_header header = subject_header(subject);
    struct text_trace *full = text_trace_new(TEXT_FULL, &header, NULL);
    struct trace trace = {.sink = {text_trace_sink(full)}, .sink_count = 1};
    struct result result;
    struct host *host;
    struct run *run;
    size_t size;

    options.trace = &trace;
    must(scenario_host(subject->scenario, &host, &error));
    must(run_new(&run, subject->scenario, subject->image, host, &options, &error));
    must(run_to_end(run, &result.outcome, &error));
    must(run_digest(run, result.digest, &error));
    result.console = strdup(run_console(run));
    result.trace = strdup(text_trace_text(full, &size));
    run_free(run);
    host->free(host);
    text_trace_free(full);
    return result;
}

static struct result run_subject(const struct subject *subject, enum watch watch, uint32_t oracles)
{
    return run_with(subject, (struct run_options){
                                 .firmware = subject->firmware,
                                 .oracles = watch == NOBODY ? 0 : oracles,
                                 .oracles_exact = watch == EXACT,
                             });
}

static void result_free(struct result *result)
{
    free(result->trace);
    free(result->console);
}

static void masks_text(uint32_t mask, uint32_t fast, char *text, size_t size)
{
    char exact_text[160], fast_text[160];

    oracle_list(mask, exact_text, sizeof(exact_text));
    oracle_list(fast, fast_text, sizeof(fast_text));
    snprintf(text, size, "exact: %s; fast: %s", exact_text, fast_text);
}

/* The exact run's hits; the fast one must have them all. */
static uint32_t hits(const struct subject *subject, const char *what)
{
    struct result exact = run_subject(subject, EXACT, ORACLES_CHEAP);
    struct result fast = run_subject(subject, FAST, ORACLES_CHEAP);
    uint32_t mask = exact.outcome.oracles;
    char text[400];

    masks_text(mask, fast.outcome.oracles, text, sizeof(text));
    ck_assert_msg((mask & ~fast.outcome.oracles) == 0, "%s: %s", what, text);
    ck_assert_msg(exact.outcome.kind == fast.outcome.kind, "%s", what);
    ck_assert_msg(memcmp(exact.digest, fast.digest, RUN_DIGEST_SIZE) == 0, "%s: digests", what);
    result_free(&exact);
    result_free(&fast);
    return mask;
}

/* ---- each case alone ---- */

static uint32_t hash(const char *name, size_t length)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < length; i++) {
        sum = sum * 31 + (uint8_t)name[i];
    }
    return sum;
}

/* The scenario with this case of its guest, and no other. */
static void select_case(struct subject *subject, const char *name, size_t length)
{
    struct hypervisor_config *host = &subject->scenario->host;

    ck_assert_uint_lt(host->cpuid_count, COUNT(host->cpuid));
    host->cpuid[host->cpuid_count++] =
        (struct cpuid_leaf){.eax_in = SELECT_LEAF, .eax = hash(name, length)};
}

static void case_alone(const char *path, const char *name, size_t length, uint32_t expected)
{
    struct subject subject;
    char what[128];
    uint32_t mask;

    snprintf(what, sizeof(what), "%.40s, case %.*s", strrchr(path, '/') + 1, (int)length, name);
    must(subject_open(&subject, path, NULL, &error));
    select_case(&subject, name, length);
    mask = hits(&subject, what);
    ck_assert_msg(mask == expected, "%s: 0x%x instead of 0x%x", what, mask, expected);
    subject_close(&subject);
}

static const char *const guests[] = {
    "double-fetch", "overrun", "unmarked", "leak", "stale-private", "validated-twice",
};

/* The guest's own words say which case is a mistake: "ok NAME (a mistake)". */
START_TEST(each_case)
{
    enum oracle_kind kind = oracle_named(guests[_i % COUNT(guests)]);
    bool corrected = (size_t)_i >= COUNT(guests);
    struct subject subject;
    struct result all;
    unsigned cases = 0, mistakes = 0;
    char path[512];

    snprintf(path, sizeof(path), GUESTS "%s%s.lua", oracle_name(kind), corrected ? "-fixed" : "");
    must(subject_open(&subject, path, NULL, &error));
    all = run_subject(&subject, NOBODY, 0);
    subject_close(&subject);
    for (const char *at = all.console; (at = strstr(at, "ok ")) && cases < CASES_MAX; cases++) {
        size_t length = strcspn(at + 3, " \n");
        bool mistake = strncmp(at + 3 + length, " (a mistake)", 12) == 0;

        case_alone(path, at + 3, length, mistake ? ORACLE_BIT(kind) : 0);
        mistakes += mistake;
        at += 3;
    }
    ck_assert_uint_ge(cases, 4);
    ck_assert(corrected ? mistakes == 0 : mistakes >= 3);
    result_free(&all);
}
END_TEST

/* ---- scenarios ---- */

static int is_script(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot && strcmp(dot, ".lua") == 0;
}

/* A run that is exact from where the fast one suspects something shows what one does that is exact
   from the start. */
static void check_from(const struct subject *subject, const char *name)
{
    struct run_options options = {.firmware = subject->firmware, .oracles = ORACLES_CHEAP};
    struct result exact, from;

    must(run_suspects(subject->scenario, subject->image, &options, &error));
    if (!options.oracles_exact) {
        return;
    }
    exact = run_subject(subject, EXACT, ORACLES_CHEAP);
    from = run_with(subject, options);
    ck_assert_msg(strcmp(exact.trace, from.trace) == 0, "%s, exact from exit %llu", name,
                  (unsigned long long)options.oracles_from);
    result_free(&exact);
    result_free(&from);
}

START_TEST(each_scenario)
{
    struct dirent **entry;
    int count = scandir(GUESTS, &entry, is_script, alphasort);

    ck_assert_int_gt(count, 2 * (int)COUNT(guests));
    for (int i = 0; i < count; i++) {
        struct subject subject;
        char path[512];

        snprintf(path, sizeof(path), GUESTS "%s", entry[i]->d_name);
        must(subject_open(&subject, path, NULL, &error));
        ck_assert_msg(hits(&subject, entry[i]->d_name) == subject.scenario->expect.oracles, "%s",
                      entry[i]->d_name);
        check_from(&subject, entry[i]->d_name);
        subject_close(&subject);
        free(entry[i]);
    }
    free(entry);
}
END_TEST

/* ---- nobody notices ---- */

/* Without the oracles' own lines, and with the outcome's up to what they say. */
static void strip(char *trace)
{
    char *to = trace;

    for (char *line = trace, *next; *line; line = next) {
        size_t length = strcspn(line, "\n");
        char *outcome;

        next = line + length + (line[length] == '\n');
        if (memmem(line, length, " oracle ", 8)) {
            continue;
        }
        outcome = memmem(line, length, " outcome ", 9);
        length = outcome ? (size_t)(outcome - line) : (size_t)(next - line);
        memmove(to, line, length);
        to += length;
    }
    *to = '\0';
}

static const char *const scenarios[] = {
    "guests/oracles/double-fetch.lua",
    "guests/oracles/overrun.lua",
    "guests/oracles/unmarked.lua",
    "guests/oracles/leak.lua",
    "guests/oracles/stale-private.lua",
    "guests/oracles/validated-twice.lua",
    "guests/oracles/percpu-later.lua",
    "guests/oracles/percpu-fixed-ghcb-private.lua",
    "guests/oracles/silent-hang-pause.lua",
    "guests/oracles/silent-hang-counts.lua",
    "guests/smp.lua",
    "guests/cbit.lua",
    "guests/hv.lua",
    "guests/psp.lua",
    "percpu/honest-4.lua",
    "percpu/list-count-changes.lua",
    "svsm/answer-repeated.lua",
};

START_TEST(same_trace)
{
    struct subject subject;
    struct result result[3];
    char path[512];

    snprintf(path, sizeof(path), FIXTURES "%s", scenarios[_i]);
    must(subject_open(&subject, path, NULL, &error));
    for (int watch = NOBODY; watch <= EXACT; watch++) {
        result[watch] = run_subject(&subject, (enum watch)watch, ORACLES_CHEAP);
        strip(result[watch].trace);
    }
    for (int watch = FAST; watch <= EXACT; watch++) {
        ck_assert_str_eq(result[NOBODY].trace, result[watch].trace);
        ck_assert_mem_eq(result[NOBODY].digest, result[watch].digest, RUN_DIGEST_SIZE);
        ck_assert_uint_eq(result[NOBODY].outcome.instructions, result[watch].outcome.instructions);
    }
    for (int watch = NOBODY; watch <= EXACT; watch++) {
        result_free(&result[watch]);
    }
    subject_close(&subject);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oracle_guests");
    TCase *cases = tcase_create("cases"), *files = tcase_create("scenarios"),
          *traces = tcase_create("traces");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_loop_test(cases, each_case, 0, 2 * (int)COUNT(guests));
    tcase_add_test(files, each_scenario);
    tcase_add_loop_test(traces, same_trace, 0, (int)COUNT(scenarios));
    suite_add_tcase(suite, cases);
    suite_add_tcase(suite, files);
    suite_add_tcase(suite, traces);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
