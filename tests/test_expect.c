/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outcomes, their default verdicts, and expectations of them.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/expect.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct {
    const char *name;
    enum outcome_kind kind;
    enum verdict verdict, host_caused;
} outcome_rows[] = {
    {"halted", OUTCOME_HALTED, VERDICT_PASS, VERDICT_PASS},
    {"reached", OUTCOME_REACHED, VERDICT_PASS, VERDICT_PASS},
    {"terminated", OUTCOME_TERMINATED, VERDICT_CONTAINED, VERDICT_CONTAINED},
    {"triple-fault", OUTCOME_TRIPLE_FAULT, VERDICT_GUEST_CRASH, VERDICT_CONTAINED},
    {"nested-fault", OUTCOME_NESTED_FAULT, VERDICT_GUEST_CRASH, VERDICT_CONTAINED},
    {"refused", OUTCOME_REFUSED, VERDICT_GUEST_CRASH, VERDICT_CONTAINED},
    {"stuck", OUTCOME_STUCK, VERDICT_HANG, VERDICT_CONTAINED},
    {"budget", OUTCOME_BUDGET, VERDICT_HANG, VERDICT_HANG},
    {"unmodelled", OUTCOME_UNMODELLED, VERDICT_UNJUDGED, VERDICT_UNJUDGED},
};

START_TEST(outcomes)
{
    struct outcome outcome = {.kind = outcome_rows[_i].kind};

    ck_assert_str_eq(outcome_name(outcome.kind), outcome_rows[_i].name);
    ck_assert_int_eq(outcome_named(outcome_rows[_i].name), outcome.kind);
    ck_assert_int_eq(outcome_verdict(&outcome), outcome_rows[_i].verdict);
    outcome.host_caused = true;
    ck_assert_int_eq(outcome_verdict(&outcome), outcome_rows[_i].host_caused);
}
END_TEST

START_TEST(names)
{
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        ck_assert_int_eq(verdict_named(verdict_name((enum verdict)verdict)), verdict);
    }
    ck_assert_int_eq(verdict_named("fine"), VERDICT_COUNT);
    ck_assert_int_eq(outcome_named("fine"), OUTCOME_KIND_COUNT);
}
END_TEST

START_TEST(phrases)
{
    struct outcome outcome = {.kind = OUTCOME_TERMINATED, .term_set = 0xF, .term_code = 6};
    char text[64];

    outcome_phrase(&outcome, text, sizeof(text));
    ck_assert_str_eq(text, "terminated 0xf:0x6");
    outcome.kind = OUTCOME_REACHED;
    strcpy(outcome.symbol, "percpu_init");
    outcome_phrase(&outcome, text, sizeof(text));
    ck_assert_str_eq(text, "reached percpu_init");
    outcome.kind = OUTCOME_STUCK;
    outcome_phrase(&outcome, text, 4);
    ck_assert_str_eq(text, "stu");
}
END_TEST

static const struct {
    const char *text;
    bool good;
} phrase_rows[] = {
    {"halted", true},
    {"terminated", true},
    {"terminated 0xf:0x6", true},
    {"terminated 0x0:0x0", true},
    {"terminated 0xf:0x6 ", false},
    {"terminated 0xf:", false},
    {"terminated 0x10:0x1", false},
    {"terminated 0x1:0x100", false},
    {"terminated 0xfffffffff:0x100", false},
    {"stuck 0x1:0x1", false},
    {"running", false},
    {"", false},
    {"a-name-that-is-much-longer-than-any-outcome", false},
};

START_TEST(outcome_texts)
{
    struct expect expect = {0};

    ck_assert_msg(expect_set_outcome(&expect, phrase_rows[_i].text) == phrase_rows[_i].good, "%s",
                  phrase_rows[_i].text);
    ck_assert(expect.outcome_given == phrase_rows[_i].good);
}
END_TEST

/* Guest state that the checks read: `value` at any symbol but "nowhere". */
static bool read_state(void *context, const struct expect_state *state, uint64_t *value)
{
    *value = *(const uint64_t *)context;
    return strcmp(state->symbol, "nowhere") != 0;
}

struct check_row {
    const char *outcome;        /* expected; NULL: not */
    enum verdict verdict;       /* expected; VERDICT_COUNT: not */
    const char *serial, *panic; /* expected */
    const char *symbol;         /* expected to hold 5; NULL: no state */
    struct outcome got;
    enum verdict got_verdict;
    const char *console;
    uint64_t value;
    const char *why; /* NULL: all as expected */
};

#define NO_VERDICT VERDICT_COUNT
#define TERMINATED                                                                                 \
    {                                                                                              \
        .kind = OUTCOME_TERMINATED, .term_set = 0xF, .term_code = 6                                \
    }

static const struct check_row check_rows[] = {
    {"halted", NO_VERDICT, NULL, NULL, NULL, {.kind = OUTCOME_HALTED}, VERDICT_PASS, "", 0, NULL},
    {"halted", NO_VERDICT, NULL, NULL, NULL, TERMINATED, VERDICT_CONTAINED, "", 0,
     "outcome: expected halted, got terminated 0xf:0x6"},
    {"terminated 0xf:0x6", NO_VERDICT, NULL, NULL, NULL, TERMINATED, VERDICT_CONTAINED, "", 0,
     NULL},
    {"terminated", NO_VERDICT, NULL, NULL, NULL, TERMINATED, VERDICT_CONTAINED, "", 0, NULL},
    {"terminated 0xf:0x1", NO_VERDICT, NULL, NULL, NULL, TERMINATED, VERDICT_CONTAINED, "", 0,
     "outcome: expected terminated 0xf:0x1, got terminated 0xf:0x6"},
    {"terminated",
     NO_VERDICT,
     NULL,
     NULL,
     NULL,
     {.kind = OUTCOME_NESTED_FAULT, .detail = "write of gpa 0x1"},
     VERDICT_CONTAINED,
     "",
     0,
     "outcome: expected terminated, got nested-fault: write of gpa 0x1"},
    {NULL, VERDICT_HANG, NULL, NULL, NULL, {.kind = OUTCOME_STUCK}, VERDICT_HANG, "", 0, NULL},
    {NULL,
     VERDICT_HANG,
     NULL,
     NULL,
     NULL,
     {.kind = OUTCOME_HALTED},
     VERDICT_PASS,
     "",
     0,
     "verdict: expected hang, got pass"},
    {"halted",
     NO_VERDICT,
     NULL,
     NULL,
     NULL,
     {.kind = OUTCOME_HALTED},
     VERDICT_VIOLATION,
     "",
     0,
     "verdict: expected no violation, got violation"},
    {"halted",
     VERDICT_VIOLATION,
     NULL,
     NULL,
     NULL,
     {.kind = OUTCOME_HALTED},
     VERDICT_VIOLATION,
     "",
     0,
     NULL},
    {"halted",
     NO_VERDICT,
     NULL,
     NULL,
     NULL,
     {.kind = OUTCOME_HALTED},
     VERDICT_EMULATOR_BUG,
     "",
     0,
     "verdict: expected no violation, got emulator-bug"},
    {NULL,
     NO_VERDICT,
     "cpu 1",
     NULL,
     NULL,
     {.kind = OUTCOME_HALTED},
     VERDICT_PASS,
     "a cpu 1\n",
     0,
     NULL},
    {NULL,
     NO_VERDICT,
     "cpu 1",
     NULL,
     NULL,
     {.kind = OUTCOME_HALTED},
     VERDICT_PASS,
     "a\ncpu",
     0,
     "serial: expected to contain \"cpu 1\", got \"a cpu\""},
    {NULL,
     NO_VERDICT,
     "cpu 1",
     NULL,
     NULL,
     {.kind = OUTCOME_HALTED},
     VERDICT_PASS,
     NULL,
     0,
     "serial: expected to contain \"cpu 1\", got nothing"},
    {NULL,
     NO_VERDICT,
     NULL,
     "assert",
     NULL,
     {.kind = OUTCOME_STUCK, .panic = "an assertion"},
     VERDICT_HANG,
     "",
     0,
     NULL},
    {NULL,
     NO_VERDICT,
     NULL,
     "assert",
     NULL,
     {.kind = OUTCOME_STUCK},
     VERDICT_HANG,
     "",
     0,
     "panic: expected to contain \"assert\", got nothing"},
    {NULL, NO_VERDICT, NULL, NULL, "cpus", {.kind = OUTCOME_HALTED}, VERDICT_PASS, "", 5, NULL},
    {NULL,
     NO_VERDICT,
     NULL,
     NULL,
     "cpus",
     {.kind = OUTCOME_HALTED},
     VERDICT_PASS,
     "",
     6,
     "state cpus+0x10 (4 bytes): expected 0x5, got 0x6"},
    {NULL,
     NO_VERDICT,
     NULL,
     NULL,
     "nowhere",
     {.kind = OUTCOME_HALTED},
     VERDICT_PASS,
     "",
     5,
     "state nowhere+0x10: no such symbol, or not readable"},
};

START_TEST(checks)
{
    const struct check_row *row = &check_rows[_i];
    uint64_t value = row->value;
    struct expect expect = {0};
    char why[256] = "";
    bool met;

    if (row->outcome) {
        ck_assert(expect_set_outcome(&expect, row->outcome));
    }
    expect.verdict_given = row->verdict != NO_VERDICT;
    expect.verdict = row->verdict;
    expect.serial = row->serial ? strdup(row->serial) : NULL;
    expect.panic = row->panic ? strdup(row->panic) : NULL;
    if (row->symbol) {
        strcpy(expect.state[0].symbol, row->symbol);
        expect.state[0].offset = 16;
        expect.state[0].size_bytes = 4;
        expect.state[0].value = 5;
        expect.state_count = 1;
    }
    met = expect_check(&expect, &row->got, row->got_verdict, row->console, read_state, &value, why,
                       sizeof(why));
    ck_assert_str_eq(why, row->why ? row->why : "");
    ck_assert(met == !row->why);
    expect_release(&expect);
    ck_assert_ptr_null(expect.serial);
    expect_release(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("expect");
    TCase *tcase = tcase_create("expect");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_loop_test(tcase, outcomes, 0, COUNT(outcome_rows));
    tcase_add_test(tcase, names);
    tcase_add_test(tcase, phrases);
    tcase_add_loop_test(tcase, outcome_texts, 0, COUNT(phrase_rows));
    tcase_add_loop_test(tcase, checks, 0, COUNT(check_rows));
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
