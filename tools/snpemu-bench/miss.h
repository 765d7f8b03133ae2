/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a TLB miss costs: with all checks, and with the same walk of the guest's page tables without
 * C-bit and RMP. The guest flushes a page and reads from it, or flushes another one and reads.
 */
#ifndef SNPEMU_BENCH_MISS_H
#define SNPEMU_BENCH_MISS_H

#include <stdint.h>

#include "error.h"

enum miss_kind {
    MISS_CHECKED,
    MISS_WALK,   /* the same walk, no C-bit, no RMP */
    MISS_OFFSET, /* no walk: what the engine and its hook take */
    MISS_COUNT,
};

struct miss_task {
    unsigned runs;
    uint32_t rounds; /* misses of each run */
};

struct miss_result {
    double ns[MISS_COUNT];
    double ratio;      /* of a miss with all checks to one with the walk alone */
    double walk_ratio; /* the same of the translation alone, without the engine */
    double walk_ns[MISS_COUNT];
};

extern const char *const miss_names[MISS_COUNT];
extern const char *const miss_words[MISS_COUNT];

/* SNPEMU_ERR_INTERNAL when a loop does not miss as often as it should. */
int miss_measure(const struct miss_task *task, struct miss_result *result, struct error *error);

#endif
