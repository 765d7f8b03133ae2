/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "aside.h"
#include "command.h"
#include "fingerprint.h"
#include "fuzz.h"

#define RESTARTS_MAX 100           /* of all workers in a session, */
#define RESTARTS_IN_VAIN 5         /* and of one that dies before it has made a run */
#define GRACE_SECONDS 10           /* for the run that a worker is at, or the finding it writes */
#define SAVE_SECONDS 5             /* between two writings of the state */
#define WAIT_NANOSECONDS 100000000 /* between two looks, when nothing happens */

double fuzz_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void fuzz_say(struct fuzz *fuzz, const char *format, ...)
{
    va_list arguments;

    fuzz_status_clear(fuzz);
    fputs("snpemu: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* ---- a worker ---- */

static _Noreturn void worker_main(struct fuzz *fuzz, const struct fuzz_worker *worker, pid_t parent)
{
    struct error error = {0};
    int status;

    /* The supervisor tells it when to stop. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    /* Do not outlive the supervisor, however it ends. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_INTERNAL);
    }
    status = campaign_run(fuzz->stage, worker->box, &worker->options, &error);
    worker->box->status = status;
    memcpy(worker->box->why, error.text, sizeof(worker->box->why));
    _exit(status == SNPEMU_OK ? EXIT_MET : EXIT_INTERNAL);
}

static int worker_start(struct fuzz *fuzz, struct fuzz_worker *worker, struct error *error)
{
    pid_t parent = getpid(), pid;

    /* What stands in a buffer would be written by both. */
    fflush(NULL);
    worker->box->status = SNPEMU_OK;
    pid = fork();
    if (pid < 0) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "fork: %s; try a smaller -j", strerror(errno));
    }
    if (pid == 0) {
        worker_main(fuzz, worker, parent);
    }
    worker->pid = pid;
    return SNPEMU_OK;
}

/* ---- one that died ---- */

/* The input that it was at, and in words what happened: DIR/emulator/NAME.input and .txt. */
static int keep_crash(struct fuzz *fuzz, const struct fuzz_worker *worker, const char *why,
                      struct error *error)
{
    const struct stage_box *box = &worker->box->input;
    uint32_t size = box->size_bytes < BYTES_INPUT_MAX ? box->size_bytes : BYTES_INPUT_MAX;
    char name[FINGERPRINT_SIZE], path[4096], text[1024];
    int status = fingerprint(box->input, size, name, error);

    snprintf(path, sizeof(path), "%.*s/emulator", (int)sizeof(path) - 64, fuzz->dir);
    if (status == SNPEMU_OK && mkdir(path, 0777) != 0 && errno != EEXIST) {
        status = error_set(error, SNPEMU_ERR_IO, "%s: cannot be made: %s", path, strerror(errno));
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    snprintf(text, sizeof(text), "%s, %" PRIu32 " CPUs, at exit %" PRIu64 ": %s\n",
             fuzz->subject.image->name, fuzz->subject.scenario->cpus, stage_first_exit(fuzz->stage),
             why);
    snprintf(path, sizeof(path), "%.*s/emulator/%s.txt", (int)sizeof(path) - 64, fuzz->dir, name);
    status = aside_write(path, text, strlen(text), error);
    if (status == SNPEMU_OK) {
        snprintf(path, sizeof(path), "%.*s/emulator/%s.input", (int)sizeof(path) - 64, fuzz->dir,
                 name);
        status = aside_write(path, (const char *)box->input, size, error);
    }
    if (status == SNPEMU_OK) {
        fuzz->crashes++;
        fuzz_say(fuzz, "the emulator failed: %s; what it was at is in %s", why, path);
    }
    return status;
}

/* It ended without being told to. 0 when it may start again. */
static int worker_died(struct fuzz *fuzz, const struct fuzz_worker *worker, int state,
                       struct error *error)
{
    const struct campaign_box *box = worker->box;
    char why[600];

    if (WIFEXITED(state) && box->status != SNPEMU_OK && box->status != SNPEMU_ERR_INTERNAL) {
        return error_set(error, box->status, "%.500s", box->why);
    }
    if (WIFSIGNALED(state) && (WTERMSIG(state) == SIGKILL || WTERMSIG(state) == SIGTERM)) {
        fuzz_say(fuzz, "a worker was killed: signal %d (%s)%s", WTERMSIG(state),
                 strsignal(WTERMSIG(state)), fuzz->stopping > 0 ? "; its last run is lost" : "");
        return SNPEMU_OK;
    }
    if (WIFSIGNALED(state)) {
        snprintf(why, sizeof(why), "signal %d (%s)", WTERMSIG(state), strsignal(WTERMSIG(state)));
    } else if (box->status == SNPEMU_ERR_INTERNAL) {
        snprintf(why, sizeof(why), "%.*s", (int)sizeof(box->why), box->why);
    } else {
        snprintf(why, sizeof(why), "it ended with status %d", WEXITSTATUS(state));
    }
    return keep_crash(fuzz, worker, why, error);
}

static int worker_ended(struct fuzz *fuzz, struct fuzz_worker *worker, int state,
                        struct error *error)
{
    int status;

    worker->pid = 0;
    if (WIFEXITED(state) && WEXITSTATUS(state) == EXIT_MET) {
        return SNPEMU_OK;
    }
    status = worker_died(fuzz, worker, state, error);
    if (status != SNPEMU_OK || fuzz->stopping > 0) {
        return status;
    }
    worker->died = worker->died_at == atomic_load(&worker->box->runs) ? worker->died + 1 : 1;
    worker->died_at = atomic_load(&worker->box->runs);
    if (fuzz->restarts == RESTARTS_MAX || worker->died > RESTARTS_IN_VAIN) {
        return error_set(error, SNPEMU_ERR_INTERNAL,
                         "%s/emulator: workers die of these inputs again and again, %zu times; "
                         "please report them",
                         fuzz->dir, fuzz->restarts + 1);
    }
    fuzz->restarts++;
    return worker_start(fuzz, worker, error);
}

/* ---- all of them ---- */

static size_t count_running(const struct fuzz *fuzz)
{
    size_t running = 0;

    for (size_t i = 0; i < fuzz->worker_count; i++) {
        running += fuzz->worker[i].pid > 0;
    }
    return running;
}

static int reap(struct fuzz *fuzz, struct error *error)
{
    int status = SNPEMU_OK;

    for (size_t i = 0; status == SNPEMU_OK && i < fuzz->worker_count; i++) {
        struct fuzz_worker *worker = &fuzz->worker[i];
        int state;

        if (worker->pid > 0 && waitpid(worker->pid, &state, WNOHANG) == worker->pid) {
            status = worker_ended(fuzz, worker, state, error);
        }
    }
    return status;
}

static void stop_all(struct fuzz *fuzz)
{
    if (fuzz->stopping > 0) {
        return;
    }
    fuzz->stopping = fuzz_clock();
    for (size_t i = 0; i < fuzz->worker_count; i++) {
        atomic_store(&fuzz->worker[i].box->stop, 1);
    }
}

static void kill_all(const struct fuzz *fuzz)
{
    for (size_t i = 0; i < fuzz->worker_count; i++) {
        if (fuzz->worker[i].pid > 0) {
            kill(fuzz->worker[i].pid, SIGKILL);
        }
    }
}

/* Until a worker ends, a signal comes, or some time has passed. */
static void wait_a_moment(const sigset_t *child)
{
    const struct timespec moment = {.tv_nsec = WAIT_NANOSECONDS};

    sigtimedwait(child, NULL, &moment);
}

static int supervise(struct fuzz *fuzz, const sigset_t *child, struct error *error)
{
    double saved = fuzz->started;
    int status = SNPEMU_OK;

    while (count_running(fuzz) > 0) {
        struct error later;
        double now;
        int here;

        wait_a_moment(child);
        here = reap(fuzz, status == SNPEMU_OK ? error : &later);
        now = fuzz_clock();
        if (here == SNPEMU_OK && now >= saved + SAVE_SECONDS) {
            saved = now;
            here = fuzz_state_write(fuzz, status == SNPEMU_OK ? error : &later);
        }
        status = status == SNPEMU_OK ? here : status;
        if (status != SNPEMU_OK || command_interrupted() ||
            (fuzz->seconds_max > 0 && now >= fuzz->started + (double)fuzz->seconds_max)) {
            stop_all(fuzz);
        }
        if (fuzz->stopping > 0 && now > fuzz->stopping + GRACE_SECONDS) {
            kill_all(fuzz);
        }
        fuzz_status(fuzz);
    }
    return status;
}

int fuzz_workers_run(struct fuzz *fuzz, struct error *error)
{
    sigset_t child, old;
    struct error later;
    int status = SNPEMU_OK, written;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &old);
    fuzz->started = fuzz->shown = fuzz_clock();
    for (size_t i = 0; status == SNPEMU_OK && i < fuzz->worker_count; i++) {
        status = worker_start(fuzz, &fuzz->worker[i], error);
    }
    if (status != SNPEMU_OK) {
        kill_all(fuzz);
        stop_all(fuzz);
    }
    if (status == SNPEMU_OK) {
        status = supervise(fuzz, &child, error);
    } else {
        supervise(fuzz, &child, &later);
    }
    fuzz_status_clear(fuzz);
    written = fuzz_state_write(fuzz, status == SNPEMU_OK ? error : &later);
    sigprocmask(SIG_SETMASK, &old, NULL);
    return status == SNPEMU_OK ? written : status;
}
