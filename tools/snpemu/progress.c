/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "progress.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"

#define PLAIN_TICKS 10 /* seconds between two lines where no terminal is */
#define COLUMNS_DEFAULT 80
#define LINE_SIZE 512

/* What the signal's handler shares with the rest. */
static volatile sig_atomic_t ticked;
static volatile sig_atomic_t blind_seconds;
static const char *volatile blind_what; /* NULL: somebody asks */

static size_t append(char *line, size_t length, size_t size, const char *text)
{
    while (*text && length < size) {
        line[length++] = *text++;
    }
    return length;
}

/* Only what is allowed in a signal's handler. */
static void write_blind(int seconds, const char *what)
{
    bool terminal = isatty(STDERR_FILENO);
    char line[128], digits[16] = "";
    size_t at = sizeof(digits) - 1, length = 0;

    if (!terminal && seconds % PLAIN_TICKS != 0) {
        return;
    }
    do {
        digits[--at] = (char)('0' + seconds % 10);
        seconds /= 10;
    } while (seconds > 0 && at > 0);
    length = append(line, length, sizeof(line), terminal ? "\r[" : "[");
    length = append(line, length, sizeof(line), digits + at);
    length = append(line, length, sizeof(line), " s] ");
    length = append(line, length, sizeof(line), what);
    length = append(line, length, sizeof(line), terminal ? "\033[K" : "\n");
    if (write(STDERR_FILENO, line, length) < 0) {
        return; /* nobody reads it */
    }
}

static void tick(int number)
{
    int saved = errno;
    const char *what = blind_what;

    (void)number;
    ticked = 1;
    if (what) {
        blind_seconds = blind_seconds + 1;
        write_blind(blind_seconds, what);
    }
    errno = saved;
}

static void set_timer(long seconds)
{
    const struct itimerval timer = {.it_interval.tv_sec = seconds, .it_value.tv_sec = seconds};

    setitimer(ITIMER_REAL, &timer, NULL);
}

void progress_start(struct progress *progress)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};

    *progress = (struct progress){
        .on = true,
        .terminal = isatty(STDERR_FILENO),
        .started = clock_seconds(),
    };
    ticked = 0;
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    set_timer(1);
}

void progress_start_blind(struct progress *progress, const char *what)
{
    blind_seconds = 0;
    blind_what = what;
    progress_start(progress);
    progress->shown = progress->terminal;
}

void progress_stop(struct progress *progress)
{
    if (progress->on) {
        set_timer(0);
        signal(SIGALRM, SIG_DFL);
        blind_what = NULL;
        progress_clear(progress);
        progress->on = false;
    }
}

bool progress_due(struct progress *progress)
{
    if (!ticked || !progress->on) {
        return false;
    }
    ticked = 0;
    progress->passed++;
    if (!progress->terminal && progress->passed < PLAIN_TICKS) {
        return false;
    }
    progress->passed = 0;
    return true;
}

static int columns(void)
{
    struct winsize window;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0 ? window.ws_col
                                                                               : COLUMNS_DEFAULT;
}

void progress_show(struct progress *progress, const char *format, ...)
{
    char line[LINE_SIZE];
    size_t used =
        (size_t)snprintf(line, sizeof(line), "[%.0f s] ", clock_seconds() - progress->started);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line + used, sizeof(line) - used, format, arguments);
    va_end(arguments);
    if (progress->terminal) {
        fprintf(stderr, "\r%.*s\033[K", columns() - 1, line);
        progress->shown = true;
    } else {
        fprintf(stderr, "%s\n", line);
    }
    fflush(stderr);
}

void progress_clear(struct progress *progress)
{
    if (progress->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        progress->shown = false;
    }
}
