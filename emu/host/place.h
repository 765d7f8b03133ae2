/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A place in a run, as text names it: before the answer to an exit, or at a function.
 */
#ifndef SNPEMU_HOST_PLACE_H
#define SNPEMU_HOST_PLACE_H

#include <stdint.h>

#include "error.h"

#define PLACE_NAME_MAX 256

enum place_kind {
    PLACE_NONE,
    PLACE_EXIT,   /* the guest has asked, the host has not been asked yet */
    PLACE_SYMBOL, /* the function is about to execute, for the first time */
};

struct exit_row;

struct place {
    enum place_kind kind;
    const struct exit_row *row; /* PLACE_EXIT: before the exit of this name whose number is nth, */
    uint64_t nth;               /* from 1 on */
    char symbol[PLACE_NAME_MAX];
};

/* "before NAME", "before NAME:N" or "at SYMBOL". 0, or SNPEMU_ERR_INPUT. */
int place_parse(struct place *place, const char *text, struct error *error);
/* "NAME" or "NAME:N" alone. */
int place_parse_exit(struct place *place, const char *text, struct error *error);

#endif
