/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Coverage: what ran, added up; the two kinds of files, written, read again and broken. */
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coverage/blocks.h"
#include "coverage/coverage.h"
#include "coverage/tracefile.h"
#include "host/host.h"
#include "image/image.h"
#include "image/source.h"
#include "run.h"
#include "subject.h"

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

/* ---- pieces of code ---- */

START_TEST(blocks_are_added)
{
    struct blocks *blocks = blocks_new();
    struct block_count *sorted;
    size_t count;

    for (uint64_t i = 0; i < 20000; i++) { /* the table grows on the way */
        blocks_add(blocks, BLOCKS_SVSM, (i * 7919) % 10000 * 16, 16, 1);
    }
    blocks_add(blocks, BLOCKS_GUEST, 0, 16, 5);
    blocks_add(blocks, BLOCKS_SVSM, 0, 8, -1);
    blocks_add(blocks, BLOCKS_SVSM, 0, 0, 9); /* nothing ran */
    sorted = blocks_sorted(blocks, BLOCKS_SVSM, &count);
    ck_assert_uint_eq(count, 10001);
    ck_assert_uint_eq(sorted[0].size_bytes, 8);
    ck_assert_int_eq(sorted[0].times, -1);
    for (size_t i = 1; i < count; i++) {
        ck_assert_uint_eq(sorted[i].gva, (i - 1) * 16);
        ck_assert_int_eq(sorted[i].times, 2);
    }
    free(sorted);
    sorted = blocks_sorted(blocks, BLOCKS_GUEST, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(sorted[0].times, 5);
    free(sorted);
    ck_assert(!blocks_overflowed(blocks));
    blocks_free(blocks);
}
END_TEST

/* A block from 0x100 that ran ten times, three of them left at 0x108; a jump into its middle. */
START_TEST(profile)
{
    static const struct block_count block[] = {
        {0x100, 0x08, BLOCKS_SVSM, 3},
        {0x100, 0x10, BLOCKS_SVSM, 7},
        {0x104, 0x0C, BLOCKS_SVSM, 2},
    };
    static const struct {
        uint64_t gva, end, most;
    } rows[] = {
        {0x100, 0x104, 10}, {0x104, 0x108, 12},  {0x108, 0x110, 9},
        {0x100, 0x110, 12}, {0x103, 0x104, 10},  {0x110, 0x200, 0},
        {0, 0x100, 0},      {0, UINT64_MAX, 12}, {0x10F, 0x111, 9},
    };
    struct blocks_profile made;

    ck_assert(blocks_profile_make(&made, block, ROWS(block)));
    for (size_t i = 0; i < ROWS(rows); i++) {
        ck_assert_msg(blocks_profile_max(&made, rows[i].gva, rows[i].end) == rows[i].most,
                      "row %zu", i);
    }
    blocks_profile_release(&made);
    ck_assert(blocks_profile_make(&made, NULL, 0));
    ck_assert_uint_eq(blocks_profile_max(&made, 0, UINT64_MAX), 0);
    blocks_profile_release(&made);
}
END_TEST

/* ---- lcov ---- */

/* What the tracefile becomes; the caller frees it. */
static char *written(struct tracefile *tracefile)
{
    struct error error = {""};
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    ck_assert_msg(tracefile_write(tracefile, file, &error) == 0, "%s", error.text);
    fclose(file);
    return text;
}

static const char lcov_text[] = "TN:\nSF:/src/a.c\n"
                                "FN:3,f\nFN:9,g:9\nFN:12,g:12\n"
                                "FNDA:18446744073709551615,f\nFNDA:0,g:9\nFNDA:2,g:12\n"
                                "FNF:3\nFNH:2\n"
                                "DA:3,5\nDA:4,0\nLF:2\nLH:1\nend_of_record\n"
                                "TN:\nSF:b.c\nFNF:0\nFNH:0\nDA:1,1\nLF:1\nLH:1\nend_of_record\n";

START_TEST(lcov_written_and_read)
{
    struct tracefile *tracefile = tracefile_new(), *again = tracefile_new();
    struct error error = {""};
    char *text;

    tracefile_line(tracefile, "b.c", 1, 1);
    tracefile_line(tracefile, "/src/a.c", 4, 0);
    tracefile_line(tracefile, "/src/a.c", 3, 2);
    tracefile_line(tracefile, "/src/a.c", 3, 3);
    tracefile_function(tracefile, "/src/a.c", 12, "g", 2);
    tracefile_function(tracefile, "/src/a.c", 9, "g", 0);
    tracefile_function(tracefile, "/src/a.c", 3, "f", UINT64_MAX);
    tracefile_function(tracefile, "/src/a.c", 3, "f", 1); /* as many as there are numbers */
    text = written(tracefile);
    ck_assert_str_eq(text, lcov_text);
    ck_assert_msg(tracefile_read(again, "x.info", text, strlen(text), &error) == 0, "%s",
                  error.text);
    free(text);
    text = written(again);
    ck_assert_str_eq(text, lcov_text);
    /* Once more: counts are added. */
    ck_assert_int_eq(tracefile_read(again, "x.info", text, strlen(text), &error), 0);
    free(text);
    text = written(again);
    ck_assert_ptr_nonnull(strstr(text, "DA:3,10\nDA:4,0\n"));
    ck_assert_ptr_nonnull(strstr(text, "FNDA:4,g:12\n"));
    free(text);
    tracefile_free(tracefile);
    tracefile_free(again);
}
END_TEST

/* A name of the image's cannot make records. */
START_TEST(lcov_hostile_names)
{
    struct tracefile *tracefile = tracefile_new();
    char *text;

    tracefile_line(tracefile, "a\nend_of_record\nSF:/etc/passwd", 1, 1);
    tracefile_function(tracefile, "a\nend_of_record\nSF:/etc/passwd", 1, "f\r\nDA:7,7", 1);
    text = written(tracefile);
    ck_assert_str_eq(text, "TN:\nSF:a?end_of_record?SF:/etc/passwd\nFN:1,f??DA:7,7\n"
                           "FNDA:1,f??DA:7,7\nFNF:1\nFNH:1\nDA:1,1\nLF:1\nLH:1\nend_of_record\n");
    free(text);
    tracefile_free(tracefile);
}
END_TEST

static const struct lcov_row {
    const char *text, *problem;
} lcov_rows[] = {
    {"SF:a\nDA:1,1\nend_of_record\n", NULL},
    {"\n\n", NULL},
    {"TN:name\nSF:a\nDA:1,1\nend_of_record", NULL}, /* no newline at the end */
    {"DA:1,1\n", "line 1: a record before SF:"},
    {"SF:a\nDA:1,1\n", "the file ends inside a block"},
    {"SF:a\nSF:b\n", "line 2: SF: without a path"},
    {"SF:\n", "line 1: SF: without a path"},
    {"SF:a\nDA:1\n", "line 2: DA: is not followed"},
    {"SF:a\nDA:x,1\n", "line 2: DA: is not followed"},
    {"SF:a\nDA:-1,1\n", "line 2: DA: is not followed"},
    {"SF:a\nDA:4294967296,1\n", "line 2: DA: is not followed"},
    {"SF:a\nDA:1,18446744073709551616\n", "line 2: DA: is not followed"},
    {"SF:a\nDA:1,1,checksum\n", "line 2: DA: is not followed"},
    {"SF:a\nFNDA:1,f\n", "line 2: FNDA: a function without FN:"},
    {"SF:a\nFN:1,f\nFN:2,f\n", "line 3: FN: a function that was named before"},
    {"SF:a\nFN:1,\n", "line 2: FN: is not followed"},
    {"SF:a\nBRDA:1,0,0,1\n", "line 2: a record that would be lost; merge the files with lcov"},
    {"something else\n", "line 1: a record that would be lost"},
};

START_TEST(lcov_refused)
{
    const struct lcov_row *row = &lcov_rows[_i];
    struct tracefile *tracefile = tracefile_new();
    struct error error = {""};
    int status = tracefile_read(tracefile, "x.info", row->text, strlen(row->text), &error);

    if (row->problem) {
        ck_assert_int_eq(status, SNPEMU_ERR_INPUT);
        ck_assert_msg(strstr(error.text, row->problem) && strstr(error.text, "x.info"), "%s",
                      error.text);
    } else {
        ck_assert_msg(status == 0, "%s", error.text);
    }
    tracefile_free(tracefile);
}
END_TEST

/* ---- drcov ---- */

static char *coverage_text(struct coverage *coverage, size_t *size)
{
    struct error error = {""};
    char *text = NULL;
    FILE *file = open_memstream(&text, size);

    ck_assert_msg(coverage_write(coverage, file, &error) == 0, "%s", error.text);
    fclose(file);
    return text;
}

static struct image *open_image(const char *name)
{
    char path[512];
    struct error error = {""};
    struct image *image = NULL;

    snprintf(path, sizeof(path), SNPEMU_IMAGE_DIR "/%s.elf", name);
    ck_assert_msg(image_open(&image, path, &error) == 0, "%s", error.text);
    return image;
}

START_TEST(drcov_written_and_read)
{
    struct image *image = open_image("svsm-percpu");
    uint64_t base = image->load_gpa + image->gva_offset;
    struct coverage *coverage = NULL, *again = NULL;
    struct blocks *blocks = blocks_new();
    struct error error = {""};
    char *text, *more;
    size_t size, more_size;
    static const uint8_t entry[] = {0x10, 0, 0, 0, 7, 0, 0, 0, 0x20, 1, 0, 0, 3, 0, 0, 0};

    blocks_add(blocks, BLOCKS_SVSM, base + 0x120, 3, 9);
    blocks_add(blocks, BLOCKS_SVSM, base + 0x10, 7, 1);
    blocks_add(blocks, BLOCKS_SVSM, base + 0x30, 7, 0); /* always left in its middle */
    blocks_add(blocks, BLOCKS_SVSM, base - 1, 7, 1);    /* outside */
    ck_assert_int_eq(coverage_new(&coverage, COVERAGE_DRCOV, &error), 0);
    ck_assert_int_eq(coverage_new(&again, COVERAGE_DRCOV, &error), 0);
    ck_assert_int_eq(coverage_take(coverage, blocks, image, NULL, &error), 0);
    text = coverage_text(coverage, &size);
    ck_assert_ptr_nonnull(strstr(text, "\nModule Table: version 2, count 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nBB Table: 2 bbs\n"));
    ck_assert_mem_eq(text + size - sizeof(entry), entry, sizeof(entry));
    for (int twice = 0; twice < 2; twice++) { /* a block that ran, ran */
        ck_assert_msg(coverage_read(again, "x.drcov", text, size, &error) == 0, "%s", error.text);
    }
    more = coverage_text(again, &more_size);
    ck_assert_uint_eq(more_size, size);
    ck_assert_mem_eq(more, text, size);
    /* Whatever is cut off, it is refused. */
    for (size_t cut = 1; cut < size; cut++) {
        ck_assert_int_eq(coverage_read(again, "x.drcov", text, size - cut, &error),
                         SNPEMU_ERR_INPUT);
    }
    text[size - 2] = 1; /* a module that is not there */
    ck_assert_int_eq(coverage_read(again, "x.drcov", text, size, &error), SNPEMU_ERR_INPUT);
    free(text);
    free(more);
    coverage_free(coverage);
    coverage_free(again);
    blocks_free(blocks);
    image_close(image);
}
END_TEST

/* Files with random bytes in them: taken or refused. */
START_TEST(files_mutated)
{
    static const char *const drcov = "DRCOV VERSION: 2\nDRCOV FLAVOR: drcov\n"
                                     "Module Table: version 2, count 1\n"
                                     "Columns: id, base, end, entry, path\n"
                                     "  0, 0x1000, 0x2000, 0x0, a.elf\nBB Table: 1 bbs\n"
                                     "\1\2\3\4\5\6";
    uint64_t random = 1;

    for (int round = 0; round < 4000; round++) {
        enum coverage_format format = round % 2 ? COVERAGE_LCOV : COVERAGE_DRCOV;
        size_t size = format == COVERAGE_LCOV ? sizeof(lcov_text) - 1 : strlen(drcov) + 2;
        char *bytes = calloc(1, size + 1);
        struct coverage *coverage = NULL;
        struct error error = {""};

        memcpy(bytes, format == COVERAGE_LCOV ? lcov_text : drcov,
               format == COVERAGE_LCOV ? size : size - 2);
        for (int i = 0; i < 1 + round % 5; i++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            bytes[(random >> 33) % size] = (char)(random >> 20);
        }
        ck_assert_int_eq(coverage_new(&coverage, format, &error), 0);
        if (coverage_read(coverage, "x", bytes, size, &error) == 0) {
            char *text = coverage_text(coverage, &size);

            free(text);
        }
        coverage_free(coverage);
        free(bytes);
    }
}
END_TEST

START_TEST(formats)
{
    enum coverage_format format;

    ck_assert(coverage_format_of("a/b.info", &format) && format == COVERAGE_LCOV);
    ck_assert(coverage_format_of("b.drcov", &format) && format == COVERAGE_DRCOV);
    ck_assert(!coverage_format_of(".info", &format));
    ck_assert(!coverage_format_of("info", &format));
    ck_assert(!coverage_format_of("", &format));
    ck_assert(coverage_format_named("drcov", &format) && format == COVERAGE_DRCOV);
    ck_assert(!coverage_format_named("gcov", &format));
}
END_TEST

/* ---- counting ---- */

struct counted {
    struct subject subject;
    struct host *host;
    struct blocks *blocks;
    struct run *run;
};

static void counted_open(struct counted *counted, const char *source, bool count)
{
    struct run_options options = {0};
    struct error error = {""};

    memset(counted, 0, sizeof(*counted));
    ck_assert_msg(subject_read(&counted->subject, SNPEMU_SOURCE_DIR "/fixtures/x.lua", source,
                               strlen(source), &error) == 0,
                  "%s", error.text);
    ck_assert_int_eq(scenario_host(counted->subject.scenario, &counted->host, &error), 0);
    counted->blocks = count ? blocks_new() : NULL;
    options.firmware = counted->subject.firmware;
    options.ran = counted->blocks;
    ck_assert_msg(run_new(&counted->run, counted->subject.scenario, counted->subject.image,
                          counted->host, &options, &error) == 0,
                  "%s", error.text);
}

static void counted_close(struct counted *counted)
{
    run_free(counted->run);
    counted->host->free(counted->host);
    blocks_free(counted->blocks);
    subject_close(&counted->subject);
}

static uint64_t ran_at(const struct counted *counted, const char *symbol)
{
    struct blocks_profile made;
    struct block_count *block;
    uint64_t gva, times;
    size_t count;

    ck_assert(image_symbol_find(counted->subject.image, symbol, &gva, NULL));
    block = blocks_sorted(counted->blocks, BLOCKS_SVSM, &count);
    ck_assert(blocks_profile_make(&made, block, count));
    times = blocks_profile_max(&made, gva, gva + 1);
    blocks_profile_release(&made);
    free(block);
    return times;
}

/* Counting changes nothing; functions run as often as the guest has work for them. */
START_TEST(counts)
{
    static const char source[] = "return { image = \"svsm-percpu\", cpus = 4 }";
    static const struct {
        const char *symbol;
        uint64_t times;
    } rows[] = {
        {"svsm_main", 1}, {"percpu_init", 1}, {"percpu_print", 1}, {"halt", 1}, {"svsm_panic", 0},
    };
    uint8_t digest[2][RUN_DIGEST_SIZE];
    struct error error = {""};
    struct outcome outcome;
    struct counted counted;

    for (int count = 0; count < 2; count++) {
        counted_open(&counted, source, count);
        ck_assert_msg(run_to_end(counted.run, &outcome, &error) == 0, "%s", error.text);
        ck_assert_int_eq(outcome.kind, OUTCOME_HALTED);
        ck_assert_int_eq(run_digest(counted.run, digest[count], &error), 0);
        for (size_t i = 0; count && i < ROWS(rows); i++) {
            ck_assert_msg(ran_at(&counted, rows[i].symbol) == rows[i].times, "%s: %" PRIu64,
                          rows[i].symbol, ran_at(&counted, rows[i].symbol));
        }
        if (count) { /* each exit but start.S's own is a VMGEXIT there, which the engine never sees
                      */
            ck_assert_uint_eq(ran_at(&counted, "vc_vmgexit"), outcome.exits - 1);
        }
        counted_close(&counted);
    }
    ck_assert_mem_eq(digest[0], digest[1], RUN_DIGEST_SIZE);
}
END_TEST

/* From a snapshot: what comes after it counts again, what came before does not. */
START_TEST(counts_from_a_snapshot)
{
    static const char source[] = "return { image = \"svsm-percpu\", cpus = 4 }";
    struct error error = {""};
    struct outcome outcome;
    struct counted counted;
    uint64_t number = 8;
    bool at_exit;

    counted_open(&counted, source, true);
    ck_assert_int_eq(run_to_exit(counted.run, &number, &at_exit, &error), 0);
    ck_assert(at_exit);
    ck_assert_int_eq(run_snapshot(counted.run, &error), 0);
    for (uint64_t times = 1; times < 4; times++) {
        ck_assert_int_eq(run_to_end(counted.run, &outcome, &error), 0);
        ck_assert_uint_eq(ran_at(&counted, "svsm_main"), 1);
        ck_assert_uint_eq(ran_at(&counted, "halt"), times);
        ck_assert_int_eq(run_restore(counted.run, &error), 0);
        run_set_host(counted.run, counted.host);
    }
    counted_close(&counted);
}
END_TEST

static Suite *coverage_suite(void)
{
    Suite *suite = suite_create("coverage");
    TCase *tcase = tcase_create("coverage");

    tcase_add_test(tcase, blocks_are_added);
    tcase_add_test(tcase, profile);
    tcase_add_test(tcase, lcov_written_and_read);
    tcase_add_test(tcase, lcov_hostile_names);
    tcase_add_loop_test(tcase, lcov_refused, 0, ROWS(lcov_rows));
    tcase_add_test(tcase, drcov_written_and_read);
    tcase_add_test(tcase, files_mutated);
    tcase_add_test(tcase, formats);
    tcase_add_test(tcase, counts);
    tcase_add_test(tcase, counts_from_a_snapshot);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(coverage_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
