/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fixture.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aside.h"
#include "check/oracle.h"
#include "command.h"
#include "file.h"
#include "pass.h"
#include "subject.h"
#include "trace/diff.h"

#define DIFF_LINES_KEPT 20000
#define GOLDEN_SIZE_MAX ((size_t)256 << 20)

extern char **environ;

struct check {
    const char *path, *name;
    const struct fixture_options *options;
    struct fixture_report *report;
    FILE *details;
    struct subject subject;
    struct pass pass;   /* the first run */
    pid_t replay;       /* the second process; 0: none */
    int replay_fd;      /* -1: none */
    struct blocks *ran; /* of the first run; NULL: nobody asks */
};

static void report_problem(struct check *check, enum fixture_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void report_problem(struct check *check, enum fixture_result result, const char *format, ...)
{
    struct fixture_report *report = check->report;
    char text[sizeof(report->why)];
    struct error error;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    error_set(&error, SNPEMU_OK, "%s", text);
    fprintf(check->details, "%s\n", error.text);
    if (!report->why[0]) {
        snprintf(report->why, sizeof(report->why), "%s", error.text);
    }
    report->result = result > report->result ? result : report->result;
}

static void report_error(struct check *check, int status, const struct error *error)
{
    report_problem(check, command_status(status) == EXIT_INPUT ? FIXTURE_INPUT : FIXTURE_INTERNAL,
                   "%s", error->text);
}

/* Report a difference as one problem; false when there is one. */
static bool compare(struct check *check, enum fixture_result result, const char *problem,
                    const struct diff_side *from, const struct diff_side *to)
{
    char *diff = NULL;

    if (from->size_bytes == to->size_bytes && memcmp(from->text, to->text, to->size_bytes) == 0) {
        return true;
    }
    report_problem(check, result, "%s", problem);
    if (diff_unified(from, to, DIFF_LINES_KEPT, &diff) == SNPEMU_OK) {
        fputs(diff, check->details);
    }
    free(diff);
    return false;
}

static struct diff_side first_run(const struct check *check)
{
    struct diff_side side = {.name = "first run"};

    side.text = text_trace_text(check->pass.full, &side.size_bytes);
    return side;
}

/* The second process starts anew from the file, with an address space of its own. */
static void replay_start(struct check *check)
{
    char option[64];
    char *argv[] = {(char *)"snpemu", (char *)"test",      option,
                    (char *)"--",     (char *)check->path, NULL};
    int failed;

    check->replay_fd = memfd_create("snpemu-replay", 0);
    if (check->replay_fd < 0) {
        report_problem(check, FIXTURE_INTERNAL, "second process: %s", strerror(errno));
        return;
    }
    snprintf(option, sizeof(option), "--" FIXTURE_OPTION_REPLAY "=%d", check->replay_fd);
    failed = posix_spawn(&check->replay, "/proc/self/exe", NULL, NULL, argv, environ);
    if (failed) {
        check->replay = 0;
        report_problem(check, FIXTURE_INTERNAL, "second process: %s", strerror(failed));
    }
}

static void replay_compare(struct check *check)
{
    struct diff_side from = first_run(check), to = {.name = "second process"};
    char *text = NULL;
    struct error error;
    int state = 0, status;

    if (check->replay == 0) {
        return; /* has been reported */
    }
    while (waitpid(check->replay, &state, 0) < 0 && errno == EINTR) {
    }
    check->replay = 0;
    status = file_read_fd(check->replay_fd, "second process", TEXT_TRACE_MAX, &text, &to.size_bytes,
                          &error);
    if (status != SNPEMU_OK) {
        report_error(check, status, &error);
    } else if (WIFSIGNALED(state)) {
        report_problem(check, FIXTURE_INTERNAL, "second process: ended by signal %d (%s)",
                       WTERMSIG(state), strsignal(WTERMSIG(state)));
    } else if (!WIFEXITED(state) || WEXITSTATUS(state) != EXIT_MET) {
        report_problem(check, FIXTURE_INTERNAL, "second process: status %d: %.300s",
                       WEXITSTATUS(state), text);
    } else {
        to.text = text;
        compare(check, FIXTURE_INTERNAL,
                "not deterministic: a second process gives another full trace", &from, &to);
    }
    free(text);
}

static void replay_release(struct check *check)
{
    if (check->replay > 0) {
        kill(check->replay, SIGKILL);
        waitpid(check->replay, NULL, 0);
    }
    if (check->replay_fd >= 0) {
        close(check->replay_fd);
    }
}

static void restored_compare(struct check *check)
{
    struct diff_side from = first_run(check);
    struct diff_side kept = {.name = "with a snapshot taken"}, to = {.name = "restored"};
    struct pass pass;
    struct error error;
    char *first;
    int status = pass_restored(&pass, &check->subject, &check->pass, check->pass.outcome.exits,
                               &first, &kept.size_bytes, &error);

    if (status != SNPEMU_OK) {
        report_error(check, status, &error);
        goto out;
    }
    kept.text = first;
    to.text = text_trace_text(pass.full, &to.size_bytes);
    if (compare(check, FIXTURE_INTERNAL,
                "not deterministic: taking a snapshot changes the full trace", &from, &kept)) {
        compare(check, FIXTURE_INTERNAL,
                "not deterministic: a restored snapshot gives another full trace", &from, &to);
    }
out:
    free(first);
    pass_release(&pass);
}

/* Oracles change nothing, and fast ones miss nothing. */
static void oracles_compare(struct check *check, uint32_t oracles)
{
    const struct pass *exact = &check->pass;
    struct pass pass;
    struct error error;
    int status = pass_fast(&pass, &check->subject, oracles, &error);

    if (status != SNPEMU_OK) {
        report_error(check, status, &error);
    } else if (memcmp(pass.digest, exact->digest, sizeof(pass.digest)) != 0 ||
               pass.outcome.kind != exact->outcome.kind) {
        report_problem(check, FIXTURE_INTERNAL, "%s oracles the run ends in another state",
                       oracles ? "with fast" : "without");
    } else if (oracles & exact->outcome.oracles & ~pass.outcome.oracles) {
        char missed[160];

        oracle_list(exact->outcome.oracles & ~pass.outcome.oracles, missed, sizeof(missed));
        report_problem(check, FIXTURE_INTERNAL, "fast oracles missed %s", missed);
    }
    pass_release(&pass);
}

static void expectation_check(struct check *check)
{
    struct pass *pass = &check->pass;
    enum verdict verdict = outcome_verdict(&pass->outcome);
    struct error error;
    char why[400];

    outcome_phrase(&pass->outcome, check->report->outcome, sizeof(check->report->outcome));
    if (!run_expected(pass->run, why, sizeof(why))) {
        report_problem(check, verdict == VERDICT_EMULATOR_BUG ? FIXTURE_INTERNAL : FIXTURE_FAILED,
                       "%s%s%s", why, pass->outcome.panic[0] ? "; panic: " : "",
                       pass->outcome.panic);
    }
    if (pass->host->finish && pass->host->finish(pass->host, &error) != SNPEMU_OK) {
        report_problem(check, FIXTURE_FAILED, "%s", error.text);
    }
}

/* "a/b.lua" and ".golden" give "a/b.golden". */
static int golden_path(const char *path, char **result, struct error *error)
{
    size_t length = strlen(path);

    if (length > 4 && strcmp(path + length - 4, ".lua") == 0) {
        length -= 4;
    }
    if (asprintf(result, "%.*s" FIXTURE_GOLDEN_SUFFIX, (int)length, path) < 0) {
        *result = NULL;
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    return SNPEMU_OK;
}

static void golden_accept(struct check *check, const char *path, const struct diff_side *from,
                          const struct diff_side *to)
{
    struct error error;
    char *diff = NULL;
    int status = aside_write(path, to->text, to->size_bytes, &error);

    if (status != SNPEMU_OK) {
        report_error(check, status, &error);
        return;
    }
    check->report->result = FIXTURE_ACCEPTED;
    if (from->size_bytes > 0 && diff_unified(from, to, DIFF_LINES_KEPT, &diff) == SNPEMU_OK) {
        fputs(diff, check->details);
    }
    free(diff);
}

static void golden_compare(struct check *check)
{
    struct diff_side from = {.text = "", .size_bytes = 0}, to = {.name = "this run"};
    char *path = NULL, *text = NULL;
    struct error error;
    bool missing;
    int status = golden_path(check->path, &path, &error);

    if (status != SNPEMU_OK) {
        report_error(check, status, &error);
        goto out;
    }
    from.name = path;
    status = text_trace_finish(check->pass.golden, &error);
    to.text = text_trace_text(check->pass.golden, &to.size_bytes);
    missing = access(path, F_OK) != 0 && errno == ENOENT;
    if (status == SNPEMU_OK && !missing) {
        status = file_read(path, GOLDEN_SIZE_MAX, &text, &from.size_bytes, &error);
        from.text = text;
    }
    if (status != SNPEMU_OK) {
        report_error(check, status, &error);
    } else if (!missing && from.size_bytes == to.size_bytes &&
               memcmp(from.text, to.text, to.size_bytes) == 0) {
        goto out;
    } else if (check->options->accept && check->report->result == FIXTURE_PASSED) {
        golden_accept(check, path, &from, &to);
    } else if (missing) {
        report_problem(check, FIXTURE_FAILED, "no golden trace %.200s; --accept writes it", path);
    } else {
        compare(check, FIXTURE_FAILED, "the golden trace differs", &from, &to);
    }
out:
    free(path);
    free(text);
}

/* Coverage of the first run, as the file that it would be alone. */
static void coverage_report(struct check *check)
{
    const struct subject *subject = &check->subject;
    struct fixture_report *report = check->report;
    struct coverage *coverage = NULL;
    FILE *file = NULL;
    struct error error;
    int status = coverage_new(&coverage, check->options->coverage_format, &error);

    if (status == SNPEMU_OK) {
        status = coverage_take(coverage, check->ran, subject->image,
                               subject->firmware ? subject->firmware->program : NULL, &error);
    }
    if (status == SNPEMU_OK) {
        file = open_memstream(&report->coverage, &report->coverage_size_bytes);
        status = file ? coverage_write(coverage, file, &error)
                      : error_set(&error, SNPEMU_ERR_MEMORY, "out of memory for coverage");
    }
    if (file && fclose(file) != 0 && status == SNPEMU_OK) {
        status = error_set(&error, SNPEMU_ERR_MEMORY, "out of memory for coverage");
    }
    if (status != SNPEMU_OK) {
        report_error(check, status, &error);
    }
    coverage_free(coverage);
}

/* All that is to be known of a fixture that can be run. */
static void check_runs(struct check *check)
{
    struct error error;
    int status;

    replay_start(check);
    check->ran = check->options->coverage ? blocks_new() : NULL;
    status = pass_begin(&check->pass, &check->subject, true, NULL, check->ran, &error);
    if (status == SNPEMU_OK) {
        status = pass_to_end(&check->pass, &error);
    }
    if (status != SNPEMU_OK) {
        report_error(check, status, &error);
        return;
    }
    if (check->ran) {
        coverage_report(check);
    }
    expectation_check(check);
    replay_compare(check);
    restored_compare(check);
    if (check->subject.scenario->oracles) {
        oracles_compare(check, check->subject.scenario->oracles & ~ORACLES_EXACT_ONLY);
        oracles_compare(check, ORACLES_NONE);
    }
    golden_compare(check);
}

void fixture_check(const char *path, const char *name, const struct fixture_options *options,
                   struct fixture_report *report)
{
    struct check check = {
        .path = path, .name = name, .options = options, .report = report, .replay_fd = -1};
    struct error error;
    size_t size;
    int status;

    memset(report, 0, sizeof(*report));
    check.details = open_memstream(&report->details, &size);
    if (!check.details) {
        report->result = FIXTURE_INTERNAL;
        snprintf(report->why, sizeof(report->why), "out of memory");
        return;
    }
    status = subject_open(&check.subject, path, NULL, &error);
    if (status != SNPEMU_OK) {
        report_error(&check, status, &error);
    } else if (!check.subject.scenario->expect.given) {
        report_problem(&check, FIXTURE_INPUT,
                       "%.300s: no 'expect': say how the run must end, such as expect = { outcome "
                       "= \"halted\" }",
                       path);
    } else {
        check_runs(&check);
    }
    replay_release(&check);
    fclose(check.details);
    if (options->out && report->result >= FIXTURE_FAILED) {
        struct diff_side trace = {.text = NULL};

        if (check.pass.full) {
            trace = first_run(&check);
        }
        if (fixture_keep(options->out, path, name, trace.text, trace.size_bytes, report, &error) !=
            SNPEMU_OK) {
            fprintf(stderr, "snpemu: %s\n", error.text);
        }
    }
    pass_release(&check.pass);
    blocks_free(check.ran);
    subject_close(&check.subject);
}

void fixture_report_release(struct fixture_report *report)
{
    free(report->coverage);
    report->coverage = NULL;
    free(report->details);
    report->details = NULL;
}

int fixture_replay(const char *path, int fd)
{
    struct subject subject;
    struct pass pass = {0};
    struct error error = {0};
    const char *text;
    size_t size;
    int status;

    /* Of no use without the process that asked. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    status = subject_open(&subject, path, NULL, &error);
    if (status == SNPEMU_OK) {
        status = pass_begin(&pass, &subject, false, NULL, NULL, &error);
    }
    if (status == SNPEMU_OK) {
        status = pass_to_end(&pass, &error);
    }
    text = status == SNPEMU_OK ? text_trace_text(pass.full, &size) : error.text;
    if (status != SNPEMU_OK) {
        size = strlen(text);
    }
    if (!file_write_fd(fd, text, size) && status == SNPEMU_OK) {
        status = SNPEMU_ERR_IO;
    }
    pass_release(&pass);
    subject_close(&subject);
    return command_status(status);
}
