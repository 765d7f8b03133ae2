/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What of a guest's code has run, in a format that other programs show. It is made of runs, and of
 * files that were written before: counts are added, whichever way it came.
 */
#ifndef SNPEMU_COVERAGE_COVERAGE_H
#define SNPEMU_COVERAGE_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "coverage/blocks.h"
#include "error.h"

struct image;

enum coverage_format {
    COVERAGE_LCOV,  /* lines and functions of source: tracefile.h */
    COVERAGE_DRCOV, /* blocks of code: drcov.h */
    COVERAGE_FORMATS,
};

/* "lcov", "drcov"; false when there is none of that name. */
bool coverage_format_named(const char *name, enum coverage_format *format);
/* As the file's name ends: .info, .drcov. */
bool coverage_format_of(const char *path, enum coverage_format *format);

struct coverage; /* opaque */

int coverage_new(struct coverage **coverage, enum coverage_format format, struct error *error);
void coverage_free(struct coverage *coverage); /* takes NULL */

/*
 * What has run since the last call that had these blocks, of the SVSM and of its guest, whose
 * program may be NULL: then nothing is known of it. Lines need DWARF: SNPEMU_ERR_INPUT where the
 * SVSM's image has none.
 */
int coverage_take(struct coverage *coverage, const struct blocks *blocks, const struct image *svsm,
                  const struct image *guest, struct error *error);
/* A file of the same format, named so in messages. An empty one is none. */
int coverage_read(struct coverage *coverage, const char *name, const char *bytes, size_t size_bytes,
                  struct error *error);
/* Errors of `file` are the caller's to see. */
int coverage_write(struct coverage *coverage, FILE *file, struct error *error);

#endif
