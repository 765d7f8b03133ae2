/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/vcpus.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "abi/nae.h"

static void slot_reset(struct vcpu_slot *slot, uint32_t apic_id, uint64_t ghcb_msr)
{
    memset(slot, 0, sizeof(*slot));
    slot->apic_id = apic_id;
    slot->activity = VCPU_ABSENT;
    apic_reset(&slot->apic);
    for (unsigned vmpl = 0; vmpl < VMPL_COUNT; vmpl++) {
        slot->level[vmpl].ghcb_msr = ghcb_msr;
        slot->level[vmpl].doorbell_gpa = DOORBELL_NONE;
    }
}

bool vcpus_init(struct vcpus *vcpus, uint32_t bsp_apic_id, const uint32_t *apic_id, size_t count,
                uint64_t launch_vmsa_gpa, uint64_t ghcb_msr)
{
    uint32_t highest = bsp_apic_id;

    memset(vcpus, 0, sizeof(*vcpus));
    vcpus->slot = calloc(count + 1, sizeof(*vcpus->slot));
    if (!vcpus->slot) {
        return false;
    }
    slot_reset(&vcpus->slot[0], bsp_apic_id, ghcb_msr);
    vcpus->count = 1;
    for (size_t i = 0; i < count; i++) {
        /* Most lists ascend: nothing is searched then. */
        if (apic_id[i] > highest || !vcpus_find(vcpus, apic_id[i])) {
            slot_reset(&vcpus->slot[vcpus->count++], apic_id[i], ghcb_msr);
            highest = apic_id[i] > highest ? apic_id[i] : highest;
        }
    }
    vcpus_start(vcpus, &vcpus->slot[0], 0, launch_vmsa_gpa, true);
    vcpus->current_vmsa_gpa = launch_vmsa_gpa;
    return true;
}

void vcpus_release(struct vcpus *vcpus)
{
    free(vcpus->slot);
    memset(vcpus, 0, sizeof(*vcpus));
}

struct vcpu_slot *vcpus_find(const struct vcpus *vcpus, uint32_t apic_id)
{
    for (uint32_t i = 0; i < vcpus->count; i++) {
        if (vcpus->slot[i].apic_id == apic_id) {
            return &vcpus->slot[i];
        }
    }
    return NULL;
}

struct vcpu_slot *vcpus_current(const struct vcpus *vcpus)
{
    return &vcpus->slot[vcpus->current];
}

struct vcpu_level *vcpus_current_level(const struct vcpus *vcpus)
{
    return &vcpus_current(vcpus)->level[vcpus->current_vmpl];
}

static void vcpus_touch(struct vcpus *vcpus, const struct vcpu_slot *slot)
{
    uint32_t index = (uint32_t)(slot - vcpus->slot);

    assert(index < vcpus->count);
    vcpus->started = index < vcpus->started ? vcpus->started : index + 1;
}

void vcpus_start(struct vcpus *vcpus, struct vcpu_slot *slot, unsigned vmpl, uint64_t vmsa_gpa,
                 bool now)
{
    vcpus_touch(vcpus, slot);
    slot->level[vmpl].known = true;
    slot->level[vmpl].vmsa_gpa = vmsa_gpa;
    slot->level[vmpl].resuming = false;
    if (now) {
        slot->vmpl = (uint8_t)vmpl;
        vcpus_set_activity(vcpus, slot, VCPU_RUNNABLE);
    }
}

void vcpus_stop(struct vcpus *vcpus, struct vcpu_slot *slot, unsigned vmpl)
{
    vcpus_touch(vcpus, slot);
    slot->level[vmpl].known = false;
    slot->level[vmpl].vmsa_gpa = 0;
    if (slot->vmpl == vmpl) {
        vcpus_set_activity(vcpus, slot, VCPU_ABSENT);
    }
}

void vcpus_set_activity(struct vcpus *vcpus, struct vcpu_slot *slot, enum vcpu_activity activity)
{
    vcpus_touch(vcpus, slot);
    if (slot->activity == VCPU_STOPPED) {
        return;
    }
    vcpus->runnable -= slot->activity == VCPU_RUNNABLE;
    vcpus->runnable += activity == VCPU_RUNNABLE;
    slot->activity = (uint8_t)activity;
}

void vcpus_choose(struct vcpus *vcpus, struct vcpu_slot *slot)
{
    vcpus_set_activity(vcpus, slot, VCPU_RUNNABLE);
    vcpus->chosen = true;
    vcpus->choice = (uint32_t)(slot - vcpus->slot);
}

struct vcpu_slot *vcpus_find_activity(const struct vcpus *vcpus, enum vcpu_activity activity)
{
    for (uint32_t i = 0; i < vcpus->started; i++) {
        if (vcpus->slot[i].activity == activity) {
            return &vcpus->slot[i];
        }
    }
    return NULL;
}

uint32_t vcpus_next(const struct vcpus *vcpus, uint32_t after)
{
    for (uint32_t i = 1; i <= vcpus->started; i++) {
        uint32_t index = (after + i) % vcpus->started;

        if (vcpus->slot[index].activity == VCPU_RUNNABLE) {
            return index;
        }
    }
    return vcpus->count;
}

void vcpus_copy(struct vcpus *to, const struct vcpus *from)
{
    uint32_t started = to->started > from->started ? to->started : from->started;
    struct vcpu_slot *slot = to->slot;

    assert(to->count == from->count);
    memcpy(slot, from->slot, started * sizeof(*slot));
    *to = *from;
    to->slot = slot;
}

size_t vcpus_bytes_size(const struct vcpus *vcpus)
{
    return (size_t)vcpus->started * VCPUS_SLOT_BYTES + 8;
}

/* Member by member: a struct may hold padding. */
void vcpus_bytes(const struct vcpus *vcpus, uint8_t *bytes)
{
    const uint64_t current = (uint64_t)vcpus->current << 8 | vcpus->current_vmpl;

    for (uint32_t i = 0; i < vcpus->started; i++) {
        const struct vcpu_slot *slot = &vcpus->slot[i];
        uint64_t words[VCPUS_SLOT_BYTES / 8];
        size_t used = 0;

        words[used++] = slot->apic_id;
        words[used++] = (uint64_t)slot->activity << 8 | slot->vmpl;
        for (unsigned vmpl = 0; vmpl < VMPL_COUNT; vmpl++) {
            const struct vcpu_level *level = &slot->level[vmpl];

            words[used++] = level->known;
            words[used++] = level->vmsa_gpa;
            words[used++] = level->ghcb_msr;
            words[used++] = level->registered;
            words[used++] = level->registered_gpa;
            words[used++] = level->resuming;
            words[used++] = level->doorbell_gpa;
            words[used++] = (uint64_t)level->doorbell.nmi << 1 | level->doorbell.mc;
            memcpy(words + used, level->doorbell.vector, sizeof(level->doorbell.vector));
            used += 4;
            memcpy(words + used, level->doorbell.no_eoi, sizeof(level->doorbell.no_eoi));
            used += 4;
            words[used++] = (uint64_t)level->answer.page_given << 3 |
                            (uint64_t)level->answer.keep_marks << 2 |
                            (uint64_t)level->answer.has_time << 1 | level->answer.msr_given;
            words[used++] = (uint64_t)level->answer.written << 32 | level->answer.marked;
            words[used++] = level->answer.msr;
            memcpy(words + used, level->answer.field, sizeof(level->answer.field));
            used += FIELD_COUNT;
        }
        words[used++] = slot->apic.base;
        words[used++] = slot->apic.tpr;
        words[used++] = slot->apic.spiv;
        words[used++] = slot->apic.icr;
        memcpy(words + used, slot->apic.irr, sizeof(slot->apic.irr));
        used += 4;
        memcpy(words + used, slot->apic.isr, sizeof(slot->apic.isr));
        memcpy(bytes, words, sizeof(words));
        bytes += sizeof(words);
    }
    memcpy(bytes, &current, sizeof(current));
}
