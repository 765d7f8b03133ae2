/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu run: one run, shown to a person as it goes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "coverage_option.h"
#include "gdb_link.h"
#include "options.h"
#include "output.h"
#include "run.h"
#include "run_option.h"
#include "show.h"
#include "subject.h"

#define INSNS_DEFAULT 32

enum {
    KEY_TRACE = 0x100,
    KEY_TRACE_FORM,
    KEY_TRACE_FORMAT,
    KEY_DUMP,
    KEY_TRACE_INSNS,
    KEY_GDB,
};

struct run_command {
    struct options options;
    struct run_option run_option;
    const char *path;
    bool dump_percpu;
    struct show_trace trace;
    bool form_given, format_given;
    struct coverage_option coverage;
    uint64_t insns;
    bool debugged;
    const char *gdb_place; /* NULL: the default */

    /* While it runs. */
    struct gdb_listener *listener;
    struct gdb *gdb;
    enum gdb_end end;
    struct subject subject;
    struct host *host;
    struct run *run;
    struct show show;
    struct coverage_file coverage_file;
};

static const struct argp_option run_options[] = {
    OPTION_HELP,
    RUN_OPTIONS,
    {"trace", KEY_TRACE, "FILE", 0,
     "Write the trace to FILE, which appears when it is complete; '-': standard output", 0},
    {"trace-form", KEY_TRACE_FORM, "full|golden", 0,
     "full (default): counts, addresses and the digest of the final state; golden: what does not "
     "depend on the guest's compiler",
     0},
    {"trace-format", KEY_TRACE_FORMAT, "text|json|perfetto", 0,
     "text (default); json: an object a line; perfetto: a timeline for Perfetto and "
     "chrome://tracing, where one instruction is one nanosecond",
     0},
    {"trace-insns", KEY_TRACE_INSNS, "N", OPTION_ARG_OPTIONAL,
     "Show the last N instructions (32) that ran, of all vCPUs, and those behind where it ended; "
     "they are in the trace, too",
     0},
    {"dump", KEY_DUMP, "percpu", 0,
     "After the run, write the guest's per-CPU areas to standard output: index, APIC ID, and the "
     "addresses of GHCB, save areas, calling area and TSS, read through the image's symbols",
     0},
    COVERAGE_OPTIONS,
    {"gdb", KEY_GDB, "[HOST:]PORT", OPTION_ARG_OPTIONAL,
     "Wait for gdb before the first instruction, at a port of the loopback interface (1234; 0: any "
     "free one) or of another address",
     0},
    {0},
};

static const char run_doc[] =
    "Run an SVSM image against a scripted hypervisor, and say how it ended.\v"
    "SCENARIO.lua names the image, the hypervisor and what is expected. IMAGE is an ELF file, or "
    "the name of a built image; it runs against the honest hypervisor. Numbers are decimal, or "
    "hexadecimal with 0x.\n"
    "\n"
    "The guest's console goes to standard output (to standard error with --trace -), all else to "
    "standard error. Exit status: 0 expectation met (without one: pass or contained), 1 not met, "
    "2 bad input or usage, 3 the emulator's own failure.";

/* What is said of a trace, of coverage and of a debugger must fit together. */
static error_t run_parse_end(struct run_command *command, struct argp_state *state)
{
    if (command->form_given && !command->trace.path) {
        return option_fail(state, "--trace-form needs --trace FILE");
    }
    if (command->format_given && !command->trace.path) {
        return option_fail(state, "--trace-format needs --trace FILE");
    }
    if (command->trace.format == TRACE_PERFETTO && command->trace.form == TEXT_GOLDEN) {
        return option_fail(state, "--trace-format perfetto: a timeline needs the full form, for "
                                  "the golden one has no time; leave out --trace-form");
    }
    if (command->debugged && (command->trace.path || command->coverage.path || command->insns)) {
        return option_fail(state,
                           "%s does not go with --gdb, whose run may go back; without it "
                           "the run is the same",
                           command->trace.path      ? "--trace"
                           : command->coverage.path ? "--coverage"
                                                    : "--trace-insns");
    }
    return coverage_option_end(state, &command->coverage);
}

static error_t run_parse(int key, char *arg, struct argp_state *state)
{
    struct run_command *command = state->input;

    switch (key) {
    case KEY_TRACE:
        command->trace.path = arg;
        return *arg ? 0 : option_fail(state, "--trace: the path is empty");
    case KEY_TRACE_FORM:
        command->form_given = true;
        for (int form = TEXT_FULL; form <= TEXT_GOLDEN; form++) {
            if (strcmp(arg, text_form_name((enum text_form)form)) == 0) {
                command->trace.form = (enum text_form)form;
                return 0;
            }
        }
        return option_fail(state, "--trace-form: '%.100s' is neither full nor golden", arg);
    case KEY_TRACE_FORMAT:
        command->format_given = true;
        command->trace.format = trace_format_named(arg);
        return command->trace.format != TRACE_FORMAT_COUNT
                   ? 0
                   : option_fail(state, "--trace-format: '%.100s' is none of text, json, perfetto",
                                 arg);
    case KEY_TRACE_INSNS:
        command->insns = INSNS_DEFAULT;
        return arg ? option_number(state, "--trace-insns", arg, 1, RUN_INSNS_MAX, &command->insns)
                   : 0;
    case KEY_DUMP:
        command->dump_percpu = true;
        return strcmp(arg, "percpu") == 0
                   ? 0
                   : option_fail(state, "--dump: '%.100s' is unknown; it is 'percpu'", arg);
    case KEY_GDB:
        command->debugged = true;
        command->gdb_place = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (command->path) {
            return option_fail(state, "run: '%.100s' is one too many; run one scenario or image",
                               arg);
        }
        command->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!command->path) {
            return option_fail(state, "run: no scenario or image; see 'snpemu run --help'");
        }
        return run_parse_end(command, state);
    case COVERAGE_KEY_FILE:
    case COVERAGE_KEY_FORMAT:
        return coverage_option_parse(key, arg, state, &command->coverage);
    default:
        return run_option_parse(key, arg, state, &command->run_option);
    }
}

/* The run is to be gdb's. Watched memory must be memory then: oracles look exactly, from launch. */
static int run_debugged(struct run_command *command, struct run_options *options,
                        struct error *error)
{
    struct gdb_options gdb = {
        .scenario = command->subject.scenario,
        .image = command->subject.image,
    };
    int status = gdb_listener_open(&command->listener, command->gdb_place, error);

    if (status == SNPEMU_OK) {
        gdb.link = gdb_listener_link(command->listener);
        status = gdb_new(&command->gdb, &gdb, error);
    }
    if (status == SNPEMU_OK) {
        options->oracles_exact = options->oracles != 0;
        options->oracles_from = 0;
        gdb_prepare(command->gdb, options);
    }
    return status;
}

/* Open all that the run needs; what cannot be written shows before anything runs. */
static int run_prepare(struct run_command *command, struct error *error)
{
    struct run_options options = {
        .until = command->run_option.until,
        .stop_at_exit = command->run_option.stop_at_exit,
    };
    int status =
        subject_open(&command->subject, command->path, &command->run_option.overrides, error);

    if (status == SNPEMU_OK) {
        status = show_open(&command->show, &command->subject, &command->trace, error);
    }
    if (status == SNPEMU_OK) {
        status = coverage_file_open(&command->coverage_file, &command->coverage, error);
    }
    if (status == SNPEMU_OK && command->coverage_file.coverage) {
        status = coverage_check(command->coverage_file.coverage, command->subject.image, error);
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    options.ran = command->coverage_file.ran;
    options.insns = command->insns;
    options.oracles = command->subject.scenario->oracles;
    options.firmware = command->subject.firmware;
    show_run(&command->show, &options);
    status = run_suspects(command->subject.scenario, command->subject.image, &options, error);
    if (status != SNPEMU_OK) {
        return status;
    }
    if (command->debugged) {
        status = run_debugged(command, &options, error);
    }
    if (status == SNPEMU_OK) {
        status = scenario_host(command->subject.scenario, &command->host, error);
    }
    if (status != SNPEMU_OK) {
        return status;
    }
    return run_new(&command->run, command->subject.scenario, command->subject.image, command->host,
                   &options, error);
}

/* Judge what happened, and say so. */
static int run_report(struct run_command *command, const struct outcome *outcome)
{
    enum verdict verdict = outcome_verdict(outcome);
    bool colour = output_has_colour(stderr), met;
    char why[512] = "";

    output_insns(stderr, command->run, command->insns);
    show_outcome(command->run, outcome, command->dump_percpu);
    if (!command->subject.scenario->expect.given) {
        return show_status(verdict);
    }
    met = show_expected(command->run, command->host, why, sizeof(why));
    fprintf(stderr, "expected  %s%s%s%s%s\n", output_escape(colour, met ? COLOUR_GOOD : COLOUR_BAD),
            met ? "met" : "not met", output_escape(colour, COLOUR_NONE), met ? "" : ": ", why);
    return met ? EXIT_MET : verdict == VERDICT_EMULATOR_BUG ? EXIT_INTERNAL : EXIT_NOT_MET;
}

/* Go on to the end, as gdb says or by itself. */
static int run_play(struct run_command *command, struct outcome *outcome, struct error *error)
{
    int status;

    if (!command->gdb) {
        return show_to_end(&command->show, command->run, outcome, error);
    }
    status = gdb_serve(command->gdb, command->run, &command->host, outcome, &command->end, error);
    ladder_finish(command->show.ladder);
    return status;
}

static void run_release(struct run_command *command)
{
    run_free(command->run);
    gdb_free(command->gdb);
    gdb_listener_close(command->listener);
    if (command->host) {
        command->host->free(command->host);
    }
    show_close(&command->show);
    coverage_file_close(&command->coverage_file);
    subject_close(&command->subject);
}

const struct argp cmd_run_argp = {
    run_options, run_parse, "SCENARIO.lua | IMAGE", run_doc, NULL, NULL, NULL,
};

int cmd_run(int argc, char **argv)
{
    struct run_command *command = calloc(1, sizeof(*command));
    struct outcome outcome;
    int status, exit_status;

    if (!command) {
        return command_fail(SNPEMU_ERR_MEMORY, &(struct error){"out of memory"});
    }
    status = options_parse(&cmd_run_argp, argc, argv, &command->options);
    if (status == SNPEMU_OK) {
        command_catch_signals();
        status = run_prepare(command, &command->options.error);
    }
    if (status == SNPEMU_OK) {
        status = run_play(command, &outcome, &command->options.error);
    }
    if (status == SNPEMU_OK) {
        status =
            coverage_file_take(&command->coverage_file, &command->subject, &command->options.error);
    }
    if (status == SNPEMU_OK) {
        status = coverage_file_commit(&command->coverage_file, &command->options.error);
    }
    if (command_interrupted()) {
        exit_status = command_say_interrupted();
    } else if (status == SNPEMU_OK && command->end == GDB_END_KILLED) {
        fprintf(stderr, "gdb       ended the run after %llu instructions\n",
                (unsigned long long)run_instructions(command->run));
        exit_status = EXIT_NOT_MET;
    } else if (status == SNPEMU_OK) {
        exit_status = run_report(command, &outcome);
    } else {
        exit_status = command_fail(status, &command->options.error);
    }
    run_release(command);
    free(command);
    return exit_status;
}
