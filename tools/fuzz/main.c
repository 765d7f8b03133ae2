/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu-fuzz-guest: seeded hostile guests for a number of runs or of seconds, or input files
 * again. The inputs run in a child process, so that one that ends it is named, kept, and stepped
 * over.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "guest.h"

#define HANG_SECONDS 120 /* for one input; what faults at each step takes seconds, sanitized */
#define FAILURES_MAX 20
#define KEPT_INPUTS 256 /* machines are made anew at each multiple of it */
#define RUNS_DEFAULT 1000

struct options {
    uint64_t seed, first, runs;
    unsigned seconds; /* 0: no limit */
    const char *keep; /* directory for inputs that fail */
    bool keep_all;    /* write every input there, and run none */
};

static void usage(FILE *out)
{
    fputs(
        "usage: snpemu-fuzz-guest [--seed N] [--first N] [--runs N | --seconds N] [--keep DIR]\n"
        "       snpemu-fuzz-guest --write DIR [--seed N] [--first N] [--runs N]\n"
        "       snpemu-fuzz-guest FILE...\n"
        "\n"
        "Runs random hostile guests against the honest hypervisor. Each has to end as an outcome,\n"
        "and the same way each time. An input that fails is written to DIR (default: here) as\n"
        "guest-SEED-NUMBER; given as FILE, it runs again with its trace shown.\n"
        "\n"
        "  --seed N      of the inputs (default 1)\n"
        "  --first N     number of the first input (default 0)\n"
        "  --runs N      how many inputs (default 1000)\n"
        "  --seconds N   as many inputs as fit into that time\n"
        "  --kept 1      keep machines and bring them back to their launch for each input\n"
        "  --write DIR   write the inputs, as a corpus, instead of running them\n",
        out);
}

/* ---- files ---- */

static int write_input(const char *directory, uint64_t seed, uint64_t number)
{
    uint8_t data[GUEST_INPUT_MAX];
    size_t size = guest_generate(seed, number, data, sizeof(data));
    char path[4096];
    FILE *file;
    int status;

    snprintf(path, sizeof(path), "%s/guest-%" PRIu64 "-%" PRIu64, directory, seed, number);
    file = fopen(path, "wb");
    status = !file || fwrite(data, 1, size, file) != size;
    if (file && fclose(file) != 0) {
        status = 1;
    }
    if (status) {
        fprintf(stderr, "snpemu-fuzz-guest: %s: %s\n", path, strerror(errno));
    }
    return status;
}

static int replay(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (!file) {
        fprintf(stderr, "snpemu-fuzz-guest: %s: %s\n", path, strerror(errno));
        return 2;
    }
    size = fread(data, 1, sizeof(data), file);
    fclose(file);
    fuzz_guest_show(data, size, stdout);
    return 0;
}

/* ---- parent and child ---- */

/* What the child tells: which input runs, or will next. */
struct progress {
    volatile uint64_t number;
};

static _Noreturn void child(const struct options *options, struct progress *progress, double end)
{
    uint8_t data[GUEST_INPUT_MAX];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (progress->number - options->first < options->runs && clock_seconds() < end) {
        size_t size = guest_generate(options->seed, progress->number, data, sizeof(data));

        if (progress->number % KEPT_INPUTS == 0) {
            fuzz_guest_forget();
        }
        fuzz_guest(data, size);
        progress->number++;
    }
    exit(EXIT_SUCCESS);
}

/* Wait for the child; one that does not come on is killed. Returns its wait status. */
static int wait_for(pid_t pid, const struct progress *progress)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    uint64_t seen = progress->number;
    double since = clock_seconds();
    int status = 0;

    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (progress->number != seen) {
            seen = progress->number;
            since = clock_seconds();
        } else if (clock_seconds() - since > HANG_SECONDS) {
            fprintf(stderr, "input %" PRIu64 " does not end\n", seen);
            kill(pid, SIGKILL);
        }
        nanosleep(&pause, NULL);
    }
    return status;
}

/* The inputs that ran in the same machines as the failed one may have had a part in it. */
static void report(const struct options *options, uint64_t first, uint64_t failed)
{
    uint64_t machines = failed - failed % KEPT_INPUTS;

    fprintf(stderr, "FAILED: seed %" PRIu64 " input %" PRIu64 "\n", options->seed, failed);
    if (fuzz_guest_keeps) {
        first = first > machines ? first : machines;
        fprintf(stderr,
                "with those before it in its machines: --kept 1 --seed %" PRIu64 " --first %" PRIu64
                " --runs %" PRIu64 "\n",
                options->seed, first, failed - first + 1);
    }
    write_input(options->keep, options->seed, failed);
}

static int run_inputs(const struct options *options)
{
    struct progress *progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    double end = options->seconds ? clock_seconds() + options->seconds : 1e300;
    unsigned failures = 0;
    int status = 1;

    if (progress == MAP_FAILED) {
        perror("snpemu-fuzz-guest");
        return 2;
    }
    progress->number = options->first;
    while (status != 0 && failures < FAILURES_MAX) {
        uint64_t first = progress->number;
        pid_t pid = fork();

        if (pid < 0) {
            perror("snpemu-fuzz-guest");
            return 2;
        }
        if (pid == 0) {
            child(options, progress, end);
        }
        status = wait_for(pid, progress);
        if (status != 0) {
            report(options, first, progress->number);
            progress->number++;
            failures++;
        }
    }
    printf("seed %" PRIu64 ": %" PRIu64 " inputs, %u failed\n", options->seed,
           progress->number - options->first, failures);
    munmap(progress, sizeof(*progress));
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int write_inputs(const struct options *options)
{
    int status = 0;

    for (uint64_t i = 0; i < options->runs && status == 0; i++) {
        status = write_input(options->keep, options->seed, options->first + i);
    }
    return status;
}

static bool read_number(const char *text, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(text, &end, 0);
    return errno == 0 && *text >= '0' && *text <= '9' && *end == '\0';
}

/* One option and its value; false when there is no such. */
static bool read_option(struct options *options, const char *name, const char *value)
{
    uint64_t number = 0;

    if (strcmp(name, "--keep") == 0 || strcmp(name, "--write") == 0) {
        options->keep = value;
        options->keep_all = name[2] == 'w';
        return true;
    }
    if (!read_number(value, &number)) {
        return false;
    }
    if (strcmp(name, "--kept") == 0) {
        fuzz_guest_keeps = number == 1;
        return number <= 1;
    }
    if (strcmp(name, "--seconds") == 0) {
        options->seconds = (unsigned)number;
        options->runs = UINT64_MAX;
        return number > 0 && number < 1000000;
    }
    if (strcmp(name, "--seed") == 0) {
        options->seed = number;
    } else if (strcmp(name, "--first") == 0) {
        options->first = number;
    } else if (strcmp(name, "--runs") == 0) {
        options->runs = number;
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {.seed = 1, .runs = RUNS_DEFAULT, .keep = "."};
    int at = 1, status = 0;

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
    if (at == argc && !options.keep_all && !guest_regressions()) {
        return EXIT_FAILURE;
    }
    fuzz_guest_forget();
    if (at == argc) {
        return options.keep_all ? write_inputs(&options) : run_inputs(&options);
    }
    for (; at < argc && status == 0; at++) {
        status = replay(argv[at]);
    }
    return status;
}
