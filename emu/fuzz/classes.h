/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many runs ended how. One process counts, another may look on meanwhile: rows are only added,
 * and never change but for their counts.
 */
#ifndef SNPEMU_FUZZ_CLASSES_H
#define SNPEMU_FUZZ_CLASSES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fuzz/finding.h"

#define CLASSES_MAX 256
#define CLASS_NONE UINT64_MAX

struct class_row {
    struct finding_key key;
    _Atomic uint64_t runs;
    _Atomic uint64_t first; /* the number of the first of them; CLASS_NONE: there is none */
};

struct classes {
    struct class_row row[CLASSES_MAX];
    _Atomic uint32_t count;
    _Atomic uint64_t others; /* runs that found no row free */
};

/* The row of this key, which is made if there is none; CLASSES_MAX when all are taken. */
size_t classes_find(struct classes *classes, const struct finding_key *key);
/* `runs` more in this row, the first of them of this number. CLASSES_MAX: in none. */
void classes_count(struct classes *classes, size_t row, uint64_t runs, uint64_t first);
/* Add what another table has. */
void classes_add(struct classes *classes, const struct classes *other);

/* Is it one that a user wants to know of: what finding_is says, by its verdict. */
bool class_is_finding(const struct class_row *row);

#endif
