/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * page/source.c: which files get into a page, when an image chooses their paths. trace/json.c: what
 * gets into it of hostile bytes.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "page/internal.h"
#include "trace/json.h"

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static char dir[] = "/tmp/snpemu-page-XXXXXX";
static struct source_files *files;
static struct page_facts facts;

static void write_file(const char *name, const char *bytes, size_t size_bytes)
{
    FILE *file = fopen(name, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size_bytes, file), size_bytes);
    ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
    files = calloc(1, sizeof(*files));
    ck_assert_ptr_nonnull(files);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(mkdir("src", 0700), 0);
    ck_assert_int_eq(mkdir("src/deep", 0700), 0);
    write_file("src/main.c", "int main;\n", 10);
    write_file("src/deep/lib.rs", "fn lib() {}\n", 12);
    write_file("src/alone.c", "int alone;\n", 11);
    write_file("src/secret.txt", "secret\n", 7);
    write_file("src/nul.c", "a\0b\n", 4);
    write_file("src/empty.c", "", 0);
    write_file("outside.c", "int outside;\n", 13);
    ck_assert_int_eq(symlink("secret.txt", "src/link.c"), 0);
    ck_assert_int_eq(symlink("main.c", "src/alias.c"), 0);
    ck_assert_int_eq(mkfifo("src/pipe.c", 0600), 0);
    ck_assert_int_eq(truncate("src/nul.c", 4), 0);
    write_file("src/large.c", "x", 1);
    ck_assert_int_eq(truncate("src/large.c", SOURCE_FILE_MAX + 1), 0);
    facts = (struct page_facts){.source_dir = {"src"}, .source_dir_count = 1};
}

static void teardown(void)
{
    static const char *const names[] = {
        "src/main.c",  "src/deep/lib.rs", "src/alone.c", "src/secret.txt",
        "src/nul.c",   "src/empty.c",     "outside.c",   "src/link.c",
        "src/alias.c", "src/pipe.c",      "src/large.c",
    };

    source_files_release(files);
    free(files);
    for (size_t i = 0; i < ROWS(names); i++) {
        ck_assert_int_eq(unlink(names[i]), 0);
    }
    ck_assert_int_eq(rmdir("src/deep"), 0);
    ck_assert_int_eq(rmdir("src"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}

static const struct {
    const char *path, *text; /* text NULL: not shown */
} source_rows[] = {
    {"main.c", "int main;\n"},
    {"./main.c", "int main;\n"},
    {"deep/lib.rs", "fn lib() {}\n"},
    /* Where it was built is not where it is read. */
    {"/home/builder/project/deep/lib.rs", "fn lib() {}\n"},
    {"/home/builder/project/deep/../deep/./lib.rs", "fn lib() {}\n"},
    {"alias.c", "int main;\n"},
    /* The last name alone may be that of another file. */
    {"/home/builder/project/alone.c", NULL},
    /* Nothing leads out of the directory. */
    {"../outside.c", NULL},
    {"deep/../../outside.c", NULL},
    {"secret.txt", NULL},
    {"/etc/passwd", NULL},
    {"link.c", NULL},
    {"pipe.c", NULL},
    {"nul.c", NULL},
    {"empty.c", NULL},
    {"large.c", NULL},
    {"deep", NULL},
    {"no.c", NULL},
    {"", NULL},
    {"/", NULL},
    {"////..//../.", NULL},
    {"/dev/zero.c", NULL},
};

START_TEST(source_is_read)
{
    int number = source_file_number(files, source_rows[_i].path, &facts);

    if (!source_rows[_i].text) {
        ck_assert_int_eq(number, -1);
        return;
    }
    ck_assert_int_eq(number, 0);
    ck_assert_str_eq(files->file[0].text, source_rows[_i].text);
    ck_assert_ptr_null(strstr(files->file[0].path, ".."));
    /* Once, however often it is asked for. */
    ck_assert_int_eq(source_file_number(files, source_rows[_i].path, &facts), 0);
    ck_assert_uint_eq(files->count, 1);
    ck_assert_uint_eq(files->size_bytes, strlen(source_rows[_i].text));
}
END_TEST

START_TEST(source_absolute)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/outside.c", dir);
    ck_assert_int_eq(source_file_number(files, path, &facts), 0);
    facts.no_sources = true;
    ck_assert_int_eq(source_file_number(files, "main.c", &facts), -1);
}
END_TEST

START_TEST(source_bounds)
{
    char path[64];

    /* Longer than any path, and more files than there is room for. */
    char *lengthy = malloc(100000);

    ck_assert_ptr_nonnull(lengthy);
    memset(lengthy, 'a', 99999);
    lengthy[99999] = '\0';
    for (size_t i = 0; i < 99999; i += 3) {
        lengthy[i] = '/';
    }
    ck_assert_int_eq(source_file_number(files, lengthy, &facts), -1);
    free(lengthy);
    for (unsigned i = 0; i < SOURCE_FILES_MAX + 10; i++) {
        snprintf(path, sizeof(path), "no/%u.c", i);
        ck_assert_int_eq(source_file_number(files, path, &facts), -1);
    }
    ck_assert_int_eq(source_file_number(files, "main.c", &facts), -1);
    ck_assert_uint_eq(files->count, SOURCE_FILES_MAX);
}
END_TEST

static const struct {
    const char *text, *plain, *in_page;
} json_rows[] = {
    {"word", "\"word\"", "\"word\""},
    {"", "\"\"", "\"\""},
    {"</script>", "\"</script>\"", "\"\\u003c/script\\u003e\""},
    {"<!--&", "\"<!--&\"", "\"\\u003c!--\\u0026\""},
    {"\"\\\n\x1b", "\"\\\"\\\\\\n\\u001B\"", "\"\\\"\\\\\\n\\u001B\""},
    {"\xc3\xa9", "\"\\u00E9\"", "\"\\u00E9\""},
    {"\xf0\x9f\x98\x80", "\"\\uD83D\\uDE00\"", "\"\\uD83D\\uDE00\""},
    /* No UTF-8: alone, cut, too long a form, a surrogate, beyond the last character. */
    {"a\xff"
     "b",
     "\"a\\uFFFDb\"", "\"a\\uFFFDb\""},
    {"\xc3", "\"\\uFFFD\"", "\"\\uFFFD\""},
    {"\xe2\x82", "\"\\uFFFD\\uFFFD\"", "\"\\uFFFD\\uFFFD\""},
    {"\xc0\xaf", "\"\\uFFFD\\uFFFD\"", "\"\\uFFFD\\uFFFD\""},
    {"\xed\xa0\x80", "\"\\uFFFD\\uFFFD\\uFFFD\"", "\"\\uFFFD\\uFFFD\\uFFFD\""},
    {"\xf4\x90\x80\x80", "\"\\uFFFD\\uFFFD\\uFFFD\\uFFFD\"", "\"\\uFFFD\\uFFFD\\uFFFD\\uFFFD\""},
};

static void write_json(json_t *value, bool in_page, char *out, size_t size)
{
    FILE *file = fmemopen(out, size, "w");

    ck_assert_ptr_nonnull(value);
    ck_assert_ptr_nonnull(file);
    ck_assert(json_write(file, value, in_page));
    fclose(file);
    json_decref(value);
}

START_TEST(json_quotes)
{
    char out[256];

    write_json(json_text(json_rows[_i].text), false, out, sizeof(out));
    ck_assert_str_eq(out, json_rows[_i].plain);
    write_json(json_text(json_rows[_i].text), true, out, sizeof(out));
    ck_assert_str_eq(out, json_rows[_i].in_page);
}
END_TEST

START_TEST(json_numbers)
{
    char out[64];

    write_json(json_decimal((1ULL << 53) - 1), false, out, sizeof(out));
    ck_assert_str_eq(out, "9007199254740991");
    write_json(json_decimal(UINT64_MAX), false, out, sizeof(out));
    ck_assert_str_eq(out, "\"18446744073709551615\"");
    write_json(json_hex(UINT64_MAX), false, out, sizeof(out));
    ck_assert_str_eq(out, "\"0xffffffffffffffff\"");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("page_source");
    TCase *sources = tcase_create("source"), *json = tcase_create("json");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(sources, setup, teardown);
    tcase_add_loop_test(sources, source_is_read, 0, ROWS(source_rows));
    tcase_add_test(sources, source_absolute);
    tcase_add_test(sources, source_bounds);
    tcase_add_loop_test(json, json_quotes, 0, ROWS(json_rows));
    tcase_add_test(json, json_numbers);
    suite_add_tcase(suite, sources);
    suite_add_tcase(suite, json);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
