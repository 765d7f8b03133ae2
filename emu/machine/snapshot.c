/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/snapshot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * Pages that were written in one run after the snapshot count as written in the next ones, too: so
 * they may stay writable in the engine. When there are many of them all starts anew, now and then.
 */
#define DIRTY_MANY 64
#define DIRTY_RESTORES 64
#define DIRTY_MAX 512

struct machine_snapshot {
    struct machine_state state;
    uint8_t *flags;
    uint16_t *generation;
    struct rmp_entry *entry;
    struct rmp_owner *owner;
    uint32_t *nested;  /* NULL: each guest page leads home */
    uint32_t *slot;    /* per page: where its copy is, or MEMORY_NO_PAGE */
    uint8_t *copy;     /* touched pages, one after the other */
    uint32_t restores; /* since it started anew */
};

void snapshot_free(struct machine_snapshot *snapshot)
{
    if (snapshot) {
        free(snapshot->flags);
        free(snapshot->generation);
        free(snapshot->entry);
        free(snapshot->owner);
        free(snapshot->nested);
        free(snapshot->slot);
        free(snapshot->copy);
        free(snapshot);
    }
}

static uint32_t snapshot_count_touched(const struct memory *memory)
{
    uint32_t count = 0;

    for (uint32_t page = 0; page < memory->page_count; page++) {
        count += memory->flags[page] & MEMORY_TOUCHED ? 1 : 0;
    }
    return count;
}

static struct machine_snapshot *snapshot_new(const struct memory *memory)
{
    struct machine_snapshot *snapshot = calloc(1, sizeof(*snapshot));
    uint32_t pages = memory->page_count;

    if (!snapshot) {
        return NULL;
    }
    snapshot->flags = malloc(pages);
    snapshot->generation = malloc(pages * sizeof(*snapshot->generation));
    snapshot->entry = malloc(pages * sizeof(*snapshot->entry));
    snapshot->owner = malloc(pages * sizeof(*snapshot->owner));
    snapshot->nested = memory->nested ? malloc(pages * sizeof(*snapshot->nested)) : NULL;
    snapshot->slot = malloc(pages * sizeof(*snapshot->slot));
    snapshot->copy = malloc((size_t)snapshot_count_touched(memory) * PAGE_SIZE + 1);
    if (!snapshot->flags || !snapshot->generation || !snapshot->entry || !snapshot->owner ||
        (memory->nested && !snapshot->nested) || !snapshot->slot || !snapshot->copy) {
        snapshot_free(snapshot);
        return NULL;
    }
    return snapshot;
}

static void snapshot_copy_pages(struct machine_snapshot *snapshot, const struct memory *memory)
{
    uint32_t slots = 0;

    for (uint32_t page = 0; page < memory->page_count; page++) {
        snapshot->slot[page] = MEMORY_NO_PAGE;
        if (memory->flags[page] & MEMORY_TOUCHED) {
            memcpy(snapshot->copy + (size_t)slots * PAGE_SIZE,
                   memory->ram + (size_t)page * PAGE_SIZE, PAGE_SIZE);
            snapshot->slot[page] = slots++;
        }
    }
}

/* From here on each first write to a page is noticed: forget which were noticed before. */
static void snapshot_start_tracking(struct machine *machine)
{
    struct memory *memory = &machine->memory;
    struct rmp *rmp = &machine->rmp;

    for (uint32_t page = 0; page < memory->page_count; page++) {
        memory->flags[page] &= (uint8_t)~MEMORY_LASTING;
    }
    memory->dirty_count = 0;
    memory->tracking = true;
    memory->nested_changed = false;
    memset(rmp->region_dirty, 0, rmp->page_count / PAGES_PER_LARGE_PAGE);
    rmp->tracking = true;
}

int snapshot_save(struct machine *machine, struct error *error)
{
    struct memory *memory = &machine->memory;
    struct machine_snapshot *snapshot;
    int status;

    snapshot_free(machine->snapshot);
    machine->snapshot = NULL;
    snapshot_start_tracking(machine);
    snapshot = snapshot_new(memory);
    if (!snapshot) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a snapshot");
    }
    status = vcpu_save(machine->vcpu, error);
    if (status != 0) {
        snapshot_free(snapshot);
        return status;
    }
    snapshot->state = machine->state;
    memcpy(snapshot->flags, memory->flags, memory->page_count);
    memcpy(snapshot->generation, memory->generation,
           memory->page_count * sizeof(*memory->generation));
    memcpy(snapshot->entry, machine->rmp.entry, memory->page_count * sizeof(*snapshot->entry));
    memcpy(snapshot->owner, machine->rmp.owner, memory->page_count * sizeof(*snapshot->owner));
    if (memory->nested) {
        memcpy(snapshot->nested, memory->nested, memory->page_count * sizeof(*snapshot->nested));
    }
    snapshot_copy_pages(snapshot, memory);
    machine->snapshot = snapshot;
    /* Pages that are writable in the engine now would change unnoticed. */
    vcpu_flush(machine->vcpu);
    return 0;
}

/* Returns true when the page held other code. */
static bool snapshot_restore_page(const struct machine_snapshot *snapshot, struct memory *memory,
                                  uint32_t page)
{
    uint8_t *bytes = memory->ram + (size_t)page * PAGE_SIZE;
    bool code = (memory->flags[page] | snapshot->flags[page]) & MEMORY_CODE;

    memory->flags[page] = (uint8_t)(snapshot->flags[page] | (memory->flags[page] & MEMORY_LASTING));
    memory->generation[page] = snapshot->generation[page];
    if (snapshot->slot[page] != MEMORY_NO_PAGE) {
        const uint8_t *copy = snapshot->copy + (size_t)snapshot->slot[page] * PAGE_SIZE;

        code = code && memcmp(bytes, copy, PAGE_SIZE) != 0;
        memcpy(bytes, copy, PAGE_SIZE);
    }
    return code;
}

/* As when the snapshot was taken: no page is writable in the engine, which must be flushed. */
static void snapshot_forget_dirty(struct memory *memory)
{
    for (uint32_t i = 0; i < memory->dirty_count; i++) {
        memory->flags[memory->dirty[i]] &= (uint8_t)~MEMORY_LASTING;
    }
    memory->dirty_count = 0;
}

static bool snapshot_starts_anew(struct machine_snapshot *snapshot, const struct memory *memory)
{
    bool anew = memory->dirty_count > DIRTY_MAX ||
                (memory->dirty_count > DIRTY_MANY && ++snapshot->restores > DIRTY_RESTORES);

    snapshot->restores = anew ? 0 : snapshot->restores;
    return anew;
}

static void snapshot_restore_rmp(const struct machine_snapshot *snapshot, struct rmp *rmp)
{
    for (uint32_t region = 0; region < rmp->page_count / PAGES_PER_LARGE_PAGE; region++) {
        size_t first = (size_t)region * PAGES_PER_LARGE_PAGE;

        if (rmp->region_dirty[region]) {
            memcpy(rmp->entry + first, snapshot->entry + first,
                   PAGES_PER_LARGE_PAGE * sizeof(*rmp->entry));
            memcpy(rmp->owner + first, snapshot->owner + first,
                   PAGES_PER_LARGE_PAGE * sizeof(*rmp->owner));
            rmp->region_dirty[region] = 0;
        }
    }
}

int snapshot_restore(struct machine *machine, struct error *error)
{
    struct machine_snapshot *snapshot = machine->snapshot;
    struct memory *memory = &machine->memory;
    bool code = false, anew;
    int status;

    assert(snapshot);
    machine->state = snapshot->state;
    machine_set_virtual_tom(machine, machine->state.virtual_tom);
    for (uint32_t i = 0; i < memory->dirty_count; i++) {
        code = snapshot_restore_page(snapshot, memory, memory->dirty[i]) || code;
    }
    anew = snapshot_starts_anew(snapshot, memory) || memory->nested_changed;
    if (anew) {
        snapshot_forget_dirty(memory);
    }
    snapshot_restore_rmp(snapshot, &machine->rmp);
    if (memory->nested_changed) {
        status = memory_map_all(memory, snapshot->nested, error);
        if (status != 0) {
            return status;
        }
        memory->nested_changed = false;
    }
    if (code) {
        vcpu_code_changed(machine->vcpu);
    }
    return vcpu_restore(machine->vcpu, anew || code, error);
}
