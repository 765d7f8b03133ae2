/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host/bytes.c, host/deviation.c and host/bytes_mutate.c: what bytes make of honest answers, and
 * that Lua says the same.
 */
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/nae.h"
#include "ghcb/table.h"
#include "guest_builder.h"
#include "host/bytes.h"
#include "host/bytes_mutate.h"
#include "host/bytes_record.h"
#include "host/deviation.h"
#include "run.h"
#include "script_file.h"
#include "subject.h"
#include "trace/text.h"

static struct error error;
static uint64_t random_state;

static uint64_t draw(void)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return random_state >> 20;
}

/* ---- a guest that stands before its first list, for one host after the other ---- */

#define IMAGE "svsm-percpu"
#define UNTIL "serial_init" /* what comes after percpu_init */
#define MARGIN_INSTRUCTIONS 300000
#define MARGIN_EXITS 40

static struct {
    struct subject subject;
    char image[512];
    struct host *honest, *bytes;
    struct run *run;
    struct text_trace *text;
    struct trace trace;
    size_t before_bytes; /* of the trace, up to the snapshot */
    uint64_t first_exit;
} stand;

static bool is_list(struct host *host, const struct exit *exit)
{
    (void)host;
    return strcmp(exit->name, "apic_id_list") == 0;
}

struct played {
    char *trace; /* from the snapshot on, with the digest */
    struct outcome outcome;
};

static struct played stand_play(struct host *host)
{
    struct played played;
    uint8_t digest[RUN_DIGEST_SIZE];
    size_t size;

    text_trace_cut(stand.text, stand.before_bytes);
    ck_assert_int_eq(run_restore(stand.run, &error), 0);
    run_set_host(stand.run, host);
    ck_assert_msg(run_to_end(stand.run, &played.outcome, &error) == 0, "%s", error.text);
    ck_assert_int_eq(run_digest(stand.run, digest, &error), 0);
    text_trace_digest(stand.text, digest, sizeof(digest));
    played.trace = strdup(text_trace_text(stand.text, &size) + stand.before_bytes);
    return played;
}

/* What an honest run has, and a little more: a hang shall not take long. */
static void stand_set_budget(void)
{
    struct played honest = stand_play(stand.honest);

    stand.subject.scenario->budget = honest.outcome.instructions + MARGIN_INSTRUCTIONS;
    stand.subject.scenario->exit_budget = honest.outcome.exits + MARGIN_EXITS;
    free(honest.trace);
}

/* Before the first list of svsm-percpu, or at the first exit of another image. */
static void stand_open(const char *image)
{
    struct run_options options = {.trace = &stand.trace};
    struct text_header header;
    bool at_exit;

    memset(&stand, 0, sizeof(stand));
    snprintf(stand.image, sizeof(stand.image), SNPEMU_IMAGE_DIR "/%s.elf", image);
    options.until = strcmp(image, IMAGE) == 0 ? UNTIL : NULL;
    ck_assert_msg(subject_open(&stand.subject, stand.image, NULL, &error) == 0, "%s", error.text);
    ck_assert_int_eq(scenario_set_cpus(stand.subject.scenario, 4, &error), 0);
    header = subject_header(&stand.subject);
    stand.text = text_trace_new(TEXT_FULL, &header, NULL);
    stand.trace.sink[stand.trace.sink_count++] = text_trace_sink(stand.text);
    stand.honest = host_honest_new();
    stand.honest->handles = is_list;
    stand.bytes = host_bytes_new();
    ck_assert_msg(run_new(&stand.run, stand.subject.scenario, stand.subject.image, stand.honest,
                          &options, &error) == 0,
                  "%s", error.text);
    stand.first_exit = options.until ? UINT64_MAX : 1;
    ck_assert_int_eq(run_to_exit(stand.run, &stand.first_exit, &at_exit, &error), 0);
    ck_assert(at_exit);
    ck_assert_int_eq(run_snapshot(stand.run, &error), 0);
    text_trace_text(stand.text, &stand.before_bytes);
    stand_set_budget();
}

static void stand_close(void)
{
    run_free(stand.run);
    stand.honest->free(stand.honest);
    stand.bytes->free(stand.bytes);
    text_trace_free(stand.text);
    subject_close(&stand.subject);
}

static struct played stand_play_bytes(const uint8_t *input, size_t size_bytes)
{
    host_bytes_set(stand.bytes, input, size_bytes, stand.first_exit);
    return stand_play(stand.bytes);
}

/* The last run of stand.bytes as a scenario. */
static char *as_lua(void)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    fprintf(file, "return {\n  image = \"%s\",\n  cpus = 4,\n", stand.image);
    host_bytes_print(stand.bytes, file);
    fprintf(file, "}\n");
    fclose(file);
    return text;
}

static struct played stand_play_lua(const char *lua)
{
    struct scenario *scenario;
    struct script_file script;
    struct played played;
    struct host *host;

    script_file_write(&script, lua, strlen(lua));
    ck_assert_msg(scenario_load(&scenario, script.path, &error) == 0, "%s\n%s", error.text, lua);
    ck_assert_msg(scenario_host(scenario, &host, &error) == 0, "%s\n%s", error.text, lua);
    played = stand_play(host);
    ck_assert_msg(!host->finish || host->finish(host, &error) == 0, "%s\n%s", error.text, lua);
    host->free(host);
    scenario_free(scenario);
    script_file_remove(&script);
    return played;
}

/* An input without what it did not do, and its scenario: one run. */
static uint64_t same_in_lua(uint8_t *input, size_t size_bytes)
{
    struct played bytes = stand_play_bytes(input, size_bytes), lua;
    uint64_t done = host_bytes_done(stand.bytes);
    char *text;

    free(bytes.trace);
    size_bytes = bytes_keep(input, size_bytes, done);
    bytes = stand_play_bytes(input, size_bytes);
    text = as_lua();
    lua = stand_play_lua(text);
    if (strcmp(bytes.trace, lua.trace) != 0) {
        ck_abort_msg("%s\nbytes:\n%s\nLua:\n%s", text, bytes.trace, lua.trace);
    }
    ck_assert_int_eq(outcome_verdict(&bytes.outcome), outcome_verdict(&lua.outcome));
    if (getenv("BYTES_SHOW")) {
        printf("%s-- %s\n", text, outcome_name(bytes.outcome.kind));
    }
    free(text);
    free(bytes.trace);
    free(lua.trace);
    return done;
}

START_TEST(lua_does_the_same)
{
    uint8_t input[BYTES_INPUT_MAX];
    const char *count = getenv("BYTES_RUNS");

    stand_open(getenv("BYTES_IMAGE") ? getenv("BYTES_IMAGE") : IMAGE);
    random_state = getenv("BYTES_SEED") ? strtoull(getenv("BYTES_SEED"), NULL, 0) : 1;
    for (unsigned i = 0; i < (count ? strtoul(count, NULL, 0) : 60); i++) {
        size_t size = 0;

        for (uint64_t n = 1 + draw() % 6; n > 0; n--) {
            size = bytes_mutate(input, size, sizeof(input), &random_state);
        }
        for (size_t at = 0; i % 8 == 7 && at < size; at++) {
            input[at] = at % 16 == 1 ? 0 : at % 16 ? (uint8_t)draw() : (uint8_t)(draw() % 8);
        }
        same_in_lua(input, size);
    }
    stand_close();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bytes");
    TCase *lua = tcase_create("lua");
    SRunner *runner;
    int failed;

    tcase_add_test(lua, lua_does_the_same);
    suite_add_tcase(suite, lua);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
