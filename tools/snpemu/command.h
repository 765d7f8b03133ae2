/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command snpemu: one function for each subcommand, and how any of them ends.
 */
#ifndef SNPEMU_COMMAND_H
#define SNPEMU_COMMAND_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"

enum exit_status {
    EXIT_MET = 0,      /* the expectation; without one: pass or contained */
    EXIT_NOT_MET = 1,  /* the expectation, or a fixture failed */
    EXIT_INPUT = 2,    /* a file, a script or an option is wrong */
    EXIT_INTERNAL = 3, /* the emulator's own failure */
    EXIT_SIGNAL = 128, /* plus the number of the signal that interrupted it */
};

/*
 * A subcommand. Help, manual pages and the shells' completions are all made of these rows and their
 * tables of options, so what is said of an option stands in one place.
 */
struct command {
    const char *name, *whole_name, *summary;
    /* argv[0] is the whole name, such as "snpemu run". Returns an exit status. */
    int (*run)(int argc, char **argv);
    const struct argp *argp;
};

/* Row number i, in the order of the help; NULL after the last. */
const struct command *command_at(size_t i);
const struct command *command_named(const char *name);
/* The program itself: its options and its text. */
extern const struct argp command_main_argp;
/* Run the subcommand that the arguments name; an exit status. */
int command_run(int argc, char **argv);

int cmd_run(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_fuzz(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_reduce(int argc, char **argv);
int cmd_cmin(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_certificate(int argc, char **argv);

extern const struct argp cmd_run_argp, cmd_report_argp, cmd_test_argp, cmd_fuzz_argp,
    cmd_replay_argp, cmd_reduce_argp, cmd_cmin_argp, cmd_explain_argp, cmd_certificate_argp;

/* The exit status that belongs to a negative status. */
int command_status(int status);
/* Print "snpemu: ..." as one line to standard error; the exit status that belongs to `status`. */
int command_fail(int status, const struct error *error);

/*
 * From here on SIGINT and SIGTERM are only noted; a second one ends the program. One that was
 * ignored when the program began stays so.
 */
void command_catch_signals(void);
bool command_interrupted(void);
/* Print that it was interrupted; the exit status that says by what. */
int command_say_interrupted(void);

#endif
