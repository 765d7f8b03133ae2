/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run_schedule.c and run_spin.c with the guest `smp`: which schedule a scenario may ask for, that a
 * seed is a schedule, and that a snapshot in the middle of several vCPUs changes nothing.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"
#include "script_file.h"
#include "subject.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SCRIPT_MAX (256 * 1024)

/* One case of the guest, as the scenario selects it. */
static const char prologue[] = "local case, hash = '%s', 0\n"
                               "for i = 1, #case do\n"
                               "  hash = (hash * 31 + string.byte(case, i)) & 0xFFFFFFFF\n"
                               "end\n"
                               "return { image = '" SNPEMU_IMAGE_DIR "/smp.elf', cpus = 2,\n"
                               "  host = { cpuid = { set = { { leaf = 0x4FFFFFFF, eax = hash } } "
                               "} },\n  %s }";

static struct script_file file;
static struct subject subject;
static struct error error;

static int open_case(const char *name, const char *more)
{
    char *script = malloc(SCRIPT_MAX);
    int size, status;

    ck_assert_ptr_nonnull(script);
    size = snprintf(script, SCRIPT_MAX, prologue, name, more);
    ck_assert_int_lt(size, SCRIPT_MAX);
    script_file_write(&file, script, (size_t)size);
    free(script);
    status = subject_open(&subject, file.path, NULL, &error);
    script_file_remove(&file);
    return status;
}

static void open_good(const char *name, const char *more)
{
    ck_assert_msg(open_case(name, more) == 0, "%s", error.text);
}

/* ---- a run with its trace ---- */

struct result {
    struct outcome outcome;
    char *trace;
    char console[4096];
    uint8_t digest[RUN_DIGEST_SIZE];
};

static void result_free(struct result *result)
{
    free(result->trace);
}

static void must(int status)
{
    ck_assert_msg(status == 0, "%s", error.text);
}

/* With a snapshot at exit number `exit` and restored so often; 0: without one. */
static void run_case(struct result *result, uint64_t snapshot_exit, unsigned restores)
{
    struct text_header header = subject_header(&subject);
    struct text_trace *trace = text_trace_new(TEXT_FULL, &header, NULL);
    struct trace sinks = {.sink = {text_trace_sink(trace)}, .sink_count = 1};
    const struct run_options options = {.trace = &sinks};
    struct host *host;
    struct run *run;
    size_t size = 0;
    bool at_exit;

    must(scenario_host(subject.scenario, &host, &error));
    must(run_new(&run, subject.scenario, subject.image, host, &options, &error));
    if (snapshot_exit) {
        must(run_to_exit(run, &snapshot_exit, &at_exit, &error));
        must(run_snapshot(run, &error));
        text_trace_text(trace, &size);
        for (unsigned i = 0; i < restores; i++) {
            must(run_to_end(run, &result->outcome, &error));
            must(run_restore(run, &error));
            text_trace_cut(trace, size);
        }
    }
    must(run_to_end(run, &result->outcome, &error));
    must(run_digest(run, result->digest, &error));
    result->trace = strdup(text_trace_text(trace, &size));
    ck_assert_ptr_nonnull(result->trace);
    snprintf(result->console, sizeof(result->console), "%s", run_console(run));
    run_free(run);
    host->free(host);
    text_trace_free(trace);
}

static void check_same(const struct result *a, const struct result *b)
{
    ck_assert_str_eq(a->trace, b->trace);
    ck_assert_mem_eq(a->digest, b->digest, sizeof(a->digest));
}

/* "race 2211..." without the word. */
static void race_of(const struct result *result, char text[128])
{
    const char *found = strstr(result->console, "race 1");

    found = found ? found : strstr(result->console, "race 2");
    ck_assert_msg(found, "no race in: %s", result->console);
    ck_assert_int_eq(sscanf(found, "race %127s", text), 1);
    ck_assert_uint_eq(strlen(text), 64);
}

/* ---- random schedules ---- */

#define SEEDS 8

static void run_seed(struct result *result, unsigned seed)
{
    char more[128];

    snprintf(more, sizeof(more), "seed = %u, schedule = { random = true, quantum = 300 }", seed);
    open_good("race", more);
    run_case(result, 0, 0);
    ck_assert_int_eq(result->outcome.kind, OUTCOME_HALTED);
}

START_TEST(a_seed_is_a_schedule)
{
    char race[SEEDS][128];
    unsigned different = 0;

    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct result result, again;

        run_seed(&result, seed + 1);
        subject_close(&subject);
        run_seed(&again, seed + 1);
        subject_close(&subject);
        check_same(&result, &again);
        race_of(&result, race[seed]);
        result_free(&result);
        result_free(&again);
        for (unsigned other = 0; other < seed; other++) {
            different += strcmp(race[seed], race[other]) != 0;
        }
    }
    ck_assert_msg(different > SEEDS * (SEEDS - 1) / 2 - 3, "%u pairs differ", different);
}
END_TEST

/* ---- an explicit order ---- */

/* {cpu, instructions}... and how the race begins; the other one notes 2 after each 46. */
static const struct {
    const char *order, *race;
} orders[] = {
    {"{ cpu = 1, instructions = 92 }, { cpu = 0, instructions = 46 }", "221"},
    {"{ cpu = 0, instructions = 92 }, { cpu = 1, instructions = 138 }", "11222"},
    {"{ cpu = 1, instructions = 10000 }", "22222222222222222222222222222222" /* all of them */},
    {"", "22222222"}, /* in turn, then */
};

START_TEST(order_is_kept)
{
    struct result result;
    char more[1024], race[128];

    snprintf(more, sizeof(more),
             "schedule = { order = { { cpu = 1, instructions = 100 }, "
             "{ cpu = 0, instructions = 1000000 }, %s } }",
             orders[_i].order);
    open_good("race", more);
    run_case(&result, 0, 0);
    race_of(&result, race);
    ck_assert_msg(strncmp(race, orders[_i].race, strlen(orders[_i].race)) == 0, "%s, want %s", race,
                  orders[_i].race);
    result_free(&result);
    subject_close(&subject);
}
END_TEST

/* One that cannot run has no turn; after the last turn they take turns again. */
START_TEST(order_of_who_cannot_run)
{
    struct result result;

    open_good("one-held", "schedule = { order = { { cpu = 1, instructions = 5 }, "
                          "{ cpu = 1, instructions = 5 }, { cpu = 1, instructions = 5 }, "
                          "{ cpu = 1, instructions = 1 }, { cpu = 0, instructions = 1 } } }");
    run_case(&result, 0, 0);
    ck_assert_int_eq(result.outcome.kind, OUTCOME_STUCK);
    ck_assert_uint_eq(result.outcome.vcpu, 1);
    ck_assert_ptr_nonnull(strstr(result.console, "1 cases, 0 failed"));
    result_free(&result);
    subject_close(&subject);
}
END_TEST

/* A long list: all of it is used, and each turn is one instruction. */
START_TEST(order_of_many)
{
    char *more = malloc(SCRIPT_MAX - 1024);
    size_t used = (size_t)sprintf(more, "budget = 200000, schedule = { order = {");
    struct result result;
    size_t switches = 0;

    for (unsigned i = 0; i < SCENARIO_ORDER_MAX; i++) {
        used += (size_t)sprintf(more + used, "{cpu=%u,instructions=1},", 1 - i % 2);
    }
    sprintf(more + used, "} }");
    open_good("deadlock-busy", more);
    ck_assert_uint_eq(subject.scenario->order_count, SCENARIO_ORDER_MAX);
    run_case(&result, 0, 0);
    for (const char *at = result.trace; (at = strstr(at, " run ")); at++) {
        switches++;
    }
    ck_assert_uint_ge(switches, SCENARIO_ORDER_MAX);
    ck_assert_uint_le(switches, SCENARIO_ORDER_MAX + 1);
    ck_assert_int_eq(result.outcome.kind, OUTCOME_BUDGET);
    ck_assert_uint_eq(result.outcome.instructions, 200000);
    result_free(&result);
    subject_close(&subject);
    free(more);
}
END_TEST

static const struct {
    const char *more, *message;
} refused[] = {
    {"schedule = { order = { { cpu = 2, instructions = 1 } } }", "there is no vCPU 2: cpus is 2"},
    {"schedule = { order = { { cpu = 4096, instructions = 1 } } }", "schedule.order[1].cpu"},
    {"schedule = { order = { { cpu = -1, instructions = 1 } } }", "schedule.order[1].cpu"},
    {"schedule = { order = { { cpu = 1 } } }", "needs both cpu and instructions"},
    {"schedule = { order = { { instructions = 1 } } }", "needs both cpu and instructions"},
    {"schedule = { order = { {} } }", "needs both cpu and instructions"},
    {"schedule = { order = { { cpu = 1, instructions = 0 } } }", "schedule.order[1].instructions"},
    {"schedule = { order = { { cpu = 1, instruction = 9 } } }", "nearest known is 'instructions'"},
    {"schedule = { order = { 1 } }", "schedule.order[1]"},
    {"schedule = { order = { [2] = { cpu = 1, instructions = 1 } } }", "schedule.order"},
    {"schedule = { order = 7 }", "schedule.order"},
    {"schedule = { quantum = 0 }", "schedule.quantum"},
    {"schedule = { random = 1 }", "schedule.random"},
    {"schedule = { qantum = 1 }", "nearest known is 'quantum'"},
    {"schedule = 1", "schedule"},
};

START_TEST(what_is_refused)
{
    ck_assert_int_eq(open_case("race", refused[_i].more), SNPEMU_ERR_INPUT);
    ck_assert_msg(strstr(error.text, refused[_i].message), "%s", error.text);
}
END_TEST

START_TEST(order_too_long)
{
    char *more = malloc(SCRIPT_MAX - 1024);
    size_t used = (size_t)sprintf(more, "schedule = { order = {");

    for (unsigned i = 0; i <= SCENARIO_ORDER_MAX; i++) {
        used += (size_t)sprintf(more + used, "{cpu=0,instructions=1},");
    }
    sprintf(more + used, "} }");
    ck_assert_int_eq(open_case("race", more), SNPEMU_ERR_INPUT);
    ck_assert_msg(strstr(error.text, "schedule.order"), "%s", error.text);
    free(more);
}
END_TEST

/* ---- snapshots ---- */

/* A name of a case, and how the processor is given away. */
static const struct {
    const char *name, *more;
} snapshot_cases[] = {
    {"host-in-use", "budget = 1000000"},
    {"race", "schedule = { random = true, quantum = 200 }"},
    {"race", "schedule = { quantum = 100, order = { { cpu = 1, instructions = 20 }, "
             "{ cpu = 0, instructions = 300 }, { cpu = 1, instructions = 7 }, "
             "{ cpu = 0, instructions = 11 }, { cpu = 1, instructions = 500 } } }"},
    {"deadlock", "unused_ok = true"},
    {"one-spins", "unused_ok = true"},
    {"race", "schedule = { quantum = 300 }, on = { ap_creation = { nth = 1, after = {\n"
             "  { instructions = 1000, run_vcpu = { vcpu = 1 } },\n"
             "  { instructions = 333, vcpu = 1, run_vcpu = { vcpu = 0 } },\n"
             "  { instructions = 900, vcpu = 0, inject = { vector = 28 }, unused_ok = true },\n"
             "  { instructions = 1e15, write = { gpa = 0, u8 = 1 }, unused_ok = true } } } }"},
    {"all-halted",
     "on = { port_io = { { nth = 40, run_vcpu = { vcpu = 1 } }, { nth = 44, replay = "
     "{ event = 'ap_creation', nth = 1 } }, { nth = 47, stop_vcpu = { vcpu = 0 } } } }"},
};

/* At each of the last exits: the other vCPU is there, and in some of them it is the one that asks.
 */
START_TEST(restored_equals_fresh)
{
    struct result fresh, restored;
    uint64_t exits;

    open_good(snapshot_cases[_i].name, snapshot_cases[_i].more);
    run_case(&fresh, 0, 0);
    exits = fresh.outcome.exits;
    for (uint64_t exit = exits > 24 ? exits - 24 : 1; exit <= exits; exit++) {
        run_case(&restored, exit, 2);
        check_same(&restored, &fresh);
        result_free(&restored);
    }
    result_free(&fresh);
    subject_close(&subject);
}
END_TEST

/* ---- loops that wait ---- */

#define SOON 1000000ULL
#define LATER 100000000ULL

static const struct {
    const char *name, *more, *awaited;
    uint64_t instructions_max;
} spins[] = {
    {"spin-pause", "unused_ok = true", ", smp_flag", SOON},
    {"spin-second", "unused_ok = true", ", smp_other_flag", SOON},
    {"spin-busy", "unused_ok = true", ", smp_flag", LATER},
    {"deadlock", "unused_ok = true", ", smp_flag", SOON},
    {"deadlock", "schedule = { random = true, quantum = 100000 }", ", smp_", SOON},
    {"deadlock-busy", "unused_ok = true", ", smp_", LATER},
    {"deadlock-busy", "schedule = { quantum = 7777 }", ", smp_", LATER},
    {"deadlock-busy", "schedule = { random = true, quantum = 100000 }", ", smp_", LATER},
    {"deadlock", "schedule = { order = { { cpu = 1, instructions = 5 } } }", ", smp_", SOON},
};

START_TEST(spin_is_found)
{
    struct result result;

    open_good(spins[_i].name, spins[_i].more);
    run_case(&result, 0, 0);
    ck_assert_int_eq(result.outcome.kind, OUTCOME_STUCK);
    ck_assert_ptr_nonnull(strstr(result.outcome.detail, "a spin: nobody changes gva 0x"));
    ck_assert_msg(strstr(result.outcome.detail, spins[_i].awaited), "%s", result.outcome.detail);
    ck_assert_uint_lt(result.outcome.instructions, spins[_i].instructions_max);
    result_free(&result);
    subject_close(&subject);
}
END_TEST

/* A budget that ends in the middle of the look is exact all the same. */
START_TEST(spin_and_budget)
{
    struct result whole, cut;
    char more[64];

    open_good("spin-pause", "unused_ok = true");
    run_case(&whole, 0, 0);
    subject_close(&subject);
    for (uint64_t less = 1; less <= 12; less++) {
        snprintf(more, sizeof(more), "budget = %llu",
                 (unsigned long long)(whole.outcome.instructions - less));
        open_good("spin-pause", more);
        run_case(&cut, 0, 0);
        ck_assert_int_eq(cut.outcome.kind, OUTCOME_BUDGET);
        ck_assert_uint_eq(cut.outcome.instructions, whole.outcome.instructions - less);
        result_free(&cut);
        subject_close(&subject);
    }
    result_free(&whole);
}
END_TEST

/* ---- actions that wait ---- */

/* The boot vCPU jumps to itself, and something is to come long after the budget. */
START_TEST(a_jump_to_itself_has_a_budget)
{
    struct result result;

    open_good("one-spins", "budget = 5000000, on = { ap_creation = { nth = 1, after = { vcpu = 1, "
                           "instructions = 1e9, stop_vcpu = { vcpu = 0 } } } }");
    run_case(&result, 0, 0);
    ck_assert_int_eq(result.outcome.kind, OUTCOME_BUDGET);
    ck_assert_uint_eq(result.outcome.instructions, 5000000);
    result_free(&result);
    subject_close(&subject);
}
END_TEST

/* The same, when it comes: the last that could run is stopped. */
START_TEST(a_jump_to_itself_is_ended)
{
    struct result result;

    open_good("one-spins", "on = { ap_creation = { nth = 1, after = { vcpu = 1, "
                           "instructions = 1e8, stop_vcpu = { vcpu = 1 } } } }");
    run_case(&result, 0, 0);
    ck_assert_int_eq(result.outcome.kind, OUTCOME_REFUSED);
    ck_assert_str_eq(result.outcome.detail, "the host never runs vCPU 1 again");
    ck_assert_int_eq(outcome_verdict(&result.outcome), VERDICT_CONTAINED);
    ck_assert_uint_gt(result.outcome.instructions, 100000000);
    result_free(&result);
    subject_close(&subject);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule");
    TCase *tcase = tcase_create("schedule");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, a_seed_is_a_schedule);
    tcase_add_loop_test(tcase, order_is_kept, 0, COUNT(orders));
    tcase_add_test(tcase, order_of_who_cannot_run);
    tcase_add_test(tcase, order_of_many);
    tcase_add_loop_test(tcase, what_is_refused, 0, COUNT(refused));
    tcase_add_test(tcase, order_too_long);
    tcase_add_loop_test(tcase, restored_equals_fresh, 0, COUNT(snapshot_cases));
    tcase_add_loop_test(tcase, spin_is_found, 0, COUNT(spins));
    tcase_add_test(tcase, spin_and_budget);
    tcase_add_test(tcase, a_jump_to_itself_has_a_budget);
    tcase_add_test(tcase, a_jump_to_itself_is_ended);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
