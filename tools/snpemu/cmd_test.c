/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu test: fixtures, found, run and compared.
 */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aside.h"
#include "command.h"
#include "coverage_option.h"
#include "junit.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "workers.h"

#define FIXTURES_MAX 100000
#define DIFF_LINES_SHOWN 60

enum {
    KEY_ACCEPT = 0x100,
    KEY_JUNIT,
    KEY_OUT,
    KEY_REPLAY,
};

struct test_command {
    struct options options;
    struct fixture_options fixture;
    uint64_t max_workers, replay_fd;
    bool replay;
    const char *junit;
    struct coverage_option coverage;
    struct coverage_file coverage_file;
    struct error coverage_error; /* of the first that cannot be added; empty: none */
    int coverage_status;
    char **path; /* of the command line; not owned */
    size_t path_count;

    struct job *job;
    size_t job_count, job_capacity;
    struct aside junit_file;

    /* What is shown. */
    bool colour;
    struct progress progress;
    size_t passed, failed;
    enum fixture_result worst;
};

static const struct argp_option test_options[] = {
    OPTION_HELP,
    {"jobs", 'j', "N", 0, "Run N fixtures at a time (default 1)", 0},
    {"accept", KEY_ACCEPT, NULL, 0,
     "Write the golden trace of each fixture that is right in all else, and show what changed", 0},
    {"junit", KEY_JUNIT, "FILE", 0, "Write the results as JUnit XML, too", 0},
    COVERAGE_OPTIONS,
    {"out", KEY_OUT, "DIR", 0,
     "Keep scenario, full trace and differences of each failure in DIR, as NAME.lua, NAME.trace "
     "and "
     "NAME.diff, with two underscores for each slash of the name",
     0},
    {FIXTURE_OPTION_REPLAY, KEY_REPLAY, "FD", OPTION_HIDDEN, NULL, 0},
    {0},
};

static const char test_doc[] =
    "Run scenarios as fixtures and compare their traces.\v"
    "PATH is a scenario, or a directory that is searched for *.lua. Each fixture is run, run again "
    "in a second process, and once more from a snapshot; full trace and state digest must be the "
    "same. What its 'expect' says must hold, and the golden form of the trace must be what "
    "NAME.golden beside NAME.lua holds.\n"
    "\n"
    "Exit status: 0 all passed, 1 some failed, 2 a scenario, path or option is wrong, 3 the "
    "emulator's own failure.";

static error_t test_parse(int key, char *arg, struct argp_state *state)
{
    struct test_command *command = state->input;

    switch (key) {
    case 'j':
        return option_number(state, "--jobs", arg, 1, 256, &command->max_workers);
    case KEY_ACCEPT:
        command->fixture.accept = true;
        return 0;
    case KEY_JUNIT:
        command->junit = arg;
        return *arg ? 0 : option_fail(state, "--junit: the path is empty");
    case KEY_OUT:
        command->fixture.out = arg;
        return *arg ? 0 : option_fail(state, "--out: the path is empty");
    case KEY_REPLAY:
        command->replay = true;
        return option_number(state, "--" FIXTURE_OPTION_REPLAY, arg, 0, 1 << 20,
                             &command->replay_fd);
    case ARGP_KEY_ARGS:
        command->path = state->argv + state->next;
        command->path_count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        return command->path_count > 0
                   ? coverage_option_end(state, &command->coverage)
                   : option_fail(state, "test: no scenario or directory; see 'snpemu test --help'");
    default:
        return coverage_option_parse(key, arg, state, &command->coverage);
    }
}

static bool is_script(const char *path)
{
    size_t length = strlen(path);

    return length > 4 && strcmp(path + length - 4, ".lua") == 0;
}

static int add_fixture(struct test_command *command, const char *path, struct error *error)
{
    size_t length = strlen(path);
    struct job *job;

    if (command->job_count == FIXTURES_MAX) {
        return error_set(error, SNPEMU_ERR_INPUT, "%.300s: more than %d scenarios", path,
                         FIXTURES_MAX);
    }
    if (command->job_count == command->job_capacity) {
        size_t capacity = command->job_capacity ? command->job_capacity * 2 : 64;
        struct job *more = reallocarray(command->job, capacity, sizeof(*more));

        if (!more) {
            return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
        }
        command->job = more;
        command->job_capacity = capacity;
    }
    job = &command->job[command->job_count];
    memset(job, 0, sizeof(*job));
    job->path = strdup(path);
    job->name = strndup(path, is_script(path) ? length - 4 : length);
    command->job_count++;
    return job->path && job->name ? SNPEMU_OK
                                  : error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
}

static int compare_names(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int add_directory(struct test_command *command, char *path, struct error *error)
{
    size_t before = command->job_count;
    char *const paths[] = {path, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, compare_names);
    int status = SNPEMU_OK;
    FTSENT *entry;

    if (!tree) {
        return error_set(error, SNPEMU_ERR_IO, "%.300s: %s", path, strerror(errno));
    }
    while (status == SNPEMU_OK && (entry = fts_read(tree)) != NULL) {
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS) {
            status = error_set(error, SNPEMU_ERR_IO, "%.300s: %s", entry->fts_path,
                               strerror(entry->fts_errno));
        } else if (entry->fts_info != FTS_D && entry->fts_info != FTS_DP &&
                   is_script(entry->fts_name)) {
            status = add_fixture(command, entry->fts_path, error);
        }
    }
    fts_close(tree);
    if (status == SNPEMU_OK && command->job_count == before) {
        status = error_set(error, SNPEMU_ERR_INPUT, "%.300s: holds no scenario (NAME.lua)", path);
    }
    return status;
}

static int add_path(struct test_command *command, char *path, struct error *error)
{
    struct stat stat_data;
    size_t length = strlen(path);

    if (stat(path, &stat_data) != 0) {
        return error_set(error, SNPEMU_ERR_IO, "%.300s: %s; give a scenario or a directory",
                         *path ? path : "''", strerror(errno));
    }
    if (S_ISDIR(stat_data.st_mode)) {
        while (length > 1 && path[length - 1] == '/') {
            path[--length] = '\0';
        }
        return add_directory(command, path, error);
    }
    if (!is_script(path)) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "%.300s: not a scenario (NAME.lua) or a directory of them", path);
    }
    return add_fixture(command, path, error);
}

static void show_progress(void *context, size_t done, const struct job *running)
{
    struct test_command *command = context;

    if (running && progress_due(&command->progress)) {
        progress_show(&command->progress, "%zu of %zu, %.100s", done, command->job_count,
                      running->name);
    }
}

/* Of a fixture, in their order: the same file whatever -j is. */
static void add_coverage(struct test_command *command, struct job *job)
{
    struct fixture_report *report = &job->report;

    if (report->coverage && command->coverage_status == SNPEMU_OK) {
        command->coverage_status =
            coverage_read(command->coverage_file.coverage, job->name, report->coverage,
                          report->coverage_size_bytes, &command->coverage_error);
    }
    free(report->coverage);
    report->coverage = NULL;
}

static void show_finished(void *context, struct job *job)
{
    static const struct {
        const char *word;
        enum output_colour colour;
    } rows[] = {
        [FIXTURE_PASSED] = {"pass", COLOUR_GOOD},  [FIXTURE_ACCEPTED] = {"accepted", COLOUR_BOLD},
        [FIXTURE_FAILED] = {"FAIL", COLOUR_BAD},   [FIXTURE_INPUT] = {"FAIL", COLOUR_BAD},
        [FIXTURE_INTERNAL] = {"FAIL", COLOUR_BAD},
    };
    struct test_command *command = context;
    const struct fixture_report *report = &job->report;
    const char *rest;

    progress_clear(&command->progress);
    add_coverage(command, job);
    printf("%s%s%s %s", output_escape(command->colour, rows[report->result].colour),
           rows[report->result].word, output_escape(command->colour, COLOUR_NONE), job->name);
    printf("%s%s\n", report->why[0] || report->outcome[0] ? ": " : "",
           report->why[0] ? report->why : report->outcome);
    /* The first problem has just been said. */
    rest = report->details ? report->details : "";
    if (report->why[0]) {
        rest += strcspn(rest, "\n");
        rest += *rest == '\n';
    }
    output_diff(stdout, rest, DIFF_LINES_SHOWN, command->colour);
    fflush(stdout);
    command->passed += report->result < FIXTURE_FAILED;
    command->failed += report->result >= FIXTURE_FAILED;
    command->worst = report->result > command->worst ? report->result : command->worst;
}

/* What must be there before anything runs. */
static int test_prepare(struct test_command *command, struct error *error)
{
    int status = SNPEMU_OK;

    for (size_t i = 0; status == SNPEMU_OK && i < command->path_count; i++) {
        status = add_path(command, command->path[i], error);
    }
    if (status == SNPEMU_OK && command->junit) {
        status = aside_open(&command->junit_file, command->junit, error);
    }
    command->fixture.coverage = command->coverage.path != NULL;
    command->fixture.coverage_format = command->coverage.format;
    if (status == SNPEMU_OK) {
        status = coverage_file_open(&command->coverage_file, &command->coverage, error);
    }
    if (status == SNPEMU_OK && command->fixture.out) {
        const char *out = command->fixture.out;
        struct stat stat_data;

        if (mkdir(out, 0777) != 0 && errno != EEXIST) {
            status = error_set(error, SNPEMU_ERR_IO, "--out %.300s: %s", out, strerror(errno));
        } else if (stat(out, &stat_data) != 0 || !S_ISDIR(stat_data.st_mode) ||
                   access(out, W_OK | X_OK) != 0) {
            status = error_set(error, SNPEMU_ERR_IO, "--out %.300s: not a writable directory", out);
        }
    }
    return status;
}

static int test_run(struct test_command *command, struct error *error)
{
    const struct workers workers = {
        .job = command->job,
        .job_count = command->job_count,
        .max_workers = command->max_workers,
        .options = &command->fixture,
        .finished = show_finished,
        .progress = show_progress,
        .context = command,
    };
    int status;

    command->colour = output_has_colour(stdout);
    progress_start(&command->progress);
    status = workers_run(&workers, error);
    progress_stop(&command->progress);
    if (status == SNPEMU_OK && command->junit && !command_interrupted()) {
        junit_write(command->junit_file.file, command->job, command->job_count);
        status = aside_commit(&command->junit_file, error);
    }
    if (status == SNPEMU_OK && command->coverage_status != SNPEMU_OK) {
        *error = command->coverage_error;
        status = command->coverage_status;
    }
    if (status == SNPEMU_OK && !command_interrupted()) {
        status = coverage_file_commit(&command->coverage_file, error);
    }
    return status;
}

static void test_release(struct test_command *command)
{
    for (size_t i = 0; i < command->job_count; i++) {
        free(command->job[i].path);
        free(command->job[i].name);
        fixture_report_release(&command->job[i].report);
    }
    free(command->job);
    aside_drop(&command->junit_file);
    coverage_file_close(&command->coverage_file);
}

const struct argp cmd_test_argp = {
    test_options, test_parse, "PATH...", test_doc, NULL, NULL, NULL,
};

int cmd_test(int argc, char **argv)
{
    static const int exit_statuses[] = {
        [FIXTURE_PASSED] = EXIT_MET,        [FIXTURE_ACCEPTED] = EXIT_MET,
        [FIXTURE_FAILED] = EXIT_NOT_MET,    [FIXTURE_INPUT] = EXIT_INPUT,
        [FIXTURE_INTERNAL] = EXIT_INTERNAL,
    };
    struct test_command command = {.max_workers = 1};
    struct error *error = &command.options.error;
    int status = options_parse(&cmd_test_argp, argc, argv, &command.options), exit_status;

    if (status == SNPEMU_OK && command.replay) {
        return fixture_replay(command.path[0], (int)command.replay_fd);
    }
    if (status == SNPEMU_OK) {
        command_catch_signals();
        status = test_prepare(&command, error);
    }
    if (status == SNPEMU_OK) {
        status = test_run(&command, error);
    }
    if (command_interrupted()) {
        exit_status = command_say_interrupted();
    } else if (status == SNPEMU_OK) {
        printf("%zu passed, %zu failed\n", command.passed, command.failed);
        exit_status = exit_statuses[command.worst];
    } else {
        exit_status = command_fail(status, error);
    }
    test_release(&command);
    return exit_status;
}
