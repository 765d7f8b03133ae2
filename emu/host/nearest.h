/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The known name nearest to one that is not known, for messages.
 */
#ifndef SNPEMU_HOST_NEAREST_H
#define SNPEMU_HOST_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *name; /* the unknown one */
    const char *best; /* NULL before the first candidate */
    size_t distance;
};

void nearest_start(struct nearest *nearest, const char *name);
/* The first of several equally near candidates wins. */
void nearest_try(struct nearest *nearest, const char *candidate);

#endif
