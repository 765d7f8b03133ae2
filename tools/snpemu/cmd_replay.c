/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu replay: what one input of the fuzzer does, from launch on, shown as any run is.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "aside.h"
#include "check/oracle.h"
#include "command.h"
#include "fuzz/finding.h"
#include "fuzz/input_file.h"
#include "options.h"
#include "show.h"
#include "stage_option.h"

enum {
    KEY_TRACE = 0x100,
    KEY_SCENARIO,
};

struct replay_command {
    struct options options; /* first: see options.h */
    struct stage_option stage_option;
    const char *path, *input_path, *trace_path, *scenario_path;

    uint8_t input[BYTES_INPUT_MAX];
    size_t size_bytes;
    struct aside scenario;
    struct subject subject;
    struct stage *stage;
    struct show show;
    struct run *run;
};

static const struct argp_option replay_options[] = {
    OPTION_HELP,
    {"trace", KEY_TRACE, "FILE", 0, "Write the full trace to FILE; '-': standard output", 0},
    {"scenario", KEY_SCENARIO, "FILE.lua", 0,
     "Write what the input does as a scenario that stands alone, with what it ends as as its "
     "expectation",
     0},
    STAGE_OPTIONS,
    {0},
};

static const char replay_doc[] =
    "Run one input of the fuzzer from launch on, and say how it ended.\v"
    "INPUT is a file of a corpus or of a finding, of this fuzzer or of another one that plays the "
    "same; any bytes are an input, and what is beyond the first 1024 does not count. SCENARIO.lua "
    "and the options must be those with which it was found. The same build, image, scenario and "
    "input give the same trace, on any machine.\n"
    "\n"
    "Exit status: 0 pass or contained, 1 any other verdict, 2 bad input or usage, 3 the emulator's "
    "own failure.";

static error_t replay_parse(int key, char *arg, struct argp_state *state)
{
    struct replay_command *command = state->input;

    switch (key) {
    case KEY_TRACE:
        command->trace_path = arg;
        return *arg ? 0 : option_fail(state, "--trace: the path is empty");
    case KEY_SCENARIO:
        command->scenario_path = arg;
        return *arg ? 0 : option_fail(state, "--scenario: the path is empty");
    case ARGP_KEY_ARG:
        if (command->input_path) {
            return option_fail(state, "replay: '%.100s' is one too many; replay one input", arg);
        }
        *(command->path ? &command->input_path : &command->path) = arg;
        return 0;
    case ARGP_KEY_END:
        return command->input_path
                   ? 0
                   : option_fail(state, "replay: a scenario or image, and an input; "
                                        "see 'snpemu replay --help'");
    default:
        return stage_option_parse(key, arg, state, &command->stage_option);
    }
}

static int write_scenario(struct replay_command *command, struct error *error)
{
    struct finding_scenario scenario;
    int status;

    if (!command->scenario_path) {
        return SNPEMU_OK;
    }
    status = finding_scenario(command->stage, command->scenario_path, command->input_path,
                              command->input, command->size_bytes, &scenario, error);
    if (status == SNPEMU_OK) {
        fwrite(scenario.lua, 1, scenario.lua_size_bytes, command->scenario.file);
        status = aside_commit(&command->scenario, error); /* sees a failure of the writing, too */
        finding_scenario_release(&scenario);
    }
    return status;
}

/* From the snapshot, silently and fast, then from launch; both must end alike. */
static int replay(struct replay_command *command, struct outcome *outcome, struct error *error)
{
    uint32_t oracles = command->subject.scenario->oracles;
    struct run_options options = {0};
    struct stage_result fast;
    bool exact;
    int status = stage_play(command->stage, command->input, command->size_bytes, &fast, error);

    if (status == SNPEMU_OK) {
        const struct show_trace trace = {.path = command->trace_path};

        status = show_open(&command->show, &command->subject, &trace, error);
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    exact = fast.outcome.oracles != 0 || (oracles & ORACLES_EXACT_ONLY) != 0;
    show_run(&command->show, &options);
    status = stage_launch(command->stage, &options, exact, command->input, command->size_bytes,
                          &command->run, error);
    if (status == SNPEMU_OK) {
        status = show_to_end(&command->show, command->run, outcome, error);
    }
    if (status == SNPEMU_OK &&
        (outcome->kind != fast.outcome.kind || outcome->exits != fast.outcome.exits ||
         outcome->instructions != fast.outcome.instructions)) {
        status =
            error_set(error, SNPEMU_ERR_INTERNAL,
                      "%.200s: from the snapshot it ends after %" PRIu64
                      " instructions, from launch after %" PRIu64 ": a mistake of the emulator's",
                      command->input_path, fast.outcome.instructions, outcome->instructions);
    }
    return status;
}

static void replay_release(struct replay_command *command)
{
    run_free(command->run);
    show_close(&command->show);
    aside_drop(&command->scenario);
    stage_close(command->stage);
    subject_close(&command->subject);
}

const struct argp cmd_replay_argp = {
    replay_options, replay_parse, "SCENARIO.lua INPUT\nIMAGE INPUT", replay_doc, NULL, NULL, NULL,
};

int cmd_replay(int argc, char **argv)
{
    struct replay_command *command = calloc(1, sizeof(*command));
    struct outcome outcome;
    struct error *error;
    int status, exit_status;

    if (!command) {
        return command_fail(SNPEMU_ERR_MEMORY, &(struct error){"out of memory"});
    }
    error = &command->options.error;
    status = options_parse(&cmd_replay_argp, argc, argv, &command->options);
    if (status == SNPEMU_OK) {
        command_catch_signals();
        status = input_file_read(command->input_path, command->input, &command->size_bytes, error);
    }
    /* What cannot be written shows before anything runs. */
    if (status == SNPEMU_OK && command->scenario_path) {
        status = aside_open(&command->scenario, command->scenario_path, error);
    }
    if (status == SNPEMU_OK) {
        status = stage_option_open(&command->stage_option, command->path, &command->subject,
                                   &command->stage, error);
    }
    if (status == SNPEMU_OK) {
        status = write_scenario(command, error);
    }
    if (status == SNPEMU_OK) {
        status = replay(command, &outcome, error);
    }
    if (command_interrupted()) {
        exit_status = command_say_interrupted();
    } else if (status == SNPEMU_OK) {
        show_outcome(command->run, &outcome, false);
        exit_status = show_status(outcome_verdict(&outcome));
    } else {
        exit_status = command_fail(status, error);
    }
    replay_release(command);
    free(command);
    return exit_status;
}
