/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unified diff of two texts, as diff -u and git print it.
 */
#ifndef SNPEMU_TRACE_DIFF_H
#define SNPEMU_TRACE_DIFF_H

#include <stddef.h>

struct diff_side {
    const char *name; /* for the --- or +++ line */
    const char *text; /* need not end in NUL */
    size_t size_bytes;
};

/*
 * Print the difference into a new NUL-terminated text, empty when there is none; the caller frees
 * it. After max_lines lines, if not 0, it ends with a line that says so. Returns 0 or
 * SNPEMU_ERR_MEMORY.
 *
 * The smallest difference is found when it is at most DIFF_DISTANCE_MAX lines; else all lines from
 * the first to the last difference are printed as replaced.
 */
#define DIFF_DISTANCE_MAX 1000
int diff_unified(const struct diff_side *from, const struct diff_side *to, size_t max_lines,
                 char **text);

#endif
