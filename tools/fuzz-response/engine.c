/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libFuzzer calls, and what it looks at: the guest's coverage beside the emulator's own, as
 * far as that is compiled to be counted.
 */
#include "host/bytes_mutate.h"
#include "target.h"

#define OWN_IN 16 /* one mutation in so many is the engine's own, which knows the dictionary */

/* Sections of this name are counters to libFuzzer; it clears them before each run. */
__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[STAGE_MAP_SIZE];

/* The engine's; not there when another one drives. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    target_open();
    stage_set_map(target_stage(), counters);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!target_stage()) { /* some engines do not call LLVMFuzzerInitialize */
        LLVMFuzzerInitialize(NULL, NULL);
    }
    target_play(data, size);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    uint64_t random = seed;

    if (LLVMFuzzerMutate && (seed % OWN_IN == 0 || max < BYTES_RECORD_SIZE)) {
        return LLVMFuzzerMutate(data, size, max);
    }
    size = bytes_mutate(data, size, max, &random);
    if (size == 0 && max > 0) { /* libFuzzer takes no empty input for one */
        data[size++] = 0;
    }
    return size;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max, unsigned seed)
{
    uint64_t random = seed;

    return bytes_cross(out, max, a, a_size, b, b_size, &random);
}
