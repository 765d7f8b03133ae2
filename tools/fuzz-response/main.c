/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu-fuzz-response: the target without an engine. It plays files, and writes what engines start
 * with.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "aside.h"
#include "fingerprint.h"
#include "fuzz/cover.h"
#include "fuzz/input_file.h"
#include "host/bytes_mutate.h"
#include "target.h"

#define SEED_TRIES 2000
#define SEED_RECORDS_MAX 2

static void usage(FILE *out)
{
    fputs(
        "usage: snpemu-fuzz-response FILE...\n"
        "       snpemu-fuzz-response [--dictionary FILE] [--seeds DIR]\n"
        "\n"
        "Plays each FILE as a hypervisor's answers, as the fuzz target of the same source does: a\n"
        "finding is named, and ends the process with SIGABRT. SNPEMU_FUZZ_SCENARIO names what is\n"
        "played on; docs/FUZZING.md has this and the other variables.\n"
        "\n"
        "  --dictionary FILE  write a dictionary for libFuzzer and AFL++\n"
        "  --seeds DIR        write a seed corpus: short inputs that each reach something new\n"
        "  --help             this\n",
        out);
}

static int fail(const struct error *error)
{
    fprintf(stderr, "snpemu-fuzz-response: %s\n", error->text);
    return 2;
}

static int write_dictionary(const char *path, struct error *error)
{
    struct aside aside;
    int status = aside_open(&aside, path, error);

    if (status == SNPEMU_OK) {
        bytes_print_dictionary(aside.file);
        status = aside_commit(&aside, error);
    }
    return status;
}

static int write_seed(const char *directory, const uint8_t *input, size_t size_bytes,
                      struct error *error)
{
    char name[FINGERPRINT_SIZE], path[4096];
    int status = fingerprint(input, size_bytes, name, error);

    if (status == SNPEMU_OK &&
        (size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path)) {
        status = error_set(error, SNPEMU_ERR_INPUT, "%.200s...: the path is too long", directory);
    }
    return status == SNPEMU_OK ? aside_write(path, (const char *)input, size_bytes, error) : status;
}

/*
 * Of short deviations those that reach something that no other before has reached. None that runs
 * until its budget: fuzzers take slow seeds amiss.
 */
static int write_seeds(const char *directory, struct error *error)
{
    struct stage *stage = target_stage();
    uint8_t input[BYTES_INPUT_MAX];
    struct stage_result result;
    struct cover *cover = NULL;
    uint64_t random = 1;
    unsigned written = 0;
    int status = cover_new(&cover, error);

    if (status == SNPEMU_OK && mkdir(directory, 0777) != 0 && errno != EEXIST) {
        status = error_set(error, SNPEMU_ERR_IO, "%.200s: cannot be made: %s", directory,
                           strerror(errno));
    }
    for (int i = 0; status == SNPEMU_OK && i < SEED_TRIES; i++) {
        size_t size = i ? bytes_mutate(input, 0, BYTES_RECORD_SIZE * SEED_RECORDS_MAX, &random) : 0;

        status = stage_play(stage, input, size, &result, error);
        if (status == SNPEMU_OK && result.outcome.kind != OUTCOME_BUDGET &&
            cover_take(cover, stage_map(stage)) == COVER_EDGE && size > 0) {
            status = write_seed(directory, input, size, error);
            written++;
        }
    }
    cover_free(cover);
    if (status == SNPEMU_OK) {
        printf("%s: %u seeds\n", directory, written);
    }
    return status;
}

static int play_file(const char *path, struct error *error)
{
    uint8_t input[BYTES_INPUT_MAX];
    size_t size;
    int status = input_file_read(path, input, &size, error);

    if (status == SNPEMU_OK) {
        fprintf(stderr, "%s\n", path); /* before it: it may be the last one */
        LLVMFuzzerTestOneInput(input, size);
    }
    return status;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"dictionary", required_argument, NULL, 'd'},
        {"seeds", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *dictionary = NULL, *seeds = NULL;
    struct error error;
    int status = SNPEMU_OK, option;

    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        switch (option) {
        case 'd':
            dictionary = optarg;
            break;
        case 's':
            seeds = optarg;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (!dictionary && !seeds && optind == argc) {
        usage(stderr);
        return 2;
    }
    if (dictionary) {
        status = write_dictionary(dictionary, &error);
    }
    if (status == SNPEMU_OK && (seeds || optind < argc)) {
        LLVMFuzzerInitialize(&argc, &argv);
    }
    if (status == SNPEMU_OK && seeds) {
        status = write_seeds(seeds, &error);
    }
    for (int i = optind; status == SNPEMU_OK && i < argc; i++) {
        status = play_file(argv[i], &error);
    }
    return status == SNPEMU_OK ? 0 : fail(&error);
}
