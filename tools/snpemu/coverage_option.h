/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options that say where coverage goes, and the file that it becomes: what stands in it already
 * is added to.
 */
#ifndef SNPEMU_COVERAGE_OPTION_H
#define SNPEMU_COVERAGE_OPTION_H

#include <stdbool.h>

#include "aside.h"
#include "coverage/coverage.h"
#include "error.h"
#include "options.h"
#include "subject.h"

enum {
    COVERAGE_KEY_FILE = 0x300,
    COVERAGE_KEY_FORMAT,
};

/* Rows of a table of options. */
/* clang-format off */
#define COVERAGE_OPTIONS                                                                           \
    {"coverage", COVERAGE_KEY_FILE, "FILE", 0,                                                     \
     "Add what of the guest's code ran to FILE, which need not be there: NAME.info for lcov and "   \
     "genhtml (lines of source; the image needs DWARF), NAME.drcov for Lighthouse and "            \
     "Cartographer (blocks of code)", 0},                                                          \
    {"coverage-format", COVERAGE_KEY_FORMAT, "FORMAT", 0,                                          \
     "lcov or drcov, whatever FILE's name is", 0}
/* clang-format on */

struct coverage_option {
    const char *path; /* NULL: no coverage */
    bool format_given;
    enum coverage_format format;
};

/* What a parser does with keys that are not its own: these, else what option_other does. */
error_t coverage_option_parse(int key, char *arg, struct argp_state *state,
                              struct coverage_option *option);
/* At the end of the options. */
error_t coverage_option_end(struct argp_state *state, struct coverage_option *option);

/* All that is zero is closed. */
struct coverage_file {
    struct coverage *coverage; /* NULL: none is wanted */
    struct blocks *ran;        /* for struct run_options */
    struct aside aside;
};

/* Read what is there; what cannot be written shows now. Nothing without a path. */
int coverage_file_open(struct coverage_file *file, const struct coverage_option *option,
                       struct error *error);
void coverage_file_close(struct coverage_file *file);

/* Take what has run in `ran`. Nothing when no coverage is wanted. */
int coverage_file_take(struct coverage_file *file, const struct subject *subject,
                       struct error *error);
/* The file appears. */
int coverage_file_commit(struct coverage_file *file, struct error *error);

#endif
