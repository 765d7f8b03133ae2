/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The completion of bash: patterns of a case statement.
 */
#include <string.h>

#include "pages.h"

static void print_commands(FILE *out)
{
    const struct command *command;

    fprintf(out, "    words='");
    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        fprintf(out, "%s ", command->name);
    }
    fprintf(out, "--help --version'\n");
}

/* The options of each command. */
static void print_options(FILE *out)
{
    const struct command *command;
    const struct argp_option *option;

    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        const char *between = "";
        size_t at = 0;

        fprintf(out, "    %s) words='", command->name);
        while ((option = option_at(command->argp, &at)) != NULL) {
            if (option_letter(option)) {
                fprintf(out, "%s-%c", between, option_letter(option));
                between = " ";
            }
            fprintf(out, "%s--%s", between, option->name);
            between = " ";
        }
        fprintf(out, "' ;;\n");
    }
}

static void print_value(FILE *out, const struct value *value)
{
    fprintf(out, ") kinds='");
    value_print_kinds(out, value);
    fprintf(out, "%s'", value->kinds ? "" : "none");
    if (value->words[0]) {
        fprintf(out, " words=");
        pages_quote(out, value->words, "");
    }
    fprintf(out, " ;;\n");
}

static void print_command_values(FILE *out, const struct command *command)
{
    const struct argp_option *option;
    struct arguments arguments;
    size_t at = 0;

    while ((option = option_at(command->argp, &at)) != NULL) {
        struct value value = {0};

        if (!option->arg) {
            continue;
        }
        value_add(&value, option->arg);
        /* With "=" in the pattern it is found only where the value follows one. */
        fprintf(out, "    '%s --%s%s'", command->name, option->name,
                option_takes_word(option) ? "" : "=");
        if (option_letter(option) && option_takes_word(option)) {
            fprintf(out, " | '%s -%c'", command->name, option_letter(option));
        }
        print_value(out, &value);
    }
    arguments_read(&arguments, command->argp->args_doc);
    for (size_t i = 0; i < arguments.count; i++) {
        bool more = arguments.more && i + 1 == arguments.count;

        fprintf(out, more ? "    '%s '[1-9]*" : "    '%s %zu'", command->name, i + 1);
        print_value(out, &arguments.value[i]);
    }
}

/* What follows an option, and what is argument number N. */
static void print_values(FILE *out)
{
    const struct command *command;

    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        print_command_values(out, command);
    }
}

bool pages_bash(FILE *out, FILE *in)
{
    struct blank blanks[] = {
        {.name = "COMMANDS", .print = print_commands},
        {.name = "OPTIONS", .print = print_options},
        {.name = "VALUES", .print = print_values},
    };

    return template_fill(out, in, blanks, sizeof(blanks) / sizeof(blanks[0]));
}
