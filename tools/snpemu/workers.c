/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "command.h"
#include "file.h"

#define ANSWER_SIZE_MAX ((size_t)64 << 20)
#define WORKERS_MAX 256
#define POLL_MILLISECONDS 500

/* What a worker sends first; details and coverage follow. */
struct answer_head {
    uint32_t result;
    uint64_t details_size_bytes, coverage_size_bytes;
    char outcome[sizeof(((struct fixture_report *)0)->outcome)];
    char why[sizeof(((struct fixture_report *)0)->why)];
};

static _Noreturn void worker_main(const struct job *job, const struct fixture_options *options,
                                  int fd, pid_t parent)
{
    struct fixture_report report;
    struct answer_head head = {0};
    bool sent;

    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    /* Do not outlive the parent, however it ends. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_INTERNAL);
    }
    fixture_check(job->path, job->name, options, &report);
    head.result = report.result;
    memcpy(head.outcome, report.outcome, sizeof(head.outcome));
    memcpy(head.why, report.why, sizeof(head.why));
    head.details_size_bytes = report.details ? strlen(report.details) : 0;
    head.coverage_size_bytes = report.coverage ? report.coverage_size_bytes : 0;
    sent = file_write_fd(fd, &head, sizeof(head)) &&
           file_write_fd(fd, report.details, head.details_size_bytes) &&
           file_write_fd(fd, report.coverage, head.coverage_size_bytes);
    fixture_report_release(&report);
    _exit(sent ? EXIT_MET : EXIT_INTERNAL);
}

static int job_start(struct job *job, const struct fixture_options *options, struct error *error)
{
    pid_t parent = getpid();
    int fd[2];

    if (pipe2(fd, O_CLOEXEC) != 0) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "pipe: %s", strerror(errno));
    }
    /* What stands in a buffer would be written by both. */
    fflush(NULL);
    job->started = clock_seconds();
    job->pid = fork();
    if (job->pid < 0) {
        close(fd[0]);
        close(fd[1]);
        job->pid = 0;
        return error_set(error, SNPEMU_ERR_INTERNAL, "fork: %s; try a smaller -j", strerror(errno));
    }
    if (job->pid == 0) {
        close(fd[0]);
        worker_main(job, options, fd[1], parent);
    }
    close(fd[1]);
    job->fd = fd[0];
    return SNPEMU_OK;
}

/* Take what has come; false at the end of the pipe. */
static bool job_read(struct job *job)
{
    char bytes[16384];
    ssize_t got = read(job->fd, bytes, sizeof(bytes));

    if (got < 0) {
        return errno == EINTR;
    }
    if (got > 0 && job->answer_size_bytes + (size_t)got <= ANSWER_SIZE_MAX) {
        char *longer = realloc(job->answer, job->answer_size_bytes + (size_t)got + 1);

        if (longer) {
            job->answer = longer;
            memcpy(job->answer + job->answer_size_bytes, bytes, (size_t)got);
            job->answer_size_bytes += (size_t)got;
            job->answer[job->answer_size_bytes] = '\0';
        }
    }
    return got > 0;
}

/* The worker ended without an answer. */
static void job_crashed(struct job *job, const struct fixture_options *options, int state)
{
    struct fixture_report *report = &job->report;
    struct error error;

    report->result = FIXTURE_INTERNAL;
    if (WIFSIGNALED(state)) {
        snprintf(report->why, sizeof(report->why), "the emulator crashed: signal %d (%s)",
                 WTERMSIG(state), strsignal(WTERMSIG(state)));
    } else {
        snprintf(report->why, sizeof(report->why), "the emulator ended with status %d",
                 WEXITSTATUS(state));
    }
    if (options->out &&
        fixture_keep(options->out, job->path, job->name, NULL, 0, report, &error) != SNPEMU_OK) {
        fprintf(stderr, "snpemu: %s\n", error.text);
    }
}

/* What follows the head, and no less. */
static bool job_take(struct job *job, const struct answer_head *head)
{
    struct fixture_report *report = &job->report;
    size_t left = job->answer_size_bytes - sizeof(*head);
    const char *rest = job->answer + sizeof(*head);

    if (head->details_size_bytes > left ||
        head->coverage_size_bytes != left - head->details_size_bytes) {
        return false;
    }
    report->details = strndup(rest, head->details_size_bytes);
    report->coverage_size_bytes = head->coverage_size_bytes;
    report->coverage = head->coverage_size_bytes ? malloc(head->coverage_size_bytes) : NULL;
    if (report->coverage) {
        memcpy(report->coverage, rest + head->details_size_bytes, head->coverage_size_bytes);
    }
    return report->details && (report->coverage || !head->coverage_size_bytes);
}

static void job_end(struct job *job, const struct fixture_options *options)
{
    struct answer_head head;
    int state = 0;

    close(job->fd);
    while (waitpid(job->pid, &state, 0) < 0 && errno == EINTR) {
    }
    job->pid = 0;
    job->done = true;
    job->seconds = clock_seconds() - job->started;
    if (job->answer_size_bytes >= sizeof(head)) {
        memcpy(&head, job->answer, sizeof(head));
    }
    if (WIFEXITED(state) && WEXITSTATUS(state) == EXIT_MET &&
        job->answer_size_bytes >= sizeof(head) && job_take(job, &head)) {
        job->report.result = (enum fixture_result)head.result;
        memcpy(job->report.outcome, head.outcome, sizeof(head.outcome));
        memcpy(job->report.why, head.why, sizeof(head.why));
    } else {
        job_crashed(job, options, state);
    }
    free(job->answer);
    job->answer = NULL;
}

static void stop_all(const struct workers *workers)
{
    for (size_t i = 0; i < workers->job_count; i++) {
        struct job *job = &workers->job[i];

        if (job->pid > 0) {
            kill(job->pid, SIGKILL);
            close(job->fd);
            waitpid(job->pid, NULL, 0);
            free(job->answer);
            job->answer = NULL;
            job->pid = 0;
        }
    }
}

/* Wait for one of the running jobs and take what it sends. */
static void wait_and_read(const struct workers *workers, struct job *const *running, size_t count)
{
    struct pollfd poll_fd[WORKERS_MAX];

    for (size_t i = 0; i < count; i++) {
        poll_fd[i] = (struct pollfd){.fd = running[i]->fd, .events = POLLIN};
    }
    if (poll(poll_fd, count, POLL_MILLISECONDS) <= 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (poll_fd[i].revents && !job_read(running[i])) {
            job_end(running[i], workers->options);
        }
    }
}

int workers_run(const struct workers *workers, struct error *error)
{
    size_t max = workers->max_workers < WORKERS_MAX ? workers->max_workers : WORKERS_MAX;
    size_t next = 0, told = 0, done = 0;
    struct job *running[WORKERS_MAX];
    size_t running_count = 0;

    while (told < workers->job_count && !command_interrupted()) {
        while (running_count < max && next < workers->job_count) {
            int status = job_start(&workers->job[next], workers->options, error);

            if (status != SNPEMU_OK) {
                stop_all(workers);
                return status;
            }
            running[running_count++] = &workers->job[next++];
        }
        workers->progress(workers->context, done, running_count > 0 ? running[0] : NULL);
        wait_and_read(workers, running, running_count);
        for (size_t i = 0; i < running_count;) {
            if (running[i]->done) {
                done++;
                memmove(&running[i], &running[i + 1], (running_count - i - 1) * sizeof(running[0]));
                running_count--;
            } else {
                i++;
            }
        }
        while (told < workers->job_count && workers->job[told].done) {
            workers->finished(workers->context, &workers->job[told++]);
        }
    }
    stop_all(workers);
    return SNPEMU_OK;
}
