/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC that the hypervisor keeps for the vCPU, as far as it can be told without
 * delivering interrupts: its base, identity, priority and spurious vector. No interrupt is ever
 * pending; what would make one is `unmodelled`.
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

bool apic_is_x2apic(const struct apic *apic);
/* On in MSR 0x1B and in the spurious vector register. */
bool apic_is_enabled(const struct apic *apic);

#endif
