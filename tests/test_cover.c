/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz/cover.c: which counters of a map are new, held against the plain way of finding out.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/cover.h"
#include "fuzz/random.h"
#include "fuzz/stage.h"

static struct cover *cover;
static uint8_t map[STAGE_MAP_SIZE + 1];

static void setup(void)
{
    struct error error;

    ck_assert_int_eq(cover_new(&cover, &error), SNPEMU_OK);
    memset(map, 0, sizeof(map));
}

static void teardown(void)
{
    cover_free(cover);
}

static enum cover_news take(size_t at, uint8_t count)
{
    map[at] = count;
    return cover_take(cover, map);
}

START_TEST(test_steps)
{
    /* The first and last count of each step. */
    static const uint8_t steps[][2] = {{1, 1},  {2, 2},   {3, 3},    {4, 7},
                                       {8, 15}, {16, 31}, {32, 127}, {128, 255}};

    ck_assert_int_eq(take(77, 5), COVER_EDGE);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        ck_assert_int_eq(take(77, steps[i][1]), i == 3 ? COVER_NOTHING : COVER_STEP);
        for (unsigned count = steps[i][0]; count <= steps[i][1]; count++) {
            ck_assert_int_eq(take(77, (uint8_t)count), COVER_NOTHING);
        }
    }
    ck_assert_uint_eq(cover_edges(cover), 1);
}
END_TEST

START_TEST(test_ends)
{
    static const size_t places[] = {0, STAGE_EDGES - 1, STAGE_EDGES, STAGE_MAP_SIZE - 1};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        ck_assert_int_eq(take(places[i], 1), COVER_EDGE);
        ck_assert_uint_eq(map[places[i]], 0);
    }
    ck_assert_uint_eq(cover_edges(cover), 2);
    ck_assert_uint_eq(cover_features(cover), 2);
    ck_assert_int_eq(cover_take(cover, map), COVER_NOTHING);
    map[STAGE_MAP_SIZE] = 1; /* behind it */
    ck_assert_int_eq(cover_take(cover, map), COVER_NOTHING);
    ck_assert_uint_eq(map[STAGE_MAP_SIZE], 1);
}
END_TEST

static unsigned plain_step(uint8_t count)
{
    unsigned step = 0;

    for (unsigned from = 1; from <= count; step++) {
        static const unsigned froms[] = {1, 2, 3, 4, 8, 16, 32, 128, 256};

        from = froms[step + 1];
    }
    return step; /* 0: not counted */
}

START_TEST(test_random)
{
    static bool seen[STAGE_MAP_SIZE][9];
    static const uint8_t zero[STAGE_MAP_SIZE];
    static bool any[STAGE_MAP_SIZE];
    size_t edges = 0, features = 0;
    uint64_t random = 1;

    memset(seen, 0, sizeof(seen));
    memset(any, 0, sizeof(any));
    for (int run = 0; run < 1000; run++) {
        enum cover_news news = COVER_NOTHING;
        size_t from = random_below(&random, STAGE_MAP_SIZE - 512);
        uint64_t count = random_below(&random, 100);

        for (uint64_t i = 0; i < count; i++) {
            map[from + random_below(&random, 512)] = (uint8_t)(random_draw(&random) >> 40);
        }
        for (size_t i = 0; i < STAGE_MAP_SIZE; i++) {
            unsigned step = plain_step(map[i]);

            if (step && !seen[i][step]) {
                news = any[i] && news != COVER_EDGE ? COVER_STEP : COVER_EDGE;
                edges += !any[i] && i < STAGE_EDGES;
                features += !any[i] && i >= STAGE_EDGES;
                seen[i][step] = any[i] = true;
            }
        }
        ck_assert_int_eq(cover_take(cover, map), news);
        ck_assert_int_eq(memcmp(map, zero, STAGE_MAP_SIZE), 0);
        ck_assert_uint_eq(cover_edges(cover), edges);
        ck_assert_uint_eq(cover_features(cover), features);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cover");
    TCase *tests = tcase_create("cover");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_steps);
    tcase_add_test(tests, test_ends);
    tcase_add_test(tests, test_random);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
