/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz/classes.c and fuzz/known.c: how runs are counted, and which of them are taken for the same.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/classes.h"
#include "fuzz/known.h"

static struct classes *one, *other;

static void setup(void)
{
    one = calloc(1, sizeof(*one));
    other = calloc(1, sizeof(*other));
    ck_assert_ptr_nonnull(one);
    ck_assert_ptr_nonnull(other);
}

static void teardown(void)
{
    free(one);
    free(other);
}

static struct finding_key key_of(enum verdict verdict, const char *symbol)
{
    struct finding_key key = {.verdict = verdict};

    snprintf(key.symbol, sizeof(key.symbol), "%s", symbol);
    return key;
}

START_TEST(test_count)
{
    struct finding_key a = key_of(VERDICT_HANG, "a"), b = key_of(VERDICT_HANG, "b");

    ck_assert_uint_eq(classes_find(one, &a), 0);
    ck_assert_uint_eq(classes_find(one, &b), 1);
    ck_assert_uint_eq(classes_find(one, &a), 0);
    ck_assert_uint_eq(one->row[1].first, CLASS_NONE);
    classes_count(one, 1, 1, 7);
    classes_count(one, 1, 1, 9);
    ck_assert_uint_eq(one->row[1].runs, 2);
    ck_assert_uint_eq(one->row[1].first, 7);

    classes_count(other, classes_find(other, &b), 5, 3);
    classes_count(other, CLASSES_MAX, 4, 1);
    classes_find(other, &a); /* no run of it */
    classes_add(one, other);
    ck_assert_uint_eq(one->count, 2);
    ck_assert_uint_eq(one->row[0].runs, 0);
    ck_assert_uint_eq(one->row[0].first, CLASS_NONE);
    ck_assert_uint_eq(one->row[1].runs, 7);
    ck_assert_uint_eq(one->row[1].first, 3);
    ck_assert_uint_eq(one->others, 4);
}
END_TEST

START_TEST(test_full)
{
    struct finding_key key;
    char symbol[16];

    for (size_t i = 0; i < CLASSES_MAX + 2; i++) {
        snprintf(symbol, sizeof(symbol), "f%zu", i);
        key = key_of(VERDICT_PASS, symbol);
        ck_assert_uint_eq(classes_find(one, &key), i < CLASSES_MAX ? i : CLASSES_MAX);
        classes_count(one, classes_find(one, &key), 1, i);
    }
    ck_assert_uint_eq(one->others, 2);
    classes_count(other, classes_find(other, &key), 3, 1);
    classes_add(one, other);
    ck_assert_uint_eq(one->others, 5);
}
END_TEST

START_TEST(test_findings)
{
    static const bool is_finding[VERDICT_COUNT] = {
        [VERDICT_GUEST_CRASH] = true,
        [VERDICT_HANG] = true,
        [VERDICT_VIOLATION] = true,
    };

    /* The emulator's own bugs end a worker; none is ever counted. */
    for (enum verdict verdict = 0; verdict < VERDICT_EMULATOR_BUG; verdict++) {
        struct class_row row = {.key = key_of(verdict, "")};
        struct stage_result result = {.verdict = verdict};

        ck_assert_int_eq(class_is_finding(&row), is_finding[verdict]);
        ck_assert_int_eq(finding_is(&result), is_finding[verdict]);
    }
}
END_TEST

START_TEST(test_known)
{
    struct stage_result hang = {.verdict = VERDICT_HANG, .outcome.kind = OUTCOME_STUCK};
    struct stage_result end = {.verdict = VERDICT_CONTAINED, .outcome.kind = OUTCOME_TERMINATED};
    struct known *known;
    struct known_row *row;
    struct error error;

    ck_assert_int_eq(known_new(&known, &error), SNPEMU_OK);
    row = known_see(known, &hang);
    ck_assert_uint_eq(row->seen, 1);
    ck_assert_ptr_eq(known_see(known, &hang), row);
    ck_assert_uint_eq(row->seen, 2);
    hang.suspicion = 1;
    ck_assert_ptr_ne(known_see(known, &hang), row);
    hang.suspicion = 0;
    strcpy(hang.outcome.symbol, "elsewhere");
    ck_assert_ptr_ne(known_see(known, &hang), row);

    /* Where it asks for its end says nothing of why. */
    row = known_see(known, &end);
    strcpy(end.outcome.symbol, "elsewhere");
    ck_assert_ptr_eq(known_see(known, &end), row);
    end.outcome.term_code = 1;
    ck_assert_ptr_ne(known_see(known, &end), row);
    known_free(known);
}
END_TEST

START_TEST(test_known_full)
{
    struct stage_result result = {.verdict = VERDICT_PASS};
    struct known *known;
    struct known_row *row = NULL;
    struct error error;

    ck_assert_int_eq(known_new(&known, &error), SNPEMU_OK);
    for (result.suspicion = 1; result.suspicion < 100000; result.suspicion++) {
        row = known_see(known, &result);
    }
    ck_assert_ptr_null(row);
    result.suspicion = 1;
    ck_assert_ptr_nonnull(known_see(known, &result));
    known_free(known);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("classes");
    TCase *tests = tcase_create("classes");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_count);
    tcase_add_test(tests, test_full);
    tcase_add_test(tests, test_findings);
    tcase_add_test(tests, test_known);
    tcase_add_test(tests, test_known_full);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
