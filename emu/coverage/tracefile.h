/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often each line of source and each function ran: what lcov's tracefiles hold. Counts of the
 * same line, or of the same function, are added.
 */
#ifndef SNPEMU_COVERAGE_TRACEFILE_H
#define SNPEMU_COVERAGE_TRACEFILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "coverage/blocks.h"
#include "error.h"

struct image;

#define TRACEFILE_RECORDS_MAX 20000000u /* lines or functions */

struct tracefile; /* opaque */

struct tracefile *tracefile_new(void);            /* NULL: out of memory */
void tracefile_free(struct tracefile *tracefile); /* takes NULL */

/* The texts are copied; count 0 says that there is code, and that it did not run. */
void tracefile_line(struct tracefile *tracefile, const char *path, unsigned line, uint64_t count);
void tracefile_function(struct tracefile *tracefile, const char *path, unsigned line,
                        const char *name, uint64_t count);
/* All lines and functions that the image's DWARF has; none without DWARF. */
int tracefile_image(struct tracefile *tracefile, const struct image *image,
                    const struct block_count *block, size_t count, struct error *error);

/*
 * lcov.c: add what a file holds, whose name is for messages: SNPEMU_ERR_INPUT when it is none, or
 * has records that would be lost. Write: errors of `file` are the caller's to see.
 * Source: lcov 1.16, man geninfo(1), "TRACEFILE FORMAT".
 */
int tracefile_read(struct tracefile *tracefile, const char *name, const char *bytes,
                   size_t size_bytes, struct error *error);
int tracefile_write(struct tracefile *tracefile, FILE *file, struct error *error);

/* Private to the two: put in order, each once; SNPEMU_ERR_MEMORY, for what happened before, too. */
struct tracefile_record {
    const char *path;
    const char *name; /* of a function; NULL: of a line */
    unsigned line;
    uint64_t count;
};
int tracefile_settle(struct tracefile *tracefile, struct error *error);
const struct tracefile_record *tracefile_lines(const struct tracefile *tracefile, size_t *count);
const struct tracefile_record *tracefile_functions(const struct tracefile *tracefile,
                                                   size_t *count);

#endif
