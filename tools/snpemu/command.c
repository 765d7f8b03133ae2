/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The subcommands: finds the one that is meant, and says how it ended.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "machine/vcpu.h"
#include "options.h"
#include "trace/text.h"

#ifndef SNPEMU_VERSION
#define SNPEMU_VERSION "unknown"
#endif

static const struct command commands[] = {
    {"run", "snpemu run", "run an SVSM image against a scripted hypervisor", cmd_run,
     &cmd_run_argp},
    {"report", "snpemu report", "write a run as a page for a browser", cmd_report,
     &cmd_report_argp},
    {"test", "snpemu test", "run scenarios as fixtures and compare their traces", cmd_test,
     &cmd_test_argp},
    {"fuzz", "snpemu fuzz", "look for answers that an image does not stand", cmd_fuzz,
     &cmd_fuzz_argp},
    {"replay", "snpemu replay", "run one input of the fuzzer from launch on", cmd_replay,
     &cmd_replay_argp},
    {"reduce", "snpemu reduce", "make an input as simple as it can be with what it shows",
     cmd_reduce, &cmd_reduce_argp},
    {"cmin", "snpemu cmin",
     "keep the inputs of a corpus that are needed for what all of them cover", cmd_cmin,
     &cmd_cmin_argp},
    {"explain", "snpemu explain",
     "say what a termination, an outcome, a verdict or an oracle means", cmd_explain,
     &cmd_explain_argp},
    {"certificate", "snpemu certificate",
     "print the certificate of the test key that signs attestation reports", cmd_certificate,
     &cmd_certificate_argp},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))
#define LIST_MAX 256
#define KEY_VERSION 'V'

static const struct argp_option main_options[] = {
    OPTION_HELP,
    {"version", KEY_VERSION, NULL, 0, "Print the versions of emulator, engine and trace format",
     -1},
    {0},
};

static const char main_doc[] =
    "A deterministic software emulator of AMD SEV-SNP for bringing up an SVSM.\v"
    "'snpemu COMMAND --help' lists the options of each.\n"
    "\n"
    "Exit status: 0 expectation met (without one: pass or contained), 1 not met, 2 bad input or "
    "usage, 3 the emulator's own failure.";

/* The signal, or 0; what runs asks for it. */
static volatile sig_atomic_t interrupted;

static void note_signal(int number)
{
    interrupted = number;
}

void command_catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = (int)SA_RESETHAND}, old;

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) {
            sigaction(numbers[i], &action, NULL);
        }
    }
}

bool command_interrupted(void)
{
    return interrupted != 0;
}

int command_say_interrupted(void)
{
    fprintf(stderr, "snpemu: interrupted\n");
    return EXIT_SIGNAL + interrupted;
}

int command_status(int status)
{
    static const struct {
        int status, exit_status;
    } rows[] = {
        {SNPEMU_OK, EXIT_MET},
        {SNPEMU_ERR_INPUT, EXIT_INPUT},
        {SNPEMU_ERR_IO, EXIT_INPUT},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].status == status) {
            return rows[i].exit_status;
        }
    }
    return EXIT_INTERNAL;
}

int command_fail(int status, const struct error *error)
{
    fprintf(stderr, "snpemu: %s\n", error->text[0] ? error->text : "failed without a reason");
    return command_status(status);
}

static error_t main_parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key == KEY_VERSION) {
        printf("snpemu %s\nengine: Unicorn %s\ntrace format: %d\n", SNPEMU_VERSION,
               vcpu_engine_version(), TEXT_TRACE_VERSION);
        exit(fflush(stdout) == 0 ? EXIT_MET : EXIT_INPUT);
    }
    return option_other(key, state);
}

/* Help with the list of the subcommands. */
static char *main_help(int key, const char *text, void *input)
{
    char *whole = NULL;
    size_t size;
    FILE *file = key == ARGP_KEY_HELP_POST_DOC ? open_memstream(&whole, &size) : NULL;

    (void)input;
    if (!file) {
        return (char *)text;
    }
    fprintf(file, "Commands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        fprintf(file, "  %-12s %s\n", commands[i].name, commands[i].summary);
    }
    fprintf(file, "\n%s", text);
    return fclose(file) == 0 ? whole : (char *)text;
}

const struct argp command_main_argp = {
    main_options, main_parse, "COMMAND [OPTION...]", main_doc, NULL, main_help, NULL,
};

const struct command *command_at(size_t i)
{
    return i < COMMAND_COUNT ? &commands[i] : NULL;
}

const struct command *command_named(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* "run, test, ... and certificate" */
static const char *command_list(char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < COMMAND_COUNT && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s%s",
                                 i == 0                   ? ""
                                 : i + 1 == COMMAND_COUNT ? " and "
                                                          : ", ",
                                 commands[i].name);
    }
    return text;
}

static int fail_unknown(const char *name)
{
    char list[LIST_MAX];
    struct nearest nearest;
    struct error error;

    nearest_start(&nearest, name);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        nearest_try(&nearest, commands[i].name);
    }
    if (option_nearest(&nearest)) {
        error_set(&error, SNPEMU_ERR_INPUT, "unknown command '%.100s'; nearest: %s", name,
                  option_nearest(&nearest));
    } else {
        error_set(&error, SNPEMU_ERR_INPUT, "unknown command '%.100s'; there are %s", name,
                  command_list(list, sizeof(list)));
    }
    return command_fail(SNPEMU_ERR_INPUT, &error);
}

int command_run(int argc, char **argv)
{
    const struct command *command;
    struct options options = {0};
    char whole_name[32], list[LIST_MAX];

    if (argc < 2) {
        error_set(&options.error, SNPEMU_ERR_INPUT, "no command; there are %s; see 'snpemu --help'",
                  command_list(list, sizeof(list)));
        return command_fail(SNPEMU_ERR_INPUT, &options.error);
    }
    if (argv[1][0] == '-') {
        char *first[] = {argv[0], argv[1], NULL};
        int status = options_parse(&command_main_argp, 2, first, &options);

        if (status == SNPEMU_OK) {
            status = error_set(&options.error, SNPEMU_ERR_INPUT,
                               "the command comes first: 'snpemu run ...'; see 'snpemu --help'");
        }
        return command_fail(status, &options.error);
    }
    command = command_named(argv[1]);
    if (!command) {
        return fail_unknown(argv[1]);
    }
    snprintf(whole_name, sizeof(whole_name), "%s", command->whole_name);
    argv[1] = whole_name;
    return command->run(argc - 1, argv + 1);
}
