/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbers that a campaign draws: splitmix64, whose state may be any number.
 */
#ifndef SNPEMU_FUZZ_RANDOM_H
#define SNPEMU_FUZZ_RANDOM_H

#include <stdint.h>

static inline uint64_t random_draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15ULL;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ z >> 27) * 0x94D049BB133111EBULL;
    return z ^ z >> 31;
}

/* 0 to limit - 1; limit is not 0. */
static inline uint64_t random_below(uint64_t *state, uint64_t limit)
{
    return random_draw(state) % limit;
}

#endif
