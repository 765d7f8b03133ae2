/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that an image's DWARF says of lines and functions, for who asks about many addresses. Made
 * at the first call; lives as long as the image, as its strings do.
 */
#ifndef SNPEMU_IMAGE_SOURCE_H
#define SNPEMU_IMAGE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image;

/* The instructions at [gva, end) were made from this line. */
struct image_line {
    uint64_t gva, end;
    const char *path; /* absolute where the compiler said so */
    unsigned line;    /* never 0 */
};

/* Code of a function at [gva, end): of one that stands there, or of one inlined into another. */
struct image_function {
    uint64_t gva, end;
    uint64_t entry; /* where it begins to run; in another range of the same function perhaps */
    const char *name;
    const char *path; /* where it is declared; NULL: unknown */
    unsigned line;
    bool inlined;
    const char *call_path; /* of one that is inlined: where it is called */
    unsigned call_line;
    size_t outer; /* index of the next range around this one; SIZE_MAX: none */
};

/* Ascending, not overlapping. NULL and 0 without DWARF. */
const struct image_line *image_lines(const struct image *image, size_t *count);
/* By gva; a range before those inside it. */
const struct image_function *image_functions(const struct image *image, size_t *count);

#endif
