/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>

#include "abi/x86.h"
#include "machine/vcpu_engine.h"

/* A page of code appeared at gva: counts and trap sites of what stood there before are stale. */
static void code_view_update(struct vcpu *vcpu, uint64_t gva, uint32_t page)
{
    struct code_view *view = &vcpu->code_view[(gva >> PAGE_SHIFT) % CODE_VIEW_SLOTS];

    vcpu->memory->flags[page] |= MEMORY_CODE;
    if (view->page == page && view->gva == gva) {
        return;
    }
    if (view->gva == gva || view->page != MEMORY_NO_PAGE) {
        vcpu_block_forget_all(vcpu);
    }
    *view = (struct code_view){.gva = gva, .page = page};
}

static bool vcpu_place(struct vcpu *vcpu, uint64_t gva, enum mmu_access access,
                       struct mmu_translation *place)
{
    struct mmu_context context;

    if (vcpu->translate) {
        return vcpu->translate(vcpu->translate_context, gva, access, place);
    }
    vcpu_mmu_context(vcpu, &context);
    /* Of data the engine drops the upper half by itself. */
    if (access == MMU_FETCH && vcpu_code(vcpu)->bits != 64) {
        gva &= UINT32_MAX;
    }
    return mmu_translate(&vcpu->mmu, &context, gva, access, place, &vcpu->stop.fault);
}

/*
 * The engine notices a store into code, and retranslates it, if the page was executable when it
 * became writable. So no page may be both at two addresses: the whole TLB is flushed when one
 * would be. At one address a fill replaces the other.
 */
static void fill_note_view(struct vcpu *vcpu, struct page_fill *fill, uint64_t gva, bool execute)
{
    uint64_t address = gva & ~PAGE_MASK;

    if (fill->view_generation == vcpu->generation) {
        bool elsewhere = (fill->view_gva & ~PAGE_MASK) != address || (fill->view_gva & 2);

        if (elsewhere && (fill->view_gva & 1) != execute) {
            vcpu_flush(vcpu);
            elsewhere = false;
        }
        address |= elsewhere ? 2 : 0;
    }
    fill->view_gva = address | execute;
    fill->view_generation = vcpu->generation;
}

bool vcpu_on_tlb_fill(uc_engine *uc, uint64_t gva, uc_mem_type type, uc_tlb_entry *entry,
                      void *opaque)
{
    struct vcpu *vcpu = opaque;
    enum mmu_access access = type == UC_MEM_FETCH   ? MMU_FETCH
                             : type == UC_MEM_WRITE ? MMU_WRITE
                                                    : MMU_READ;
    struct mmu_translation place;

    (void)uc;
    if (vcpu->in_stub) {
        return vcpu_live_fill_stub(vcpu, gva, type, entry);
    }
    if (vcpu->quiet) {
        return vcpu_probe_fill(vcpu, gva, entry);
    }
    if (!vcpu_place(vcpu, gva, access, &place)) {
        vcpu->faulted = true;
        return false;
    }
    /* First of all: the observer may flush, and what is noted below is of the time since then. */
    if (vcpu->observer.view && access != MMU_FETCH && !place.ciphertext) {
        vcpu_observe_page(vcpu, gva, &place);
    }
    if (access == MMU_WRITE && !place.ciphertext &&
        (vcpu->memory->flags[place.page] & MEMORY_TABLE)) {
        vcpu->memory->flags[place.page] &= (uint8_t)~MEMORY_TABLE;
        vcpu_flush(vcpu);
    }
    if (access != MMU_READ && !place.ciphertext) {
        fill_note_view(vcpu, &vcpu->fill[place.page], gva, access == MMU_FETCH);
    }
    vcpu->fill[place.page].generation = vcpu->generation;
    vcpu_live_note(vcpu, gva, access, &place);
    if (place.ciphertext) {
        place.page = memory_cipher_page(vcpu->memory);
    } else if (access == MMU_WRITE) {
        memory_bytes_for_guest_write(vcpu->memory, place.page);
        if (vcpu->memory->flags[place.page] & MEMORY_CODE) {
            vcpu_block_forget_all(vcpu);
            vcpu->code_written = true;
            vcpu_limit_hold(vcpu);
        }
    } else {
        memory_bytes(vcpu->memory, place.page);
        if (access == MMU_FETCH) {
            code_view_update(vcpu, gva, place.page);
        }
    }
    entry->paddr = (uint64_t)place.page << PAGE_SHIFT;
    entry->perms = access == MMU_FETCH   ? UC_PROT_READ | UC_PROT_EXEC
                   : access == MMU_WRITE ? UC_PROT_READ | UC_PROT_WRITE
                                         : UC_PROT_READ;
    if (vcpu->observer.view && access != MMU_FETCH && !place.ciphertext) {
        vcpu_observe_fill(vcpu, access, &place, entry);
    }
    return true;
}

static void vcpu_on_watched(uc_engine *uc, uc_mem_type type, uint64_t address, int size,
                            int64_t value, void *opaque)
{
    struct watch_range *watch = opaque;
    struct vcpu *vcpu = watch->vcpu;
    uint64_t code_gva = vcpu_code_gva(vcpu);

    (void)uc;
    (void)value;
    watch->callback(watch->context, &(struct vcpu_watched){
                                        .gpa = watch->gpa + (address - watch->start),
                                        .size_bytes = (uint32_t)size,
                                        .write = type == UC_MEM_WRITE,
                                        .rip = code_gva,
                                        .retired = vcpu_retired_at(vcpu, code_gva),
                                    });
}

void vcpu_flush(struct vcpu *vcpu)
{
    engine_flush_tlb(vcpu->uc);
    vcpu->generation++;
    vcpu->live_count = 0;
    vcpu->live_full = false;
}

/*
 * The presence of memory hooks is compiled into blocks, of either kind for itself; and whether an
 * observed page is memory goes by it, too.
 */
static void watch_change(struct vcpu *vcpu)
{
    if (!vcpu->watch_often) {
        engine_flush_blocks(vcpu->uc);
    }
    vcpu_flush(vcpu);
}

int vcpu_watch_add(struct vcpu *vcpu, uint64_t gpa, uint32_t size_bytes, bool writes,
                   vcpu_watch *callback, void *context, struct error *error)
{
    int type = UC_HOOK_MEM_READ | (writes ? UC_HOOK_MEM_WRITE : 0);
    struct watch_range *watch = &vcpu->watch[vcpu->watch_count];
    uint32_t page = memory_page(vcpu->memory, gpa);
    uint64_t start = ((uint64_t)page << PAGE_SHIFT) | (gpa & PAGE_MASK);

    assert(page != MEMORY_NO_PAGE && (gpa & PAGE_MASK) + size_bytes <= PAGE_SIZE);
    if (vcpu->watch_count == VCPU_WATCH_MAX) {
        return error_set(error, SNPEMU_ERR_INPUT, "more than %d watched ranges at a time",
                         VCPU_WATCH_MAX);
    }
    *watch = (struct watch_range){
        .gpa = gpa,
        .start = start,
        .size_bytes = size_bytes,
        .callback = callback,
        .context = context,
        .vcpu = vcpu,
    };
    /* The range starts 63 bytes early: a wide read that begins before it may reach into it. */
    if (uc_hook_add(vcpu->uc, &watch->hook, type, (void *)vcpu_on_watched, watch,
                    start < 63 ? 0 : start - 63, start + size_bytes - 1)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine refuses a memory hook");
    }
    vcpu->watch_count++;
    if (vcpu_observe_watched(vcpu)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine refuses a memory hook");
    }
    if (vcpu->watch_count == 1 || writes) {
        watch_change(vcpu);
    }
    return 0;
}

void vcpu_watch_clear(struct vcpu *vcpu)
{
    if (vcpu->watch_count == 0) {
        return;
    }
    for (size_t i = 0; i < vcpu->watch_count; i++) {
        uc_hook_del(vcpu->uc, vcpu->watch[i].hook);
    }
    vcpu->watch_count = 0;
    vcpu_observe_unwatched(vcpu);
    watch_change(vcpu);
}

int vcpu_watch_often(struct vcpu *vcpu, struct error *error)
{
    const int kinds = UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE;
    uc_hook hook;

    /* Of an address that no memory has: it is there, and is never called. */
    if (uc_hook_add(vcpu->uc, &hook, kinds, (void *)vcpu_on_watched, vcpu->watch, UINT64_MAX,
                    UINT64_MAX)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine refuses a memory hook");
    }
    watch_change(vcpu);
    vcpu->watch_often = true;
    return 0;
}
