/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu cmin: a smaller corpus that covers the same.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "aside.h"
#include "command.h"
#include "fuzz/cmin.h"
#include "fuzz/input_file.h"
#include "options.h"
#include "progress.h"
#include "stage_option.h"

struct cmin_command {
    struct options options; /* first: see options.h */
    struct stage_option stage_option;
    const char *path, *dir, *output;

    struct subject subject;
    struct stage *stage;
    struct cmin *cmin;
    struct dirent **file; /* of `dir`, by name; those that are no inputs are taken out */
    size_t file_count;
};

static const struct argp_option cmin_options[] = {
    OPTION_HELP,
    {"output", 'o', "OUTDIR", 0,
     "Where the inputs that are kept come to be, under their names: a new or empty directory; must "
     "be given",
     0},
    STAGE_OPTIONS,
    {0},
};

static const char cmin_doc[] =
    "Choose the inputs of a corpus that are needed for what all of them cover.\v"
    "Each file in DIR is played once; what it covers is which edges of the guest, exits, answers "
    "and ends it has, and how often in steps. OUTDIR gets copies of few and short files that have "
    "all of that. Nothing in DIR changes. Hidden files and directories are passed over.\n"
    "\n"
    "Exit status: 0 OUTDIR is written, 2 bad input or usage, 3 the emulator's own failure.";

static error_t cmin_parse(int key, char *arg, struct argp_state *state)
{
    struct cmin_command *command = state->input;

    switch (key) {
    case 'o':
        command->output = arg;
        return *arg ? 0 : option_fail(state, "--output: the path is empty");
    case ARGP_KEY_ARG:
        if (command->dir) {
            return option_fail(state, "cmin: '%.100s' is one too many; give one directory", arg);
        }
        *(command->path ? &command->dir : &command->path) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!command->dir) {
            return option_fail(state, "cmin: a scenario or image, and a directory of inputs; see "
                                      "'snpemu cmin --help'");
        }
        return command->output ? 0 : option_fail(state, "cmin: say where to with -o OUTDIR");
    default:
        return stage_option_parse(key, arg, state, &command->stage_option);
    }
}

/* ---- files ---- */

/* Not what aside.h has not finished, either. */
static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && !strstr(entry->d_name, ".tmp.");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_files(struct cmin_command *command, struct error *error)
{
    int count = scandir(command->dir, &command->file, is_input, by_name);

    if (count < 0) {
        return error_set(error, SNPEMU_ERR_IO, "%.300s: %s; give a directory of inputs",
                         command->dir, strerror(errno));
    }
    command->file_count = (size_t)count;
    return SNPEMU_OK;
}

static char *path_of(const char *dir, const struct dirent *entry, struct error *error)
{
    char *path;

    if (asprintf(&path, "%s/%s", dir, entry->d_name) < 0) {
        error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a name");
        return NULL;
    }
    return path;
}

static bool is_directory(const char *path)
{
    struct stat stat_data;

    return stat(path, &stat_data) == 0 && S_ISDIR(stat_data.st_mode);
}

/* New, or there and empty. */
static int make_output(const char *path, struct error *error)
{
    struct dirent *entry;
    bool empty = true;
    DIR *dir;

    if (mkdir(path, 0777) == 0) {
        return SNPEMU_OK;
    }
    if (errno != EEXIST) {
        return error_set(error, SNPEMU_ERR_IO, "%.300s: cannot be made: %s", path, strerror(errno));
    }
    dir = opendir(path);
    if (!dir) {
        return error_set(error, SNPEMU_ERR_IO, "%.300s: %s", path, strerror(errno));
    }
    while (empty && (entry = readdir(dir)) != NULL) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    closedir(dir);
    return empty ? SNPEMU_OK
                 : error_set(error, SNPEMU_ERR_INPUT,
                             "%.300s: is not empty; give a directory that is new or empty", path);
}

/* ---- what it does ---- */

static int play_file(struct cmin_command *command, const char *path, struct error *error)
{
    uint8_t input[BYTES_INPUT_MAX];
    struct stage_result result;
    size_t size_bytes;
    int status = input_file_read(path, input, &size_bytes, error);

    if (status == SNPEMU_OK) {
        status = stage_play(command->stage, input, size_bytes, &result, error);
    }
    return status == SNPEMU_OK
               ? cmin_add(command->cmin, size_bytes, stage_map(command->stage), error)
               : status;
}

/* Each file once; directories are taken out of the list. */
static int play_files(struct cmin_command *command, struct error *error)
{
    struct progress progress;
    size_t kept = 0;
    int status = SNPEMU_OK;

    progress_start(&progress);
    for (size_t i = 0; i < command->file_count; i++) {
        struct dirent *entry = command->file[i];
        char *path = status == SNPEMU_OK ? path_of(command->dir, entry, error) : NULL;

        if (progress_due(&progress)) {
            progress_show(&progress, "%zu of %zu inputs", i, command->file_count);
        }
        if (path && !is_directory(path) && !command_interrupted()) {
            status = play_file(command, path, error);
            command->file[kept++] = entry;
        } else {
            status = status == SNPEMU_OK && !path ? SNPEMU_ERR_MEMORY : status;
            free(entry);
        }
        free(path);
    }
    progress_stop(&progress);
    command->file_count = kept;
    return status == SNPEMU_OK && kept == 0
               ? error_set(error, SNPEMU_ERR_INPUT, "%.300s: holds no input", command->dir)
               : status;
}

static int copy_file(struct cmin_command *command, const struct dirent *entry, struct error *error)
{
    char *from = path_of(command->dir, entry, error), *to = path_of(command->output, entry, error);
    uint8_t input[BYTES_INPUT_MAX];
    size_t size_bytes;
    int status = from && to ? input_file_read(from, input, &size_bytes, error) : SNPEMU_ERR_MEMORY;

    if (status == SNPEMU_OK) {
        status = aside_write(to, (const char *)input, size_bytes, error);
    }
    free(from);
    free(to);
    return status;
}

static int run_cmin(struct cmin_command *command, struct error *error)
{
    int status = play_files(command, error);

    if (status != SNPEMU_OK || command_interrupted()) {
        return status;
    }
    cmin_choose(command->cmin);
    status = make_output(command->output, error);
    for (size_t i = 0; status == SNPEMU_OK && i < command->file_count; i++) {
        if (cmin_has(command->cmin, i)) {
            status = copy_file(command, command->file[i], error);
        }
    }
    if (status == SNPEMU_OK) {
        fprintf(stderr, "%zu inputs before, %zu after; both cover %zu\n", command->file_count,
                cmin_chosen(command->cmin), cmin_covered(command->cmin));
    }
    return status;
}

static void cmin_release(struct cmin_command *command)
{
    for (size_t i = 0; i < command->file_count; i++) {
        free(command->file[i]);
    }
    free(command->file);
    cmin_free(command->cmin);
    stage_close(command->stage);
    subject_close(&command->subject);
}

const struct argp cmd_cmin_argp = {
    cmin_options, cmin_parse, "SCENARIO.lua DIR\nIMAGE DIR", cmin_doc, NULL, NULL, NULL,
};

int cmd_cmin(int argc, char **argv)
{
    struct cmin_command command = {0};
    struct error *error = &command.options.error;
    int status = options_parse(&cmd_cmin_argp, argc, argv, &command.options), exit_status;

    if (status == SNPEMU_OK) {
        command_catch_signals();
        status = list_files(&command, error);
    }
    if (status == SNPEMU_OK) {
        status = cmin_new(&command.cmin, error);
    }
    if (status == SNPEMU_OK) {
        status = stage_option_open(&command.stage_option, command.path, &command.subject,
                                   &command.stage, error);
    }
    if (status == SNPEMU_OK) {
        status = run_cmin(&command, error);
    }
    if (command_interrupted()) {
        exit_status = command_say_interrupted();
    } else {
        exit_status = status == SNPEMU_OK ? EXIT_MET : command_fail(status, error);
    }
    cmin_release(&command);
    return exit_status;
}
