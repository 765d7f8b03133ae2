/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu-fuzz-gdb: walks and hostile inputs of a seed, for a number of them or of seconds, or input
 * files again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fuzz_gdb.h"

#define RUNS_DEFAULT 100
#define BUDGET 2000000
#define MOVES 60

struct options {
    uint64_t seed, first, runs, seconds, moves;
    bool seconds_given;
};

static void usage(FILE *out)
{
    fputs("usage: snpemu-fuzz-gdb [--seed N] [--first N] [--runs N | --seconds N] [--moves N]\n"
          "                       SUBJECT... [-- FILE...]\n"
          "\n"
          "Lets a random client of the debugger's protocol loose on each scenario or image: walks\n"
          "forward and back (a position has one state), and hostile packets. The machine must be\n"
          "in order after each. FILEs are inputs of the fuzz target, which are played again.\n"
          "\n"
          "  --seed N      of the inputs (default 1)\n"
          "  --first N     number of the first input (default 0)\n"
          "  --runs N      how many of each kind for each subject (default 100)\n"
          "  --seconds N   as many as fit into that time for each subject\n"
          "  --moves N     in a walk (default 60)\n",
          out);
}

static void play_files(struct table *table, char **path)
{
    static uint8_t data[1 << 16];

    for (; *path; path++) {
        FILE *file = fopen(*path, "rb");

        if (!file) {
            fprintf(stderr, "snpemu-fuzz-gdb: %s: %s\n", *path, strerror(errno));
            exit(2);
        }
        fuzz_gdb_bytes(table, data, fread(data, 1, sizeof(data), file));
        fclose(file);
    }
}

static void play(const struct options *options, const char *path, char **files)
{
    static struct table table;
    uint8_t data[FUZZ_GDB_INPUT_MAX];
    double end;
    uint64_t i;

    table_open(&table, path, BUDGET);
    end = options->seconds_given ? clock_seconds() + (double)options->seconds : 1e300;
    if (files) {
        play_files(&table, files);
    }
    for (i = options->first; !files && i - options->first < options->runs && clock_seconds() < end;
         i++) {
        uint64_t random = (options->seed << 32 ^ i) * 0x9E3779B97F4A7C15ULL + 1;
        size_t size = fuzz_gdb_generate(&random, data);

        /* A failure ends the program; the last line says where. */
        fprintf(stderr, "\r%s: seed %" PRIu64 " input %" PRIu64, path, options->seed, i);
        fuzz_gdb_walk(&table, options->seed << 32 ^ i, (unsigned)options->moves);
        fuzz_gdb_through(&table, options->seed << 32 ^ i);
        fuzz_gdb_bytes(&table, data, size);
    }
    fprintf(stderr, "\n");
    printf("%s: seed %" PRIu64 ": %" PRIu64 " walks and inputs, 0 failed\n", path, options->seed,
           i - options->first);
    fflush(stdout);
    table_close(&table);
}

static bool read_option(struct options *options, const char *name, const char *text)
{
    const struct {
        const char *name;
        uint64_t *value;
    } rows[] = {
        {"--seed", &options->seed},       {"--first", &options->first}, {"--runs", &options->runs},
        {"--seconds", &options->seconds}, {"--moves", &options->moves},
    };
    char *end;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            errno = 0;
            *rows[i].value = strtoull(text, &end, 0);
            if (rows[i].value == &options->seconds) {
                options->seconds_given = true;
                options->runs = UINT64_MAX;
            }
            return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0';
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    struct options options = {.seed = 1, .runs = RUNS_DEFAULT, .moves = MOVES};
    char **files = NULL;
    int at = 1;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        usage(stdout);
        return EXIT_SUCCESS;
    }
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
        if (at + 1 == argc || !read_option(&options, argv[at], argv[at + 1])) {
            usage(stderr);
            return 2;
        }
    }
    for (int i = at; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            argv[i] = NULL;
            files = argv + i + 1;
            argc = i;
        }
    }
    if (at == argc) {
        usage(stderr);
        return 2;
    }
    for (; at < argc; at++) {
        play(&options, argv[at], files);
    }
    return EXIT_SUCCESS;
}
