/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that appears whole or not at all: it is written aside, in the same directory, and
 * renamed when all of it has reached the disk. Devices, pipes and the process's own open files
 * are written directly.
 */
#ifndef SNPEMU_ASIDE_H
#define SNPEMU_ASIDE_H

#include <stddef.h>
#include <stdio.h>

#include "error.h"

struct aside {
    FILE *file;     /* to write to; NULL when closed */
    char *path;     /* where it shall appear */
    char *path_now; /* where it is until then; NULL when written directly */
};

/* 0, SNPEMU_ERR_IO, SNPEMU_ERR_MEMORY. "-" is standard output. */
int aside_open(struct aside *aside, const char *path, struct error *error);
/* Close, and let the file appear. On failure nothing is left of it. */
int aside_commit(struct aside *aside, struct error *error);
/* Close, and leave nothing. Does nothing when it is closed already. */
void aside_drop(struct aside *aside);

/* All of it in one step. */
int aside_write(const char *path, const char *bytes, size_t size_bytes, struct error *error);

#endif
