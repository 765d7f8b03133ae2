/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The completion of zsh: what _arguments takes, one line an option.
 */
#include <string.h>

#include "pages.h"

#define BRIEF_SIZE 128

/* What follows the last colon: how the value is completed. The blank keeps it as it is. */
static void print_action(FILE *out, const struct value *value)
{
    if (!value->kinds) {
        fprintf(out, "': '");
        return;
    }
    fprintf(out, "': _snpemu_value ");
    value_print_kinds(out, value);
    fprintf(out, "'");
    if (value->words[0]) {
        fprintf(out, "' -- '");
        pages_quote(out, value->words, ":");
    }
}

static void print_option(FILE *out, const struct argp_option *option)
{
    char brief[BRIEF_SIZE], letter = option_letter(option);

    pages_brief(brief, sizeof(brief), option->doc ? option->doc : "");
    fprintf(out, " \\\n        ");
    if (letter) {
        fprintf(out, "'(-%c --%s)'{-%c%s,--%s%s}", letter, option->name, letter,
                option->arg ? "+" : "", option->name, option->arg ? "=" : "");
    } else {
        fprintf(out, "--%s%s", option->name,
                !option->arg                ? ""
                : option_takes_word(option) ? "="
                                            : "=-");
    }
    fprintf(out, "'['");
    pages_quote(out, brief, "[]:\\");
    fprintf(out, "']'");
    if (option->arg) {
        struct value value = {0};

        value_add(&value, option->arg);
        fprintf(out, option_takes_word(option) ? "':'" : "'::'");
        pages_quote(out, option->arg, ":\\");
        print_action(out, &value);
    }
}

static void print_command(FILE *out, const struct command *command)
{
    const struct argp_option *option;
    struct arguments arguments;
    size_t at = 0;

    fprintf(out, "_snpemu_%s() {\n    _arguments -s -S :", command->name);
    while ((option = option_at(command->argp, &at)) != NULL) {
        print_option(out, option);
    }
    arguments_read(&arguments, command->argp->args_doc);
    for (size_t i = 0; i < arguments.count; i++) {
        bool more = arguments.more && i + 1 == arguments.count;

        fprintf(out, " \\\n        ");
        if (more) {
            fprintf(out, "'*:argument'");
        } else {
            fprintf(out, "'%zu:argument'", i + 1);
        }
        print_action(out, &arguments.value[i]);
    }
    fprintf(out, "\n}\n\n");
}

static void print_functions(FILE *out)
{
    const struct command *command;

    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        print_command(out, command);
    }
}

static void print_commands(FILE *out)
{
    const struct command *command;

    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        fprintf(out, "        ");
        fprintf(out, "%s:", command->name);
        pages_quote(out, command->summary, ":\\");
        fprintf(out, "\n");
    }
}

bool pages_zsh(FILE *out, FILE *in)
{
    struct blank blanks[] = {
        {.name = "FUNCTIONS", .print = print_functions},
        {.name = "COMMANDS", .print = print_commands},
    };

    return template_fill(out, in, blanks, sizeof(blanks) / sizeof(blanks[0]));
}
