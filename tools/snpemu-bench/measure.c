/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

double measure_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

double measure_wall_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

void sample_add(struct sample *sample, double value)
{
    if (sample->count < SAMPLE_MAX) {
        sample->value[sample->count++] = value;
    }
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double sample_median(const struct sample *sample)
{
    struct sample sorted = *sample;
    size_t half = sample->count / 2;

    if (sample->count == 0) {
        return 0;
    }
    qsort(sorted.value, sorted.count, sizeof(sorted.value[0]), compare_double);
    return sample->count % 2 ? sorted.value[half]
                             : (sorted.value[half - 1] + sorted.value[half]) / 2;
}

double sample_ratio(const struct sample *a, const struct sample *b)
{
    struct sample ratio = {0};

    for (size_t i = 0; i < a->count && i < b->count; i++) {
        if (b->value[i] > 0) {
            sample_add(&ratio, a->value[i] / b->value[i]);
        }
    }
    return sample_median(&ratio);
}

static bool transfer(int fd, void *bytes, size_t size, bool writing)
{
    uint8_t *at = bytes;

    while (size > 0) {
        ssize_t done = writing ? write(fd, at, size) : read(fd, at, size);

        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return false;
        }
        at += done;
        size -= (size_t)done;
    }
    return true;
}

struct child_end {
    int status;
    struct error error;
};

_Noreturn static void child_main(int fd, measure_work *work, const void *task, void *result,
                                 size_t result_size)
{
    struct child_end end = {0};

    end.status = work(task, result, &end.error);
    _exit(transfer(fd, &end, sizeof(end), true) && transfer(fd, result, result_size, true) ? 0 : 1);
}

static int wait_for(pid_t pid, struct rusage *usage)
{
    int status;

    while (wait4(pid, &status, 0, usage) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return status;
}

int measure_in_child(measure_work *work, const void *task, void *result, size_t result_size,
                     long *peak_kib, struct error *error)
{
    struct child_end end = {0};
    struct rusage usage = {0};
    int fd[2];
    bool whole;
    pid_t pid;

    if (pipe2(fd, O_CLOEXEC) != 0) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "pipe: %s", strerror(errno));
    }
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        close(fd[0]);
        child_main(fd[1], work, task, result, result_size);
    }
    close(fd[1]);
    if (pid < 0) {
        close(fd[0]);
        return error_set(error, SNPEMU_ERR_INTERNAL, "fork: %s", strerror(errno));
    }
    whole =
        transfer(fd[0], &end, sizeof(end), false) && transfer(fd[0], result, result_size, false);
    close(fd[0]);
    if (wait_for(pid, &usage) != 0 || !whole) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "a measuring process died");
    }
    if (peak_kib) {
        *peak_kib = usage.ru_maxrss;
    }
    *error = end.error;
    return end.status;
}

int measure_command(char *const argv[], struct command_cost *cost, struct error *error)
{
    struct rusage usage = {0};
    double start = measure_wall_ns();
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (null >= 0 && dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0) {
            execv(argv[0], argv);
        }
        _exit(127);
    }
    if (pid < 0) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "fork: %s", strerror(errno));
    }
    if (wait_for(pid, &usage) != 0) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "%.200s does not run to a good end", argv[0]);
    }
    cost->wall_ns = measure_wall_ns() - start;
    cost->cpu_ns = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
    cost->peak_kib = usage.ru_maxrss;
    return 0;
}
