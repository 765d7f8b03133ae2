/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz/cmin.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz/cover.h"
#include "fuzz/stage.h"

#define STEPS 8
#define POINTS (STAGE_MAP_SIZE * STEPS) /* a counter in one of its steps */

struct entry {
    uint32_t *point; /* what it covers, ascending */
    size_t count;
    size_t size_bytes;
    size_t gain; /* how much of it nobody has who is chosen: at most so much */
    bool chosen;
};

struct cmin {
    struct entry *entry;
    size_t count, capacity;
    size_t chosen, covered;
    uint8_t have[POINTS / 8];
};

int cmin_new(struct cmin **cmin, struct error *error)
{
    *cmin = calloc(1, sizeof(**cmin));
    return *cmin ? SNPEMU_OK : error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a corpus");
}

void cmin_free(struct cmin *cmin)
{
    if (!cmin) {
        return;
    }
    for (size_t i = 0; i < cmin->count; i++) {
        free(cmin->entry[i].point);
    }
    free(cmin->entry);
    free(cmin);
}

static bool have(const struct cmin *cmin, uint32_t point)
{
    return cmin->have[point / 8] >> point % 8 & 1;
}

static uint32_t point_of(size_t counter, uint8_t count)
{
    return (uint32_t)(counter * STEPS) + (uint32_t)__builtin_ctz(cover_step(count));
}

static struct entry *new_entry(struct cmin *cmin)
{
    if (cmin->count == cmin->capacity) {
        size_t capacity = cmin->capacity ? 2 * cmin->capacity : 64;
        struct entry *more = reallocarray(cmin->entry, capacity, sizeof(*more));

        if (!more) {
            return NULL;
        }
        cmin->entry = more;
        cmin->capacity = capacity;
    }
    return &cmin->entry[cmin->count];
}

int cmin_add(struct cmin *cmin, size_t size_bytes, const uint8_t *map, struct error *error)
{
    struct entry *entry = new_entry(cmin);
    size_t count = 0;

    for (size_t i = 0; i < STAGE_MAP_SIZE; i++) {
        count += map[i] != 0;
    }
    if (!entry || !(entry->point = malloc((count + 1) * sizeof(*entry->point)))) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a corpus");
    }
    entry->count = 0;
    for (size_t i = 0; i < STAGE_MAP_SIZE; i++) {
        if (map[i]) {
            entry->point[entry->count++] = point_of(i, map[i]);
        }
    }
    entry->size_bytes = size_bytes;
    entry->gain = count;
    entry->chosen = false;
    cmin->count++;
    return SNPEMU_OK;
}

static size_t gain_of(const struct cmin *cmin, const struct entry *entry)
{
    size_t gain = 0;

    for (size_t i = 0; i < entry->count; i++) {
        gain += !have(cmin, entry->point[i]);
    }
    return gain;
}

static bool is_better(const struct entry *entry, const struct entry *best)
{
    return !best || entry->gain > best->gain ||
           (entry->gain == best->gain && entry->size_bytes < best->size_bytes);
}

/* The one that may have most to give; NULL when nobody has any. */
static struct entry *likely(struct cmin *cmin)
{
    struct entry *best = NULL;

    for (size_t i = 0; i < cmin->count; i++) {
        struct entry *entry = &cmin->entry[i];

        if (entry->gain > 0 && is_better(entry, best)) {
            best = entry;
        }
    }
    return best;
}

static void choose(struct cmin *cmin, struct entry *entry)
{
    for (size_t i = 0; i < entry->count; i++) {
        uint32_t point = entry->point[i];

        cmin->have[point / 8] = (uint8_t)(cmin->have[point / 8] | 1u << point % 8);
    }
    cmin->covered += entry->gain;
    cmin->chosen++;
    entry->chosen = true;
    entry->gain = 0;
}

/* Gains only fall: who is still the best when its gain is counted anew is the best of all. */
void cmin_choose(struct cmin *cmin)
{
    struct entry *entry;

    while ((entry = likely(cmin)) != NULL) {
        size_t gain = gain_of(cmin, entry);

        if (gain == entry->gain) {
            choose(cmin, entry);
        }
        entry->gain = entry->chosen ? 0 : gain;
    }
}

bool cmin_has(const struct cmin *cmin, size_t input)
{
    return cmin->entry[input].chosen;
}

size_t cmin_chosen(const struct cmin *cmin)
{
    return cmin->chosen;
}

size_t cmin_covered(const struct cmin *cmin)
{
    return cmin->covered;
}
