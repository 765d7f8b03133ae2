/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu-bench: how fast the emulator is, beside the CPU engine alone. It asserts no times; it
 * fails when instruction counts or end states differ.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

#define RUNS_DEFAULT 15
#define RUNS_QUICK 3
#define TRAP_ROUNDS 10000
#define TRAP_ROUNDS_QUICK 1000
#define SECONDS_DEFAULT 10
#define SECONDS_QUICK 1
#define COST_CPUS 256 /* print enough lines to measure one exit */

enum {
    EXIT_INPUT = 2,
    EXIT_INTERNAL = 3,
};

/* A path relative to this program's directory. */
static void beside(const char *name, char *path, size_t size)
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
    char *slash;

    own[length > 0 ? length : 0] = '\0';
    slash = strrchr(own, '/');
    snprintf(path, size, "%.*s/%s", slash ? (int)(slash - own) : 1, slash ? own : ".", name);
}

static int run_cases(struct bench *bench, FILE *table, struct error *error)
{
    int status = 0;

    output_table_start(table, bench);
    for (size_t i = 0; status == 0 && i < bench->case_count; i++) {
        status = case_measure(&bench->task[i], &bench->result[i], error);
        if (status == 0) {
            output_table_row(table, &bench->task[i], &bench->result[i]);
        }
    }
    return status;
}

/* The main job as a user runs it; the smallest of a few, which is the least disturbed. */
static int run_command(struct bench *bench, const char *image, struct error *error)
{
    char command[PATH_MAX + 16], image_path[PATH_MAX];
    char *argv[] = {command, "run", image_path, "--cpus", "4", NULL};

    beside("snpemu", command, sizeof(command));
    snprintf(image_path, sizeof(image_path), "%s", image);
    if (access(command, X_OK) != 0) {
        return 0;
    }
    for (unsigned i = 0; i < bench->task[0].runs; i++) {
        struct command_cost cost;
        int status = measure_command(argv, &cost, error);

        if (status != 0) {
            return status;
        }
        if (!bench->command_measured || cost.wall_ns < bench->command.wall_ns) {
            bench->command = cost;
            bench->command_measured = true;
        }
    }
    return 0;
}

static int run_boots(struct bench *bench, FILE *table, struct error *error)
{
    int status = 0;

    output_boot_start(table, bench);
    for (size_t i = 0; status == 0 && i < bench->boot_count; i++) {
        status = boot_measure(&bench->boot_task[i], &bench->boot[i], error);
        if (status == 0) {
            output_boot(table, &bench->boot_task[i], &bench->boot[i]);
        }
    }
    if (status == 0) {
        output_boot_end(table);
    }
    return status;
}

static int run_watched(struct bench *bench, FILE *table, struct error *error)
{
    static const uint32_t cpus[BENCH_WATCHED_MAX] = {4, 256};
    int status = 0;

    for (; status == 0 && bench->watched_count < BENCH_WATCHED_MAX; bench->watched_count++) {
        struct watched_task *task = &bench->watched_task[bench->watched_count];

        *task = (struct watched_task){
            .image = bench->task[0].image,
            .cpus = cpus[bench->watched_count],
            .runs = bench->task[0].runs,
        };
        status = watched_measure(task, &bench->watched[bench->watched_count], error);
    }
    if (status == 0) {
        output_watched(table, bench);
    }
    return status;
}

static int run_fuzzed(struct bench *bench, FILE *table, struct error *error)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < bench->fuzzed_count; i++) {
        status = fuzzed_measure(&bench->fuzzed_task[i], &bench->fuzzed[i], error);
    }
    if (status == 0) {
        output_fuzzed(table, bench);
    }
    return status;
}

static int write_json(const struct bench *bench, const char *path, struct error *error)
{
    bool standard = strcmp(path, "-") == 0;
    FILE *file = standard ? stdout : fopen(path, "w");
    bool failed;

    if (file) {
        output_json(file, bench);
        failed = ferror(file) || fflush(file) != 0;
        failed = (!standard && fclose(file) != 0) || failed;
    }
    if (!file || failed) {
        return error_set(error, SNPEMU_ERR_IO, "%.200s: cannot be written: %s", path,
                         strerror(errno));
    }
    return 0;
}

static int measure_all(struct bench *bench, const struct arguments *arguments, const char *image,
                       struct error *error)
{
    FILE *table = arguments->json && strcmp(arguments->json, "-") == 0 ? stderr : stdout;
    const struct case_task cost_task = {
        .image = image, .cpus = COST_CPUS, .runs = bench->task[0].runs};
    const struct trap_task trap_task = {
        .runs = bench->task[0].runs,
        .rounds = arguments->quick ? TRAP_ROUNDS_QUICK : TRAP_ROUNDS,
        .only = arguments->trap,
    };
    const struct miss_task miss_task = {.runs = trap_task.runs, .rounds = trap_task.rounds};
    bool whole = !arguments->steps && !arguments->trap;
    int status;

    if (bench->boot_count > 0) {
        status = run_boots(bench, table, error);
        return status == 0 && arguments->json ? write_json(bench, arguments->json, error) : status;
    }
    if (bench->fuzzed_count > 0) {
        status = run_fuzzed(bench, table, error);
        return status == 0 && arguments->json ? write_json(bench, arguments->json, error) : status;
    }
    if (arguments->oracles) {
        bench->only_watched = true;
        status = run_watched(bench, table, error);
        return status == 0 && arguments->json ? write_json(bench, arguments->json, error) : status;
    }
    status = whole ? run_cases(bench, table, error) : 0;
    if (status == 0 && !arguments->trap) {
        status = cost_measure(&cost_task, &bench->cost, error);
    }
    if (status == 0) {
        status = trap_measure(&trap_task, &bench->trap, error);
    }
    if (status == 0 && !arguments->trap) {
        status = miss_measure(&miss_task, &bench->miss, error);
    }
    if (status == 0 && whole) {
        status = run_command(bench, image, error);
    }
    if (status == 0) {
        if (whole) {
            output_table_end(table, bench);
        }
        if (!arguments->trap) {
            output_costs(table, bench);
        }
        output_traps(table, bench);
        if (!arguments->trap) {
            output_misses(table, bench);
        }
    }
    if (status == 0 && whole) {
        status = run_watched(bench, table, error);
    }
    if (status == 0 && arguments->json) {
        status = write_json(bench, arguments->json, error);
    }
    return status;
}

/* The same with whole boots in place of the cases. */
static void choose_boots(struct bench *bench, const struct arguments *arguments,
                         const uint32_t *cpus, size_t count)
{
    static char command[PATH_MAX + 16];

    beside("snpemu", command, sizeof(command));
    bench->boot_count = arguments->cpus_count ? arguments->cpus_count : count;
    for (size_t i = 0; i < bench->boot_count; i++) {
        bench->boot_task[i] = (struct boot_task){
            .image = bench->task[0].image,
            .until = arguments->until,
            .command = access(command, X_OK) == 0 ? command : NULL,
            .cpus = arguments->cpus_count ? arguments->cpus[i] : cpus[i],
            .runs = bench->task[0].runs,
        };
    }
}

/* Random inputs for the first number of CPUs alone. */
static void choose_fuzzed(struct bench *bench, const struct arguments *arguments)
{
    static const uint32_t cpus[] = {4, 1024};
    unsigned seconds = arguments->seconds ? arguments->seconds
                       : arguments->quick ? SECONDS_QUICK
                                          : SECONDS_DEFAULT;

    bench->fuzzed_count =
        arguments->cpus_count ? arguments->cpus_count : sizeof(cpus) / sizeof(cpus[0]);
    for (size_t i = 0; i < bench->fuzzed_count; i++) {
        bench->fuzzed_task[i] = (struct fuzzed_task){
            .image = bench->task[0].image,
            .cpus = arguments->cpus_count ? arguments->cpus[i] : cpus[i],
            .runs = bench->task[0].runs,
            .seconds = i == 0 ? seconds : 0,
        };
    }
}

int main(int argc, char **argv)
{
    static const uint32_t all[] = {1, 4, 32, 256, 1024}, few[] = {4, 256}, boots[] = {4, 1023};
    static struct bench bench;
    struct arguments arguments = {0};
    struct error error = {{0}};
    const uint32_t *cpus;
    int status;

    options_parse(&arguments, argc, argv, EXIT_INPUT);
    cpus = arguments.cpus_count ? arguments.cpus : arguments.quick ? few : all;
    bench.case_count = arguments.cpus_count ? arguments.cpus_count
                       : arguments.quick    ? sizeof(few) / sizeof(few[0])
                                            : sizeof(all) / sizeof(all[0]);
    for (size_t i = 0; i < bench.case_count; i++) {
        bench.task[i] = (struct case_task){
            .image = arguments.image ? arguments.image : IMAGE_DEFAULT,
            .cpus = cpus[i],
            .runs = arguments.runs    ? arguments.runs
                    : arguments.quick ? RUNS_QUICK
                                      : RUNS_DEFAULT,
        };
    }
    if (arguments.until) {
        choose_boots(&bench, &arguments, boots, sizeof(boots) / sizeof(boots[0]));
    }
    if (arguments.fuzz) {
        choose_fuzzed(&bench, &arguments);
    }
    status = measure_all(&bench, &arguments, bench.task[0].image, &error);
    if (status != 0) {
        fprintf(stderr, "snpemu-bench: %s\n", error.text);
        return status == SNPEMU_ERR_INPUT || status == SNPEMU_ERR_IO ? EXIT_INPUT : EXIT_INTERNAL;
    }
    return 0;
}
