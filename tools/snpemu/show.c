/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "show.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "command.h"
#include "output.h"
#include "timeline_pages.h"

static void before_event(struct trace_sink *sink, const struct event *event)
{
    struct show *show = (struct show *)((char *)sink - offsetof(struct show, before));

    (void)event;
    progress_clear(&show->progress);
}

/* The trace comes to be beside its file. */
static int open_trace(struct show *show, const struct subject *subject,
                      const struct show_trace *trace, struct error *error)
{
    const struct text_header header = subject_header(subject);
    int status = aside_open(&show->aside, trace->path, error);

    if (status != SNPEMU_OK) {
        return status;
    }
    show->writer = trace_writer_new(trace->format, trace->form, &header, show->aside.file);
    if (!show->writer) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    show->trace.sink[show->trace.sink_count++] = &show->writer->sink;
    show->trace.places = trace->form == TEXT_FULL;
    if (trace->format == TRACE_PERFETTO) {
        show->rmp_log = rmp_log_new();
        if (!show->rmp_log) {
            return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
        }
        show->trace.sink[show->trace.sink_count++] = rmp_log_sink(show->rmp_log);
    }
    return SNPEMU_OK;
}

int show_open(struct show *show, const struct subject *subject, const struct show_trace *trace,
              struct error *error)
{
    int status = SNPEMU_OK;

    memset(show, 0, sizeof(*show));
    if (trace->path) {
        status = open_trace(show, subject, trace, error);
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    show->ladder = ladder_new(stderr, output_has_colour(stderr));
    if (!show->ladder) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    show->before.emit = before_event;
    show->trace.sink[show->trace.sink_count++] = &show->before;
    show->trace.sink[show->trace.sink_count++] = ladder_sink(show->ladder);
    show->console = trace->path && strcmp(trace->path, "-") == 0 ? stderr : stdout;
    return SNPEMU_OK;
}

void show_close(struct show *show)
{
    progress_stop(&show->progress);
    ladder_free(show->ladder);
    trace_writer_free(show->writer);
    rmp_log_free(show->rmp_log);
    aside_drop(&show->aside);
}

static void console_bytes(void *context, const uint8_t *bytes, size_t size_bytes)
{
    struct show *show = context;

    progress_clear(&show->progress);
    output_console(show->console, bytes, size_bytes);
}

static bool cancelled(void *context)
{
    struct show *show = context;

    if (progress_due(&show->progress)) {
        if (show->run) {
            progress_show(&show->progress, "%.1f million instructions, last exit: %s",
                          (double)run_instructions(show->run) / 1e6,
                          run_last_exit(show->run) ? run_last_exit(show->run) : "none");
        } else {
            progress_show(&show->progress, "looking whether an oracle has something to show");
        }
    }
    return command_interrupted();
}

void show_run(struct show *show, struct run_options *options)
{
    options->trace = &show->trace;
    options->rmp_log = show->rmp_log;
    options->console = console_bytes;
    options->cancelled = cancelled;
    options->context = show;
    progress_start(&show->progress);
}

/* The trace appears. */
static int finish_trace(struct show *show, struct run *run, struct error *error)
{
    uint8_t digest[RUN_DIGEST_SIZE];
    struct error why;
    int status;

    if (!show->writer) {
        return SNPEMU_OK;
    }
    status = run_digest(run, digest, error);
    if (status == SNPEMU_OK && show->rmp_log) {
        status = rmp_log_close(show->rmp_log, error);
    }
    if (status == SNPEMU_OK && show->rmp_log) {
        status = timeline_pages(show->writer, show->rmp_log, error);
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    show->writer->digest(show->writer, digest, sizeof(digest));
    status = show->writer->finish(show->writer, &why);
    if (status != SNPEMU_OK) {
        return error_set(error, status, "%.300s: cannot be written: %.150s", show->aside.path,
                         why.text);
    }
    return aside_commit(&show->aside, error);
}

int show_to_end(struct show *show, struct run *run, struct outcome *outcome, struct error *error)
{
    int status;

    show->run = run;
    status = run_to_end(run, outcome, error);
    progress_stop(&show->progress);
    ladder_finish(show->ladder);
    return status == SNPEMU_OK ? finish_trace(show, run, error) : status;
}

void show_outcome(struct run *run, const struct outcome *outcome, bool dump_percpu)
{
    bool colour = output_has_colour(stderr);

    if (dump_percpu) {
        fflush(stderr);
        if (!output_percpu_dump(stdout, run)) {
            fprintf(stderr,
                    "\nno per-CPU areas: the guest has none yet, or the image has no symbols "
                    "PERCPU_VA and CPU_COUNT\n");
        }
        fflush(stdout);
    } else {
        output_percpu(stderr, run, colour);
    }
    output_outcome(stderr, run, outcome, outcome_verdict(outcome), colour);
}

bool show_expected(struct run *run, struct host *host, char *why, size_t size)
{
    struct error unused = {0};

    if (!run_expected(run, why, size)) {
        return false;
    }
    if (host->finish && host->finish(host, &unused) != SNPEMU_OK) {
        snprintf(why, size, "%s", unused.text);
        return false;
    }
    return true;
}

int show_status(enum verdict verdict)
{
    return verdict == VERDICT_PASS || verdict == VERDICT_CONTAINED ? EXIT_MET
           : verdict == VERDICT_EMULATOR_BUG                       ? EXIT_INTERNAL
                                                                   : EXIT_NOT_MET;
}
