/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stale-private: pages that the guest gave up, and validated again later. Which of their bytes were
 * written since is kept; a read of any other is a hit. A page whose bytes were all written is like
 * any other.
 */
#include <string.h>

#include "check/oracle_internal.h"

static void give(struct oracles *oracles, uint32_t guest_page)
{
    *bits_for_write(oracles, &oracles->given[guest_page / 8]) |= (uint8_t)(1u << guest_page % 8);
}

static bool was_given(const struct oracles *oracles, uint32_t guest_page)
{
    return oracles->given[guest_page / 8] & 1u << guest_page % 8;
}

static struct stale *stale_find(const struct oracles *oracles, uint64_t gpa)
{
    for (size_t i = 0; i < oracles->state.stale_count; i++) {
        if (oracles->table->stale[i].gpa == (gpa & ~PAGE_MASK)) {
            return &oracles->table->stale[i];
        }
    }
    return NULL;
}

bool stale_private_has(const struct oracles *oracles, uint64_t gpa)
{
    return oracles->state.stale_count && stale_find(oracles, gpa);
}

/* In its place comes the last one: a guest can give up many pages at a time. */
static void stale_drop(struct oracles *oracles, struct stale *stale)
{
    const struct stale *last = &oracles->table->stale[--oracles->state.stale_count];

    if (stale != last) {
        *stale = *last;
    }
}

static void stale_begin(struct oracles *oracles, uint64_t gpa)
{
    struct oracle_state *state = &oracles->state;
    struct stale *stale = stale_find(oracles, gpa);

    if (!stale && state->stale_count < STALE_MAX) {
        stale = &oracles->table->stale[state->stale_count++];
    } else if (!stale) {
        stale = &oracles->table->stale[state->stale_next++ % STALE_MAX];
    }
    memset(stale, 0, sizeof(*stale));
    stale->gpa = gpa;
    stale->left = PAGE_SIZE;
}

void stale_private_pvalidate(struct oracles *oracles, const struct oracle_pvalidate *done)
{
    uint32_t count = (uint32_t)(done->size_bytes / PAGE_SIZE);

    for (uint32_t i = 0; !done->unchanged && i < count; i++) {
        if (!done->validate) {
            give(oracles, done->guest_page + i);
        } else if (was_given(oracles, done->guest_page + i)) {
            stale_begin(oracles, done->gpa + (uint64_t)i * PAGE_SIZE);
            oracles->ops.forget_page(oracles->ops.context, done->gpa + (uint64_t)i * PAGE_SIZE);
        }
    }
}

static void stale_write(struct oracles *oracles, struct stale *stale, uint64_t at, uint32_t size)
{
    for (uint64_t i = at; i < at + size; i++) {
        uint8_t bit = (uint8_t)(1u << (i % 8));

        stale->left -= !(stale->written[i / 8] & bit);
        stale->written[i / 8] |= bit;
    }
    /* The page is shown to us until the next flush: during an access the engine bears none. */
    if (stale->left == 0) {
        stale_drop(oracles, stale);
        oracles->flush_due = true;
    }
}

void stale_private_access(struct oracles *oracles, const struct oracle_access *access)
{
    struct stale *stale;
    uint64_t at = access->gpa & PAGE_MASK;

    if (access->shared || oracles->state.stale_count == 0 ||
        !(stale = stale_find(oracles, access->gpa))) {
        return;
    }
    if (access->write) {
        stale_write(oracles, stale, at, access->size_bytes);
        return;
    }
    for (uint64_t i = at; i < at + access->size_bytes; i++) {
        if (!(stale->written[i / 8] & 1u << (i % 8))) {
            oracle_hit_access(oracles, ORACLE_STALE_PRIVATE, access, 0,
                              "read before it was written, private again");
            return;
        }
    }
}
