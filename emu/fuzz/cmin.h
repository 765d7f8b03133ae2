/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A smaller corpus: inputs that together cover what all of them do, few and short. What a run
 * covers is which counters of its stage's map it has, and in which step (cover.h) each.
 */
#ifndef SNPEMU_FUZZ_CMIN_H
#define SNPEMU_FUZZ_CMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct cmin; /* opaque */

int cmin_new(struct cmin **cmin, struct error *error);
void cmin_free(struct cmin *cmin); /* takes NULL */

/* The next input: its length, and the STAGE_MAP_SIZE counters of its run. */
int cmin_add(struct cmin *cmin, size_t size_bytes, const uint8_t *map, struct error *error);

/*
 * Choose, over and over, the input that has most of what is still missing; of several the shortest,
 * of these the first. After that cmin_has says which they are, by their numbers from 0.
 */
void cmin_choose(struct cmin *cmin);
bool cmin_has(const struct cmin *cmin, size_t input);
/* How many are chosen, and how much all of them cover: counters with their steps. */
size_t cmin_chosen(const struct cmin *cmin);
size_t cmin_covered(const struct cmin *cmin);

#endif
