/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu-pages bash|zsh|fish OUT TEMPLATE
 * snpemu-pages man OUT TEXT NAME DATE: the page of "snpemu", or of one of its commands
 *
 * Part of the build; not installed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aside.h"
#include "pages.h"

static bool make(const char *kind, FILE *out, FILE *in, const struct page *page)
{
    static const struct {
        const char *kind;
        bool (*make)(FILE *out, FILE *in);
    } rows[] = {{"bash", pages_bash}, {"zsh", pages_zsh}, {"fish", pages_fish}};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].kind, kind) == 0) {
            return rows[i].make(out, in);
        }
    }
    return strcmp(kind, "man") == 0 && page->date && pages_man(out, in, page);
}

/* Tables are put together of pieces: two options of one key would be taken for each other. */
static bool keys_are_distinct(const struct command *command)
{
    const struct argp_option *option = command->argp->options;

    for (size_t i = 0; option[i].name || option[i].key; i++) {
        for (size_t other = 0; other < i; other++) {
            if (option[i].key && option[i].key == option[other].key) {
                fprintf(stderr, "snpemu-pages: %s: --%s and --%s have the same key\n",
                        command->name, option[other].name, option[i].name);
                return false;
            }
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct page page = {.name = argc == 6 ? argv[4] : NULL, .date = argc == 6 ? argv[5] : NULL};
    struct error error = {{0}};
    struct aside aside = {0};
    FILE *in = argc == 4 || argc == 6 ? fopen(argv[3], "r") : NULL;
    int status;

    for (size_t i = 0; command_at(i); i++) {
        if (!keys_are_distinct(command_at(i))) {
            return EXIT_INTERNAL;
        }
    }
    if (!in) {
        fprintf(stderr, "snpemu-pages: %s: %s; see the head of its main.c\n",
                argc > 3 ? argv[3] : "no template", strerror(argc > 3 ? errno : EINVAL));
        return EXIT_INPUT;
    }
    status = aside_open(&aside, argv[2], &error);
    if (status == SNPEMU_OK && !make(argv[1], aside.file, in, &page)) {
        status = error_set(&error, SNPEMU_ERR_INPUT,
                           "%s: not made: no such kind or command, or a line @NAME@ is missing",
                           argv[3]);
    }
    if (status == SNPEMU_OK) {
        status = aside_commit(&aside, &error);
    }
    aside_drop(&aside);
    fclose(in);
    return status == SNPEMU_OK ? EXIT_MET : command_fail(status, &error);
}
