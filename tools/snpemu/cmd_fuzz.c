/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu fuzz: hostile answers, looked for by chance and by what they reach.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/oracle.h"
#include "command.h"
#include "coverage_option.h"
#include "fuzz.h"
#include "fuzz/corpus.h"
#include "options.h"
#include "stage_option.h"

#define SEED_DEFAULT 1
#define SECONDS_MAX (366ULL * 86400)
#define DIR_SUFFIX ".fuzz"

enum {
    KEY_TIME = 0x100,
    KEY_RUNS,
    KEY_CORPUS,
    KEY_SEED,
};

struct fuzz_command {
    struct options options; /* first: see options.h */
    struct stage_option stage;
    struct coverage_option coverage;
    struct coverage_file coverage_file;
    const char *path, *dir;
    uint64_t jobs, seed;
    bool seed_given;
    char own_dir[256];
    int dir_fd; /* locked while the session runs */
    struct fuzz fuzz;
};

static const struct argp_option fuzz_options[] = {
    OPTION_HELP,
    {"time", KEY_TIME, "T", 0, "Stop after this time: 30s, 10m, 2h, 1d", 0},
    {"runs", KEY_RUNS, "N", 0, "Stop after N runs of this session", 0},
    {"jobs", 'j', "N", 0, "Work with N processes (1)", 0},
    {"corpus", KEY_CORPUS, "DIR", 0,
     "Where corpus, findings and state are, and come to be (NAME.fuzz in the working directory)",
     0},
    {"seed", KEY_SEED, "N", 0,
     "Seed of the campaign's random numbers (1; a campaign that is gone on with draws on where it "
     "was left)",
     0},
    COVERAGE_OPTIONS,
    STAGE_OPTIONS,
    {0},
};

static const char fuzz_doc[] =
    "Fuzz what an image does with a hypervisor's answers.\v"
    "SCENARIO.lua must have no handlers ('on'): the answers are honest but where an input says "
    "otherwise. Each run goes from a snapshot to the end of the image's per-CPU bring-up, or to "
    "wherever it ends before. Inputs that reach something new are kept and changed further. A run "
    "whose verdict is neither pass nor contained nor unjudged is a finding: it is made as simple "
    "as "
    "it can be and written as a scenario, once for each kind.\n"
    "\n"
    "DIR/corpus/ has the inputs that are kept, DIR/findings/ the findings, DIR/state what is "
    "needed "
    "to go on, DIR/emulator/ inputs with which the emulator itself failed, which is its own "
    "mistake "
    "and not the image's. With --runs, one process and the same seed, an empty DIR comes to hold "
    "the "
    "same, byte for byte but for the times.\n"
    "\n"
    "Without --time and --runs it goes on until Ctrl-C, which ends it well; a second one ends it "
    "at "
    "once. Exit status: 0 nothing was found, 1 findings, of earlier sessions too, 2 bad input or "
    "usage, 3 the emulator's own failure.";

/* ---- options ---- */

static error_t take_time(struct argp_state *state, const char *arg, uint64_t *seconds)
{
    static const struct {
        char unit;
        uint64_t seconds;
    } rows[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t length = strlen(arg);
    char digits[16];

    for (size_t i = 0; length > 1 && length < sizeof(digits) && i < sizeof(rows) / sizeof(rows[0]);
         i++) {
        if (arg[length - 1] == rows[i].unit) {
            snprintf(digits, sizeof(digits), "%.*s", (int)length - 1, arg);
            if (option_number(state, "--time", digits, 1, SECONDS_MAX / rows[i].seconds, seconds) !=
                0) {
                return EINVAL;
            }
            *seconds *= rows[i].seconds;
            return 0;
        }
    }
    return option_fail(state, "--time: '%.100s' is no time; write it as 30s, 10m, 2h or 1d", arg);
}

static error_t fuzz_parse(int key, char *arg, struct argp_state *state)
{
    struct fuzz_command *command = state->input;

    switch (key) {
    case KEY_TIME:
        return take_time(state, arg, &command->fuzz.seconds_max);
    case KEY_RUNS:
        return option_number(state, "--runs", arg, 1, UINT64_MAX / 2, &command->fuzz.runs_max);
    case 'j':
        return option_number(state, "--jobs", arg, 1, FUZZ_WORKERS_MAX, &command->jobs);
    case KEY_CORPUS:
        command->dir = arg;
        return *arg ? 0 : option_fail(state, "--corpus: the path is empty");
    case KEY_SEED:
        command->seed_given = true;
        return option_number(state, "--seed", arg, 0, UINT64_MAX, &command->seed);
    case ARGP_KEY_ARG:
        if (command->path) {
            return option_fail(state, "fuzz: '%.100s' is one too many; fuzz one scenario or image",
                               arg);
        }
        command->path = arg;
        return 0;
    case COVERAGE_KEY_FILE:
    case COVERAGE_KEY_FORMAT:
        return coverage_option_parse(key, arg, state, &command->coverage);
    case ARGP_KEY_END:
        return command->path
                   ? coverage_option_end(state, &command->coverage)
                   : option_fail(state, "fuzz: no scenario or image; see 'snpemu fuzz --help'");
    default:
        return stage_option_parse(key, arg, state, &command->stage);
    }
}

/* ---- before it begins ---- */

/* NAME.fuzz in the working directory. */
static const char *default_dir(struct fuzz_command *command)
{
    const char *slash = strrchr(command->path, '/');
    const char *name = slash ? slash + 1 : command->path, *dot = strrchr(name, '.');
    int length = dot && (strcmp(dot, ".lua") == 0 || strcmp(dot, ".elf") == 0) ? (int)(dot - name)
                                                                               : (int)strlen(name);

    snprintf(command->own_dir, sizeof(command->own_dir), "%.*s" DIR_SUFFIX,
             length < 200 ? length : 200, name);
    return command->own_dir;
}

/* Two sessions would write one state. */
static int lock_dir(struct fuzz_command *command, struct error *error)
{
    const char *dir = command->fuzz.dir;

    if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
        return error_set(error, SNPEMU_ERR_IO, "%s: cannot be made: %s", dir, strerror(errno));
    }
    command->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (command->dir_fd < 0) {
        return error_set(error, SNPEMU_ERR_IO, "%s: %s", dir, strerror(errno));
    }
    if (flock(command->dir_fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "%s: another session is at work there; give -j N to that one, or another "
                         "--corpus",
                         dir);
    }
    return SNPEMU_OK;
}

/* What a worker could not write shows before there is one. */
static int try_dir(const struct fuzz *fuzz, struct error *error)
{
    struct corpus *corpus = NULL;
    int status = corpus_open(&corpus, fuzz->dir, error);

    corpus_close(corpus);
    return status;
}

static int open_worker(struct fuzz_command *command, size_t i, struct error *error)
{
    struct fuzz *fuzz = &command->fuzz;
    struct fuzz_worker *worker = &fuzz->worker[i];
    void *box =
        mmap(NULL, sizeof(*worker->box), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (box == MAP_FAILED) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for %zu workers",
                         (size_t)command->jobs);
    }
    worker->box = box;
    fuzz->worker_count++;
    atomic_store(&worker->box->random, i < fuzz->before.workers && !command->seed_given
                                           ? fuzz->before.random[i]
                                           : campaign_random(fuzz->before.seed, i));
    worker->options = (struct campaign_options){
        .dir = fuzz->dir,
        .runs = fuzz->runs_max / command->jobs + (i < fuzz->runs_max % command->jobs),
        .before = fuzz->before.runs,
        .exact_only = fuzz->subject.scenario->oracles & ORACLES_EXACT_ONLY,
        .alone = command->jobs == 1,
    };
    return SNPEMU_OK;
}

static int fuzz_prepare(struct fuzz_command *command, struct error *error)
{
    struct fuzz *fuzz = &command->fuzz;
    int status =
        stage_option_open(&command->stage, command->path, &fuzz->subject, &fuzz->stage, error);

    fuzz->path = command->path;
    fuzz->dir = command->dir ? command->dir : default_dir(command);
    if (status == SNPEMU_OK) {
        status = coverage_file_open(&command->coverage_file, &command->coverage, error);
    }
    if (status == SNPEMU_OK && command->coverage_file.coverage) {
        status = coverage_check(command->coverage_file.coverage, fuzz->subject.image, error);
    }
    if (status == SNPEMU_OK) {
        status = lock_dir(command, error);
    }
    if (status == SNPEMU_OK) {
        status = try_dir(fuzz, error);
    }
    fuzz->before.seed = SEED_DEFAULT;
    if (status == SNPEMU_OK) {
        status = fuzz_state_read(fuzz, error);
    }
    if (command->seed_given) {
        fuzz->before.seed = command->seed;
    }
    if (fuzz->runs_max > 0 && command->jobs > fuzz->runs_max) {
        command->jobs = fuzz->runs_max;
    }
    for (size_t i = 0; status == SNPEMU_OK && i < command->jobs; i++) {
        status = open_worker(command, i, error);
    }
    return status;
}

/* ---- coverage of the corpus, when the session is over ---- */

struct replay {
    struct stage *stage;
    struct blocks *ran;
};

static int replay_input(void *context, const uint8_t *input, size_t size_bytes, struct error *error)
{
    const struct replay *replay = context;

    return stage_count(replay->stage, input, size_bytes, replay->ran, error);
}

/* The honest run, and each input that is kept, of earlier sessions, too. */
static int fuzz_cover(struct fuzz_command *command, struct error *error)
{
    struct coverage_file *file = &command->coverage_file;
    struct replay replay = {command->fuzz.stage, file->ran};
    struct corpus *corpus = NULL;
    int status;

    if (!file->coverage) {
        return SNPEMU_OK;
    }
    status = corpus_open(&corpus, command->fuzz.dir, error);
    if (status == SNPEMU_OK) {
        status = stage_count(replay.stage, NULL, 0, replay.ran, error);
    }
    if (status == SNPEMU_OK) {
        status = corpus_read(corpus, replay_input, &replay, error);
    }
    corpus_close(corpus);
    if (status == SNPEMU_OK) {
        status = coverage_file_take(file, &command->fuzz.subject, error);
    }
    return status == SNPEMU_OK ? coverage_file_commit(file, error) : status;
}

static void fuzz_release(struct fuzz_command *command)
{
    struct fuzz *fuzz = &command->fuzz;

    for (size_t i = 0; i < fuzz->worker_count; i++) {
        munmap(fuzz->worker[i].box, sizeof(*fuzz->worker[i].box));
    }
    coverage_file_close(&command->coverage_file);
    stage_close(fuzz->stage);
    subject_close(&fuzz->subject);
    if (command->dir_fd >= 0) {
        close(command->dir_fd);
    }
}

const struct argp cmd_fuzz_argp = {
    fuzz_options, fuzz_parse, "SCENARIO.lua | IMAGE", fuzz_doc, NULL, NULL, NULL,
};

int cmd_fuzz(int argc, char **argv)
{
    struct fuzz_command *command = calloc(1, sizeof(*command));
    int status, exit_status;

    if (!command) {
        return command_fail(SNPEMU_ERR_MEMORY, &(struct error){"out of memory"});
    }
    command->jobs = 1;
    command->dir_fd = -1;
    status = options_parse(&cmd_fuzz_argp, argc, argv, &command->options);
    if (status == SNPEMU_OK) {
        status = fuzz_prepare(command, &command->options.error);
    }
    if (status == SNPEMU_OK) {
        command_catch_signals();
        status = fuzz_workers_run(&command->fuzz, &command->options.error);
        if (status == SNPEMU_OK) {
            status = fuzz_cover(command, &command->options.error);
        }
        fuzz_report(&command->fuzz);
    }
    if (status != SNPEMU_OK) {
        exit_status = command_fail(status, &command->options.error);
    } else if (command->fuzz.crashes > 0) {
        exit_status = EXIT_INTERNAL;
    } else {
        exit_status = fuzz_finding_count(&command->fuzz.now.classes) > 0 ? EXIT_NOT_MET : EXIT_MET;
    }
    fuzz_release(command);
    free(command);
    return exit_status;
}
