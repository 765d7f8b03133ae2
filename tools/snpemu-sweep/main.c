/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu-sweep: what becomes of an image when one of the hypervisor's answers goes astray, for each
 * of its exits.
 */
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "sweep.h"

#define MARGIN_DEFAULT 10000000
#define SECONDS_DEFAULT 60

enum {
    KEY_CPUS = 0x100,
    KEY_FIRMWARE,
    KEY_SEED,
    KEY_FROM,
    KEY_TO,
    KEY_EVERY,
    KEY_MARGIN,
    KEY_SECONDS,
    KEY_ALL,
    KEY_SCENARIO,
};

enum status { STATUS_FINE, STATUS_UNMODELLED, STATUS_INPUT, STATUS_INTERNAL };

struct command {
    struct options options; /* first: see options.h */
    struct overrides overrides;
    struct sweep sweep;
    uint64_t jobs;
    const char *path;
    bool all;
    size_t kind; /* of the scenario to print; SWEEP_KINDS: none */
    uint64_t exit;
};

static const struct argp_option option_rows[] = {
    OPTION_HELP,
    {"cpus", KEY_CPUS, "N", 0, "Number of CPUs that the hypervisor has", 0},
    {"firmware", KEY_FIRMWARE, "FILE", 0, "The firmware, as of snpemu run", 0},
    {"seed", KEY_SEED, "N", 0, "Seed of all random numbers", 0},
    {"from", KEY_FROM, "N", 0, "The first exit whose answer goes astray (1)", 0},
    {"to", KEY_TO, "N", 0, "The last one (all that the image makes)", 0},
    {"every", KEY_EVERY, "N", 0, "From the first on only every Nth (1)", 0},
    {"jobs", 'j', "N", 0, "Runs at a time (1)", 0},
    {"margin", KEY_MARGIN, "N", 0,
     "Instructions that a run may take beyond the honest one (10000000)", 0},
    {"seconds", KEY_SECONDS, "N", 0, "A run that takes longer has failed (60)", 0},
    {"all", KEY_ALL, NULL, 0, "A line for each run, also where neighbours end alike", 0},
    {"scenario", KEY_SCENARIO, "KIND:N", 0,
     "Only print the scenario with that fault at exit N: snpemu run plays it", 0},
    {0},
};

static const char option_doc[] =
    "Let each answer of the hypervisor go astray in turn, and say how the image ends.\v"
    "A run goes on honestly from where the others stand, but for one answer:\n"
    "  dropped   the host does nothing and resumes the guest, whose page is as it left it\n"
    "  delayed   the host does what is asked; the guest gets the answer to the exit before\n"
    "  repeated  the host does nothing; the guest gets the answer to the exit before again\n"
    "The answer before is the last one to the same vCPU at the same VMPL, of the same protocol; "
    "before the first there is none, and nothing is written. A scenario may shape the host, but "
    "not have handlers.\n"
    "\n"
    "Exit status: 0 each run has an outcome that is modelled, 1 one has not, 2 bad input or usage, "
    "3 the emulator failed.";

static error_t parse_scenario(struct argp_state *state, struct command *command, const char *text)
{
    const char *colon = strchr(text, ':');

    for (size_t kind = 0; colon && kind < SWEEP_KINDS; kind++) {
        const char *name = sweep_kinds[kind].name;

        if (strlen(name) == (size_t)(colon - text) && strncmp(name, text, strlen(name)) == 0) {
            command->kind = kind;
            return option_number(state, "--scenario", colon + 1, 1, INT64_MAX, &command->exit);
        }
    }
    return option_fail(state, "--scenario: '%.100s' is not dropped:N, delayed:N or repeated:N",
                       text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct command *command = state->input;
    struct overrides *overrides = &command->overrides;
    struct sweep *sweep = &command->sweep;

    switch (key) {
    case KEY_CPUS:
        overrides->cpus_given = true;
        return option_number(state, "--cpus", arg, 1, HYPERVISOR_CPU_MAX, &overrides->cpus);
    case KEY_FIRMWARE:
        overrides->firmware = arg;
        return *arg ? 0 : option_fail(state, "--firmware: the path is empty");
    case KEY_SEED:
        overrides->seed_given = true;
        return option_number(state, "--seed", arg, 0, INT64_MAX, &overrides->seed);
    case KEY_FROM:
        return option_number(state, "--from", arg, 1, INT64_MAX, &sweep->from);
    case KEY_TO:
        return option_number(state, "--to", arg, 1, INT64_MAX, &sweep->to);
    case KEY_EVERY:
        return option_number(state, "--every", arg, 1, INT64_MAX, &sweep->every);
    case 'j':
        return option_number(state, "--jobs", arg, 1, 64, &command->jobs);
    case KEY_MARGIN:
        return option_number(state, "--margin", arg, 1, INT64_MAX, &sweep->margin_instructions);
    case KEY_SECONDS:
        return option_number(state, "--seconds", arg, 1, 86400, &sweep->seconds_max);
    case KEY_ALL:
        command->all = true;
        return 0;
    case KEY_SCENARIO:
        return parse_scenario(state, command, arg);
    case ARGP_KEY_ARG:
        if (command->path) {
            return option_fail(state, "'%.100s' is one too many; sweep one image", arg);
        }
        command->path = arg;
        return 0;
    case ARGP_KEY_END:
        return command->path ? 0 : option_fail(state, "no scenario or image; see --help");
    default:
        return option_other(key, state);
    }
}

static enum status say_error(int status, const struct error *error)
{
    fprintf(stderr, "snpemu-sweep: %s\n", error->text);
    return status == SNPEMU_ERR_INPUT || status == SNPEMU_ERR_IO ? STATUS_INPUT : STATUS_INTERNAL;
}

/* What the scenario of an image alone has to say of its firmware; NULL: there is none. */
static const char *firmware_given(const struct command *command)
{
    if (!command->sweep.subject.firmware) {
        return NULL;
    }
    return command->overrides.firmware ? command->overrides.firmware : SCENARIO_FIRMWARE_BUILT;
}

static enum status sweep_and_say(struct command *command)
{
    struct sweep *sweep = &command->sweep;
    struct error error;
    size_t failed, unmodelled;
    int status = sweep_run(sweep, &error);

    if (status != SNPEMU_OK) {
        return say_error(status, &error);
    }
    if (command->kind < SWEEP_KINDS) {
        sweep_print_scenario(stdout, sweep, command->kind, command->exit, command->path,
                             firmware_given(command));
        return STATUS_FINE;
    }
    sweep_print(stdout, sweep, command->all);
    failed = sweep_count_failed(sweep);
    unmodelled = sweep_count_unmodelled(sweep);
    printf("%zu runs, %zu unmodelled, %zu failures of the emulator\n", sweep->row_count, unmodelled,
           failed);
    return failed ? STATUS_INTERNAL : unmodelled ? STATUS_UNMODELLED : STATUS_FINE;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        option_rows, parse, "SCENARIO.lua | IMAGE", option_doc, NULL, NULL, NULL,
    };
    struct command *command = calloc(1, sizeof(*command));
    enum status result = STATUS_INTERNAL;
    int status;

    if (!command) {
        return say_error(SNPEMU_ERR_MEMORY, &(struct error){"out of memory"});
    }
    command->kind = SWEEP_KINDS;
    command->jobs = 1;
    command->sweep.from = 1;
    command->sweep.to = INT64_MAX;
    command->sweep.every = 1;
    command->sweep.margin_instructions = MARGIN_DEFAULT;
    command->sweep.seconds_max = SECONDS_DEFAULT;
    status = options_parse(&argp, argc, argv, &command->options);
    if (status == SNPEMU_OK) {
        command->sweep.jobs = (size_t)command->jobs;
        status = subject_open(&command->sweep.subject, command->path, &command->overrides,
                              &command->options.error);
    }
    if (status == SNPEMU_OK && command->sweep.subject.scenario->scripted) {
        status =
            error_set(&command->options.error, SNPEMU_ERR_INPUT,
                      "%.200s: has handlers; a sweep brings its own, take `on` out", command->path);
    }
    if (status == SNPEMU_OK && command->kind < SWEEP_KINDS) {
        command->sweep.to = 0; /* only the honest run, for the budgets */
    }
    result =
        status == SNPEMU_OK ? sweep_and_say(command) : say_error(status, &command->options.error);
    sweep_release(&command->sweep);
    free(command);
    return (int)result;
}
