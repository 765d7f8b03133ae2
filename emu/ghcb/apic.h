/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC that the hypervisor keeps for the vCPU: its base, identity and priorities, and the
 * interrupts that the vCPU sends itself. Timer and local vector table are `unmodelled`.
 *
 * Source: Linux arch/x86/kvm/lapic.c.
 */
#ifndef SNPEMU_GHCB_APIC_H
#define SNPEMU_GHCB_APIC_H

#include <stdbool.h>
#include <stdint.h>

struct apic {
    uint64_t base; /* MSR 0x1B */
    uint32_t tpr, spiv;
    uint64_t icr;
    uint64_t irr[4], isr[4]; /* bit n of all: vector n is requested, is in service */
};

enum apic_result {
    APIC_OK,
    APIC_GP,         /* #GP */
    APIC_UNMODELLED, /* would deliver or arm an interrupt */
};

void apic_reset(struct apic *apic);

enum apic_result apic_set_base(struct apic *apic, uint64_t value);
/* x2APIC registers by MSR number; apic_id is that of the vCPU. */
enum apic_result apic_read(const struct apic *apic, uint32_t apic_id, uint32_t msr,
                           uint64_t *value);
enum apic_result apic_write(struct apic *apic, uint32_t msr, uint64_t value);

/* Request an interrupt. */
void apic_request(struct apic *apic, uint8_t vector);
/* The vector that the vCPU would take now: the highest, if its priority is; 0 when there is none.
 */
uint8_t apic_deliverable(const struct apic *apic);
/* The vCPU takes it: in service from now on, until the end of interrupt. */
void apic_accept(struct apic *apic, uint8_t vector);

bool apic_is_x2apic(const struct apic *apic);
/* On in MSR 0x1B and in the spurious vector register. */
bool apic_is_enabled(const struct apic *apic);

#endif
