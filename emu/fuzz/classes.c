/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz/classes.h"

size_t classes_find(struct classes *classes, const struct finding_key *key)
{
    uint32_t count = atomic_load_explicit(&classes->count, memory_order_acquire);

    for (uint32_t i = 0; i < count; i++) {
        if (finding_same(&classes->row[i].key, key)) {
            return i;
        }
    }
    if (count == CLASSES_MAX) {
        return CLASSES_MAX;
    }
    classes->row[count].key = *key;
    atomic_store_explicit(&classes->row[count].first, CLASS_NONE, memory_order_relaxed);
    atomic_store_explicit(&classes->count, count + 1, memory_order_release);
    return count;
}

/* One process writes: no need for an addition that others see as one step. */
static void add(_Atomic uint64_t *count, uint64_t runs)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + runs,
                          memory_order_relaxed);
}

void classes_count(struct classes *classes, size_t row, uint64_t runs, uint64_t first)
{
    if (row >= CLASSES_MAX) {
        add(&classes->others, runs);
        return;
    }
    add(&classes->row[row].runs, runs);
    if (first < atomic_load_explicit(&classes->row[row].first, memory_order_relaxed)) {
        atomic_store_explicit(&classes->row[row].first, first, memory_order_relaxed);
    }
}

void classes_add(struct classes *classes, const struct classes *other)
{
    uint32_t count = atomic_load_explicit(&other->count, memory_order_acquire);

    count = count < CLASSES_MAX ? count : CLASSES_MAX;
    for (uint32_t i = 0; i < count; i++) {
        const struct class_row *row = &other->row[i];

        classes_count(classes, classes_find(classes, &row->key),
                      atomic_load_explicit(&row->runs, memory_order_relaxed),
                      atomic_load_explicit(&row->first, memory_order_relaxed));
    }
    add(&classes->others, atomic_load_explicit(&other->others, memory_order_relaxed));
}

bool class_is_finding(const struct class_row *row)
{
    return row->key.verdict != VERDICT_PASS && row->key.verdict != VERDICT_CONTAINED &&
           row->key.verdict != VERDICT_UNJUDGED;
}
