/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu reduce: the simplest input that shows the same finding.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aside.h"
#include "command.h"
#include "fuzz/finding.h"
#include "fuzz/input_file.h"
#include "fuzz/reduce.h"
#include "options.h"
#include "progress.h"
#include "stage_option.h"

enum {
    KEY_RUNS = 0x100,
};

struct reduce_command {
    struct options options; /* first: see options.h */
    struct stage_option stage_option;
    const char *path, *input_path, *output_path;
    uint64_t runs;

    uint8_t input[BYTES_INPUT_MAX];
    size_t size_bytes;
    struct aside output;
    struct subject subject;
    struct stage *stage;
};

static const struct argp_option reduce_options[] = {
    OPTION_HELP,
    {"output", 'o', "FILE", 0, "Where the simple input comes to be; must be given", 0},
    {"runs", KEY_RUNS, "N", 0, "Make at most N runs to get there (2000)", 0},
    STAGE_OPTIONS,
    {0},
};

static const char reduce_doc[] =
    "Make an input as simple as it can be with what it shows.\v"
    "What it shows is what findings are told apart by: verdict, oracles, function, exit, and how "
    "the run ends. What is not needed for that is taken out: records, then the size of values. "
    "SCENARIO.lua and the options must be those with which INPUT was found.\n"
    "\n"
    "Exit status: 0 FILE is written, 2 bad input or usage, 3 the emulator's own failure.";

static error_t reduce_parse(int key, char *arg, struct argp_state *state)
{
    struct reduce_command *command = state->input;

    switch (key) {
    case 'o':
        command->output_path = arg;
        return *arg ? 0 : option_fail(state, "--output: the path is empty");
    case KEY_RUNS:
        return option_number(state, "--runs", arg, 1, UINT32_MAX, &command->runs);
    case ARGP_KEY_ARG:
        if (command->input_path) {
            return option_fail(state, "reduce: '%.100s' is one too many; reduce one input", arg);
        }
        *(command->path ? &command->input_path : &command->path) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!command->input_path) {
            return option_fail(state, "reduce: a scenario or image, and an input; see 'snpemu "
                                      "reduce --help'");
        }
        return command->output_path ? 0 : option_fail(state, "reduce: say where to with -o FILE");
    default:
        return stage_option_parse(key, arg, state, &command->stage_option);
    }
}

static size_t records(size_t size_bytes)
{
    return (size_bytes + BYTES_RECORD_SIZE - 1) / BYTES_RECORD_SIZE;
}

static int run_reduce(struct reduce_command *command, struct error *error)
{
    size_t before = command->size_bytes;
    struct progress progress;
    char name[FINDING_NAME_MAX], words[640];
    struct stage_result result;
    struct finding_key key;
    int status = stage_confirm(command->stage, command->input, command->size_bytes, &result, error);

    if (status == SNPEMU_OK) {
        finding_key(&result, &key);
        finding_name(&key, name);
        finding_words(&key, words, sizeof(words));
        progress_start_blind(&progress, "trying what is simpler");
        status = reduce(command->stage, &key, command->input, &command->size_bytes, &command->runs,
                        error);
        progress_stop(&progress);
    }
    if (status == SNPEMU_OK) {
        fwrite(command->input, 1, command->size_bytes, command->output.file);
        status = aside_commit(&command->output, error); /* sees a failure of the writing, too */
    }
    if (status == SNPEMU_OK) {
        fprintf(stderr, "%s\n%s\n%zu records before, %zu after, %" PRIu64 " runs\n", name, words,
                records(before), records(command->size_bytes), command->runs);
    }
    return status;
}

const struct argp cmd_reduce_argp = {
    reduce_options, reduce_parse, "SCENARIO.lua INPUT\nIMAGE INPUT", reduce_doc, NULL, NULL, NULL,
};

int cmd_reduce(int argc, char **argv)
{
    struct reduce_command *command = calloc(1, sizeof(*command));
    struct error *error;
    int status, exit_status;

    if (!command) {
        return command_fail(SNPEMU_ERR_MEMORY, &(struct error){"out of memory"});
    }
    error = &command->options.error;
    command->runs = FINDING_REDUCE_RUNS;
    status = options_parse(&cmd_reduce_argp, argc, argv, &command->options);
    if (status == SNPEMU_OK) {
        status = input_file_read(command->input_path, command->input, &command->size_bytes, error);
    }
    /* What cannot be written shows before anything runs. */
    if (status == SNPEMU_OK) {
        status = aside_open(&command->output, command->output_path, error);
    }
    if (status == SNPEMU_OK) {
        status = stage_option_open(&command->stage_option, command->path, &command->subject,
                                   &command->stage, error);
    }
    if (status == SNPEMU_OK) {
        status = run_reduce(command, error);
    }
    exit_status = status == SNPEMU_OK ? EXIT_MET : command_fail(status, error);
    aside_drop(&command->output);
    stage_close(command->stage);
    subject_close(&command->subject);
    free(command);
    return exit_status;
}
