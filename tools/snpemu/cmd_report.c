/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu report: one run as a page for a browser.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aside.h"
#include "command.h"
#include "options.h"
#include "page/page.h"
#include "progress.h"
#include "run.h"
#include "run_option.h"
#include "show.h"
#include "subject.h"

enum {
    KEY_OUTPUT = 'o',
    KEY_SOURCE = 0x100,
    KEY_NO_SOURCE,
};

struct report_command {
    struct options options; /* first: see options.h */
    struct run_option run_option;
    const char *path, *output_path;
    struct page_facts facts;

    struct aside aside;
    struct subject subject;
    struct host *host;
    struct page *page;
    struct rmp_log *rmp_log;
    struct trace trace;
    struct run *run; /* NULL: oracles look first, and silently */
    struct outcome outcome;
    struct run_frame frame[RUN_BACKTRACE_MAX];
    struct progress progress;
};

static const struct argp_option report_options[] = {
    OPTION_HELP,
    {"output", KEY_OUTPUT, "FILE.html", 0, "Write the page to FILE.html; '-': standard output", 0},
    {"source", KEY_SOURCE, "DIR", 0,
     "Look for files of source below DIR, too, by the end of their paths; may be given several "
     "times. The current directory comes last",
     0},
    {"no-source", KEY_NO_SOURCE, NULL, 0, "Take no source into the page", 0},
    RUN_OPTIONS,
    {0},
};

static const char report_doc[] =
    "Run an SVSM image against a scripted hypervisor, and write the run as a page for a browser.\v"
    "The page is one file that needs no network: the exits between guest and hypervisor with their "
    "decoded fields, who owned which page of memory when, the per-CPU table, the console, how it "
    "ended, and the oracles' hits at their place in the source. Files of source that can be read "
    "become part of it.\n"
    "\n"
    "Exit status: 0 the page is written, however the run ended; 2 bad input or usage, 3 the "
    "emulator's own failure.";

static error_t report_parse_source(struct report_command *command, const char *dir,
                                   struct argp_state *state)
{
    struct page_facts *facts = &command->facts;

    /* One is kept for the current directory. */
    if (facts->source_dir_count == PAGE_SOURCE_DIRS_MAX - 1) {
        return option_fail(state, "--source: at most %u directories", PAGE_SOURCE_DIRS_MAX - 1);
    }
    facts->source_dir[facts->source_dir_count++] = dir;
    return *dir ? 0 : option_fail(state, "--source: the path is empty");
}

static error_t report_parse(int key, char *arg, struct argp_state *state)
{
    struct report_command *command = state->input;

    switch (key) {
    case KEY_OUTPUT:
        command->output_path = arg;
        return *arg ? 0 : option_fail(state, "--output: the path is empty");
    case KEY_SOURCE:
        return report_parse_source(command, arg, state);
    case KEY_NO_SOURCE:
        command->facts.no_sources = true;
        return 0;
    case ARGP_KEY_ARG:
        if (command->path) {
            return option_fail(
                state, "report: '%.100s' is one too many; report one scenario or image", arg);
        }
        command->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!command->path) {
            return option_fail(state, "report: no scenario or image; see 'snpemu report --help'");
        }
        return command->output_path ? 0 : option_fail(state, "report: where to? Say -o FILE.html");
    default:
        return run_option_parse(key, arg, state, &command->run_option);
    }
}

static bool report_cancelled(void *context)
{
    struct report_command *command = context;

    if (progress_due(&command->progress)) {
        if (command->run) {
            progress_show(&command->progress, "%.1f million instructions, %zu events",
                          (double)run_instructions(command->run) / 1e6,
                          page_event_count(command->page));
        } else {
            progress_show(&command->progress, "looking whether an oracle has something to show");
        }
    }
    return command_interrupted();
}

static int report_prepare(struct report_command *command, struct error *error)
{
    struct run_options options = {
        .until = command->run_option.until,
        .stop_at_exit = command->run_option.stop_at_exit,
        .trace = &command->trace,
        .cancelled = report_cancelled,
        .context = command,
    };
    int status =
        subject_open(&command->subject, command->path, &command->run_option.overrides, error);

    /* What cannot be written shows before anything runs. */
    if (status == SNPEMU_OK) {
        status = aside_open(&command->aside, command->output_path, error);
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    command->page = page_new(command->subject.image, command->subject.firmware);
    command->rmp_log = rmp_log_new();
    if (!command->page || !command->rmp_log) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    command->trace.places = true; /* the same events as a full trace has */
    command->trace.sink[command->trace.sink_count++] = page_sink(command->page);
    command->trace.sink[command->trace.sink_count++] = rmp_log_sink(command->rmp_log);
    progress_start(&command->progress);
    options.rmp_log = command->rmp_log;
    options.oracles = command->subject.scenario->oracles;
    options.firmware = command->subject.firmware;
    status = run_suspects(command->subject.scenario, command->subject.image, &options, error);
    if (status == SNPEMU_OK) {
        status = scenario_host(command->subject.scenario, &command->host, error);
    }
    return status == SNPEMU_OK ? run_new(&command->run, command->subject.scenario,
                                         command->subject.image, command->host, &options, error)
                               : status;
}

/* The page, from what the run has left. */
static int report_write(struct report_command *command, struct run_percpu *percpu,
                        struct error *error)
{
    const struct text_header header = subject_header(&command->subject);
    struct page_facts *facts = &command->facts;
    uint8_t digest[RUN_DIGEST_SIZE];
    struct error cause;
    char why[512] = "";
    int status = run_digest(command->run, digest, error);

    if (status == SNPEMU_OK) {
        status = rmp_log_close(command->rmp_log, error);
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    facts->path = command->path;
    facts->header = &header;
    facts->outcome = &command->outcome;
    facts->digest = digest;
    facts->console = run_console(command->run);
    facts->percpu = percpu;
    facts->percpu_count = run_percpu_table(command->run, percpu, HYPERVISOR_CPU_MAX);
    facts->frame = command->frame;
    facts->frame_count = outcome_is_abnormal(&command->outcome)
                             ? run_backtrace(command->run, command->frame, RUN_BACKTRACE_MAX)
                             : 0;
    facts->rmp_log = command->rmp_log;
    facts->expectation = command->subject.scenario->expect.given;
    facts->met = facts->expectation && show_expected(command->run, command->host, why, sizeof(why));
    facts->why = why;
    facts->source_dir[facts->source_dir_count++] = ".";
    status = page_write(command->page, facts, command->aside.file, &cause);
    if (status != SNPEMU_OK) {
        return error_set(error, status, "%.300s: cannot be written: %.150s", command->output_path,
                         cause.text);
    }
    return aside_commit(&command->aside, error);
}

static void report_say(const struct report_command *command)
{
    char phrase[160];

    outcome_phrase(&command->outcome, phrase, sizeof(phrase));
    fprintf(stderr, "%s: %zu events, %" PRIu64 " exits; outcome %s, verdict %s\n",
            command->output_path, page_event_count(command->page), command->outcome.exits, phrase,
            verdict_name(outcome_verdict(&command->outcome)));
}

static int report(struct report_command *command, struct error *error)
{
    struct run_percpu *percpu = calloc(HYPERVISOR_CPU_MAX, sizeof(*percpu));
    int status = percpu ? report_prepare(command, error)
                        : error_set(error, SNPEMU_ERR_MEMORY, "out of memory");

    if (status == SNPEMU_OK) {
        status = run_to_end(command->run, &command->outcome, error);
    }
    if (status == SNPEMU_OK) {
        status = report_write(command, percpu, error);
    }
    progress_stop(&command->progress);
    free(percpu);
    return status;
}

static void report_release(struct report_command *command)
{
    run_free(command->run);
    if (command->host) {
        command->host->free(command->host);
    }
    page_free(command->page);
    rmp_log_free(command->rmp_log);
    aside_drop(&command->aside);
    subject_close(&command->subject);
}

const struct argp cmd_report_argp = {
    report_options, report_parse, "SCENARIO.lua | IMAGE", report_doc, NULL, NULL, NULL,
};

int cmd_report(int argc, char **argv)
{
    struct report_command *command = calloc(1, sizeof(*command));
    int status, exit_status;

    if (!command) {
        return command_fail(SNPEMU_ERR_MEMORY, &(struct error){"out of memory"});
    }
    status = options_parse(&cmd_report_argp, argc, argv, &command->options);
    if (status == SNPEMU_OK) {
        command_catch_signals();
        status = report(command, &command->options.error);
    }
    if (command_interrupted()) {
        exit_status = command_say_interrupted();
    } else if (status == SNPEMU_OK) {
        report_say(command);
        exit_status = EXIT_MET;
    } else {
        exit_status = command_fail(status, &command->options.error);
    }
    report_release(command);
    free(command);
    return exit_status;
}
