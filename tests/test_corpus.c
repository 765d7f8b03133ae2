/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz/corpus.c: what is kept is there again, whoever has put it there.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fingerprint.h"
#include "fuzz/corpus.h"
#include "host/bytes.h"

static char dir[64];
static struct corpus *corpus;
static struct error error;

struct read {
    size_t count;
    size_t size_bytes[16];
    uint8_t first[16];
};

static int note(void *context, const uint8_t *input, size_t size_bytes, struct error *unused)
{
    struct read *read = context;

    (void)unused;
    ck_assert_uint_lt(read->count, 16);
    read->size_bytes[read->count] = size_bytes;
    read->first[read->count++] = size_bytes ? input[0] : 0;
    return SNPEMU_OK;
}

static struct read read_new(struct corpus *from)
{
    struct read read = {0};

    ck_assert_int_eq(corpus_read(from, note, &read, &error), SNPEMU_OK);
    return read;
}

static void put(const char *name, const void *bytes, size_t size_bytes)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/corpus/%s", dir, name);
    file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size_bytes, file), size_bytes);
    fclose(file);
}

static void setup(void)
{
    snprintf(dir, sizeof(dir), "/tmp/snpemu-corpus-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(corpus_open(&corpus, dir, &error), SNPEMU_OK);
}

static void teardown(void)
{
    char command[128];

    corpus_close(corpus);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(test_written)
{
    char name[FINGERPRINT_SIZE], path[256];
    struct corpus *other;
    struct stat stat_data;
    struct read read;

    ck_assert_int_eq(corpus_add(corpus, (const uint8_t *)"", 0, 5, false, &error), SNPEMU_OK);
    ck_assert_int_eq(corpus_add(corpus, (const uint8_t *)"abc", 3, 5, true, &error), SNPEMU_OK);
    ck_assert_int_eq(corpus_add(corpus, (const uint8_t *)"xy", 2, 5, true, &error), SNPEMU_OK);
    ck_assert_uint_eq(corpus_count(corpus), 3);
    ck_assert_uint_eq(read_new(corpus).count, 0);

    /* The name is the start of `printf abc | sha256sum`. */
    ck_assert_int_eq(fingerprint("abc", 3, name, &error), SNPEMU_OK);
    ck_assert_str_eq(name, "ba7816bf8f01cfea414140de5dae2223");
    snprintf(path, sizeof(path), "%s/corpus/%s", dir, name);
    ck_assert_int_eq(stat(path, &stat_data), 0);
    ck_assert_int_eq(stat_data.st_size, 3);

    ck_assert_int_eq(corpus_open(&other, dir, &error), SNPEMU_OK);
    read = read_new(other);
    ck_assert_uint_eq(read.count, 2);
    ck_assert_uint_eq(read.size_bytes[0], 2);
    ck_assert_uint_eq(read.first[1], 'a');
    ck_assert_uint_eq(read_new(other).count, 0);

    /* What one adds the other finds. */
    ck_assert_int_eq(corpus_add(other, (const uint8_t *)"zzzz", 4, 5, true, &error), SNPEMU_OK);
    read = read_new(corpus);
    ck_assert_uint_eq(read.count, 1);
    ck_assert_uint_eq(read.first[0], 'z');
    corpus_close(other);
}
END_TEST

START_TEST(test_foreign)
{
    char big[2 * BYTES_INPUT_MAX], path[256];
    struct read read;

    memset(big, 'b', sizeof(big));
    put("big", big, sizeof(big));
    put("id:000000,src:1", "afl", 3);
    put("half.tmp.XyZ", "no", 2);
    put(".hidden", "no", 2);
    put("empty", "", 0);
    snprintf(path, sizeof(path), "%s/corpus/fifo", dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/corpus/directory", dir);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/corpus/loop", dir);
    ck_assert_int_eq(symlink("loop", path), 0);
    read = read_new(corpus);
    ck_assert_uint_eq(read.count, 3);
    ck_assert_uint_eq(read.size_bytes[0], 0);
    ck_assert_uint_eq(read.size_bytes[1], 3);
    ck_assert_uint_eq(read.size_bytes[2], BYTES_INPUT_MAX);
}
END_TEST

START_TEST(test_chosen)
{
    static uint8_t input[BYTES_INPUT_MAX];
    size_t times[3] = {0};
    uint64_t random = 7;

    /* A small one, a large one, one that takes long: all have their turns, the small one most. */
    ck_assert_int_eq(corpus_add(corpus, input, 16, 1000, false, &error), SNPEMU_OK);
    ck_assert_int_eq(corpus_add(corpus, input, 1024, 1000, false, &error), SNPEMU_OK);
    ck_assert_int_eq(corpus_add(corpus, input, 16, 10000000, false, &error), SNPEMU_OK);
    for (int i = 0; i < 10000; i++) {
        times[corpus_choose(corpus, &random)]++;
    }
    ck_assert_uint_gt(times[0], 2 * times[1]);
    ck_assert_uint_gt(times[1], 2 * times[2]);
    ck_assert_uint_gt(times[2], 0);
    corpus_led_on(corpus, 2);
    ck_assert_uint_eq(corpus_entry(corpus, 2)->led_on, 1);
}
END_TEST

START_TEST(test_no_directory)
{
    struct corpus *other;
    char path[256];

    put("file", "", 0);
    snprintf(path, sizeof(path), "%s/corpus/file", dir);
    ck_assert_int_eq(corpus_open(&other, path, &error), SNPEMU_ERR_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "not a directory that can be written"));
    snprintf(path, sizeof(path), "%s/corpus/file/below", dir);
    ck_assert_int_eq(corpus_open(&other, path, &error), SNPEMU_ERR_IO);
    ck_assert_ptr_nonnull(strstr(error.text, "cannot be made"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("corpus");
    TCase *tests = tcase_create("corpus");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, test_written);
    tcase_add_test(tests, test_foreign);
    tcase_add_test(tests, test_chosen);
    tcase_add_test(tests, test_no_directory);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
