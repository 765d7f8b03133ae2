/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which blocks of code ran, as DynamoRIO's drcov writes it (Lighthouse and Cartographer read it):
 * version 2 with module table version 2.
 *
 * Source: DynamoRIO, ext/drcovlib/drcovlib.c and modules.c; Lighthouse, parsers/drcov.py.
 */
#ifndef SNPEMU_COVERAGE_DRCOV_H
#define SNPEMU_COVERAGE_DRCOV_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "coverage/blocks.h"
#include "error.h"

struct image;

#define DRCOV_MODULES_MAX 4096u
#define DRCOV_BLOCKS_MAX 20000000u

struct drcov; /* opaque */

struct drcov *drcov_new(void);        /* NULL: out of memory */
void drcov_free(struct drcov *drcov); /* takes NULL */

/* The blocks that lie inside the image. */
int drcov_image(struct drcov *drcov, const struct image *image, const struct block_count *block,
                size_t count, struct error *error);
/* Add what a file holds, whose name is for messages. */
int drcov_read(struct drcov *drcov, const char *name, const char *bytes, size_t size_bytes,
               struct error *error);
/* Errors of `file` are the caller's to see. */
int drcov_write(struct drcov *drcov, FILE *file, struct error *error);

#endif
