/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Manual pages: the help, as roff. What a page says besides is text that people wrote, up to its
 * first .SH a part of the description.
 */
#include <ctype.h>
#include <string.h>

#include "pages.h"

#define LINE_MAX_BYTES 4096
#define STATUS_WORDS "Exit status: "

/* Text of `size` bytes; a sentence begins a line. Hyphens of options must stay what they are. */
static void print_text(FILE *out, const char *text, size_t size)
{
    bool at_start = true;

    for (size_t i = 0; i < size && text[i]; i++) {
        char c = text[i], before = i ? text[i - 1] : ' ';

        if (at_start && (c == '.' || c == '\'')) {
            fputs("\\&", out);
        }
        at_start = false;
        if (c == '\\') {
            fputs("\\e", out);
        } else if (c == '\'') {
            fputs("\\(aq", out);
        } else if (c == '-' && (strchr(" -('/", before) || text[i + 1] == '-')) {
            fputs("\\-", out);
        } else if (c == ' ' && i > 0 && strchr(".?", before) && i > 1 && text[i - 2] != '.' &&
                   isupper((unsigned char)text[i + 1])) {
            fputc('\n', out);
            at_start = true;
        } else {
            fputc(c, out);
        }
    }
    fputc('\n', out);
}

/* A word that is written as it stands, in its font. */
static void print_literal(FILE *out, const char *text)
{
    for (; *text; text++) {
        fputs(*text == '-' ? "\\-" : *text == '\\' ? "\\e" : *text == '\'' ? "\\(aq" : "", out);
        if (!strchr("-\\'", *text)) {
            fputc(*text, out);
        }
    }
}

/* Paragraphs, with a blank line between; lines that begin with a blank are examples. */
static void print_paragraphs(FILE *out, const char *text, const char *end, const char *start)
{
    while (text < end) {
        const char *blank = strstr(text, "\n\n");
        const char *next = blank && blank < end ? blank : end;
        bool example = text[0] == ' ';

        fputs(start, out);
        start = ".PP\n";
        if (example) {
            fputs(".nf\n", out);
        }
        for (const char *line = text; line < next;) {
            size_t size = strcspn(line, "\n");

            size = line + size > next ? (size_t)(next - line) : size;
            if (example && line > text && line[0] != ' ') {
                fputs(".fi\n.PP\n", out);
                example = false;
            }
            while (!example && size > 0 && line[size - 1] == ' ') {
                size--;
            }
            print_text(out, line, size);
            line += strcspn(line, "\n");
            line += *line == '\n';
        }
        if (example) {
            fputs(".fi\n", out);
        }
        text = next;
        while (text < end && *text == '\n') {
            text++;
        }
    }
}

/* "Exit status: ..." of a help's text, or its end. */
static const char *status_of(const char *text)
{
    const char *status = strstr(text, STATUS_WORDS);

    return status ? status : text + strlen(text);
}

/* Copy lines of what people wrote: to the first .SH, or from there on. */
static void copy_text(FILE *out, FILE *in, bool sections)
{
    char line[LINE_MAX_BYTES];
    bool in_section = false;

    rewind(in);
    while (fgets(line, sizeof(line), in)) {
        in_section |= strncmp(line, ".SH", 3) == 0;
        if (in_section == sections && strncmp(line, ".\\\"", 3) != 0) {
            fputs(line, out);
        }
    }
}

static void print_options(FILE *out, const struct argp *argp)
{
    const struct argp_option *option;
    size_t at = 0;

    fprintf(out, ".SH OPTIONS\n");
    while ((option = option_at(argp, &at)) != NULL) {
        char letter = option_letter(option);

        fprintf(out, ".TP\n");
        if (letter) {
            bool word = option_takes_word(option);

            fprintf(out, "\\fB\\-%c\\fR%s", letter, word ? " \\fI" : "");
            print_literal(out, word ? option->arg : "");
            fprintf(out, "%s, ", word ? "\\fR" : "");
        }
        fprintf(out, "\\fB\\-\\-");
        print_literal(out, option->name);
        fprintf(out, "\\fR");
        if (option->arg) {
            fprintf(out, option_takes_word(option) ? "=\\fI" : "[=\\fI");
            print_literal(out, option->arg);
            fprintf(out, option_takes_word(option) ? "\\fR" : "\\fR]");
        }
        fprintf(out, "\n");
        print_text(out, option->doc, strlen(option->doc));
    }
}

static void print_synopsis(FILE *out, const char *whole_name, const char *args_doc)
{
    fprintf(out, ".SH SYNOPSIS\n");
    for (const char *line = args_doc ? args_doc : "";;) {
        size_t size = strcspn(line, "\n");

        fprintf(out, ".B %s\n", whole_name);
        if (!args_doc || strncmp(args_doc, "COMMAND", 7) != 0) {
            fprintf(out, "[\\fIOPTION\\fR...]\n");
        }
        if (size > 0) {
            print_text(out, line, size);
        }
        line += size;
        if (!*line) {
            return;
        }
        fprintf(out, ".br\n");
        line++;
    }
}

static void print_name(FILE *out, const char *name, const char *separator)
{
    fprintf(out, "snpemu%s", *name ? separator : "");
    fputs(name, out);
}

/* The list of the commands, with their pages. */
static void print_commands(FILE *out)
{
    const struct command *command;

    fprintf(out, ".SH COMMANDS\n");
    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        fprintf(out, ".TP\n.BR snpemu\\-%s (1)\n", command->name);
        fputc(toupper((unsigned char)command->summary[0]), out);
        print_text(out, command->summary + 1, strlen(command->summary));
    }
}

static void print_see_also(FILE *out, const char *name)
{
    const struct command *command;
    const char *between = "";

    fprintf(out, ".SH SEE ALSO\n");
    if (*name) {
        fprintf(out, ".BR snpemu (1)");
        between = " ,\n";
    }
    for (size_t i = 0; (command = command_at(i)) != NULL; i++) {
        if (strcmp(command->name, name) != 0) {
            fprintf(out, "%s.BR snpemu\\-%s (1)", between, command->name);
            between = " ,\n";
        }
    }
    fprintf(out, "\n");
}

bool pages_man(FILE *out, FILE *in, const struct page *page)
{
    const struct command *command = command_named(page->name);
    const struct argp *argp = command ? command->argp : &command_main_argp;
    const char *name = command ? command->name : "", *more, *status;

    if (!command && strcmp(page->name, "snpemu") != 0) {
        return false;
    }
    more = strchr(argp->doc, '\v');
    more = more ? more + 1 : argp->doc + strlen(argp->doc);
    status = status_of(more);
    fprintf(out, ".\\\" SPDX-License-Identifier: GPL-2.0-or-later\n.TH ");
    for (const char *c = command ? command->whole_name : "snpemu"; *c; c++) {
        fputs(*c == ' ' ? "\\-" : "", out);
        if (*c != ' ') {
            fputc(toupper((unsigned char)*c), out);
        }
    }
    fprintf(out, " 1 \"%s\" \"snpemu %s\" \"User Commands\"\n.SH NAME\n", page->date,
            SNPEMU_VERSION);
    print_name(out, name, "\\-");
    fprintf(out, " \\- %s\n", command ? command->summary : "deterministic emulator of AMD SEV-SNP");
    print_synopsis(out, command ? command->whole_name : "snpemu", argp->args_doc);
    fprintf(out, ".SH DESCRIPTION\n");
    print_text(out, argp->doc, strcspn(argp->doc, "\v"));
    print_paragraphs(out, more, status, ".PP\n");
    copy_text(out, in, false);
    if (!command) {
        print_commands(out);
    }
    print_options(out, argp);
    if (*status) {
        fprintf(out, ".SH EXIT STATUS\n");
        status += strlen(STATUS_WORDS);
        print_paragraphs(out, status, status + strlen(status), "");
    }
    copy_text(out, in, true);
    print_see_also(out, name);
    return true;
}
