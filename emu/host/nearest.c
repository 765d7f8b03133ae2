/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/nearest.h"

#include <string.h>

#define NAME_MAX_LENGTH 64 /* longer names are compared by their start */

/* Insertions, deletions and replacements between two names (Levenshtein), one row at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t a_length = strnlen(a, NAME_MAX_LENGTH);
    size_t b_length = strnlen(b, NAME_MAX_LENGTH);
    size_t row[NAME_MAX_LENGTH + 1];

    for (size_t j = 0; j <= b_length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            best = diagonal + 1 < best ? diagonal + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
        }
    }
    return row[b_length];
}

void nearest_start(struct nearest *nearest, const char *name)
{
    nearest->name = name;
    nearest->best = NULL;
    nearest->distance = 0;
}

void nearest_try(struct nearest *nearest, const char *candidate)
{
    size_t distance = edit_distance(nearest->name, candidate);

    if (!nearest->best || distance < nearest->distance) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}
