/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz/finding.c, finding_write.c, reduce.c and cmin.c: what tells findings apart, their names and
 * files, and which inputs of a corpus are enough.
 */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aside.h"
#include "check/oracle.h"
#include "fuzz/cmin.h"
#include "fuzz/finding.h"
#include "fuzz/input_file.h"
#include "fuzz/random.h"
#include "host/bytes_record.h"
#include "host/deviation.h"

#define IMAGE SNPEMU_IMAGE_DIR "/svsm-percpu.elf"

static struct error error;

/* ---- keys ---- */

static struct stage_result stuck(const char *panic)
{
    struct stage_result result = {
        .outcome = {.kind = OUTCOME_STUCK, .symbol = "panic"},
        .verdict = VERDICT_HANG,
        .last_exit = "cpuid",
    };

    snprintf(result.outcome.panic, sizeof(result.outcome.panic), "%s", panic);
    return result;
}

static void add_hit(struct stage_result *result, enum oracle_kind kind, const char *symbol,
                    bool fresh)
{
    result->verdict = VERDICT_VIOLATION;
    result->outcome.oracles |= ORACLE_BIT(kind);
    result->fresh |= fresh ? ORACLE_BIT(kind) : 0;
    result->has_hit = true;
    result->hit = (struct run_hit){.kind = kind, .symbol = symbol, .exit = "apic_id_list"};
}

START_TEST(test_numbers_do_not_tell)
{
    struct stage_result one = stuck("left: 12, right: 0xaf00"), two = stuck("left: 3, right: 0x1");
    struct stage_result other = stuck("right: 12, left: 3");
    struct finding_key a, b, c;

    finding_key(&one, &a);
    finding_key(&two, &b);
    finding_key(&other, &c);
    ck_assert(finding_same(&a, &b));
    ck_assert(!finding_same(&a, &c));
    ck_assert_str_eq(a.phrase, "stuck: left: #, right: #");
    ck_assert_str_eq(a.symbol, "panic");
    ck_assert_str_eq(a.exit, "cpuid");
}
END_TEST

/* What is wrong: a hit that is not the honest run's, then the end, then any hit. */
START_TEST(test_what_is_wrong)
{
    struct stage_result result = stuck("");
    struct finding_key key;

    add_hit(&result, ORACLE_DOUBLE_FETCH, "read_list", false);
    finding_key(&result, &key);
    ck_assert_str_eq(key.symbol, "panic");
    ck_assert_str_eq(key.exit, "cpuid");
    ck_assert_str_eq(key.phrase, "stuck");
    ck_assert_uint_eq(key.oracles, ORACLE_BIT(ORACLE_DOUBLE_FETCH));
    add_hit(&result, ORACLE_OVERRUN, "copy_list", true);
    finding_key(&result, &key);
    ck_assert_str_eq(key.symbol, "copy_list");
    ck_assert_str_eq(key.exit, "apic_id_list");
    ck_assert_str_eq(key.phrase, "");
    ck_assert_uint_eq(key.oracles, ORACLE_BIT(ORACLE_OVERRUN));
    result = (struct stage_result){.outcome = {.kind = OUTCOME_HALTED, .symbol = "main"}};
    add_hit(&result, ORACLE_DOUBLE_FETCH, "read_list", false);
    finding_key(&result, &key);
    ck_assert_str_eq(key.symbol, "read_list");
    ck_assert_str_eq(key.phrase, "");
}
END_TEST

/* An event that the host injects ends the run wherever it comes; another fault does so somewhere.
 */
START_TEST(test_where_does_not_tell)
{
    struct stage_result result = {
        .outcome = {.kind = OUTCOME_TRIPLE_FAULT, .symbol = "memcpy", .detail = "after #HV"},
        .verdict = VERDICT_GUEST_CRASH,
    };
    struct finding_key key;

    finding_key(&result, &key);
    ck_assert_str_eq(key.symbol, "");
    ck_assert_str_eq(key.phrase, "triple-fault: after #HV");
    strcpy(result.outcome.detail, "after #PF");
    finding_key(&result, &key);
    ck_assert_str_eq(key.symbol, "memcpy");
}
END_TEST

START_TEST(test_what_is_one)
{
    static const bool is[VERDICT_COUNT] = {
        [VERDICT_GUEST_CRASH] = true, [VERDICT_HANG] = true, [VERDICT_VIOLATION] = true};

    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        ck_assert(finding_is(&(struct stage_result){.verdict = verdict}) == is[verdict]);
    }
}
END_TEST

static bool is_file_name(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < length; i++) {
        if (!islower(name[i]) && !isdigit(name[i]) && name[i] != '-' && name[i] != '_') {
            return false;
        }
    }
    return islower(name[0]) && length < FINDING_NAME_MAX;
}

/* Symbols are the image's, and may be any bytes. */
START_TEST(test_names)
{
    struct finding_key key = {.verdict = VERDICT_VIOLATION, .oracles = ORACLES_ALL};
    char name[FINDING_NAME_MAX], other[FINDING_NAME_MAX], words[64];
    uint64_t random = 1;

    for (unsigned round = 0; round < 2000; round++) {
        for (size_t i = 0; i + 1 < sizeof(key.symbol); i++) {
            key.symbol[i] = (char)random_below(&random, 256);
        }
        key.exit[0] = (char)random_below(&random, 256);
        finding_name(&key, name);
        ck_assert_msg(is_file_name(name), "%s", name);
        finding_words(&key, words, sizeof(words));
        for (const char *c = words; *c; c++) {
            ck_assert(*c >= ' ' && *c <= '~');
        }
        key.phrase[0] ^= 1;
        finding_name(&key, other);
        ck_assert_str_ne(name, other);
    }
    key = (struct finding_key){.verdict = VERDICT_HANG, .symbol = "<a::B>::c", .exit = "msr_cpuid"};
    finding_name(&key, name);
    ck_assert_msg(strncmp(name, "hang-a-b-c-msr_cpuid-", 21) == 0, "%s", name);
}
END_TEST

/* ---- files ---- */

static char dir[] = "/tmp/snpemu-finding-XXXXXX";
static struct subject subject;
static struct stage *stage;

static void open_stage(void)
{
    const struct stage_options options = {.margin_instructions = 300000, .margin_exits = 40};
    int status;

    strcpy(dir + sizeof(dir) - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    status = stage_subject_open(&subject, IMAGE, NULL, &error);
    ck_assert_msg(status == SNPEMU_OK, "%s", error.text);
    status = stage_open(&stage, &subject, &options, &error);
    ck_assert_msg(status == SNPEMU_OK, "%s", error.text);
}

static void close_stage(void)
{
    char command[sizeof(dir) + 16];

    stage_close(stage);
    subject_close(&subject);
    snprintf(command, sizeof(command), "rm -r '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

/* Records that make the guest read the list beyond its end: the count in it, at the third exit. */
static size_t make_overrun(uint8_t *input, uint64_t count)
{
    const struct bytes_record record = {.exit = 2, .kind = DEVIATION_WRITE, .operand = count};

    bytes_record_write(&record, input);
    return BYTES_RECORD_SIZE;
}

static void path_of(const struct finding_key *key, const char *suffix, char *path, size_t size)
{
    char name[FINDING_NAME_MAX];

    finding_name(key, name);
    ck_assert((size_t)snprintf(path, size, "%s/findings/%s%s", dir, name, suffix) < size);
}

static void check_files(const struct finding_key *key, const uint8_t *input, size_t size_bytes)
{
    static const char *const suffixes[] = {".lua", ".golden"};
    uint8_t written[BYTES_INPUT_MAX];
    char path[512];
    size_t size;

    for (size_t i = 0; i < 2; i++) {
        path_of(key, suffixes[i], path, sizeof(path));
        ck_assert_msg(access(path, R_OK) == 0, "no %s", path);
    }
    path_of(key, ".input", path, sizeof(path));
    ck_assert_int_eq(input_file_read(path, written, &size, &error), SNPEMU_OK);
    ck_assert_mem_eq(written, input, size_bytes);
    ck_assert_uint_eq(size, size_bytes);
}

static bool write_it(const struct finding_key *key, const uint8_t *input, size_t size_bytes)
{
    bool is_new;
    int status = finding_write(stage, dir, key, input, size_bytes, &is_new, &error);

    ck_assert_msg(status == SNPEMU_OK, "%s", error.text);
    return is_new;
}

/*
 * The first one is written, the second is known. Where only an input stands, as when a process was
 * killed, scenario and trace are made of that one, if it shows the finding; else it is replaced.
 */
START_TEST(test_written_once)
{
    uint8_t input[2 * BYTES_RECORD_SIZE], simple[BYTES_RECORD_SIZE], other[BYTES_RECORD_SIZE];
    size_t size = make_overrun(input, 4096);
    struct stage_result result;
    struct finding_key key;
    char path[512];

    make_overrun(simple, 1024); /* one ID more than the page has room for */
    make_overrun(other, 2000);
    ck_assert_int_eq(stage_confirm(stage, input, size, &result, &error), SNPEMU_OK);
    finding_key(&result, &key);
    ck_assert_str_eq(key.symbol, "apic_id_list_read");
    size += make_overrun(input + size, 0);
    input[BYTES_RECORD_SIZE] = 9; /* an exit that does not come */
    ck_assert(write_it(&key, input, size));
    check_files(&key, simple, sizeof(simple));
    ck_assert(!write_it(&key, input, size));

    path_of(&key, ".lua", path, sizeof(path));
    ck_assert_int_eq(unlink(path), 0);
    path_of(&key, ".input", path, sizeof(path));
    ck_assert_int_eq(aside_write(path, (const char *)other, sizeof(other), &error), SNPEMU_OK);
    ck_assert(!write_it(&key, input, size));
    check_files(&key, other, sizeof(other));

    path_of(&key, ".golden", path, sizeof(path));
    ck_assert_int_eq(unlink(path), 0);
    path_of(&key, ".input", path, sizeof(path));
    ck_assert_int_eq(aside_write(path, "honest", 6, &error), SNPEMU_OK);
    ck_assert(write_it(&key, input, size));
    check_files(&key, simple, sizeof(simple));
}
END_TEST

/* ---- a smaller corpus ---- */

#define INPUTS 24

static uint8_t maps[INPUTS][STAGE_MAP_SIZE];
static size_t sizes[INPUTS];

/* Chosen by hand: over and over the one with most that is missing, then the shorter, the earlier.
 */
static void choose_plainly(bool chosen[INPUTS])
{
    static bool have[STAGE_MAP_SIZE][256]; /* every count here is a step of its own */

    memset(have, 0, sizeof(have));
    for (;;) {
        size_t best = INPUTS, best_gain = 0;

        for (size_t i = 0; i < INPUTS; i++) {
            size_t gain = 0;

            for (size_t at = 0; at < STAGE_MAP_SIZE; at++) {
                gain += maps[i][at] && !have[at][maps[i][at]];
            }
            if (gain > best_gain || (gain && gain == best_gain && sizes[i] < sizes[best])) {
                best = i;
                best_gain = gain;
            }
        }
        if (best == INPUTS) {
            return;
        }
        chosen[best] = true;
        for (size_t at = 0; at < STAGE_MAP_SIZE; at++) {
            have[at][maps[best][at]] = true;
        }
    }
}

START_TEST(test_enough)
{
    static const uint8_t counts[] = {1, 2, 3, 4, 8, 16, 32, 128};
    uint64_t random = (uint64_t)_i;
    bool chosen[INPUTS] = {false};
    size_t count = 0;
    struct cmin *cmin;

    ck_assert_int_eq(cmin_new(&cmin, &error), SNPEMU_OK);
    memset(maps, 0, sizeof(maps));
    for (size_t i = 0; i < INPUTS; i++) {
        for (size_t points = random_below(&random, 12); points > 0; points--) {
            /* Few places, the map's ends among them, so that inputs have much in common. */
            size_t at = random_below(&random, 9) * (STAGE_MAP_SIZE - 1) / 8;

            maps[i][at] = counts[random_below(&random, 8)];
        }
        sizes[i] = random_below(&random, 4);
        ck_assert_int_eq(cmin_add(cmin, sizes[i], maps[i], &error), SNPEMU_OK);
    }
    cmin_choose(cmin);
    choose_plainly(chosen);
    for (size_t i = 0; i < INPUTS; i++) {
        ck_assert_msg(cmin_has(cmin, i) == chosen[i], "input %zu of round %d", i, _i);
        count += chosen[i];
    }
    ck_assert_uint_eq(cmin_chosen(cmin), count);
    ck_assert(count > 0 && count < INPUTS);
    cmin_free(cmin);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("finding");
    TCase *keys = tcase_create("keys"), *files = tcase_create("files"),
          *corpus = tcase_create("corpus");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(keys, test_numbers_do_not_tell);
    tcase_add_test(keys, test_what_is_wrong);
    tcase_add_test(keys, test_where_does_not_tell);
    tcase_add_test(keys, test_what_is_one);
    tcase_add_test(keys, test_names);
    suite_add_tcase(suite, keys);
    tcase_add_checked_fixture(files, open_stage, close_stage);
    tcase_add_test(files, test_written_once);
    suite_add_tcase(suite, files);
    tcase_add_loop_test(corpus, test_enough, 0, 10);
    suite_add_tcase(suite, corpus);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
