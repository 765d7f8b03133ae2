/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run of an input as a scenario that stands alone. Where the input was found with a scenario of
 * the user's, that one's text comes first, as it is: so the host is the same whatever it says.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"
#include "fuzz/finding.h"
#include "fuzz/finding_place.h"
#include "host/bytes.h"
#include "pass.h"

#define COMMENT_WIDTH 98

/* ---- words ---- */

/* A comment, broken at spaces; `words` are printable. */
static void put_comment(FILE *file, const char *words)
{
    while (*words) {
        size_t fit = strlen(words);

        if (fit > COMMENT_WIDTH) {
            for (fit = COMMENT_WIDTH; fit > 0 && words[fit] != ' '; fit--) {
            }
            fit = fit > 0 ? fit : COMMENT_WIDTH;
        }
        fprintf(file, "-- %.*s\n", (int)fit, words);
        words += fit;
        words += strspn(words, " ");
    }
}

/* A text as Lua reads it. */
static void put_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\' || *text < ' ' || *text > '~') {
            fprintf(file, "\\%03u", (uint8_t)*text);
        } else {
            fputc(*text, file);
        }
    }
    fputc('"', file);
}

static void put_field(FILE *file, const char *name, const char *text)
{
    fprintf(file, "  %s = ", name);
    put_text(file, text);
    fputs(",\n", file);
}

/* Lua's own numbers have a sign. */
static void put_number(FILE *file, const char *name, uint64_t number)
{
    const char *quote = number > INT64_MAX ? "\"" : "";

    fprintf(file, "  %s = %s%" PRIu64 "%s,\n", name, quote, number, quote);
}

/* { "double-fetch", "leak" } */
static void put_oracles(FILE *file, uint32_t oracles)
{
    const char *gap = "";

    fputc('{', file);
    for (int kind = 0; kind < ORACLE_COUNT; kind++) {
        if (oracles & ORACLE_BIT(kind)) {
            fprintf(file, "%s \"%s\"", gap, oracle_name((enum oracle_kind)kind));
            gap = ",";
        }
    }
    fputs(gap[0] ? " }" : "}", file);
}

/* ---- the scenario ---- */

static int directory_of(const char *path, char *dir, size_t size, struct error *error)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == path ? 1 : slash ? (size_t)(slash - path) : 0;

    if ((size_t)snprintf(dir, size, "%.*s", (int)length, path) >= size) {
        return error_set(error, SNPEMU_ERR_INPUT, "%.200s...: the path is too long", path);
    }
    if (length == 0) {
        snprintf(dir, size, ".");
    }
    return SNPEMU_OK;
}

static int put_files(FILE *file, const struct subject *subject, const char *path,
                     struct error *error)
{
    char dir[PATH_MAX], name[PATH_MAX];
    int status = directory_of(path, dir, sizeof(dir), error);

    if (status == SNPEMU_OK) {
        status = subject_image_from(subject, dir, name, sizeof(name), error);
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    put_field(file, "image", name);
    if (!subject->firmware) {
        fputs("  firmware = false,\n", file);
        return SNPEMU_OK;
    }
    status = subject_firmware_from(subject, dir, name, sizeof(name), error);
    if (status == SNPEMU_OK) {
        put_field(file, "firmware", name);
    }
    return status;
}

static void put_head(FILE *file, const struct subject *subject, const struct stage_result *result)
{
    const char *from = subject->scenario->path ? subject->scenario->name : subject->image->name;
    int deviations = __builtin_popcountll(result->done);
    struct finding_key key;
    char words[640];

    finding_key(result, &key);
    finding_words(&key, words, sizeof(words));
    put_comment(file, words);
    if (deviations == 0) {
        snprintf(words, sizeof(words),
                 "Found by fuzzing %.200s: it takes no more than an honest host.", from);
    } else {
        snprintf(words, sizeof(words),
                 "Found by fuzzing %.200s: the host deviates from honest answers in %d place%s.",
                 from, deviations, deviations == 1 ? "" : "s");
    }
    for (char *c = words; *c; c++) {
        *c = *c < ' ' || *c > '~' ? '?' : *c;
    }
    put_comment(file, words);
}

static void put_expect(FILE *file, const struct scenario *scenario,
                       const struct stage_result *result)
{
    const struct outcome *outcome = &result->outcome;
    char phrase[160];

    outcome_phrase(outcome, phrase, sizeof(phrase));
    fprintf(file, "  expect = {\n    outcome = \"%s\",\n    verdict = \"%s\",\n",
            outcome->kind == OUTCOME_TERMINATED ? phrase : outcome_name(outcome->kind),
            verdict_name(result->verdict));
    if (scenario->oracles) {
        fputs("    oracles = ", file);
        put_oracles(file, outcome->oracles);
        fputs(",\n", file);
    }
    fputs("  },\n", file);
}

/* What watches. */
static void put_watching(FILE *file, uint32_t oracles)
{
    fputs("  oracles = ", file);
    if (oracles == ORACLES_ALL) {
        fputs("\"all\"", file);
    } else if (oracles == ORACLES_CHEAP || oracles == ORACLES_NONE) {
        fputs(oracles ? "true" : "false", file);
    } else {
        put_oracles(file, oracles);
    }
    fputs(",\n", file);
}

/* What the stage's last run did, in which nothing is left to be looked up but image and firmware.
 */
static int put_scenario(FILE *file, struct stage *stage, const char *path,
                        const struct stage_result *result, struct error *error)
{
    const struct subject *subject = stage_subject(stage);
    const struct scenario *scenario = subject->scenario;
    int status;

    put_head(file, subject, result);
    if (scenario->source) {
        fputs("local scenario = (function(...)\n", file);
        fwrite(scenario->source, 1, scenario->source_size_bytes, file);
        fputs("\nend)()\nlocal found = {\n", file);
    } else {
        fputs("return {\n", file);
    }
    status = put_files(file, subject, path, error);
    put_number(file, "cpus", scenario->cpus);
    put_number(file, "seed", scenario->seed);
    put_number(file, "budget", scenario->budget);
    put_number(file, "exit_budget", scenario->exit_budget);
    if (stage_until(stage)) {
        put_field(file, "until_symbol", stage_until(stage));
    }
    put_watching(file, scenario->oracles);
    host_bytes_print(stage_host(stage), file);
    put_expect(file, scenario, result);
    fputs("}\n", file);
    if (scenario->source) {
        fputs("for name, value in pairs(found) do\n  scenario[name] = value\nend\n"
              "return scenario\n",
              file);
    }
    return status;
}

/* ---- trying it ---- */

static bool same_end(const struct outcome *a, const struct outcome *b)
{
    return a->kind == b->kind && a->term_set == b->term_set && a->term_code == b->term_code &&
           a->host_caused == b->host_caused && a->rip == b->rip && a->vcpu == b->vcpu &&
           a->vmpl == b->vmpl && a->instructions == b->instructions && a->exits == b->exits &&
           a->oracles == b->oracles;
}

static void describe(const struct outcome *outcome, char *text, size_t size)
{
    char phrase[160], oracles[160];

    outcome_phrase(outcome, phrase, sizeof(phrase));
    oracle_list(outcome->oracles, oracles, sizeof(oracles));
    snprintf(text, size, "%.40s, oracles %.60s, %" PRIu64 " instructions, %" PRIu64 " exits",
             phrase, oracles, outcome->instructions, outcome->exits);
}

/* Where it is, behind the scenario. */
static int add_places(struct finding_scenario *scenario, const struct pass *pass,
                      struct error *error)
{
    char *longer = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&longer, &size);

    if (!file) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a scenario");
    }
    fwrite(scenario->lua, 1, scenario->lua_size_bytes, file);
    finding_places(file, pass->run, &pass->outcome);
    if (fclose(file) != 0) {
        free(longer);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a scenario");
    }
    free(scenario->lua);
    scenario->lua = longer;
    scenario->lua_size_bytes = size;
    return SNPEMU_OK;
}

/* Run it as anybody would. */
static int try_scenario(struct finding_scenario *scenario, const char *path, const char *name,
                        const struct outcome *found, struct error *error)
{
    struct subject subject = {0};
    struct pass pass = {0};
    struct error why = {0};
    char had[200], has[200];
    const char *text;
    int status = subject_read(&subject, path, scenario->lua, scenario->lua_size_bytes, &why);

    if (status == SNPEMU_OK) {
        status = pass_begin(&pass, &subject, true, NULL, NULL, &why);
    }
    if (status == SNPEMU_OK) {
        status = pass_to_end(&pass, &why);
    }
    if (status == SNPEMU_OK) {
        status = text_trace_finish(pass.golden, &why);
    }
    if (status != SNPEMU_OK) {
        error_set(error, status, "%.200s: as a scenario: %.250s", name, why.text);
    } else if (!same_end(&pass.outcome, found)) {
        describe(found, had, sizeof(had));
        describe(&pass.outcome, has, sizeof(has));
        status = error_set(error, SNPEMU_ERR_INTERNAL,
                           "%.100s: the input ends as %s; as a scenario it ends as %s: a mistake "
                           "of the emulator's",
                           name, had, has);
    } else {
        text = text_trace_text(pass.golden, &scenario->golden_size_bytes);
        scenario->golden = strdup(text);
        if (!scenario->golden) {
            status = error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a trace");
        }
    }
    if (status == SNPEMU_OK) {
        status = add_places(scenario, &pass, error);
    }
    pass_release(&pass);
    subject_close(&subject);
    return status;
}

int finding_scenario(struct stage *stage, const char *path, const char *name, const uint8_t *input,
                     size_t size_bytes, struct finding_scenario *scenario, struct error *error)
{
    struct stage_result result;
    FILE *file;
    int status = stage_confirm(stage, input, size_bytes, &result, error);

    memset(scenario, 0, sizeof(*scenario));
    if (status != SNPEMU_OK) {
        return status;
    }
    file = open_memstream(&scenario->lua, &scenario->lua_size_bytes);
    if (!file) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a scenario");
    }
    status = put_scenario(file, stage, path, &result, error);
    if (fclose(file) != 0 && status == SNPEMU_OK) {
        status = error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a scenario");
    }
    if (status == SNPEMU_OK) {
        status = try_scenario(scenario, path, name, &result.outcome, error);
    }
    if (status != SNPEMU_OK) {
        finding_scenario_release(scenario);
    }
    return status;
}

void finding_scenario_release(struct finding_scenario *scenario)
{
    free(scenario->lua);
    free(scenario->golden);
    memset(scenario, 0, sizeof(*scenario));
}
