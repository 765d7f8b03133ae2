/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A custom mutator for AFL++ (AFL_CUSTOM_MUTATOR_LIBRARY): records stay records.
 */
#include <stdlib.h>
#include <string.h>

#include "host/bytes.h"
#include "host/bytes_mutate.h"

#define CROSS_IN 8 /* one in so many joins two inputs */

struct mutator {
    uint64_t random, count;
    uint8_t out[BYTES_INPUT_MAX];
};

void *afl_custom_init(void *afl, unsigned int seed);
size_t afl_custom_fuzz(void *data, uint8_t *input, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t max);
void afl_custom_deinit(void *data);

void *afl_custom_init(void *afl, unsigned int seed)
{
    struct mutator *mutator = calloc(1, sizeof(*mutator));

    (void)afl;
    if (mutator) {
        mutator->random = seed;
    }
    return mutator;
}

size_t afl_custom_fuzz(void *data, uint8_t *input, size_t size, uint8_t **out, uint8_t *other,
                       size_t other_size, size_t max)
{
    struct mutator *mutator = data;

    max = max < BYTES_INPUT_MAX ? max : BYTES_INPUT_MAX;
    size = size < max ? size : max;
    *out = mutator->out;
    if (other && other_size && ++mutator->count % CROSS_IN == 0) {
        return bytes_cross(mutator->out, max, input, size, other, other_size, &mutator->random);
    }
    memcpy(mutator->out, input, size);
    return bytes_mutate(mutator->out, size, max, &mutator->random);
}

void afl_custom_deinit(void *data)
{
    free(data);
}
