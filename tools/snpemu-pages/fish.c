/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The completion of fish: one line an option.
 */
#include <string.h>

#include "pages.h"

#define BRIEF_SIZE 128

/* A command substitution, which fish makes at the time. */
static void print_value(FILE *out, const struct value *value)
{
    fprintf(out, " -a '(__snpemu_value \"");
    value_print_kinds(out, value);
    fprintf(out, "\" %s)'", value->words);
}

static void print_option(FILE *out, const struct command *command, const struct argp_option *option)
{
    char brief[BRIEF_SIZE];

    pages_brief(brief, sizeof(brief), option->doc ? option->doc : "");
    fprintf(out, "complete -c snpemu -n '__snpemu_command %s' -l %s", command->name, option->name);
    if (option_letter(option)) {
        fprintf(out, " -s %c", option_letter(option));
    }
    fprintf(out, " -d ");
    pages_quote(out, brief, "\\");
    if (option->arg) {
        struct value value = {0};

        value_add(&value, option->arg);
        fprintf(out, !option_takes_word(option)  ? ""
                     : value.kinds == VALUE_FILE ? " -r -F"
                                                 : " -x");
        if (value.kinds && value.kinds != VALUE_FILE) {
            print_value(out, &value);
        }
    }
    fprintf(out, "\n");
}

static void print_command(FILE *out, const struct command *command)
{
    const struct argp_option *option;
    struct arguments arguments;
    size_t at = 0;

    fprintf(out, "\ncomplete -c snpemu -n '__snpemu_command' -a %s -d ", command->name);
    pages_quote(out, command->summary, "\\");
    fprintf(out, "\n");
    while ((option = option_at(command->argp, &at)) != NULL) {
        print_option(out, command, option);
    }
    arguments_read(&arguments, command->argp->args_doc);
    for (size_t i = 0; i < arguments.count; i++) {
        if (arguments.value[i].kinds) {
            fprintf(out, "complete -c snpemu -n '__snpemu_command %s %s%zu'", command->name,
                    arguments.more && i + 1 == arguments.count ? "+" : "", i + 1);
            print_value(out, &arguments.value[i]);
            fprintf(out, "\n");
        }
    }
}

static void print_lines(FILE *out)
{
    const struct command *command;

    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        print_command(out, command);
    }
}

/* Options that take a value, so that their values are told from arguments. */
static void print_valued(FILE *out)
{
    const struct argp_option *option;
    const struct command *command;

    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        size_t at = 0;

        while ((option = option_at(command->argp, &at)) != NULL) {
            if (option_takes_word(option)) {
                fprintf(out, "    set -a valued %s--%s", command->name, option->name);
                if (option_letter(option)) {
                    fprintf(out, " %s-%c", command->name, option_letter(option));
                }
                fprintf(out, "\n");
            }
        }
    }
}

bool pages_fish(FILE *out, FILE *in)
{
    struct blank blanks[] = {
        {.name = "LINES", .print = print_lines},
        {.name = "VALUED", .print = print_valued},
    };

    return template_fill(out, in, blanks, sizeof(blanks) / sizeof(blanks[0]));
}
