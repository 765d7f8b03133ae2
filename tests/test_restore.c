/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run from a snapshot is the run that it would be from launch: after many random inputs of the
 * host that reads bytes, one upon the other from one snapshot, the state at a run's end is that of
 * a machine that was launched for this input alone.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"
#include "fuzz/stage.h"
#include "host/bytes.h"
#include "host/bytes_mutate.h"

/* Runs, of which every so many-th is compared; the environment's SNPEMU_RESTORE_RUNS and _EVERY
 * win.
 */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif
#define RUNS (SANITIZED ? 2000 : 100000)
#define EVERY (SANITIZED ? 500 : 4000)

#define MARGIN_INSTRUCTIONS 20000
#define MARGIN_EXITS 64
#define RECORDS_MAX 6

/* An input, and the last one that changed something, of which others are made. */
struct input {
    uint8_t bytes[BYTES_INPUT_MAX], seed[BYTES_INPUT_MAX];
    size_t size, seed_size;
};

struct digest {
    uint8_t bytes[RUN_DIGEST_SIZE];
};

static struct subject subject;
static struct stage *stage;
static struct error error;
static uint64_t random_state;

static void setup(void)
{
    const struct overrides overrides = {
        .cpus_given = true, .cpus = 4, .oracles_given = true, .oracles = ORACLES_CHEAP};
    struct stage_options options = {
        .margin_instructions = MARGIN_INSTRUCTIONS,
        .margin_exits = MARGIN_EXITS,
    };

    ck_assert_msg(
        stage_subject_open(&subject, SNPEMU_IMAGE_DIR "/svsm-percpu.elf", &overrides, &error) == 0,
        "%s", error.text);
    options.until = stage_until_default(subject.image);
    ck_assert_ptr_nonnull(options.until);
    ck_assert_msg(stage_open(&stage, &subject, &options, &error) == 0, "%s", error.text);
}

static void teardown(void)
{
    stage_close(stage);
    subject_close(&subject);
}

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Any bytes, of which none, or some, or most are zero; or a deviation that is known, changed. */
static void input_next(struct input *input)
{
    uint64_t mask = random_next();

    if (random_next() % 2) {
        memcpy(input->bytes, input->seed, input->seed_size);
        input->size = bytes_mutate(input->bytes, input->seed_size, RECORDS_MAX * BYTES_RECORD_SIZE,
                                   &random_state);
        return;
    }
    input->size = random_next() % (RECORDS_MAX * BYTES_RECORD_SIZE + 1);
    for (size_t i = 0; i < input->size; i++) {
        input->bytes[i] = mask >> i % BYTES_RECORD_SIZE & 1 ? (uint8_t)random_next() : 0;
    }
}

static struct digest digest_restored(const uint8_t *input, size_t size, struct outcome *outcome)
{
    struct stage_result result;
    struct digest digest;

    ck_assert_msg(stage_play(stage, input, size, &result, &error) == 0, "%s", error.text);
    ck_assert_msg(stage_digest(stage, digest.bytes, &error) == 0, "%s", error.text);
    *outcome = result.outcome;
    return digest;
}

static struct digest digest_fresh(const uint8_t *input, size_t size, struct outcome *outcome)
{
    const struct run_options options = {
        .firmware = subject.firmware,
        .until = stage_until_default(subject.image),
        .oracles = subject.scenario->oracles,
        .edges = true,
    };
    struct host *host = host_bytes_new();
    struct digest digest;
    struct run *run;

    ck_assert_ptr_nonnull(host);
    host_bytes_set(host, input, size, stage_first_exit(stage));
    ck_assert_msg(run_new(&run, subject.scenario, subject.image, host, &options, &error) == 0, "%s",
                  error.text);
    ck_assert_msg(run_to_end(run, outcome, &error) == 0, "%s", error.text);
    ck_assert_msg(run_digest(run, digest.bytes, &error) == 0, "%s", error.text);
    run_free(run);
    host->free(host);
    return digest;
}

/* Both from here, and in the same words. */
static void compare(uint64_t number, const uint8_t *input, size_t size)
{
    struct outcome restored_end, fresh_end;
    const struct digest restored = digest_restored(input, size, &restored_end);
    const struct digest fresh = digest_fresh(input, size, &fresh_end);
    char restored_phrase[160], fresh_phrase[160];

    outcome_phrase(&restored_end, restored_phrase, sizeof(restored_phrase));
    outcome_phrase(&fresh_end, fresh_phrase, sizeof(fresh_phrase));
    ck_assert_msg(
        strcmp(restored_phrase, fresh_phrase) == 0 &&
            restored_end.instructions == fresh_end.instructions &&
            restored_end.exits == fresh_end.exits,
        "run %llu: restored it ends as %s after %llu instructions, fresh as %s after %llu",
        (unsigned long long)number, restored_phrase, (unsigned long long)restored_end.instructions,
        fresh_phrase, (unsigned long long)fresh_end.instructions);
    ck_assert_msg(memcmp(&restored, &fresh, sizeof(fresh)) == 0, "run %llu: %s in another state",
                  (unsigned long long)number, restored_phrase);
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);

    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

START_TEST(restored_is_fresh)
{
    uint64_t runs = number_from("SNPEMU_RESTORE_RUNS", RUNS);
    uint64_t every = number_from("SNPEMU_RESTORE_EVERY", EVERY);
    static struct input input;
    struct stage_result result;
    struct outcome outcome;
    uint64_t changed = 0, compared = 0;
    const struct digest honest = digest_restored(input.bytes, 0, &outcome);
    struct digest last;

    ck_assert_uint_ge(every, 1);
    compare(0, input.bytes, 0);
    random_state = 1;
    for (uint64_t i = 1; i <= runs; i++) {
        input_next(&input);
        ck_assert_msg(stage_play(stage, input.bytes, input.size, &result, &error) == 0, "%s",
                      error.text);
        if (result.done) {
            memcpy(input.seed, input.bytes, input.size);
            input.seed_size = input.size;
            changed++;
        }
        if (i % every == 0) {
            compare(i, input.seed, input.seed_size);
            compared++;
        }
    }
    last = digest_restored(input.bytes, 0, &outcome);
    ck_assert_mem_eq(&last, &honest, sizeof(last));
    printf("%llu runs, %llu with a deviation, %llu compared with fresh ones\n",
           (unsigned long long)runs, (unsigned long long)changed, (unsigned long long)compared);
    ck_assert_uint_ge(changed, runs / 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("restore");
    TCase *tcase = tcase_create("restore");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 0);
    tcase_add_test(tcase, restored_is_fresh);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
