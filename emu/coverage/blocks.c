/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "coverage/blocks.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_FIRST 4096u

struct blocks {
    struct block_count *slot; /* a hash table; size_bytes 0: empty */
    size_t slots, used;
    bool overflowed;
};

struct blocks *blocks_new(void)
{
    struct blocks *blocks = calloc(1, sizeof(*blocks));

    if (blocks) {
        blocks->slots = SLOTS_FIRST;
        blocks->slot = calloc(blocks->slots, sizeof(*blocks->slot));
    }
    if (blocks && !blocks->slot) {
        free(blocks);
        return NULL;
    }
    return blocks;
}

void blocks_free(struct blocks *blocks)
{
    if (blocks) {
        free(blocks->slot);
        free(blocks);
    }
}

static struct block_count *blocks_find(const struct blocks *blocks, const struct block_count *key)
{
    uint64_t hash = (key->gva ^ (uint64_t)key->size_bytes << 40 ^ (uint64_t)key->program << 60) *
                    0x9E3779B97F4A7C15ULL;
    size_t at = (size_t)(hash >> 32) & (blocks->slots - 1);

    while (blocks->slot[at].size_bytes &&
           (blocks->slot[at].gva != key->gva || blocks->slot[at].size_bytes != key->size_bytes ||
            blocks->slot[at].program != key->program)) {
        at = (at + 1) & (blocks->slots - 1);
    }
    return &blocks->slot[at];
}

/* Room for one more. */
static bool blocks_reserve(struct blocks *blocks)
{
    struct blocks grown = {.slots = 2 * blocks->slots, .used = blocks->used};

    if (blocks->used < blocks->slots / 2) {
        return true;
    }
    grown.slot = blocks->used < BLOCKS_MAX ? calloc(grown.slots, sizeof(*grown.slot)) : NULL;
    if (!grown.slot) {
        return false;
    }
    for (size_t i = 0; i < blocks->slots; i++) {
        if (blocks->slot[i].size_bytes) {
            *blocks_find(&grown, &blocks->slot[i]) = blocks->slot[i];
        }
    }
    free(blocks->slot);
    *blocks = grown;
    return true;
}

void blocks_add(struct blocks *blocks, enum blocks_program program, uint64_t gva,
                uint32_t size_bytes, int64_t times)
{
    const struct block_count fresh = {
        .gva = gva, .size_bytes = size_bytes, .program = (uint8_t)program};
    struct block_count *found;

    if (size_bytes == 0) {
        return;
    }
    found = blocks_find(blocks, &fresh);
    if (!found->size_bytes) {
        if (!blocks_reserve(blocks)) {
            blocks->overflowed = true;
            return;
        }
        found = blocks_find(blocks, &fresh);
        *found = fresh;
        blocks->used++;
    }
    found->times = (int64_t)((uint64_t)found->times + (uint64_t)times);
}

bool blocks_overflowed(const struct blocks *blocks)
{
    return blocks->overflowed;
}

static int block_compare(const void *left, const void *right)
{
    const struct block_count *a = left, *b = right;

    if (a->gva != b->gva) {
        return a->gva < b->gva ? -1 : 1;
    }
    return a->size_bytes < b->size_bytes ? -1 : a->size_bytes > b->size_bytes;
}

struct block_count *blocks_sorted(const struct blocks *blocks, enum blocks_program program,
                                  size_t *count)
{
    struct block_count *sorted = calloc(blocks->used + 1, sizeof(*sorted));

    *count = 0;
    for (size_t i = 0; sorted && i < blocks->slots; i++) {
        if (blocks->slot[i].size_bytes && blocks->slot[i].program == program) {
            sorted[(*count)++] = blocks->slot[i];
        }
    }
    if (sorted) {
        qsort(sorted, *count, sizeof(*sorted), block_compare);
    }
    return sorted;
}

static int step_compare(const void *left, const void *right)
{
    const struct block_step *a = left, *b = right;

    return a->gva < b->gva ? -1 : a->gva > b->gva;
}

bool blocks_profile_make(struct blocks_profile *profile, const struct block_count *block,
                         size_t count)
{
    struct block_step *step = calloc(2 * count + 1, sizeof(*step));
    int64_t times = 0;
    size_t kept = 0;

    *profile = (struct blocks_profile){0};
    if (!step) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        step[2 * i] = (struct block_step){block[i].gva, block[i].times};
        step[2 * i + 1] = (struct block_step){block[i].gva + block[i].size_bytes, -block[i].times};
    }
    qsort(step, 2 * count, sizeof(*step), step_compare);
    for (size_t i = 0; i < 2 * count; i++) {
        times += step[i].times;
        if (i + 1 == 2 * count || step[i + 1].gva != step[i].gva) {
            step[kept++] = (struct block_step){step[i].gva, times};
        }
    }
    profile->step = step;
    profile->count = kept;
    return true;
}

void blocks_profile_release(struct blocks_profile *profile)
{
    free(profile->step);
    *profile = (struct blocks_profile){0};
}

uint64_t blocks_profile_max(const struct blocks_profile *profile, uint64_t gva, uint64_t end)
{
    size_t low = 0, high = profile->count;
    int64_t most = 0;

    /* The first step behind gva; what holds at gva began with the one before. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (profile->step[middle].gva <= gva) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (size_t i = low > 0 ? low - 1 : 0; i < profile->count && profile->step[i].gva < end; i++) {
        most = profile->step[i].times > most ? profile->step[i].times : most;
    }
    return (uint64_t)most;
}
