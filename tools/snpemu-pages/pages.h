/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is made of the command's tables of options when it is built: manual pages, and the
 * completions of bash, zsh and fish.
 */
#ifndef SNPEMU_PAGES_H
#define SNPEMU_PAGES_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "command.h"
#include "error.h"

/* What may stand for a word such as FILE in the help; several together. */
enum value_kind {
    VALUE_FILE = 1,
    VALUE_DIR = 2,
    VALUE_SCENARIO = 4, /* *.lua */
    VALUE_IMAGE = 8,    /* *.elf, or the name of a built one */
    VALUE_WORDS = 16,   /* one of `words` */
    VALUE_LIST = 32,    /* several of them, with commas between */
};
#define VALUE_KIND_COUNT 6

#define VALUE_WORDS_MAX 8192
struct value {
    unsigned kinds;              /* 0: nothing can be said of it */
    char words[VALUE_WORDS_MAX]; /* with a blank between */
};

/* Adds to `value` what `name` stands for: "FILE", "NAME,...", or the words themselves:
 * "full|golden". */
void value_add(struct value *value, const char *name);
/* The kinds in the words of the templates, with a blank between: "scenario image". */
void value_print_kinds(FILE *file, const struct value *value);

/* The arguments of a command, from what its help says of them. */
#define ARGUMENTS_MAX 4
struct arguments {
    struct value value[ARGUMENTS_MAX];
    size_t count;
    bool more; /* the last one may come again */
};
void arguments_read(struct arguments *arguments, const char *args_doc);

/* A row that is shown in the help; NULL after the last. `i` begins at 0. */
const struct argp_option *option_at(const struct argp *argp, size_t *i);
/* Its letter, as in -j; 0: none. */
char option_letter(const struct argp_option *option);
/* Its value is the next word; else, if it has one, it may be left out and stands behind "=". */
bool option_takes_word(const struct argp_option *option);

/* As much of a description as fits beside the name: up to the first stop. */
void pages_brief(char *brief, size_t size, const char *text);
/* In single quotes for a shell; `special` get a backslash before them. */
void pages_quote(FILE *file, const char *text, const char *special);

/*
 * Each writes a whole file. `in` is what people wrote: a template with lines @NAME@, or what a
 * manual page says besides. False when the template lacks a line that there must be.
 */
bool pages_bash(FILE *out, FILE *in);
bool pages_zsh(FILE *out, FILE *in);
bool pages_fish(FILE *out, FILE *in);

struct page {
    const char *name; /* "snpemu", or a command's */
    const char *date; /* of the version */
};
bool pages_man(FILE *out, FILE *in, const struct page *page);

/* A template with a line @NAME@ for each row, where `print` writes. */
struct blank {
    const char *name;
    void (*print)(FILE *out);
    bool seen;
};
bool template_fill(FILE *out, FILE *in, struct blank *blank, size_t count);

#endif
