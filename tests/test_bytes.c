/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host/bytes.c, host/deviation.c and host/bytes_mutate.c: what bytes make of honest answers, and
 * that Lua says the same.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/nae.h"
#include "ghcb/page.h"
#include "ghcb/table.h"
#include "ghcb_bench.h"
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
    free(text);
    free(bytes.trace);
    free(lua.trace);
    return done;
}

/* Random records of the mutator's, and bytes without any sense. */
static size_t random_input(uint8_t input[BYTES_INPUT_MAX], bool noise)
{
    size_t size = 0;

    for (uint64_t n = 1 + draw() % 6; n > 0; n--) {
        size = bytes_mutate(input, size, BYTES_INPUT_MAX, &random_state);
    }
    for (size_t at = 0; noise && at < size; at++) {
        input[at] = at % 16 == 1 ? 0 : at % 16 ? (uint8_t)draw() : (uint8_t)(draw() % 8);
    }
    return size;
}

static void same_in_lua_at_random(const char *image, unsigned runs)
{
    uint8_t input[BYTES_INPUT_MAX];
    uint64_t some = 0;

    stand_open(image);
    for (unsigned i = 0; i < runs; i++) {
        size_t size = random_input(input, i % 8 == 7);

        some |= same_in_lua(input, size);
    }
    ck_assert_uint_ne(some, 0);
    stand_close();
}

START_TEST(lua_does_the_same)
{
    random_state = 1;
    same_in_lua_at_random(IMAGE, 32);
}
END_TEST

/* From launch on, where most exits are of the MSR protocol. */
START_TEST(lua_does_the_same_from_launch)
{
    random_state = 2;
    same_in_lua_at_random("msr_protocol", 16);
}
END_TEST

/* What docs/WEAKNESSES.md tells of this image, each in one or two records. */
static const struct {
    const char *name;
    size_t count;
    struct bytes_record record[2];
    enum outcome_kind outcome;
} weaknesses[] = {
    {"list-longer-than-lent",
     1,
     {{.exit = 2, .kind = DEVIATION_WRITE, .operand = 4096}},
     OUTCOME_STUCK},
    {"list-count-changes",
     1,
     {{.exit = 2, .kind = DEVIATION_ON_READ, .when = 3, .operand = 4097}},
     OUTCOME_STUCK},
    {"list-bsp-missing",
     1,
     {{.exit = 2, .kind = DEVIATION_WRITE, .what = 1, .operand = 9}},
     OUTCOME_STUCK},
    {"list-bsp-twice", 1, {{.exit = 2, .kind = DEVIATION_IDS, .index = 3}}, OUTCOME_STUCK},
    {"list-pages-none",
     1,
     {{.exit = 0, .kind = DEVIATION_FIELD, .what = FIELD_RAX}},
     OUTCOME_STUCK},
    {"list-pages-overflow",
     1,
     {{.exit = 0, .kind = DEVIATION_FIELD, .what = FIELD_RAX, .operand = 1ULL << 52}},
     OUTCOME_STUCK},
    {"psc-no-progress",
     2,
     {{.exit = 1, .kind = DEVIATION_OWN, .what = FIELD_SCRATCH, .flag = true},
      {.exit = 1, .kind = DEVIATION_WRITE, .what = 2, .flag = true}},
     OUTCOME_BUDGET},
    {"psc-other-entry",
     1,
     {{.exit = 3,
       .kind = DEVIATION_WRITE,
       .what = 4,
       .form = FORM_HONEST,
       .operand = 0 - 0x1000ULL}},
     OUTCOME_TERMINATED},
    /* The page before the list's has the per-CPU areas, or what they will be: it is given anew. */
    {"psc-other-page",
     1,
     {{.exit = 3, .kind = DEVIATION_RENAME, .what = 5, .index = 0xFF00}},
     OUTCOME_REACHED},
};

START_TEST(weaknesses_are_reached)
{
    const char *outcome = outcome_name(weaknesses[_i].outcome);
    size_t count = weaknesses[_i].count;
    uint8_t input[2 * BYTES_RECORD_SIZE];
    struct played played;

    stand_open(IMAGE);
    for (size_t i = 0; i < count; i++) {
        bytes_record_write(&weaknesses[_i].record[i], input + i * BYTES_RECORD_SIZE);
    }
    same_in_lua(input, count * BYTES_RECORD_SIZE);
    ck_assert_uint_eq(host_bytes_done(stand.bytes), (1u << count) - 1);
    played = stand_play_bytes(input, count * BYTES_RECORD_SIZE);
    ck_assert_msg(played.outcome.kind == weaknesses[_i].outcome, "%s: %s, not %s",
                  weaknesses[_i].name, outcome_name(played.outcome.kind), outcome);
    free(played.trace);
    stand_close();
}
END_TEST

/* No bytes: the honest host. */
START_TEST(nothing_is_honest)
{
    struct played honest, bytes;
    uint8_t input[1] = {0};

    stand_open(IMAGE);
    honest = stand_play(stand.honest);
    bytes = stand_play_bytes(input, 0);
    ck_assert_str_eq(honest.trace, bytes.trace);
    ck_assert_uint_eq(host_bytes_done(stand.bytes), 0);
    free(honest.trace);
    free(bytes.trace);
    stand_close();
}
END_TEST

/* ---- answers to exits made by hand ---- */

static struct ghcb_bench bench;
static struct host *host;
static struct exit exits[16];
static size_t exit_count;

static void bench_setup(void)
{
    bench_open(&bench);
    host = host_bytes_new();
    exit_count = 0;
}

static void bench_teardown(void)
{
    host->free(host);
    bench_close(&bench);
}

static void take(uint64_t msr)
{
    struct exit *exit = &exits[exit_count];
    char why[128];

    bench.guest.machine.state.ghcb_msr = msr;
    ck_assert_msg(ghcb_take_exit(&bench.guest.machine, &bench.hypervisor, exit, why, sizeof(why)),
                  "%s", why);
    exit->number = ++exit_count;
    exit->nth = 1;
    for (size_t i = 0; i + 1 < exit_count; i++) {
        exit->nth += exits[i].row == exit->row;
    }
}

static void take_page(uint64_t code, uint64_t rax, uint64_t info1, uint64_t info2)
{
    const uint16_t version = GHCB_VERSION_2;

    bench_clear(&bench);
    bench_put(&bench, FIELD_CODE, code);
    bench_put(&bench, FIELD_RAX, rax);
    bench_put(&bench, FIELD_RCX, 0);
    bench_put(&bench, FIELD_INFO1, info1);
    bench_put(&bench, FIELD_INFO2, info2);
    memcpy(bench_page(&bench, GHCB_VERSION), &version, sizeof(version));
    if (code == NAE_PAGE_STATE_CHANGE) {
        const uint64_t entries[] = {
            2ULL << 16,
            BENCH_PRIVATE | PSC_OP_SHARED << PSC_OP_SHIFT,
            (BENCH_PRIVATE + 0x1000) | PSC_OP_SHARED << PSC_OP_SHIFT,
            GUEST_REGION(2) | PSC_OP_PRIVATE << PSC_OP_SHIFT | PSC_PAGE_SIZE_2M,
        };

        bench_put(&bench, FIELD_SCRATCH, BENCH_BUFFER);
        memcpy(bench_page(&bench, GHCB_SHARED_BUFFER), entries, sizeof(entries));
    }
    take(BENCH_GHCB);
}

static void take_all(void)
{
    take_page(NAE_APIC_ID_LIST, 0, 0, 0);
    take_page(NAE_PAGE_STATE_CHANGE, 0, 0, 4 * 8);
    take_page(NAE_APIC_ID_LIST, 2, BENCH_SHARED(1), 0);
    take(GHCB_MSR_SEV_INFO_REQ);
    take(BENCH_PRIVATE | PSC_OP_SHARED << GHCB_MSR_PSC_OP_SHIFT | GHCB_MSR_PSC_REQ);
    take_page(NAE_CPUID, 0xB, 0, 0);
    take_page(NAE_IOIO, 'x', 0x03F80010, 0);
    take_page(NAE_GUEST_REQUEST, 0, BENCH_SHARED(2), BENCH_SHARED(3));
    take_page(0xABCDEF, 0, 0, 0);
    take_page(NAE_HV_TIMER, 0, 0, 0);
    take(0xABC);
    take_page(NAE_APIC_ID_LIST, 1ULL << 60, BENCH_SHARED(1), 0);
    bench.hypervisor.vcpus.started = 2;
}

/* Whether ghcb/answer.c, and a script, would take the action. Check is slow: it is asked once. */
static bool is_sound(const struct reply_action *action)
{
    uint32_t size = action->watch.size_bytes;
    bool watch = action->kind != REPLY_WATCH ||
                 ((size == 1 || size == 2 || size == 4 || size == 8) &&
                  (action->gpa & PAGE_MASK) + size <= PAGE_SIZE && action->watch.owner);

    return watch && action->gpa < 1ULL << 52 &&
           action->size_bytes <= (action->kind == REPLY_WRITE ? DEVIATION_ROOM : LARGE_PAGE_SIZE) &&
           (!action->delay.instructions || action->delay.owner);
}

/* Who waits for the guest is told that it came. */
static bool look_at(const struct reply *reply)
{
    bool sound = !reply->overflow && reply->action_count <= 16 + 2 * BYTES_RECORD_MAX;

    for (size_t i = 0; i < reply->action_count; i++) {
        const struct reply_action *action = &reply->action[i];

        sound = sound && is_sound(action);
        host->watch_fired(host, action->watch.owner);
        host->watch_fired(host, action->delay.owner);
    }
    return sound;
}

/* The first exits in turn, and what the host says that it did. */
static char *answer_first(size_t count, const uint8_t *input, size_t size_bytes)
{
    bool sound = true;
    char *text = NULL;
    size_t size;
    FILE *file;

    host_bytes_set(host, input, size_bytes, 1);
    for (size_t i = 0; i < count; i++) {
        host->handles(host, &exits[i]);
        reply_reset(&bench.reply);
        sound = host->answer(host, &bench.hypervisor, &exits[i], &bench.reply, &error) == 0 &&
                look_at(&bench.reply) && sound;
    }
    ck_assert(sound);
    file = open_memstream(&text, &size);
    host_bytes_print(host, file);
    fclose(file);
    ck_assert_int_eq(size == 0, host_bytes_done(host) == 0);
    return text;
}

START_TEST(any_bytes_are_an_input)
{
    uint8_t input[BYTES_INPUT_MAX + 7];
    uint32_t feature[BYTES_FEATURE_MAX], again[BYTES_FEATURE_MAX];

    random_state = 3;
    take_all();
    for (unsigned i = 0; i < 10000; i++) {
        /* The last exit lends a list without end, which takes its time. */
        size_t count = exit_count - (i % 8 != 0), size = draw() % (i % 10 ? 80 : sizeof(input));
        size_t features;

        for (size_t at = 0; at < size; at++) {
            input[at] = (uint8_t)draw();
            input[at] = i % 2 && at % 16 < 2 ? at % 16 ? 0 : input[at] % 12 : input[at];
        }
        free(answer_first(count, input, size));
        features = host_bytes_features(host, feature, BYTES_FEATURE_MAX);
        ck_assert_uint_ge(features, count - 2);
        if (i % 100 == 0) {
            free(answer_first(count, input, size));
            ck_assert_uint_eq(host_bytes_features(host, again, BYTES_FEATURE_MAX), features);
            ck_assert_mem_eq(feature, again, features * sizeof(feature[0]));
        }
    }
}
END_TEST

static void load_lua(const char *on)
{
    struct script_file script;
    struct scenario *scenario;
    char *lua;

    ck_assert_int_gt(asprintf(&lua, "return { image = \"x\",\n%s}\n", on), 0);
    script_file_write(&script, lua, strlen(lua));
    ck_assert_msg(scenario_load(&scenario, script.path, &error) == 0, "%s\n%s", error.text, lua);
    scenario_free(scenario);
    script_file_remove(&script);
    free(lua);
}

/* A record of that kind does something in one of the exits; Lua can read what it did. */
START_TEST(each_kind_is_reached)
{
    const struct deviation_row *row = deviation_rows[_i];
    uint8_t input[BYTES_RECORD_SIZE];
    unsigned reached = 0;

    take_all();
    for (unsigned what = 0; what < row->what_count; what++) {
        for (unsigned i = 0; i < exit_count * 32; i++) {
            const struct bytes_record record = {
                .exit = (uint16_t)(i / 32),
                .kind = (uint8_t)_i,
                .what = (uint8_t)what,
                .when = i % 2 ? 5 : 0,
                .index = i & 8 ? 0x100 : 0,
                .flag = i % 3 == 0,
                .operand = i % 16 | (i & 16) << 4,
            };
            char *text;

            bytes_record_write(&record, input);
            text = answer_first(exit_count, input, sizeof(input));
            if (host_bytes_done(host)) {
                ck_assert_int_eq(host_bytes_done(host), 1);
                load_lua(text);
                free(text);
                reached++;
                break;
            }
            free(text);
        }
    }
    /* No VMPL but the one that runs has a save area. */
    ck_assert_uint_eq(reached, row->what_count - (_i == DEVIATION_VCPU ? 1u : 0u));
}
END_TEST

/* ---- new inputs from old ones ---- */

START_TEST(mutants_stay_in_bounds)
{
    static const size_t maxima[] = {0, 1, 15, 16, 17, 100, BYTES_INPUT_MAX, 2 * BYTES_INPUT_MAX};
    uint8_t *a = malloc(2 * BYTES_INPUT_MAX), *b = malloc(2 * BYTES_INPUT_MAX);
    size_t a_size = 0, b_size = 0;

    random_state = 4;
    for (unsigned i = 0; i < 20000; i++) {
        size_t max = maxima[i % COUNT(maxima)];
        uint8_t *out = malloc(max + 1), *exact;

        /* Blocks of just these sizes: the sanitizers watch their ends. */
        exact = malloc(max + 1);
        memset(exact, 0xA5, max + 1);
        a_size = a_size < max ? a_size : max;
        memcpy(exact, a, a_size);
        a_size = bytes_mutate(exact, a_size, max, &random_state);
        ck_assert_uint_le(a_size, max);
        ck_assert_uint_eq(exact[max], 0xA5);
        memcpy(a, exact, a_size);
        b_size = bytes_mutate(b, b_size, 2 * BYTES_INPUT_MAX, &random_state);
        ck_assert_uint_le(b_size, BYTES_INPUT_MAX);
        ck_assert_uint_le(bytes_cross(out, max, a, a_size, b, b_size, &random_state), max);
        free(out);
        free(exact);
    }
    free(a);
    free(b);
}
END_TEST

/* A stand-in for a finding: the count of the list in exit 2 becomes 1000 or more. */
static bool is_found(const uint8_t *input, size_t size_bytes)
{
    for (size_t i = 0; i < bytes_record_count(size_bytes); i++) {
        struct bytes_record record;

        bytes_record_read(input, size_bytes, i, &record);
        if (record.exit == 2 && record.kind == DEVIATION_ON_READ && record.when >= 3 &&
            record.form == FORM_LITERAL && record.operand >= 1000) {
            return true;
        }
    }
    return false;
}

START_TEST(simpler_comes_to_an_end)
{
    const struct bytes_record want = {
        .exit = 2, .kind = DEVIATION_ON_READ, .when = 3, .operand = 1000};
    uint8_t input[BYTES_INPUT_MAX], next[BYTES_INPUT_MAX], expected[BYTES_RECORD_SIZE];
    size_t size = 0, step = 0, next_size, looked = 0;
    struct bytes_record record = {.exit = 2,
                                  .kind = DEVIATION_ON_READ,
                                  .what = 9,
                                  .index = 77,
                                  .when = 200,
                                  .flag = true,
                                  .operand = 0xFEDCBA9876543210ULL};

    random_state = 5;
    while (size < BYTES_INPUT_MAX - BYTES_RECORD_SIZE) {
        size = bytes_mutate(input, size, BYTES_INPUT_MAX - BYTES_RECORD_SIZE, &random_state);
    }
    bytes_record_write(&record, input + size);
    size += BYTES_RECORD_SIZE;
    while ((next_size = bytes_simpler(input, size, step++, next)) != SIZE_MAX) {
        ck_assert_uint_le(next_size, size);
        if (is_found(next, next_size)) {
            memcpy(input, next, next_size);
            size = next_size;
            step = 0;
        }
        ck_assert_uint_lt(looked++, 100000);
    }
    bytes_record_write(&want, expected);
    ck_assert_uint_eq(size, sizeof(expected));
    ck_assert_mem_eq(input, expected, size);
}
END_TEST

/* name="\x00...": what both fuzzers read. */
START_TEST(dictionary_can_be_read)
{
    char *text = NULL, *line, *rest;
    size_t size, lines = 0;
    FILE *file = open_memstream(&text, &size);

    bytes_print_dictionary(file);
    fclose(file);
    for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz_0123456789");

        ck_assert_uint_gt(name, 0);
        ck_assert_int_eq(strncmp(line + name, "=\"\\x", 4), 0);
        ck_assert_int_eq(line[strlen(line) - 1], '"');
        lines++;
    }
    ck_assert_uint_gt(lines, DEVIATION_KIND_COUNT);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bytes");
    TCase *lua = tcase_create("lua"), *answers = tcase_create("answers");
    TCase *inputs = tcase_create("inputs");
    SRunner *runner;
    int failed;

    tcase_add_test(lua, nothing_is_honest);
    tcase_add_test(lua, lua_does_the_same);
    tcase_add_test(lua, lua_does_the_same_from_launch);
    tcase_add_loop_test(lua, weaknesses_are_reached, 0, COUNT(weaknesses));
    suite_add_tcase(suite, lua);
    tcase_add_checked_fixture(answers, bench_setup, bench_teardown);
    tcase_add_test(answers, any_bytes_are_an_input);
    tcase_add_loop_test(answers, each_kind_is_reached, 0, DEVIATION_KIND_COUNT);
    suite_add_tcase(suite, answers);
    tcase_add_test(inputs, mutants_stay_in_bounds);
    tcase_add_test(inputs, simpler_comes_to_an_end);
    tcase_add_test(inputs, dictionary_can_be_read);
    suite_add_tcase(suite, inputs);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
