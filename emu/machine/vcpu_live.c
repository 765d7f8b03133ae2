/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translations that the engine may have, noted as they are made, so that single ones can be
 * taken from it. A flush of all costs far more than itself: each block that a jump leads to has to
 * be found again by its hash, each page to be walked to.
 *
 * After a snapshot was brought back those stay that a fill would make again, without leaving a
 * trace in memory: the walk leads to the same page, all accessed and dirty bits on the way are set,
 * and the guest has never written to a table on the way since the snapshot was taken. So no run can
 * tell what runs were before it. When the guest goes to write to such a table, or the emulator
 * does, all translations go.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/x86.h"
#include "machine/vcpu_engine.h"

/* ---- taking single ones away ---- */

/*
 * INVLPG is the engine's only way. These run at an address that no guest can have translations for
 * (it is not canonical), the last n of them, and the last takes away the page that they are in, so
 * that the fetch of what would follow fails. With a page the engine forgets a 64th of where blocks
 * are, which one is a hash of the address: not that of an image's first pages.
 */
#define STUB_GVA (1ULL << 62 | 32ULL << PAGE_SHIFT)
#define STUB_GPA (1ULL << 39)
#define STUB_INSN_SIZE 4
#define STUB_ALL 12

static const int stub_register[STUB_ALL] = {
    UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSI, UC_X86_REG_RDI,
    UC_X86_REG_R8,  UC_X86_REG_R9,  UC_X86_REG_R10, UC_X86_REG_R11, UC_X86_REG_R14, UC_X86_REG_R15,
};

static void stub_write(uint8_t *code)
{
    static const uint8_t operand[STUB_ALL] = {0, 1, 2, 3, 6, 7, 0, 1, 2, 3, 6, 7};
    const int32_t own = -(STUB_ALL * STUB_INSN_SIZE + 7);

    for (unsigned i = 0; i < STUB_ALL; i++) {
        /* invlpg [register] */
        const uint8_t insn[STUB_INSN_SIZE] = {i < STUB_ALL / 2 ? 0x40 : 0x41, 0x0F, 0x01,
                                              (uint8_t)(0x38 | operand[i])};

        memcpy(code + i * sizeof(insn), insn, sizeof(insn));
    }
    code += STUB_ALL * STUB_INSN_SIZE;
    memcpy(code, (const uint8_t[]){0x0F, 0x01, 0x3D}, 3); /* invlpg [rip + own] */
    memcpy(code + 3, &own, sizeof(own));
}

uc_err vcpu_live_open(struct vcpu *vcpu)
{
    vcpu->stub = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
    if (!vcpu->stub) {
        return UC_ERR_NOMEM;
    }
    memset(vcpu->stub, 0xF4, PAGE_SIZE);
    stub_write(vcpu->stub);
    return uc_mem_map_ptr(vcpu->uc, STUB_GPA, PAGE_SIZE, UC_PROT_READ | UC_PROT_EXEC, vcpu->stub);
}

bool vcpu_live_fill_stub(struct vcpu *vcpu, uint64_t gva, uc_mem_type type, uc_tlb_entry *entry)
{
    bool first = !vcpu->stub_runs;

    vcpu->stub_runs = true;
    entry->paddr = STUB_GPA;
    entry->perms = UC_PROT_READ | UC_PROT_EXEC;
    return first && type == UC_MEM_FETCH && (gva & ~PAGE_MASK) == STUB_GVA;
}

/* At most STUB_ALL. RIP and registers are lost. */
static bool stub_run(struct vcpu *vcpu, const uint64_t *gva, size_t count)
{
    uc_err err;

    for (size_t i = 0; i < count; i++) {
        uc_reg_write(vcpu->uc, stub_register[STUB_ALL - count + i], &gva[i]);
    }
    vcpu->in_stub = true;
    vcpu->stub_runs = false;
    err = uc_emu_start(vcpu->uc, STUB_GVA + (STUB_ALL - count) * STUB_INSN_SIZE, 0, 0, 0);
    vcpu->in_stub = false;
    return err == UC_ERR_EXCEPTION && vcpu->stub_runs;
}

/* False: it cannot be done so, as the vCPU is now. RIP and registers are lost. */
static bool take_away(struct vcpu *vcpu, const uint64_t *gva, size_t count)
{
    const struct vcpu_code *code = vcpu_code(vcpu);

    if (code->bits != 64 || code->cpl != 0 ||
        (vcpu_get(vcpu, VCPU_RFLAGS) & (RFLAGS_TF | RFLAGS_RF))) {
        return false;
    }
    for (size_t at = 0; at < count; at += STUB_ALL) {
        if (!stub_run(vcpu, gva + at, count - at < STUB_ALL ? count - at : STUB_ALL)) {
            return false;
        }
    }
    return true;
}

/* ---- what there is ---- */

static bool live_same(const struct vcpu_live *a, const struct vcpu_live *b)
{
    return a->gva == b->gva && a->page == b->page && a->access == b->access && a->user == b->user &&
           a->ciphertext == b->ciphertext && a->view == b->view;
}

void vcpu_live_note(struct vcpu *vcpu, uint64_t gva, enum mmu_access access,
                    const struct mmu_translation *place)
{
    const struct vcpu_live fresh = {
        .gva = gva & ~PAGE_MASK,
        .page = place->page,
        .access = (uint8_t)access,
        .user = vcpu_code(vcpu)->cpl == 3,
        .ciphertext = place->ciphertext,
        .view = vcpu->view ? vcpu->view[place->page] : 0,
    };

    for (uint32_t i = 0; !vcpu->live_full && i < vcpu->live_count; i++) {
        if (live_same(&vcpu->live[i], &fresh)) {
            return;
        }
    }
    if (vcpu->live_count == LIVE_MAX) {
        vcpu->live_full = true;
        return;
    }
    vcpu->live[vcpu->live_count++] = fresh;
}

/* Of all marked with `drop` the addresses, each once; how many. */
static size_t drop_list(struct vcpu *vcpu, uint64_t gva[LIVE_MAX])
{
    size_t count = 0, kept = 0;

    for (uint32_t i = 0; i < vcpu->live_count; i++) {
        size_t at = 0;

        while (vcpu->live[i].drop && at < count && gva[at] != vcpu->live[i].gva) {
            at++;
        }
        if (vcpu->live[i].drop && at == count) {
            gva[count++] = vcpu->live[i].gva;
        }
    }
    /* The engine loses all that it has at an address. */
    for (uint32_t i = 0; i < vcpu->live_count; i++) {
        size_t at = 0;

        while (at < count && gva[at] != vcpu->live[i].gva) {
            at++;
        }
        if (at == count) {
            vcpu->live[kept++] = vcpu->live[i];
        }
    }
    vcpu->live_count = (uint32_t)kept;
    return count;
}

/* Between two runs of the engine; what is marked with `drop` goes. */
static void drop_marked(struct vcpu *vcpu)
{
    uint64_t gva[LIVE_MAX], value[STUB_ALL], rip;
    size_t count = drop_list(vcpu, gva), used = count < STUB_ALL ? count : STUB_ALL;
    const int *id = stub_register + STUB_ALL - used;

    if (vcpu->running) { /* the engine is half way through something */
        vcpu_flush(vcpu);
        return;
    }
    rip = vcpu_get(vcpu, VCPU_RIP);
    for (size_t i = 0; i < used; i++) {
        uc_reg_read(vcpu->uc, id[i], &value[i]);
    }
    if (count > LIVE_DROP_MAX || !take_away(vcpu, gva, count)) {
        vcpu_flush(vcpu);
    }
    for (size_t i = 0; i < used; i++) {
        uc_reg_write(vcpu->uc, id[i], &value[i]);
    }
    vcpu_set(vcpu, VCPU_RIP, rip);
}

void vcpu_page_changed(struct vcpu *vcpu, uint32_t page)
{
    bool any = false;

    if (vcpu->fill[page].generation != vcpu->generation) {
        return;
    }
    for (uint32_t i = 0; i < vcpu->live_count; i++) {
        vcpu->live[i].drop = vcpu->live[i].page == page;
        any = any || vcpu->live[i].drop;
    }
    if (vcpu->live_full) {
        vcpu_flush(vcpu);
    } else if (any) {
        drop_marked(vcpu);
    }
}

void vcpu_address_changed(struct vcpu *vcpu, uint64_t gva)
{
    bool any = false;

    for (uint32_t i = 0; i < vcpu->live_count; i++) {
        vcpu->live[i].drop = ((vcpu->live[i].gva ^ gva) & ~PAGE_MASK) == 0;
        any = any || vcpu->live[i].drop;
    }
    if (vcpu->live_full) {
        vcpu_flush(vcpu);
    } else if (any) {
        drop_marked(vcpu);
    }
}

/* ---- after a snapshot was brought back ---- */

/* Would a fill make it again, and change nothing? Then its tables are to stay as they are. */
static bool settles(struct vcpu *vcpu, struct mmu_context *context, const struct vcpu_live *live)
{
    struct memory *memory = vcpu->memory;
    struct mmu_translation place;
    uint32_t table[MMU_DEPTH_MAX];
    unsigned depth;

    if (vcpu->translate) {
        return true; /* always to the same page, and no table says so */
    }
    context->cpl = live->user ? 3 : 0;
    if (live->ciphertext ||
        !mmu_settled(&vcpu->mmu, context, live->gva, (enum mmu_access)live->access, &place, table,
                     &depth) ||
        place.page != live->page || !(memory->flags[live->page] & MEMORY_TOUCHED)) {
        return false;
    }
    /* Stores into code, and code that was none, are to be noticed each time. */
    if ((live->access == MMU_FETCH) != !!(memory->flags[live->page] & MEMORY_CODE) &&
        live->access != MMU_READ) {
        return false;
    }
    if (live->access != MMU_FETCH && vcpu->observer.settled &&
        !vcpu->observer.settled(vcpu->observer.context, live->gva, &place,
                                (enum vcpu_view)live->view)) {
        return false;
    }
    for (unsigned i = 0; i < depth; i++) {
        if (memory->flags[table[i]] & MEMORY_WRITTEN) {
            return false;
        }
    }
    for (unsigned i = 0; i < depth; i++) {
        memory->flags[table[i]] |= MEMORY_TABLE;
    }
    return true;
}

/* What did not settle once never does, as long as the snapshot is the same. */
static bool is_restless(struct vcpu *vcpu, struct mmu_context *context,
                        const struct vcpu_live *live)
{
    for (uint32_t i = 0; i < vcpu->restless_count; i++) {
        if (live_same(&vcpu->restless[i], live)) {
            return true;
        }
    }
    if (settles(vcpu, context, live)) {
        return false;
    }
    if (vcpu->restless_count < RESTLESS_MAX) {
        vcpu->restless[vcpu->restless_count++] = *live;
    }
    return true;
}

bool vcpu_live_restore(struct vcpu *vcpu)
{
    struct mmu_context context = vcpu->saved_context;
    uint64_t gva[LIVE_MAX];
    size_t count;

    if (vcpu->live_full || (context.cr4 & CR4_SMAP)) {
        return false;
    }
    for (uint32_t i = 0; i < vcpu->live_count; i++) {
        struct vcpu_live *live = &vcpu->live[i];

        live->drop = !live->kept && is_restless(vcpu, &context, live);
        live->kept = !live->drop;
    }
    count = drop_list(vcpu, gva);
    return count == 0 || (count <= LIVE_DROP_MAX && take_away(vcpu, gva, count));
}
