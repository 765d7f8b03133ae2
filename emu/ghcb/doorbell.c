/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/doorbell.h"

#include <string.h>

#include "abi/nae.h"

#define VECTORS_PER_WORD 64

void doorbell_add(struct doorbell *doorbell, const struct reply_doorbell *event)
{
    uint64_t bit = 1ULL << event->vector % VECTORS_PER_WORD;
    unsigned word = event->vector / VECTORS_PER_WORD;

    if (event->vector) {
        doorbell->vector[word] |= bit;
        doorbell->no_eoi[word] = (doorbell->no_eoi[word] & ~bit) | (event->no_eoi ? bit : 0);
    }
    doorbell->nmi = doorbell->nmi || event->nmi;
    doorbell->mc = doorbell->mc || event->mc;
}

bool doorbell_waits(const struct doorbell *doorbell)
{
    return doorbell->nmi || doorbell->mc || doorbell->vector[0] || doorbell->vector[1] ||
           doorbell->vector[2] || doorbell->vector[3];
}

/* The highest vector that waits, taken out of the queue; 0 when there is none. */
static uint8_t take_vector(struct doorbell *doorbell, bool *no_eoi)
{
    for (unsigned word = sizeof(doorbell->vector) / sizeof(doorbell->vector[0]); word-- > 0;) {
        if (doorbell->vector[word]) {
            unsigned at = VECTORS_PER_WORD - 1 - (unsigned)__builtin_clzll(doorbell->vector[word]);
            uint64_t bit = 1ULL << at;

            *no_eoi = doorbell->no_eoi[word] & bit;
            doorbell->vector[word] &= ~bit;
            doorbell->no_eoi[word] &= ~bit;
            return (uint8_t)(word * VECTORS_PER_WORD + at);
        }
    }
    return 0;
}

/* One flag of the page, if it waits and is not set there. */
static bool put_flag(bool *waits, uint8_t *flags, uint8_t flag)
{
    if (!*waits || (*flags & flag)) {
        return false;
    }
    *waits = false;
    *flags |= flag;
    return true;
}

bool doorbell_ring(struct doorbell *doorbell, uint8_t *page, struct doorbell_ring *ring)
{
    uint8_t *flags = &page[DOORBELL_FLAGS];

    memset(ring, 0, sizeof(*ring));
    ring->put.mc = put_flag(&doorbell->mc, flags, DOORBELL_FLAG_MC);
    ring->put.nmi = put_flag(&doorbell->nmi, flags, DOORBELL_FLAG_NMI);
    if (page[DOORBELL_VECTOR] == 0) {
        ring->put.vector = take_vector(doorbell, &ring->put.no_eoi);
        page[DOORBELL_VECTOR] = ring->put.vector;
        page[DOORBELL_NO_EOI] |= ring->put.no_eoi;
    }
    if (!ring->put.mc && !ring->put.nmi && !ring->put.vector) {
        return false;
    }
    ring->signal = !(*flags & DOORBELL_FLAG_NO_FURTHER_SIGNAL);
    *flags |= DOORBELL_FLAG_NO_FURTHER_SIGNAL;
    return true;
}
