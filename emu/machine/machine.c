/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/machine.h"

#include <string.h>

#include "abi/msr.h"
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
        machine->state.vmsa_gpa = MACHINE_LAUNCH_VMSA;
        machine->state.vmsa_page = MEMORY_NO_PAGE;
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
        if (!(machine->rmp.entry[page + i].flags & (RMP_ASSIGNED | RMP_IMMUTABLE))) {
            memory_discard(&machine->memory, page + i);
            vcpu_page_changed(machine->vcpu, page + i);
        }
    }
    rmp_assign(&machine->rmp, page, large);
}

void machine_unassign(struct machine *machine, uint32_t page)
{
    if (!machine_in_use(machine, page) && rmp_unassign(&machine->rmp, page)) {
        memory_discard(&machine->memory, page);
        vcpu_page_changed(machine->vcpu, page);
    }
}

unsigned machine_update(struct machine *machine, uint32_t page, const struct rmp_state *state)
{
    uint32_t count = state->large ? PAGES_PER_LARGE_PAGE : 1;
    struct rmp *rmp = &machine->rmp;
    bool was_assigned[PAGES_PER_LARGE_PAGE];
    uint16_t was_asid[PAGES_PER_LARGE_PAGE];
    unsigned status;

    /* Which of two reasons to fail comes first is unverified. */
    for (uint32_t i = 0; i < count; i++) {
        if (machine_in_use(machine, page + i)) {
            return RMP_FAIL_INUSE;
        }
    }
    for (uint32_t i = 0; i < count && page + i < rmp->page_count; i++) {
        was_assigned[i] = rmp->entry[page + i].flags & RMP_ASSIGNED;
        was_asid[i] = rmp_asid(rmp, page + i);
    }
    status = rmp_update(rmp, page, state);
    for (uint32_t i = 0; status == RMP_SUCCESS && i < count; i++) {
        if (was_assigned[i] != state->assigned || was_asid[i] != state->asid) {
            memory_discard(&machine->memory, page + i);
        }
        vcpu_page_changed(machine->vcpu, page + i);
    }
    return status;
}

void machine_assign_gpa(struct machine *machine, uint64_t gpa, bool large)
{
    struct rmp_place place = mmu_place(&machine->mmu, gpa);
    uint32_t count = large ? PAGES_PER_LARGE_PAGE : 1;

    if (large && !place.nested_small) {
        machine_assign(machine, place.page, true);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        place = mmu_place(&machine->mmu, gpa + (uint64_t)i * PAGE_SIZE);
        /* One that is private already stays as it is; an immutable one is refused. */
        if (!(machine->rmp.entry[place.page].flags & RMP_ASSIGNED)) {
            machine_update(machine, place.page,
                           &(struct rmp_state){.assigned = true,
                                               .asid = RMP_ASID_GUEST,
                                               .guest_page = place.guest_page});
        }
    }
}

void machine_unassign_gpa(struct machine *machine, uint64_t gpa)
{
    machine_unassign(machine, memory_page(&machine->memory, gpa));
}

static int machine_map(struct machine *machine, uint32_t guest_page, uint32_t page,
                       struct error *error)
{
    struct memory *memory = &machine->memory;
    uint32_t old = memory->nested ? memory->nested[guest_page] : guest_page;
    int status = memory_map(memory, guest_page, page, error);

    if (status == 0) {
        rmp_psmash(&machine->rmp, old);
        memory_set_flag(memory, page, MEMORY_HOST_FAULT);
    }
    return status;
}

static int machine_exchange(struct machine *machine, uint64_t gpa_a, uint64_t gpa_b, bool both,
                            struct error *error)
{
    struct rmp_place a = mmu_place(&machine->mmu, gpa_a);
    struct rmp_place b = mmu_place(&machine->mmu, gpa_b);
    int status;

    if (a.page == MEMORY_NO_PAGE || b.page == MEMORY_NO_PAGE) {
        return error_set(error, SNPEMU_ERR_INPUT, "there is no guest memory at gpa 0x%llx to remap",
                         (unsigned long long)(a.page == MEMORY_NO_PAGE ? gpa_a : gpa_b));
    }
    status = machine_map(machine, a.guest_page, b.page, error);
    if (status == 0 && both) {
        status = machine_map(machine, b.guest_page, a.page, error);
    }
    /* Any translation may have gone through either, to a page or to a table. */
    vcpu_flush(machine->vcpu);
    return status;
}

int machine_remap(struct machine *machine, uint64_t gpa_a, uint64_t gpa_b, struct error *error)
{
    return machine_exchange(machine, gpa_a, gpa_b, false, error);
}

int machine_swap(struct machine *machine, uint64_t gpa_a, uint64_t gpa_b, struct error *error)
{
    return machine_exchange(machine, gpa_a, gpa_b, true, error);
}

void machine_set_virtual_tom(struct machine *machine, uint64_t gpa)
{
    machine->state.virtual_tom = gpa;
    vcpu_set_virtual_tom(machine->vcpu, machine->state.sev_features & SEV_FEATURE_VTOM, gpa);
}

/* ---- who runs ---- */

/* The page as it was at VMRUN: what the host's nested map says since then is for the next one. */
void machine_vmexit(struct machine *machine, const struct vmsa_exit *exit)
{
    uint32_t page = machine->state.vmsa_page;
    uint8_t *bytes = page == MEMORY_NO_PAGE ? machine->state.launch_vmsa
                                            : memory_bytes_for_write(&machine->memory, page);

    vmsa_store(machine->vcpu, exit, bytes);
    vmsa_set(bytes, VMSA_VIRTUAL_TOM, machine->state.virtual_tom);
}

/* What the RMP must say of the page. APM Vol 2 (24593) 15.36.12, table of VMRUN page checks. */
static const char *machine_vmsa_refused(const struct machine *machine, uint64_t gpa)
{
    struct rmp_place place = mmu_place(&machine->mmu, gpa);
    const struct rmp *rmp = &machine->rmp;
    uint8_t flags;

    if (gpa & PAGE_MASK || place.page == MEMORY_NO_PAGE) {
        return "there is no page";
    }
    flags = rmp->entry[place.page].flags;
    if (!(flags & RMP_ASSIGNED) || rmp_asid(rmp, place.page) != RMP_ASID_GUEST) {
        return "the page is not the guest's";
    }
    if (rmp_guest_page(rmp, place.page) != place.guest_page) {
        return "the page is assigned at another address";
    }
    if ((flags & RMP_LARGE) || (flags & RMP_IMMUTABLE) || !(flags & RMP_VALIDATED)) {
        return "the page is not a validated 4 KiB page";
    }
    return flags & RMP_VMSA ? NULL : "the page is not marked as a VMSA";
}

const char *machine_vmrun(struct machine *machine, uint64_t gpa)
{
    const uint8_t *bytes = machine->state.launch_vmsa;
    uint32_t page = MEMORY_NO_PAGE;
    const char *why = NULL;

    if (gpa != MACHINE_LAUNCH_VMSA) {
        why = machine_vmsa_refused(machine, gpa);
        if (why) {
            return why;
        }
        page = memory_page(&machine->memory, gpa);
        bytes = memory_bytes(&machine->memory, page);
    }
    why = vmsa_check(bytes);
    if (!why) {
        machine->state.vmsa_gpa = gpa;
        machine->state.vmsa_page = page;
        machine->state.sev_features = vmsa_get(bytes, VMSA_SEV_FEATURES);
        machine->state.virtual_tom = vmsa_get(bytes, VMSA_VIRTUAL_TOM);
        vcpu_set_virtual_tom(machine->vcpu, machine->state.sev_features & SEV_FEATURE_VTOM,
                             machine->state.virtual_tom);
        vmsa_load(machine->vcpu, bytes);
    }
    return why;
}

void machine_launch_context(const struct machine *machine, struct mmu_context *context)
{
    const uint8_t *page = machine->state.launch_vmsa;

    if (machine->state.vmsa_gpa == MACHINE_LAUNCH_VMSA) {
        vcpu_mmu_context(machine->vcpu, context);
        return;
    }
    *context = (struct mmu_context){
        .cr0 = vmsa_get(page, VMSA_CR0),
        .cr3 = vmsa_get(page, VMSA_CR3),
        .cr4 = vmsa_get(page, VMSA_CR4),
        .efer = vmsa_get(page, VMSA_EFER),
        .virtual_tom_active = vmsa_get(page, VMSA_SEV_FEATURES) & SEV_FEATURE_VTOM,
        .virtual_tom = vmsa_get(page, VMSA_VIRTUAL_TOM),
    };
}

bool machine_in_use(const struct machine *machine, uint32_t page)
{
    return page != MEMORY_NO_PAGE && machine->state.vmsa_page == page;
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
