/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine: memory, RMP, and a vCPU, with the registers that hardware keeps outside the engine.
 * It has a launch, a snapshot and a digest; it knows nothing of hypervisors.
 */
#ifndef SNPEMU_MACHINE_H
#define SNPEMU_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "machine/memory.h"
#include "machine/mmu.h"
#include "machine/rmp.h"
#include "machine/vcpu.h"

/* Architectural state that the engine does not hold. Copied whole by a snapshot. */
struct machine_state {
    uint64_t ghcb_msr;
    uint64_t sev_features; /* of the VMSA; SEV_STATUS is made from it */
    uint64_t random;       /* state of RDRAND and RDSEED */
};

struct machine {
    struct memory memory;
    struct rmp rmp;
    struct mmu mmu;
    struct vcpu *vcpu;
    struct machine_state state;
    struct machine_snapshot *snapshot; /* private to snapshot.c */
};

int machine_init(struct machine *machine, const struct memory_slot *slot, size_t slot_count,
                 uint64_t seed, vcpu_decode *decode, struct error *error);
void machine_release(struct machine *machine);

/* Launch a page: private, validated, zero. The caller copies its contents in. */
uint8_t *machine_launch_page(struct machine *machine, uint32_t page);

/* Host-side page state changes with all that follows: contents, translations. */
void machine_assign(struct machine *machine, uint32_t page, bool large);
void machine_unassign(struct machine *machine, uint32_t page);

/* The next number that RDRAND and RDSEED give. */
uint64_t machine_random(struct machine *machine);

/* Keep the state now; bring it back, any number of times. One snapshot at a time. */
int machine_save(struct machine *machine, struct error *error);
int machine_restore(struct machine *machine, struct error *error);

#endif
