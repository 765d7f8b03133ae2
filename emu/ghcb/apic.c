/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/apic.h"

#include <stddef.h>

#include "abi/apic.h"

/* KVM: 0x14, six entries in the local vector table. lapic.c kvm_apic_set_version. */
#define APIC_VERSION_VALUE 0x50014u
#define APIC_ADDRESS_MASK 0x000FFFFFFFFFF000ULL
#define APIC_BASE_MODES (APIC_BASE_ENABLE | APIC_BASE_EXTD)

void apic_reset(struct apic *apic)
{
    *apic = (struct apic){
        .base = APIC_BASE_RESET | APIC_BASE_ENABLE | APIC_BASE_BSP,
        .spiv = 0xFF,
    };
}

bool apic_is_x2apic(const struct apic *apic)
{
    return (apic->base & APIC_BASE_MODES) == APIC_BASE_MODES;
}

bool apic_is_enabled(const struct apic *apic)
{
    return (apic->base & APIC_BASE_ENABLE) && (apic->spiv & APIC_SPIV_ENABLE);
}

/* x2APIC mode is entered from xAPIC mode and left by switching off: lapic.c kvm_apic_set_base. */
enum apic_result apic_set_base(struct apic *apic, uint64_t value)
{
    uint64_t old_mode = apic->base & APIC_BASE_MODES;
    uint64_t mode = value & APIC_BASE_MODES;

    if (value == apic->base) {
        return APIC_OK;
    }
    if ((value & ~(APIC_ADDRESS_MASK | APIC_BASE_BSP | APIC_BASE_MODES)) ||
        mode == APIC_BASE_EXTD || (apic_is_x2apic(apic) && mode == APIC_BASE_ENABLE) ||
        (old_mode == 0 && mode == APIC_BASE_MODES)) {
        return APIC_GP;
    }
    apic->base = value;
    return APIC_OK;
}

/* ---- interrupts ---- */

#define VECTORS_PER_WORD 64
#define PRIORITY_CLASS 0xF0u

static uint64_t vector_bit(uint8_t vector)
{
    return 1ULL << vector % VECTORS_PER_WORD;
}

/* The highest vector of a set; 0 when it is empty: vectors below 16 are never in one. */
static uint8_t highest(const uint64_t set[4])
{
    for (unsigned word = 4; word-- > 0;) {
        if (set[word]) {
            return (uint8_t)(word * VECTORS_PER_WORD + VECTORS_PER_WORD - 1 -
                             (unsigned)__builtin_clzll(set[word]));
        }
    }
    return 0;
}

/* lapic.c __apic_update_ppr. */
static uint32_t processor_priority(const struct apic *apic)
{
    uint32_t service = highest(apic->isr) & PRIORITY_CLASS;

    return (apic->tpr & PRIORITY_CLASS) >= service ? apic->tpr : service;
}

void apic_request(struct apic *apic, uint8_t vector)
{
    apic->irr[vector / VECTORS_PER_WORD] |= vector_bit(vector);
}

/* lapic.c apic_has_interrupt_for_ppr. */
uint8_t apic_deliverable(const struct apic *apic)
{
    uint8_t vector = highest(apic->irr);

    return apic_is_enabled(apic) && (vector & PRIORITY_CLASS) > processor_priority(apic) ? vector
                                                                                         : 0;
}

void apic_accept(struct apic *apic, uint8_t vector)
{
    apic->irr[vector / VECTORS_PER_WORD] &= ~vector_bit(vector);
    apic->isr[vector / VECTORS_PER_WORD] |= vector_bit(vector);
}

/* ---- x2APIC registers ---- */

struct apic_register {
    uint32_t first, last;
    enum apic_result (*read)(const struct apic *apic, uint32_t apic_id, unsigned index,
                             uint64_t *value);
    enum apic_result (*write)(struct apic *apic, uint32_t value);
};

static enum apic_result read_id(const struct apic *apic, uint32_t apic_id, unsigned index,
                                uint64_t *value)
{
    (void)index;
    (void)apic;
    *value = apic_id;
    return APIC_OK;
}

static enum apic_result read_version(const struct apic *apic, uint32_t apic_id, unsigned index,
                                     uint64_t *value)
{
    (void)index;
    (void)apic;
    (void)apic_id;
    *value = APIC_VERSION_VALUE;
    return APIC_OK;
}

static enum apic_result read_tpr(const struct apic *apic, uint32_t apic_id, unsigned index,
                                 uint64_t *value)
{
    (void)index;
    (void)apic_id;
    *value = apic->tpr;
    return APIC_OK;
}

static enum apic_result write_tpr(struct apic *apic, uint32_t value)
{
    apic->tpr = value & 0xFF;
    return APIC_OK;
}

static enum apic_result read_ppr(const struct apic *apic, uint32_t apic_id, unsigned index,
                                 uint64_t *value)
{
    (void)apic_id;
    (void)index;
    *value = processor_priority(apic);
    return APIC_OK;
}

/* Of the highest in service. lapic.c apic_set_eoi. */
static enum apic_result write_eoi(struct apic *apic, uint32_t value)
{
    uint8_t vector = highest(apic->isr);

    (void)value;
    if (vector) {
        apic->isr[vector / VECTORS_PER_WORD] &= ~vector_bit(vector);
    }
    return APIC_OK;
}

/* Register `index` of eight: 32 vectors. */
static uint64_t vectors_at(const uint64_t set[4], unsigned index)
{
    return (uint32_t)(set[index / 2] >> (index % 2 * 32));
}

static enum apic_result read_isr(const struct apic *apic, uint32_t apic_id, unsigned index,
                                 uint64_t *value)
{
    (void)apic_id;
    *value = vectors_at(apic->isr, index);
    return APIC_OK;
}

static enum apic_result read_irr(const struct apic *apic, uint32_t apic_id, unsigned index,
                                 uint64_t *value)
{
    (void)apic_id;
    *value = vectors_at(apic->irr, index);
    return APIC_OK;
}

static enum apic_result read_icr(const struct apic *apic, uint32_t apic_id, unsigned index,
                                 uint64_t *value)
{
    (void)apic_id;
    (void)index;
    *value = apic->icr;
    return APIC_OK;
}

/* Cluster in 31:16, one bit in 15:0. lapic.c kvm_apic_calc_x2apic_ldr. */
static enum apic_result read_ldr(const struct apic *apic, uint32_t apic_id, unsigned index,
                                 uint64_t *value)
{
    (void)index;
    (void)apic;
    *value = (apic_id >> 4) << 16 | 1u << (apic_id & 0xF);
    return APIC_OK;
}

static enum apic_result read_spiv(const struct apic *apic, uint32_t apic_id, unsigned index,
                                  uint64_t *value)
{
    (void)index;
    (void)apic_id;
    *value = apic->spiv;
    return APIC_OK;
}

static enum apic_result write_spiv(struct apic *apic, uint32_t value)
{
    apic->spiv = value & APIC_SPIV_MASK;
    return APIC_OK;
}

static enum apic_result read_zero(const struct apic *apic, uint32_t apic_id, unsigned index,
                                  uint64_t *value)
{
    (void)index;
    (void)apic;
    (void)apic_id;
    *value = 0;
    return APIC_OK;
}

static enum apic_result write_esr(struct apic *apic, uint32_t value)
{
    (void)apic;
    return value ? APIC_GP : APIC_OK;
}

static enum apic_result read_unmodelled(const struct apic *apic, uint32_t apic_id, unsigned index,
                                        uint64_t *value)
{
    (void)index;
    (void)apic;
    (void)apic_id;
    (void)value;
    return APIC_UNMODELLED;
}

static enum apic_result write_unmodelled(struct apic *apic, uint32_t value)
{
    (void)apic;
    (void)value;
    return APIC_UNMODELLED;
}

/* A register that is not here, or lacks the direction, is #GP. lapic.c kvm_lapic_reg_write. */
static const struct apic_register apic_registers[] = {
    {X2APIC_ID, X2APIC_ID, read_id, NULL},
    {X2APIC_VERSION, X2APIC_VERSION, read_version, NULL},
    {X2APIC_TPR, X2APIC_TPR, read_tpr, write_tpr},
    {X2APIC_PPR, X2APIC_PPR, read_ppr, NULL},
    {X2APIC_EOI, X2APIC_EOI, NULL, write_eoi},
    {X2APIC_LDR, X2APIC_LDR, read_ldr, NULL},
    {X2APIC_SPIV, X2APIC_SPIV, read_spiv, write_spiv},
    {X2APIC_ISR_FIRST, X2APIC_TMR_FIRST - 1, read_isr, NULL},
    {X2APIC_TMR_FIRST, X2APIC_IRR_FIRST - 1, read_zero, NULL}, /* all are edge-triggered */
    {X2APIC_IRR_FIRST, X2APIC_IRR_LAST, read_irr, NULL},
    {X2APIC_ESR, X2APIC_ESR, read_zero, write_esr},
    /* What is written there leaves the APIC: nae_hv.c. */
    {X2APIC_ICR, X2APIC_ICR, read_icr, write_unmodelled},
    {X2APIC_LVT_FIRST, X2APIC_LVT_LAST, read_unmodelled, write_unmodelled},
    {X2APIC_TIMER_INITIAL, X2APIC_TIMER_INITIAL, read_unmodelled, write_unmodelled},
    {X2APIC_TIMER_CURRENT, X2APIC_TIMER_CURRENT, read_unmodelled, NULL},
    {X2APIC_TIMER_DIVIDE, X2APIC_TIMER_DIVIDE, read_unmodelled, write_unmodelled},
    {X2APIC_SELF_IPI, X2APIC_SELF_IPI, NULL, write_unmodelled},
};

static const struct apic_register *apic_register_by_msr(uint32_t msr)
{
    for (size_t i = 0; i < sizeof(apic_registers) / sizeof(apic_registers[0]); i++) {
        if (msr >= apic_registers[i].first && msr <= apic_registers[i].last) {
            return &apic_registers[i];
        }
    }
    return NULL;
}

enum apic_result apic_read(const struct apic *apic, uint32_t apic_id, uint32_t msr, uint64_t *value)
{
    const struct apic_register *row = apic_register_by_msr(msr);

    if (!apic_is_x2apic(apic) || !row || !row->read) {
        return APIC_GP;
    }
    return row->read(apic, apic_id, msr - row->first, value);
}

enum apic_result apic_write(struct apic *apic, uint32_t msr, uint64_t value)
{
    const struct apic_register *row = apic_register_by_msr(msr);
    uint64_t reserved = msr == X2APIC_ICR ? APIC_ICR_RESERVED : ~0xFFFFFFFFULL;

    if (!apic_is_x2apic(apic) || !row || !row->write || (value & reserved)) {
        return APIC_GP;
    }
    return row->write(apic, (uint32_t)value);
}
