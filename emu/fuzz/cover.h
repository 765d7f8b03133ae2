/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all runs so far have covered: for each counter of a stage's map how often a run may have
 * counted it, in eight steps (1, 2, 3, 4 to 7, 8 to 15, 16 to 31, 32 to 127, more).
 */
#ifndef SNPEMU_FUZZ_COVER_H
#define SNPEMU_FUZZ_COVER_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum cover_news {
    COVER_NOTHING,
    COVER_STEP, /* a counter that is known, but not so high or low */
    COVER_EDGE, /* a counter that no run had before */
};

struct cover; /* opaque */

int cover_new(struct cover **cover, struct error *error);
void cover_free(struct cover *cover); /* takes NULL */

/* The step of a count that is not 0, as a bit. */
uint8_t cover_step(uint8_t count);

/* Add one run's map of STAGE_MAP_SIZE, and leave it zero. */
enum cover_news cover_take(struct cover *cover, uint8_t *map);

/* How many counters of edges any run had; of features alike. */
size_t cover_edges(const struct cover *cover);
size_t cover_features(const struct cover *cover);

#endif
