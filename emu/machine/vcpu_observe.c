/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses shown to an observer, in one of two ways:
 *
 *   fast   the page is handed to the engine as a device: its reads, and where asked its writes,
 *          come here in pieces, and nothing else gets slower. What instruction it is the engine
 *          does not know then.
 *   exact  a memory hook on everything, which knows the instruction, and makes each access of the
 *          guest to any memory several times slower.
 *
 * A watched read (vcpu_watch_add) is a memory hook, too, and needs the page to be memory. While any
 * is armed the fast way would have the engine look at addresses that no hook is on, so the exact
 * one takes its place.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "machine/vcpu_engine.h"

/* Where the devices are, as the engine numbers physical addresses: above all memory. Page n of it
   is page n of memory. */
#define DEVICE_START (1ULL << 38)

static void show(struct vcpu *vcpu, struct vcpu_access *access)
{
    access->retired = vcpu_retired(vcpu);
    vcpu->observer.access(vcpu->observer.context, access);
}

/* ---- fast ---- */

static uint64_t device_read(uc_engine *uc, uint64_t offset, unsigned size, void *opaque)
{
    struct vcpu *vcpu = opaque;
    struct vcpu_access access = {
        .page = (uint32_t)(offset >> PAGE_SHIFT),
        .offset = offset & PAGE_MASK,
        .size_bytes = size,
    };
    uint64_t value = 0;

    (void)uc;
    show(vcpu, &access);
    memcpy(&value, vcpu->memory->ram + offset, size);
    return value;
}

static void device_write(uc_engine *uc, uint64_t offset, unsigned size, uint64_t value,
                         void *opaque)
{
    struct vcpu *vcpu = opaque;
    struct vcpu_access access = {
        .page = (uint32_t)(offset >> PAGE_SHIFT),
        .offset = offset & PAGE_MASK,
        .size_bytes = size,
        .write = true,
        .value = value,
    };

    (void)uc;
    show(vcpu, &access);
    memcpy(vcpu->memory->ram + offset, &value, size);
}

/* ---- exact ---- */

static void on_access(uc_engine *uc, uc_mem_type type, uint64_t address, int size, int64_t value,
                      void *opaque)
{
    struct vcpu *vcpu = opaque;
    uint64_t left = PAGE_SIZE - (address & PAGE_MASK);
    struct vcpu_access access = {
        .page = (uint32_t)(address >> PAGE_SHIFT),
        .offset = address & PAGE_MASK,
        .write = type == UC_MEM_WRITE,
        .value = (uint64_t)value,
    };

    enum vcpu_view view;

    (void)uc;
    if (access.page >= vcpu->memory->page_count) {
        return;
    }
    view = (enum vcpu_view)vcpu->view[access.page];
    if (view == VCPU_VIEW_NONE || (view == VCPU_VIEW_LOADS && access.write)) {
        if (!vcpu->observer.follows || !*vcpu->observer.follows) {
            return;
        }
        access.followed = true;
    }
    access.size_bytes = (uint64_t)size < left ? (uint32_t)size : (uint32_t)left;
    access.beyond_bytes = (uint32_t)size - access.size_bytes;
    access.code_gva = vcpu_code_gva(vcpu);
    access.retired =
        view <= VCPU_VIEW_LOADS ? vcpu_retired(vcpu) : vcpu_retired_at(vcpu, access.code_gva);
    vcpu->observer.access(vcpu->observer.context, &access);
}

/* ---- both ---- */

void vcpu_observe_page(struct vcpu *vcpu, uint64_t gva, const struct mmu_translation *place)
{
    vcpu->view[place->page] = (uint8_t)vcpu->observer.view(vcpu->observer.context, gva, place);
}

/* A page that holds code stays memory: the engine must notice that it is written to. */
void vcpu_observe_fill(struct vcpu *vcpu, enum mmu_access access,
                       const struct mmu_translation *place, uc_tlb_entry *entry)
{
    enum vcpu_view view = (enum vcpu_view)vcpu->view[place->page];

    if (view <= VCPU_VIEW_LOADS || vcpu->observer.exact || vcpu->watch_count > 0 ||
        (vcpu->memory->flags[place->page] & MEMORY_CODE)) {
        return;
    }
    if (view == VCPU_VIEW_READS && access == MMU_WRITE) {
        entry->perms = UC_PROT_WRITE; /* a read comes here first */
    } else {
        entry->paddr += DEVICE_START;
    }
}

/* After vcpu_on_block, which knows the block by then, or has stopped before it. */
static void on_block(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    struct vcpu *vcpu = opaque;
    const struct block *block = vcpu->current;

    (void)uc;
    if (block && block != &vcpu->kept && block->gva == gva) { /* `kept` has no number */
        vcpu->observer.block(vcpu->observer.context, (uint32_t)(block - vcpu->block), gva, size,
                             vcpu_retired(vcpu) - block->insns);
    }
}

static uc_err add_hook(struct vcpu *vcpu)
{
    return uc_hook_add(vcpu->uc, &vcpu->observer_hook, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE,
                       (void *)on_access, vcpu, 1, 0);
}

/* Hooks are called in the order in which they were added, and a watch may change what is read. */
uc_err vcpu_observe_watched(struct vcpu *vcpu)
{
    bool hooked = vcpu->observer.exact || vcpu->watch_count > 1;
    uc_err err = UC_ERR_OK;

    if (!vcpu->observer.view) {
        return UC_ERR_OK;
    }
    if (hooked) {
        err = uc_hook_del(vcpu->uc, vcpu->observer_hook);
    }
    return err ? err : add_hook(vcpu);
}

uc_err vcpu_observe_unwatched(struct vcpu *vcpu)
{
    return vcpu->observer.view && !vcpu->observer.exact ? uc_hook_del(vcpu->uc, vcpu->observer_hook)
                                                        : UC_ERR_OK;
}

int vcpu_observe(struct vcpu *vcpu, const struct vcpu_observer *observer, struct error *error)
{
    size_t size = (size_t)vcpu->memory->page_count << PAGE_SHIFT;
    uc_hook block_hook;
    uc_err err;

    assert(!vcpu->observer.view && vcpu->watch_count == 0);
    vcpu->view = calloc(vcpu->memory->page_count, 1);
    if (!vcpu->view) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for an observer");
    }
    if (observer->exact) {
        err = add_hook(vcpu);
    } else {
        err = uc_mmio_map(vcpu->uc, DEVICE_START, size, device_read, vcpu, device_write, vcpu);
    }
    if (!err && observer->block) {
        err = uc_hook_add(vcpu->uc, &block_hook, UC_HOOK_BLOCK, (void *)on_block, vcpu, 1, 0);
    }
    if (err) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine takes no observer: %s",
                         uc_strerror(err));
    }
    vcpu->observer = *observer;
    engine_flush_blocks(vcpu->uc);
    vcpu_flush(vcpu);
    return 0;
}

int vcpu_observe_exactly(struct vcpu *vcpu, struct error *error)
{
    assert(vcpu->observer.view);
    if (!vcpu->observer.exact && vcpu->watch_count == 0 && add_hook(vcpu)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine refuses a memory hook");
    }
    vcpu->observer.exact = true;
    engine_flush_blocks(vcpu->uc);
    vcpu_flush(vcpu);
    return 0;
}
