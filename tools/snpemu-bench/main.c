/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu-bench: how fast the emulator is, beside the CPU engine alone. It asserts no times; it
 * fails when instruction counts or end states differ.
 */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ghcb/hypervisor.h"
#include "output.h"

#define IMAGE_DEFAULT "svsm-percpu"
#define RUNS_DEFAULT 15
#define RUNS_QUICK 3
#define TRAP_ROUNDS 10000
#define TRAP_ROUNDS_QUICK 1000
#define COST_CPUS 256 /* print enough lines to measure one exit */

enum {
    EXIT_INPUT = 2,
    EXIT_INTERNAL = 3,
};

enum {
    KEY_QUICK = 0x100,
    KEY_RUNS,
    KEY_JSON,
    KEY_IMAGE,
    KEY_CPUS,
    KEY_STEPS,
    KEY_TRAP,
    KEY_UNTIL,
    KEY_ORACLES,
};

struct arguments {
    bool quick, steps, oracles;
    unsigned runs;
    const char *json, *image, *until;
    const struct trap_row *trap;
    uint32_t cpus[BENCH_CASE_MAX];
    size_t cpus_count;
};

static const struct argp_option bench_options[] = {
    {"quick", KEY_QUICK, NULL, 0, "Few runs, for 4 and 256 CPUs only", 0},
    {"runs", KEY_RUNS, "N", 0, "Runs of each kind", 0},
    {"json", KEY_JSON, "FILE", 0,
     "Write the figures as JSON to FILE too; '-': to standard output, and the table to standard "
     "error",
     0},
    {"image", KEY_IMAGE, "IMAGE", 0, "An ELF file or a built image, instead of " IMAGE_DEFAULT, 0},
    {"steps", KEY_STEPS, NULL, 0, "Single steps and traps only, no whole runs", 0},
    {"oracles", KEY_ORACLES, NULL, 0, "What oracles cost, and nothing else", 0},
    {"trap", KEY_TRAP, "NAME", 0, "One kind of trap only, by its name in the JSON; for a profiler",
     0},
    {"cpus", KEY_CPUS, "N,...", 0,
     "Numbers of CPUs instead of 1,4,32,256,1024 (with --until: instead of 4,1023)", 0},
    {"until", KEY_UNTIL, "SYMBOL", 0,
     "Instead of all else: a whole boot of the image with its firmware, until SYMBOL is about to "
     "execute, from a cold start and beside the bare engine",
     0},
    {0},
};

static const char bench_doc[] =
    "Measure the emulator: time, instructions and memory to the end of percpu_init, from a fresh "
    "machine and from a snapshot, beside the bare CPU engine that repeats the same run.\v"
    "Exit status: 0 measured, 2 bad input or usage, 3 runs that must be equal differ.";

static uint32_t parse_number(struct argp_state *state, const char *text, char **end, uint32_t max)
{
    unsigned long value;

    errno = 0;
    value = strtoul(text, end, 10);
    if (*text < '0' || *text > '9' || errno || value < 1 || value > max) {
        argp_error(state, "'%.100s' is not a number from 1 to %u", text, max);
    }
    return (uint32_t)value;
}

static void parse_cpus(struct argp_state *state, struct arguments *arguments, char *text)
{
    char *at = text;

    arguments->cpus_count = 0;
    for (;;) {
        if (arguments->cpus_count == BENCH_CASE_MAX) {
            argp_error(state, "--cpus: more than %d numbers", BENCH_CASE_MAX);
        }
        arguments->cpus[arguments->cpus_count++] = parse_number(state, at, &at, HYPERVISOR_CPU_MAX);
        if (*at != ',') {
            break;
        }
        at++;
    }
    if (*at) {
        argp_error(state, "--cpus: '%.100s' is not a list such as 1,4,32", text);
    }
}

static error_t bench_parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    char *end;

    switch (key) {
    case KEY_QUICK:
        arguments->quick = true;
        return 0;
    case KEY_STEPS:
        arguments->steps = true;
        return 0;
    case KEY_ORACLES:
        arguments->oracles = true;
        return 0;
    case KEY_TRAP:
        arguments->trap = trap_row_by_name(arg);
        if (!arguments->trap) {
            argp_error(state, "--trap: no row is named '%.100s'", arg);
        }
        return 0;
    case KEY_RUNS:
        arguments->runs = parse_number(state, arg, &end, SAMPLE_MAX);
        if (*end) {
            argp_error(state, "--runs: '%.100s' is not a number", arg);
        }
        return 0;
    case KEY_UNTIL:
        arguments->until = arg;
        return 0;
    case KEY_JSON:
        arguments->json = arg;
        return 0;
    case KEY_IMAGE:
        arguments->image = arg;
        return 0;
    case KEY_CPUS:
        parse_cpus(state, arguments, arg);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%.100s' is one too many", arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

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

int main(int argc, char **argv)
{
    static const struct argp argp = {bench_options, bench_parse, NULL, bench_doc, NULL, NULL, NULL};
    static const uint32_t all[] = {1, 4, 32, 256, 1024}, few[] = {4, 256}, boots[] = {4, 1023};
    static struct bench bench;
    struct arguments arguments = {0};
    struct error error = {{0}};
    const uint32_t *cpus;
    int status;

    argp_err_exit_status = EXIT_INPUT;
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
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
    status = measure_all(&bench, &arguments, bench.task[0].image, &error);
    if (status != 0) {
        fprintf(stderr, "snpemu-bench: %s\n", error.text);
        return status == SNPEMU_ERR_INPUT || status == SNPEMU_ERR_IO ? EXIT_INPUT : EXIT_INTERNAL;
    }
    return 0;
}
