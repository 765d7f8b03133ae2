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
#include "run.h"
#include "subject.h"

enum {
    KEY_OUTPUT = 'o',
    KEY_CPUS = 0x100,
    KEY_APIC_IDS,
    KEY_SEED,
    KEY_BUDGET,
    KEY_EXIT_BUDGET,
    KEY_UNTIL,
    KEY_STOP_AT_EXIT,
    KEY_STRICT,
    KEY_ORACLES,
    KEY_FIRMWARE,
    KEY_SOURCE,
    KEY_NO_SOURCE,
};

struct report_command {
    struct options options; /* first: see options.h */
    struct overrides overrides;
    const char *path, *output_path, *until, *stop_at_exit;
    struct page_facts facts;

    struct aside aside;
    struct subject subject;
    struct host *host;
    struct page *page;
    struct rmp_log *rmp_log;
    struct trace trace;
    struct run *run;
    struct outcome outcome;
};

static const struct argp_option report_options[] = {
    OPTION_HELP,
    {"output", KEY_OUTPUT, "FILE.html", 0, "Write the page to FILE.html; '-': standard output", 0},
    {"source", KEY_SOURCE, "DIR", 0,
     "Look for files of source below DIR, too, by the end of their paths; may be given several "
     "times. The current directory comes last",
     0},
    {"no-source", KEY_NO_SOURCE, NULL, 0, "Take no source into the page", 0},
    {"cpus", KEY_CPUS, "N", 0, "Number of CPUs that the hypervisor has", 0},
    {"apic-ids", KEY_APIC_IDS, "ID,...", 0,
     "The APIC IDs that it lists, as given; the first is the boot CPU's", 0},
    {"firmware", KEY_FIRMWARE, "FILE", 0,
     "The firmware that the SVSM starts at VMPL1: a flat image that ends at 4 GiB, the name of a "
     "built one, or 'none'. Without a scenario the default is the built one",
     0},
    {"seed", KEY_SEED, "N", 0, "Seed of all random numbers", 0},
    {"budget", KEY_BUDGET, "N", 0, "End the run after N instructions", 0},
    {"exit-budget", KEY_EXIT_BUDGET, "N", 0, "End the run after N exits", 0},
    {"strict", KEY_STRICT, NULL, 0,
     "End the run as unmodelled where it rests on a fact that nobody could check", 0},
    {"oracles", KEY_ORACLES, "NAME,...", 0,
     "Watch for what the SVSM must not do: 'cheap' (all but trusted-unchecked), 'all', 'none', or "
     "names of oracles; 'snpemu explain oracles' lists them",
     0},
    {"until", KEY_UNTIL, "SYMBOL", 0, "End the run when SYMBOL is about to execute", 0},
    {"stop-at-exit", KEY_STOP_AT_EXIT, "NAME[:N]", 0,
     "End the run at the Nth exit of that name (by default the first), before it is answered", 0},
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
    struct overrides *overrides = &command->overrides;

    switch (key) {
    case KEY_OUTPUT:
        command->output_path = arg;
        return *arg ? 0 : option_fail(state, "--output: the path is empty");
    case KEY_SOURCE:
        return report_parse_source(command, arg, state);
    case KEY_NO_SOURCE:
        command->facts.no_sources = true;
        return 0;
    case KEY_CPUS:
        overrides->cpus_given = true;
        return option_number(state, "--cpus", arg, 1, HYPERVISOR_CPU_MAX, &overrides->cpus);
    case KEY_APIC_IDS:
        return option_numbers(state, "--apic-ids", arg, overrides->apic_id, HYPERVISOR_APIC_ID_MAX,
                              &overrides->apic_id_count);
    case KEY_SEED:
        overrides->seed_given = true;
        return option_number(state, "--seed", arg, 0, UINT64_MAX, &overrides->seed);
    case KEY_BUDGET:
        overrides->budget_given = true;
        return option_number(state, "--budget", arg, 1, UINT64_MAX, &overrides->budget);
    case KEY_EXIT_BUDGET:
        overrides->exit_budget_given = true;
        return option_number(state, "--exit-budget", arg, 1, UINT64_MAX, &overrides->exit_budget);
    case KEY_STRICT:
        overrides->strict = true;
        return 0;
    case KEY_ORACLES:
        overrides->oracles_given = true;
        return option_oracles(state, arg, &overrides->oracles);
    case KEY_FIRMWARE:
        overrides->firmware = arg;
        return *arg ? 0 : option_fail(state, "--firmware: the path is empty");
    case KEY_UNTIL:
        command->until = arg;
        return *arg ? 0 : option_fail(state, "--until: the symbol is empty");
    case KEY_STOP_AT_EXIT:
        command->stop_at_exit = arg;
        return *arg ? 0 : option_fail(state, "--stop-at-exit: the name is empty");
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
        return option_other(key, state);
    }
}

static bool report_cancelled(void *context)
{
    (void)context;
    return command_interrupted();
}

static int report_prepare(struct report_command *command, struct error *error)
{
    struct run_options options = {
        .until = command->until,
        .stop_at_exit = command->stop_at_exit,
        .trace = &command->trace,
        .cancelled = report_cancelled,
    };
    int status = subject_open(&command->subject, command->path, &command->overrides, error);

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
    command->trace.sink[command->trace.sink_count++] = page_sink(command->page);
    command->trace.sink[command->trace.sink_count++] = rmp_log_sink(command->rmp_log);
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

static bool read_state(void *context, const struct expect_state *state, uint64_t *value)
{
    return run_read_state(context, state, value);
}

/* Does what the scenario expects hold? `why`: if not. */
static bool report_expected(struct report_command *command, char *why, size_t size)
{
    struct error unused = {0};
    struct run *run = command->run;
    bool met = expect_check(&command->subject.scenario->expect, &command->outcome,
                            outcome_verdict(&command->outcome), run_console(run), read_state, run,
                            why, size);

    if (met && command->host->finish &&
        command->host->finish(command->host, &unused) != SNPEMU_OK) {
        met = false;
        snprintf(why, size, "%s", unused.text);
    }
    return met;
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
    facts->rmp_log = command->rmp_log;
    facts->expectation = command->subject.scenario->expect.given;
    facts->met = facts->expectation && report_expected(command, why, sizeof(why));
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

int cmd_report(int argc, char **argv)
{
    static const struct argp argp = {
        report_options, report_parse, "SCENARIO.lua | IMAGE", report_doc, NULL, NULL, NULL,
    };
    struct report_command *command = calloc(1, sizeof(*command));
    int status, exit_status;

    if (!command) {
        return command_fail(SNPEMU_ERR_MEMORY, &(struct error){"out of memory"});
    }
    status = options_parse(&argp, argc, argv, &command->options);
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
