/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One process goes from exit to exit with the honest host. Before each of them it forks a process
 * for each kind of fault, which goes on from there with a host that makes that fault: nothing is
 * run twice, and an emulator that crashes or hangs is one row's result.
 */
#include "sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ghcb/exit.h"
#include "progress.h"
#include "run.h"

#define JOBS_MAX 64
#define EXIT_MARGIN 10000 /* exits that a run may have beyond the honest one */

/* A host that notes which exit it is that has the given number. */
struct observer {
    struct host host; /* first: the two are cast into each other */
    struct host *inner;
    struct sweep_row *row;
};

static int observer_answer(struct host *host, struct hypervisor *hypervisor,
                           const struct exit *exit, struct reply *reply, struct error *error)
{
    struct observer *observer = (struct observer *)host;
    struct sweep_row *row = observer->row;

    if (exit->number == row->exit) {
        snprintf(row->name, sizeof(row->name), "%s", exit->name);
        row->vcpu = exit->vcpu;
        row->vmpl = exit->vmpl;
    }
    return observer->inner->answer(observer->inner, hypervisor, exit, reply, error);
}

static void observer_watch_fired(struct host *host, void *owner)
{
    struct observer *observer = (struct observer *)host;

    if (observer->inner->watch_fired) {
        observer->inner->watch_fired(observer->inner, owner);
    }
}

static bool observer_handles(struct host *host, const struct exit *exit)
{
    struct observer *observer = (struct observer *)host;

    return observer->inner->handles && observer->inner->handles(observer->inner, exit);
}

/* ---- one run, in a process of its own ---- */

struct job {
    pid_t pid; /* 0: none */
    int fd;
    struct sweep_row row;
};

static void job_go_on(const struct sweep *sweep, struct run *run, struct sweep_row *row)
{
    struct scenario faulty = *sweep->subject.scenario;
    char script[256], path[] = "sweep";
    struct host *host = NULL;
    struct observer observer = {
        .host = {.answer = observer_answer,
                 .watch_fired = observer_watch_fired,
                 .handles = observer_handles},
        .row = row,
    };
    struct error error;
    int status = SNPEMU_ERR_INTERNAL;

    error_set(&error, status, "the script of the fault is too long");
    if (sweep_script(script, sizeof(script), row->kind, row->exit)) {
        faulty.path = path;
        faulty.source = script;
        faulty.source_size_bytes = strlen(script);
        faulty.scripted = true;
        status = scenario_host(&faulty, &host, &error);
    }
    if (status == SNPEMU_OK) {
        observer.inner = host;
        run_set_host(run, &observer.host);
        status = run_to_end(run, &row->outcome, &error);
    }
    if (status != SNPEMU_OK) {
        row->failed = true;
        snprintf(row->why, sizeof(row->why), "%.150s", error.text);
    }
}

static _Noreturn void job_main(const struct sweep *sweep, struct run *run, struct job *job, int fd,
                               pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    signal(SIGALRM, SIG_DFL); /* which the parent takes for its progress */
    alarm((unsigned)sweep->seconds_max);
    job_go_on(sweep, run, &job->row);
    /* Less than a pipe holds: it never waits for the reader. */
    _exit(write(fd, &job->row, sizeof(job->row)) == (ssize_t)sizeof(job->row) ? 0 : 1);
}

static int job_start(const struct sweep *sweep, struct run *run, struct job *job,
                     struct error *error)
{
    pid_t parent = getpid();
    int fd[2];

    if (pipe2(fd, O_CLOEXEC) != 0) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "pipe: %s", strerror(errno));
    }
    fflush(NULL); /* what stands in a buffer would be written by both */
    job->pid = fork();
    if (job->pid < 0) {
        job->pid = 0;
        close(fd[0]);
        close(fd[1]);
        return error_set(error, SNPEMU_ERR_INTERNAL, "fork: %s; try a smaller -j", strerror(errno));
    }
    if (job->pid == 0) {
        job_main(sweep, run, job, fd[1], parent);
    }
    close(fd[1]);
    job->fd = fd[0];
    return SNPEMU_OK;
}

static bool job_read(struct job *job)
{
    struct sweep_row row;
    size_t have = 0;
    ssize_t got;

    while (have < sizeof(row) && (got = read(job->fd, (char *)&row + have, sizeof(row) - have))) {
        if (got < 0 && errno != EINTR) {
            return false;
        }
        have += got > 0 ? (size_t)got : 0;
    }
    if (have == sizeof(row)) {
        job->row = row;
    }
    return have == sizeof(row);
}

/* Wait for the job's end; its row is set then. */
static void job_end(const struct sweep *sweep, struct job *job)
{
    struct sweep_row *row = &job->row;
    bool whole = job_read(job);
    int state = 0;

    close(job->fd);
    while (waitpid(job->pid, &state, 0) < 0 && errno == EINTR) {
    }
    job->pid = 0;
    if (whole && WIFEXITED(state) && WEXITSTATUS(state) == 0) {
        return;
    }
    row->failed = true;
    if (WIFSIGNALED(state) && WTERMSIG(state) == SIGALRM) {
        snprintf(row->why, sizeof(row->why), "the emulator did not end within %u s",
                 (unsigned)sweep->seconds_max);
    } else if (WIFSIGNALED(state)) {
        snprintf(row->why, sizeof(row->why), "the emulator crashed: signal %d (%s)",
                 WTERMSIG(state), strsignal(WTERMSIG(state)));
    } else {
        snprintf(row->why, sizeof(row->why), "the emulator ended with status %d",
                 WEXITSTATUS(state));
    }
}

/* ---- all of them ---- */

/* A place for one more row; NULL when out of memory. */
static struct sweep_row *add_row(struct sweep *sweep)
{
    if (sweep->row_count == sweep->row_capacity) {
        size_t capacity = sweep->row_capacity ? 2 * sweep->row_capacity : 256;
        struct sweep_row *moved = realloc(sweep->row, capacity * sizeof(*moved));

        if (!moved) {
            return NULL;
        }
        sweep->row = moved;
        sweep->row_capacity = capacity;
    }
    return &sweep->row[sweep->row_count++];
}

/* The oldest job of the ring ends, and its row is kept: so rows come in order. */
static int take_job(struct sweep *sweep, struct job *job, struct error *error)
{
    struct sweep_row *row;

    job_end(sweep, job);
    row = add_row(sweep);
    if (!row) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for %zu rows", sweep->row_count);
    }
    *row = job->row;
    return SNPEMU_OK;
}

static int all_faults(struct sweep *sweep, struct run *run, struct job *ring, size_t *next,
                      struct progress *progress, struct error *error)
{
    uint64_t last = sweep->to < sweep->honest.exits ? sweep->to : sweep->honest.exits;
    int status = SNPEMU_OK;
    bool at_exit = true;

    for (uint64_t exit = sweep->from; status == SNPEMU_OK && exit <= sweep->to;) {
        uint64_t number = exit;

        if (progress_due(progress)) {
            progress_show(progress, "exit %" PRIu64 " of %" PRIu64, exit, last);
        }
        status = run_to_exit(run, &number, &at_exit, error);
        if (status != SNPEMU_OK || !at_exit) {
            break;
        }
        for (size_t kind = 0; status == SNPEMU_OK && kind < SWEEP_KINDS; kind++) {
            struct job *job = &ring[*next % sweep->jobs];

            if (job->pid) {
                status = take_job(sweep, job, error);
            }
            if (status == SNPEMU_OK) {
                memset(&job->row, 0, sizeof(job->row));
                job->row.kind = kind;
                job->row.exit = exit;
                status = job_start(sweep, run, job, error);
                *next += 1;
            }
        }
        exit = sweep->every > UINT64_MAX - exit ? UINT64_MAX : exit + sweep->every;
    }
    return status;
}

static int run_honest(struct sweep *sweep, struct host *host, struct error *error)
{
    const struct run_options options = {.firmware = sweep->subject.firmware};
    struct scenario *scenario = sweep->subject.scenario;
    struct run *run = NULL;
    int status = run_new(&run, scenario, sweep->subject.image, host, &options, error);

    if (status == SNPEMU_OK) {
        status = run_to_end(run, &sweep->honest, error);
    }
    run_free(run);
    scenario->budget = sweep->honest.instructions + sweep->margin_instructions;
    scenario->exit_budget = sweep->honest.exits + EXIT_MARGIN;
    return status;
}

int sweep_run(struct sweep *sweep, struct error *error)
{
    const struct run_options options = {.firmware = sweep->subject.firmware};
    struct job ring[JOBS_MAX] = {0};
    struct progress progress;
    struct host *host = host_honest_new();
    struct run *run = NULL;
    size_t next = 0;
    int status = SNPEMU_ERR_MEMORY;

    sweep->jobs = sweep->jobs < JOBS_MAX ? sweep->jobs : JOBS_MAX;
    if (!host) {
        return error_set(error, status, "out of memory");
    }
    progress_start(&progress);
    status = run_honest(sweep, host, error);
    if (status == SNPEMU_OK) {
        status =
            run_new(&run, sweep->subject.scenario, sweep->subject.image, host, &options, error);
    }
    if (status == SNPEMU_OK) {
        status = all_faults(sweep, run, ring, &next, &progress, error);
    }
    for (size_t i = 0; i < sweep->jobs; i++, next++) {
        struct job *job = &ring[next % sweep->jobs];

        if (job->pid && status != SNPEMU_OK) {
            job_end(sweep, job);
        } else if (job->pid) {
            status = take_job(sweep, job, error);
        }
    }
    progress_stop(&progress);
    run_free(run);
    host->free(host);
    return status;
}

void sweep_release(struct sweep *sweep)
{
    subject_close(&sweep->subject);
    free(sweep->row);
    sweep->row = NULL;
}
