/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <argp.h>
#include <errno.h>
#include <stdlib.h>

#include "ghcb/hypervisor.h"

#define SECONDS_MAX 1000000

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
    KEY_FUZZ,
    KEY_SECONDS,
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
    {"fuzz", KEY_FUZZ, NULL, 0,
     "Instead of all else: a fuzzer's runs, of the honest answer beside the bare engine, and of "
     "random inputs",
     0},
    {"seconds", KEY_SECONDS, "N", 0, "With --fuzz: of random inputs; default 10", 0},
    {"trap", KEY_TRAP, "NAME", 0, "One kind of trap only, by its name in the JSON; for a profiler",
     0},
    {"cpus", KEY_CPUS, "N,...", 0,
     "Numbers of CPUs instead of 1,4,32,256,1024 (with --until: instead of 4,1023; with --fuzz: of "
     "4,1024)",
     0},
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
    case KEY_FUZZ:
        arguments->fuzz = true;
        return 0;
    case KEY_SECONDS:
        arguments->seconds = parse_number(state, arg, &end, SECONDS_MAX);
        if (*end) {
            argp_error(state, "--seconds: '%.100s' is not a number", arg);
        }
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

void options_parse(struct arguments *arguments, int argc, char **argv, int wrong)
{
    static const struct argp argp = {bench_options, bench_parse, NULL, bench_doc, NULL, NULL, NULL};

    argp_err_exit_status = wrong;
    argp_parse(&argp, argc, argv, 0, NULL, arguments);
}
