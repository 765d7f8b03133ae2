/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The #HV doorbell page: how a hypervisor tells a guest under restricted injection of events. What
 * finds no room in the page waits here.
 *
 * Source: LKML 20260608144252.351443-4-joro@8bytes.org (sev_snp_blocked, __sev_snp_inject,
 * prepare_hv_injection), ...-5 for NMIs and ...-6 for machine checks.
 */
#ifndef SNPEMU_GHCB_DOORBELL_H
#define SNPEMU_GHCB_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>

#include "ghcb/reply.h"

struct doorbell {
    uint64_t vector[4]; /* bit n of all: vector n waits */
    uint64_t no_eoi[4]; /* ... and needs no EOI */
    bool nmi, mc;
};

/* What one ring put into the page. */
struct doorbell_ring {
    struct reply_doorbell put;
    bool signal; /* #HV is due: the guest has not asked for silence */
};

void doorbell_add(struct doorbell *doorbell, const struct reply_doorbell *event);
bool doorbell_waits(const struct doorbell *doorbell);
/*
 * Put into the page what it has room for: one vector, the highest, if none is pending there; NMI
 * and machine check if they are not. False when that is nothing.
 */
bool doorbell_ring(struct doorbell *doorbell, uint8_t *page, struct doorbell_ring *ring);

#endif
