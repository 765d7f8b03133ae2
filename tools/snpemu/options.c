/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"

#define NAME_LENGTH_MAX 40

const char *option_nearest(const struct nearest *nearest)
{
    return nearest->best && nearest->distance <= 1 + strlen(nearest->name) / 3 ? nearest->best
                                                                               : NULL;
}

error_t option_fail(struct argp_state *state, const char *format, ...)
{
    struct options *options = state->input;
    char text[sizeof(options->error.text)];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (!options->error.text[0]) {
        error_set(&options->error, SNPEMU_ERR_INPUT, "%s", text);
    }
    return EINVAL;
}

static const struct argp_option *option_named(const struct argp_option *option, const char *name)
{
    for (; option->name || option->key || option->doc; option++) {
        if (option->name && strcmp(option->name, name) == 0) {
            return option;
        }
    }
    return NULL;
}

/* What argp stumbled over is the last word it took, or the next one when it stopped inside it. */
static const char *option_at_fault(const struct argp_state *state)
{
    const char *word = state->next > 1 ? state->argv[state->next - 1] : "";

    if (word[0] != '-' && state->next < state->argc) {
        word = state->argv[state->next];
    }
    return word;
}

static error_t option_unknown(struct argp_state *state)
{
    const struct argp_option *table = state->root_argp->options, *row;
    const char *word = option_at_fault(state);
    size_t length = strcspn(word, "=");
    char name[NAME_LENGTH_MAX + 1];
    struct nearest nearest;

    snprintf(name, sizeof(name), "%.*s", (int)(length > 2 ? length - 2 : 0),
             length > 2 ? word + 2 : "");
    nearest_start(&nearest, name);
    row = option_named(table, name);
    if (row) {
        return word[length] && !row->arg ? option_fail(state, "--%s takes no value", name)
                                         : option_fail(state, "--%s needs a value: --%s %s", name,
                                                       name, row->arg ? row->arg : "");
    }
    for (row = table; row->name || row->key || row->doc; row++) {
        if (row->key > ' ' && row->key <= '~' && word[0] == '-' && word[1] == row->key &&
            row->arg) {
            return option_fail(state, "-%c needs a value: -%c %s", row->key, row->key, row->arg);
        }
        if (row->name && !(row->flags & OPTION_HIDDEN)) {
            nearest_try(&nearest, row->name);
        }
    }
    if (option_nearest(&nearest) && word[1] == '-') {
        return option_fail(state, "unknown option '%.100s'; nearest: --%s", word,
                           option_nearest(&nearest));
    }
    return option_fail(state, "unknown option '%.100s'; see '%s --help'", word, state->name);
}

error_t option_other(int key, struct argp_state *state)
{
    switch (key) {
    case OPTION_KEY_HELP:
        /* The flag that silences argp's errors silences its help, too. */
        state->flags &= ~(unsigned)ARGP_NO_ERRS;
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
        return 0;
    case ARGP_KEY_ERROR:
        option_unknown(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int options_parse(const struct argp *argp, int argc, char **argv, struct options *options)
{
    error_t failed = argp_parse(argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP, NULL, options);

    if (failed == 0 && !options->error.text[0]) {
        return SNPEMU_OK;
    }
    if (!options->error.text[0]) {
        return error_set(&options->error, failed == ENOMEM ? SNPEMU_ERR_MEMORY : SNPEMU_ERR_INPUT,
                         "options: %s", strerror(failed));
    }
    return SNPEMU_ERR_INPUT;
}

/* Digits only: strtoull itself would take spaces, signs and octal numbers. */
static bool number_read(const char *text, const char **end, uint64_t max, uint64_t *value)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    char *after;

    /* A second prefix would be taken, too. */
    if (hex && digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X')) {
        return false;
    }
    if (hex ? !isxdigit((unsigned char)*digits) : !isdigit((unsigned char)*digits)) {
        return false;
    }
    errno = 0;
    *value = strtoull(digits, &after, hex ? 16 : 10);
    *end = after;
    return errno == 0 && *value <= max;
}

error_t option_number(struct argp_state *state, const char *name, const char *text, uint64_t min,
                      uint64_t max, uint64_t *value)
{
    const char *end;

    if (!number_read(text, &end, max, value) || *end || *value < min) {
        return option_fail(state, "%s: '%.100s' is not a number from %" PRIu64 " to %" PRIu64, name,
                           text, min, max);
    }
    return 0;
}

error_t option_numbers(struct argp_state *state, const char *name, const char *text,
                       uint32_t *value, size_t max_count, size_t *count)
{
    const char *at = text;

    for (*count = 0; *count < max_count; (*count)++) {
        uint64_t number;

        if (!number_read(at, &at, UINT32_MAX, &number) || (*at && *at != ',')) {
            return option_fail(state,
                               "%s: number %zu of '%.100s' is not one from 0 to %" PRIu32
                               "; write them as 0,2,4",
                               name, *count + 1, text, UINT32_MAX);
        }
        value[*count] = (uint32_t)number;
        if (!*at) {
            (*count)++;
            return 0;
        }
        at++;
    }
    return option_fail(state, "%s: more than %zu numbers", name, max_count);
}

error_t option_oracles(struct argp_state *state, const char *text, uint32_t *oracles)
{
    char why[320];

    return oracles_parse(text, oracles, why, sizeof(why))
               ? 0
               : option_fail(state, "--oracles: %s", why);
}
