/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Options through argp, with one-line errors of our own: argp prints two, and names no remedy.
 */
#ifndef SNPEMU_OPTIONS_H
#define SNPEMU_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "host/nearest.h"

/* The first member of what a parser fills. */
struct options {
    struct error error; /* the first mistake */
};

/* To be the first and last rows of each option table. */
#define OPTION_KEY_HELP 'h'
#define OPTION_HELP                                                                                \
    {                                                                                              \
        .name = "help", .key = OPTION_KEY_HELP, .doc = "Print this help", .group = -1              \
    }

/*
 * Parse all of argv into `options`, the `input` of each call of argp's parser. 0, or
 * SNPEMU_ERR_INPUT with options->error. --help does not return.
 */
int options_parse(const struct argp *argp, int argc, char **argv, struct options *options);

/* What a parser does with keys that are not its own. */
error_t option_other(int key, struct argp_state *state);

/* Note a mistake; to be returned by the parser. */
error_t option_fail(struct argp_state *state, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Read a number, decimal or with 0x, nothing around it. `name` is for the message. */
error_t option_number(struct argp_state *state, const char *name, const char *text, uint64_t min,
                      uint64_t max, uint64_t *value);
/* Read "0,2,4" into value[0 .. *count - 1]; at most max_count numbers of 32 bits. */
error_t option_numbers(struct argp_state *state, const char *name, const char *text,
                       uint32_t *value, size_t max_count, size_t *count);

/* Read "cheap", "all", "none" or "double-fetch,leak" as ORACLE_BIT()s. */
error_t option_oracles(struct argp_state *state, const char *text, uint32_t *oracles);

/* The nearest name for a message, or NULL when none is near enough to be what was meant. */
const char *option_nearest(const struct nearest *nearest);

#endif
