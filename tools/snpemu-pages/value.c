/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the words of the help stand for.
 */
#include <ctype.h>
#include <string.h>

#include "check/oracle.h"
#include "ghcb/table.h"
#include "pages.h"
#include "trace/meaning.h"

#define NAME_MAX_LENGTH 64

static void add_word(struct value *value, const char *word)
{
    size_t used = strlen(value->words), length = strlen(word);

    if (used + length + 2 <= sizeof(value->words)) {
        snprintf(value->words + used, sizeof(value->words) - used, "%s%s", used ? " " : "", word);
    }
}

static void add_oracles(struct value *value)
{
    for (int kind = 0; kind < ORACLE_COUNT; kind++) {
        add_word(value, oracle_name((enum oracle_kind)kind));
    }
}

static void add_oracle_sets(struct value *value)
{
    add_word(value, "cheap");
    add_word(value, "all");
    add_word(value, "none");
    add_oracles(value);
}

static void add_exits(struct value *value)
{
    for (size_t i = 0; i < exit_msr_row_count; i++) {
        add_word(value, exit_msr_rows[i].name);
    }
    for (size_t i = 0; i < exit_nae_row_count; i++) {
        add_word(value, exit_nae_rows[i].name);
    }
}

static void add_terminations(struct value *value)
{
    const struct termination *row;
    char word[16];

    for (size_t i = 0; (row = termination_at(i)) != NULL; i++) {
        snprintf(word, sizeof(word), "0x%x:0x%x", row->set, row->code);
        add_word(value, word);
    }
}

static void add_outcomes(struct value *value)
{
    for (int kind = OUTCOME_NONE + 1; kind < OUTCOME_KIND_COUNT; kind++) {
        add_word(value, outcome_name((enum outcome_kind)kind));
    }
}

static void add_verdicts(struct value *value)
{
    for (int verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        add_word(value, verdict_name((enum verdict)verdict));
    }
}

static const struct {
    const char *name;
    unsigned kinds;
    void (*words)(struct value *value);
} rows[] = {
    {"FILE", VALUE_FILE, NULL},
    {"FILE.html", VALUE_FILE, NULL},
    {"INPUT", VALUE_FILE, NULL},
    {"FILE.lua", VALUE_SCENARIO, NULL},
    {"SCENARIO.lua", VALUE_SCENARIO, NULL},
    {"RUN.lua", VALUE_SCENARIO, NULL},
    {"PATH", VALUE_SCENARIO | VALUE_DIR, NULL},
    {"DIR", VALUE_DIR, NULL},
    {"OUTDIR", VALUE_DIR, NULL},
    {"IMAGE", VALUE_IMAGE, NULL},
    {"NAME,...", VALUE_LIST, add_oracle_sets},
    {"NAME[:N]", VALUE_WORDS, add_exits},
    {"SET:CODE", VALUE_WORDS, add_terminations},
    {"OUTCOME", VALUE_WORDS, add_outcomes},
    {"VERDICT", VALUE_WORDS, add_verdicts},
    {"ORACLE", VALUE_WORDS, add_oracles},
};

/* Words that stand for themselves, with | between. */
static void add_literals(struct value *value, const char *name)
{
    char word[NAME_MAX_LENGTH];

    for (const char *c = name; *c; c++) {
        if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c) && !strchr("|-", *c)) {
            return;
        }
    }
    for (const char *at = name; *at; at += at[0] == '|') {
        size_t length = strcspn(at, "|");

        snprintf(word, sizeof(word), "%.*s", (int)length, at);
        add_word(value, word);
        value->kinds |= VALUE_WORDS;
        at += length;
    }
}

void value_add(struct value *value, const char *name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            value->kinds |= rows[i].kinds;
            if (rows[i].words) {
                rows[i].words(value);
            }
            return;
        }
    }
    add_literals(value, name);
}

void value_print_kinds(FILE *file, const struct value *value)
{
    static const char *const names[VALUE_KIND_COUNT] = {"file",  "dir",   "scenario",
                                                        "image", "words", "list"};
    const char *between = "";

    for (size_t i = 0; i < VALUE_KIND_COUNT; i++) {
        if (value->kinds & 1u << i) {
            fprintf(file, "%s%s", between, names[i]);
            between = " ";
        }
    }
}

/* "PATH..." and "[ORACLE" without what is around the name. True: it may come again. */
static bool bare_name(char *name)
{
    size_t length = strlen(name);
    bool more = false;

    if (length > 0 && name[length - 1] == ']') {
        name[--length] = '\0';
    }
    if (length > 3 && name[length - 4] != ',' && strcmp(name + length - 3, "...") == 0) {
        name[length - 3] = '\0';
        more = true;
    }
    if (name[0] == '[') {
        memmove(name, name + 1, strlen(name));
    }
    return more;
}

/* One way of writing them. */
static void read_line(struct arguments *arguments, const char *at, size_t length)
{
    size_t position = 0;
    bool other = false; /* after "|": instead of the word before */

    for (const char *end = at + length; at < end;) {
        size_t size = strcspn(at, " \n");
        char name[NAME_MAX_LENGTH];

        snprintf(name, sizeof(name), "%.*s", (int)size, at);
        at += size + strspn(at + size, " ");
        if (strcmp(name, "|") == 0) {
            other = true;
            continue;
        }
        position += !other;
        other = false;
        if (position == 0 || position > ARGUMENTS_MAX) {
            continue;
        }
        arguments->more |= bare_name(name);
        value_add(&arguments->value[position - 1], name);
        arguments->count = position > arguments->count ? position : arguments->count;
        if (*at == '\n') {
            return;
        }
    }
}

void arguments_read(struct arguments *arguments, const char *args_doc)
{
    memset(arguments, 0, sizeof(*arguments));
    for (const char *line = args_doc ? args_doc : ""; *line;) {
        size_t length = strcspn(line, "\n");

        read_line(arguments, line, length);
        line += length + (line[length] == '\n');
    }
}

const struct argp_option *option_at(const struct argp *argp, size_t *i)
{
    for (;; (*i)++) {
        const struct argp_option *option = &argp->options[*i];

        if (!option->name && !option->key && !option->doc) {
            return NULL;
        }
        if (option->name && !(option->flags & OPTION_HIDDEN)) {
            (*i)++;
            return option;
        }
    }
}

char option_letter(const struct argp_option *option)
{
    return option->key > ' ' && option->key <= '~' ? (char)option->key : 0;
}

bool option_takes_word(const struct argp_option *option)
{
    return option->arg && !(option->flags & OPTION_ARG_OPTIONAL);
}
