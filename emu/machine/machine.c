/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/machine.h"

#include <string.h>

#include "machine/snapshot.h"

int machine_init(struct machine *machine, const struct memory_slot *slot, size_t slot_count,
                 uint64_t seed, vcpu_decode *decode, struct error *error)
{
    int status;

    memset(machine, 0, sizeof(*machine));
    status = memory_init(&machine->memory, slot, slot_count, seed, error);
    if (status == 0) {
        status = rmp_init(&machine->rmp, machine->memory.page_count, error);
    }
    if (status == 0) {
        machine->mmu = (struct mmu){.memory = &machine->memory, .rmp = &machine->rmp};
        machine->state.random = seed;
        status = vcpu_open(&machine->vcpu, &machine->memory, &machine->rmp, decode, error);
    }
    if (status != 0) {
        machine_release(machine);
    }
    return status;
}

void machine_release(struct machine *machine)
{
    snapshot_free(machine->snapshot);
    vcpu_close(machine->vcpu);
    rmp_release(&machine->rmp);
    memory_release(&machine->memory);
    memset(machine, 0, sizeof(*machine));
}

uint8_t *machine_launch_page(struct machine *machine, uint32_t page)
{
    rmp_launch(&machine->rmp, page);
    memory_zero(&machine->memory, page);
    return memory_bytes_for_write(&machine->memory, page);
}

void machine_assign(struct machine *machine, uint32_t page, bool large)
{
    uint32_t count = large ? PAGES_PER_LARGE_PAGE : 1;

    for (uint32_t i = 0; i < count; i++) {
        if (!(machine->rmp.entry[page + i].flags & RMP_ASSIGNED)) {
            memory_discard(&machine->memory, page + i);
            vcpu_page_changed(machine->vcpu, page + i);
        }
    }
    rmp_assign(&machine->rmp, page, large);
}

void machine_unassign(struct machine *machine, uint32_t page)
{
    if (rmp_unassign(&machine->rmp, page)) {
        memory_discard(&machine->memory, page);
        vcpu_page_changed(machine->vcpu, page);
    }
}

/* xorshift64*: small, seeded, and never stuck because the state is never zero. */
uint64_t machine_random(struct machine *machine)
{
    uint64_t x = machine->state.random ? machine->state.random : 0x9E3779B97F4A7C15ULL;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    machine->state.random = x;
    return x * 0x2545F4914F6CDD1DULL;
}

int machine_save(struct machine *machine, struct error *error)
{
    return snapshot_save(machine, error);
}

int machine_restore(struct machine *machine, struct error *error)
{
    return snapshot_restore(machine, error);
}
