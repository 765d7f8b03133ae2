/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/vcpu.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

#include "abi/msr.h"
#include "abi/x86.h"

#define BLOCK_BITS 16
#define BLOCK_SLOTS (1u << BLOCK_BITS)
#define BLOCK_LOAD_MAX (BLOCK_SLOTS / 2)
#define LIMIT_NONE ((uint64_t)INT64_MAX)
#define BLOCK_BYTES_MAX 8192 /* 512 instructions of at most 15 bytes fit */
#define SITE_MAX 1024        /* a hook costs at each instruction that is translated */
#define CODE_VIEW_SLOTS 256
#define OFFSET_SLOTS 256

/* A translated block, as the engine's block hook reports it. size 0: an empty slot. */
struct block {
    uint64_t gva;
    uint32_t size;
    uint32_t insns;
};

/* Which page a page of code was last seen at. */
struct code_view {
    uint64_t gva;
    uint32_t page;
};

/* How many instructions of the block at `gva` come before `rip`. */
struct block_offset {
    uint64_t gva, rip;
    uint32_t insns;
};

/* An address with a hook on it. */
struct site {
    uint64_t gva;
    uc_hook hook;
};

/* What a page of memory was last mapped as in the engine. */
struct page_fill {
    uint32_t generation;      /* of the last fill */
    uint32_t view_generation; /* of the last fill for writing or execution, and then: */
    uint64_t view_gva;        /* where; bit 0: for execution; bit 1: elsewhere besides */
};

struct watch_range {
    uint64_t gpa;
    uint64_t start; /* where the engine has it */
    uint32_t size_bytes;
    uc_hook hook;
    vcpu_watch *callback;
    void *context;
    struct vcpu *vcpu;
};

struct vcpu {
    /* By block_slot, or the next free slot after it. First, so that finding one is a shift and an
       addition: the block hook is called for every few instructions. */
    struct block block[BLOCK_SLOTS];

    uc_engine *uc;
    struct memory *memory;
    struct rmp *rmp;
    struct mmu mmu;
    vcpu_decode *decode;
    vcpu_translate *translate; /* NULL: mmu_translate */
    void *translate_context;

    uint64_t asked;              /* limit of retired instructions; at most LIMIT_NONE */
    uint64_t limit;              /* the same, or lower to have block_slow see the next block */
    int64_t left;                /* until then; less whole blocks while running, else exact */
    const struct block *current; /* the block that has been taken off `left`; NULL: none */
    struct block kept;           /* what `current` points to when the table forgets it */
    uint32_t block_count;
    struct code_view code_view[CODE_VIEW_SLOTS];
    struct block_offset offset[OFFSET_SLOTS];

    struct vcpu_stop stop;
    bool faulted; /* stop.fault was set since the engine was entered */
    bool replan;  /* the block about to run has trap sites without hooks */
    uint64_t replan_gva;
    uint32_t replan_size;
    bool code_written; /* by the block that runs: the engine may leave it half way */
    bool resuming;     /* a frame with RF was pushed, its IRET is still to come */
    bool clear_resume; /* it has come */

    struct site *site; /* sorted */
    uint32_t site_count;
    bool site_full;
    bool break_set;
    uint64_t break_gva;

    struct watch_range watch[VCPU_WATCH_MAX];
    size_t watch_count;

    struct page_fill *fill; /* per page */
    uint32_t generation;
    uint64_t efer; /* as last written; reading it from the engine is slow */

    uc_context *saved;
    uint64_t saved_retired;
    bool saved_resuming;

    uc_context *mending;  /* see "the engine's record of exceptions" */
    size_t record_offset; /* 0: this engine clears its record by itself */
    size_t code_offset;   /* of the error code */
    size_t cpl_offset;    /* of the word whose bits 1:0 are the CPL */

    bool passing; /* the engine may execute the trap site at pass_gva itself, once */
    uint64_t pass_gva;
};

static const int vcpu_register_id[VCPU_REGISTER_COUNT] = {
    [VCPU_RAX] = UC_X86_REG_RAX,         [VCPU_RBX] = UC_X86_REG_RBX,
    [VCPU_RCX] = UC_X86_REG_RCX,         [VCPU_RDX] = UC_X86_REG_RDX,
    [VCPU_RSI] = UC_X86_REG_RSI,         [VCPU_RDI] = UC_X86_REG_RDI,
    [VCPU_RBP] = UC_X86_REG_RBP,         [VCPU_RSP] = UC_X86_REG_RSP,
    [VCPU_R8] = UC_X86_REG_R8,           [VCPU_R9] = UC_X86_REG_R9,
    [VCPU_R10] = UC_X86_REG_R10,         [VCPU_R11] = UC_X86_REG_R11,
    [VCPU_R12] = UC_X86_REG_R12,         [VCPU_R13] = UC_X86_REG_R13,
    [VCPU_R14] = UC_X86_REG_R14,         [VCPU_R15] = UC_X86_REG_R15,
    [VCPU_RIP] = UC_X86_REG_RIP,         [VCPU_RFLAGS] = UC_X86_REG_RFLAGS,
    [VCPU_CR0] = UC_X86_REG_CR0,         [VCPU_CR2] = UC_X86_REG_CR2,
    [VCPU_CR3] = UC_X86_REG_CR3,         [VCPU_CR4] = UC_X86_REG_CR4,
    [VCPU_CR8] = UC_X86_REG_CR8,         [VCPU_ES] = UC_X86_REG_ES,
    [VCPU_CS] = UC_X86_REG_CS,           [VCPU_SS] = UC_X86_REG_SS,
    [VCPU_DS] = UC_X86_REG_DS,           [VCPU_FS] = UC_X86_REG_FS,
    [VCPU_GS] = UC_X86_REG_GS,           [VCPU_FS_BASE] = UC_X86_REG_FS_BASE,
    [VCPU_GS_BASE] = UC_X86_REG_GS_BASE, [VCPU_DR6] = UC_X86_REG_DR6,
    [VCPU_DR7] = UC_X86_REG_DR7,         [VCPU_MXCSR] = UC_X86_REG_MXCSR,
    [VCPU_FPCW] = UC_X86_REG_FPCW,
};

static const int vcpu_table_id[VCPU_TABLE_COUNT] = {
    [VCPU_GDTR] = UC_X86_REG_GDTR,
    [VCPU_IDTR] = UC_X86_REG_IDTR,
    [VCPU_LDTR] = UC_X86_REG_LDTR,
    [VCPU_TR] = UC_X86_REG_TR,
};

/* The engine's control macros shift into an int's sign bit, which UBSan reports. */
#define ENGINE_CONTROL __attribute__((no_sanitize("shift")))

ENGINE_CONTROL static uc_err engine_use_vtlb(uc_engine *uc)
{
    return uc_ctl_tlb_mode(uc, UC_TLB_VIRTUAL);
}

/* Blocks that are translated from now on end before `gva`. NULL: none does. */
ENGINE_CONTROL static uc_err engine_set_exit(uc_engine *uc, const uint64_t *gva)
{
    uint64_t exit = gva ? *gva : 0;

    return uc_ctl_set_exits(uc, &exit, gva ? 1 : 0);
}

ENGINE_CONTROL static uc_err engine_use_no_exits(uc_engine *uc)
{
    uc_err err = uc_ctl_exits_enable(uc);

    return err ? err : engine_set_exit(uc, NULL);
}

ENGINE_CONTROL static uc_err engine_set_model(uc_engine *uc)
{
    return uc_ctl_set_cpu_model(uc, UC_CPU_X86_EPYC_ROME);
}

ENGINE_CONTROL static void engine_flush_tlb(uc_engine *uc)
{
    uc_ctl_flush_tlb(uc);
}

ENGINE_CONTROL static void engine_flush_blocks(uc_engine *uc)
{
    uc_ctl_flush_tb(uc);
}

ENGINE_CONTROL static void engine_remove_block(uc_engine *uc, uint64_t gva, uint32_t size)
{
    uc_ctl_remove_cache(uc, gva, gva + size);
}

/* ---- time ---- */

uint64_t vcpu_retired(const struct vcpu *vcpu)
{
    return vcpu->limit - (uint64_t)vcpu->left;
}

static void limit_apply(struct vcpu *vcpu, uint64_t limit)
{
    uint64_t retired = vcpu_retired(vcpu);

    vcpu->limit = limit;
    vcpu->left = (int64_t)(limit - retired);
}

/* The next block, whichever it is, goes through block_slow. */
static void limit_hold(struct vcpu *vcpu)
{
    limit_apply(vcpu, vcpu_retired(vcpu) - 1);
}

void vcpu_set_limit(struct vcpu *vcpu, uint64_t limit)
{
    vcpu->asked = limit < LIMIT_NONE ? limit : LIMIT_NONE;
    limit_apply(vcpu, vcpu->asked);
}

/* ---- blocks: counting, and finding what must trap ---- */

static inline uint32_t block_slot(uint64_t gva)
{
    return (uint32_t)gva & (BLOCK_SLOTS - 1);
}

static struct block *block_find(struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    uint32_t slot = block_slot(gva);

    while (vcpu->block[slot].size &&
           (vcpu->block[slot].gva != gva || vcpu->block[slot].size != size)) {
        slot = (slot + 1) & (BLOCK_SLOTS - 1);
    }
    return &vcpu->block[slot];
}

static void block_forget_all(struct vcpu *vcpu)
{
    if (vcpu->current) {
        vcpu->kept = *vcpu->current;
        vcpu->current = &vcpu->kept;
    }
    memset(vcpu->block, 0, sizeof(vcpu->block));
    memset(vcpu->offset, 0, sizeof(vcpu->offset));
    vcpu->block_count = 0;
}

static bool site_known(const struct vcpu *vcpu, uint64_t gva, uint32_t *at)
{
    uint32_t low = 0, high = vcpu->site_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (vcpu->site[middle].gva < gva) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *at = low;
    return low < vcpu->site_count && vcpu->site[low].gva == gva;
}

/* The guest's bytes at gva, as it would fetch them. */
static size_t code_peek(const struct vcpu *vcpu, uint64_t gva, uint8_t *bytes, size_t size)
{
    struct mmu_context context;

    vcpu_mmu_context(vcpu, &context);
    return mmu_peek(&vcpu->mmu, &context, gva, bytes, size);
}

static void vcpu_on_site(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque);

/* True when a hook was added. */
static bool site_add(struct vcpu *vcpu, uint64_t gva)
{
    uint32_t at;
    uc_hook hook;

    if (site_known(vcpu, gva, &at)) {
        return false;
    }
    if (vcpu->site_count == SITE_MAX ||
        uc_hook_add(vcpu->uc, &hook, UC_HOOK_CODE, (void *)vcpu_on_site, vcpu, gva, gva)) {
        vcpu->site_full = true;
        return false;
    }
    memmove(vcpu->site + at + 1, vcpu->site + at, (vcpu->site_count - at) * sizeof(*vcpu->site));
    vcpu->site[at] = (struct site){.gva = gva, .hook = hook};
    vcpu->site_count++;
    return true;
}

/* Start over with those that are met from now on. */
static void site_forget_all(struct vcpu *vcpu)
{
    for (uint32_t i = 0; i < vcpu->site_count; i++) {
        uc_hook_del(vcpu->uc, vcpu->site[i].hook);
    }
    vcpu->site_count = 0;
    vcpu->site_full = false;
    block_forget_all(vcpu);
    engine_flush_blocks(vcpu->uc);
}

/* Decode a block that runs for the first time. Sets replan when it holds new trap sites. */
static void block_analyse(struct vcpu *vcpu, struct block *block)
{
    uint8_t bytes[BLOCK_BYTES_MAX + 16];
    size_t have = code_peek(vcpu, block->gva, bytes,
                            (size_t)block->size + 15 < sizeof(bytes) ? (size_t)block->size + 15
                                                                     : sizeof(bytes));
    uint32_t at = 0;

    block->insns = 0;
    while (at < block->size && at < have) {
        struct vcpu_insn insn = {0};

        vcpu->decode(bytes + at, have - at, &insn);
        block->insns++;
        if (insn.trap && (site_add(vcpu, block->gva + at) || vcpu->site_full)) {
            vcpu->replan = true;
        }
        if (vcpu->site_full) {
            break; /* with a site of this block hooked at least */
        }
        if (insn.spin && at == 0 && block->size == insn.length) {
            vcpu->stop.kind = VCPU_STOP_SPIN;
        }
        if (insn.length == 0) {
            break; /* the engine ends a block at an instruction it does not know, too */
        }
        at += insn.length;
    }
}

static uint32_t block_insns_before(struct vcpu *vcpu, uint64_t rip);

/*
 * A store into the running block itself: the engine goes back to the storing instruction, runs it
 * as a block of its own, and translates the rest anew. Told from a jump back into the block by its
 * size; when the block's last instruction is the one, it cannot be told, and is taken for a jump.
 */
static bool block_was_left(const struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    const struct block *block = vcpu->current;
    struct vcpu_insn insn = {0};
    uint8_t bytes[15];

    if (!block || gva - block->gva >= block->size || gva + size >= block->gva + block->size) {
        return false;
    }
    vcpu->decode(bytes, code_peek(vcpu, gva, bytes, sizeof(bytes)), &insn);
    return insn.length == size;
}

/* Stop before the block at gva, of which nothing has been counted. */
static void block_stop(struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    vcpu->replan_gva = gva;
    vcpu->replan_size = size;
    vcpu->current = NULL;
    uc_emu_stop(vcpu->uc);
}

/* What waited for the next block. True when that must wait, too. */
static bool block_attend(struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    limit_apply(vcpu, vcpu->asked);
    if (vcpu->code_written && block_was_left(vcpu, gva, size)) {
        vcpu->left += vcpu->current->insns - block_insns_before(vcpu, gva);
    }
    vcpu->code_written = false;
    if (vcpu->resuming && (vcpu_get(vcpu, VCPU_RFLAGS) & RFLAGS_RF)) {
        vcpu->clear_resume = true;
        block_stop(vcpu, gva, size);
    }
    return vcpu->clear_resume;
}

/* First execution, the end of the budget, a crowded slot, or something that waited for it. */
__attribute__((noinline)) static void block_slow(struct vcpu *vcpu, uint64_t gva, uint32_t size)
{
    struct block *slot;

    if (vcpu->limit != vcpu->asked && block_attend(vcpu, gva, size)) {
        return;
    }
    slot = block_find(vcpu, gva, size);
    if (!slot->size) {
        struct block fresh = {.gva = gva, .size = size};

        block_analyse(vcpu, &fresh);
        if (vcpu->replan || vcpu->stop.kind == VCPU_STOP_SPIN) {
            block_stop(vcpu, gva, size);
            return;
        }
        if (vcpu->block_count >= BLOCK_LOAD_MAX) {
            block_forget_all(vcpu);
            slot = block_find(vcpu, gva, size);
        }
        *slot = fresh;
        vcpu->block_count++;
    }
    if (vcpu->left < (int64_t)slot->insns) {
        vcpu->stop.kind = VCPU_STOP_LIMIT;
        block_stop(vcpu, gva, size);
        return;
    }
    vcpu->left -= slot->insns;
    vcpu->current = slot;
    if (vcpu->resuming) {
        limit_hold(vcpu);
    }
}

/* Called before each block: the emulator's largest cost. Everything else is in block_slow. */
static void vcpu_on_block(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    struct vcpu *vcpu = opaque;
    const struct block *block = &vcpu->block[block_slot(gva)];
    int64_t left;

    (void)uc;
    if (block->gva == gva && block->size == size) {
        left = vcpu->left - block->insns;
        if (left >= 0) {
            vcpu->left = left;
            vcpu->current = block;
            return;
        }
    }
    block_slow(vcpu, gva, size);
}

/* Instructions of the current block before rip. */
static uint32_t block_insns_before(struct vcpu *vcpu, uint64_t rip)
{
    const struct block *block = vcpu->current;
    struct block_offset *memo = &vcpu->offset[(rip ^ block->gva >> 3) % OFFSET_SLOTS];
    uint8_t bytes[BLOCK_BYTES_MAX + 16];
    uint64_t at = 0;
    uint32_t insns = 0;
    size_t have;

    if (memo->rip == rip && memo->gva == block->gva) {
        return memo->insns;
    }
    have = code_peek(vcpu, block->gva, bytes, sizeof(bytes));
    while (at < rip - block->gva && at < have) {
        struct vcpu_insn insn = {0};

        vcpu->decode(bytes + at, have - at, &insn);
        if (insn.length == 0) {
            break;
        }
        at += insn.length;
        insns++;
    }
    *memo = (struct block_offset){.gva = block->gva, .rip = rip, .insns = insns};
    return insns;
}

/* The engine counted the whole block; only the instructions before rip have retired. */
static uint64_t vcpu_retired_at(struct vcpu *vcpu, uint64_t rip)
{
    const struct block *block = vcpu->current;
    uint64_t retired = vcpu_retired(vcpu);

    if (block && rip - block->gva < block->size) {
        return retired - block->insns + block_insns_before(vcpu, rip);
    }
    return retired;
}

static void vcpu_settle(struct vcpu *vcpu, uint64_t rip)
{
    vcpu->left = (int64_t)(vcpu->limit - vcpu_retired_at(vcpu, rip));
    vcpu->current = NULL;
}

/* ---- what the engine tells us ---- */

static void vcpu_stop_with(struct vcpu *vcpu, enum vcpu_stop_kind kind)
{
    vcpu->stop.kind = kind;
    uc_emu_stop(vcpu->uc);
}

static void vcpu_on_site(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    struct vcpu *vcpu = opaque;
    uint8_t bytes[15];
    struct vcpu_insn insn = {0};

    (void)uc;
    (void)size;
    if (vcpu->passing && vcpu->pass_gva == gva) {
        vcpu->passing = false;
        return;
    }
    /* Code may have changed since the hook was set. */
    vcpu->decode(bytes, code_peek(vcpu, gva, bytes, sizeof(bytes)), &insn);
    if (insn.trap) {
        vcpu_stop_with(vcpu, VCPU_STOP_SITE);
    }
}

static void vcpu_on_break(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    (void)uc;
    (void)gva;
    (void)size;
    vcpu_stop_with(opaque, VCPU_STOP_BREAK);
}

static void vcpu_on_limit(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    (void)uc;
    (void)gva;
    (void)size;
    vcpu_stop_with(opaque, VCPU_STOP_LIMIT);
}

static bool vcpu_on_invalid(uc_engine *uc, void *opaque)
{
    (void)uc;
    vcpu_stop_with(opaque, VCPU_STOP_INVALID);
    return true;
}

static void vcpu_on_interrupt(uc_engine *uc, uint32_t vector, void *opaque)
{
    struct vcpu *vcpu = opaque;

    (void)uc;
    vcpu->stop.vector = vector;
    vcpu_stop_with(vcpu, VCPU_STOP_INTERRUPT);
}

/* A page of code appeared at gva: counts and trap sites of what stood there before are stale. */
static void code_view_update(struct vcpu *vcpu, uint64_t gva, uint32_t page)
{
    struct code_view *view = &vcpu->code_view[(gva >> PAGE_SHIFT) % CODE_VIEW_SLOTS];

    vcpu->memory->flags[page] |= MEMORY_CODE;
    if (view->page == page && view->gva == gva) {
        return;
    }
    if (view->gva == gva || view->page != MEMORY_NO_PAGE) {
        block_forget_all(vcpu);
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

static bool vcpu_on_tlb_fill(uc_engine *uc, uint64_t gva, uc_mem_type type, uc_tlb_entry *entry,
                             void *opaque)
{
    struct vcpu *vcpu = opaque;
    enum mmu_access access = type == UC_MEM_FETCH   ? MMU_FETCH
                             : type == UC_MEM_WRITE ? MMU_WRITE
                                                    : MMU_READ;
    struct mmu_translation place;

    (void)uc;
    if (!vcpu_place(vcpu, gva, access, &place)) {
        vcpu->faulted = true;
        return false;
    }
    if (access != MMU_READ && !place.ciphertext) {
        fill_note_view(vcpu, &vcpu->fill[place.page], gva, access == MMU_FETCH);
    }
    vcpu->fill[place.page].generation = vcpu->generation;
    if (place.ciphertext) {
        place.page = memory_cipher_page(vcpu->memory);
    } else if (access == MMU_WRITE) {
        memory_bytes_for_guest_write(vcpu->memory, place.page);
        if (vcpu->memory->flags[place.page] & MEMORY_CODE) {
            block_forget_all(vcpu);
            vcpu->code_written = true;
            limit_hold(vcpu);
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
    return true;
}

static void vcpu_on_watched_read(uc_engine *uc, uc_mem_type type, uint64_t address, int size,
                                 int64_t value, void *opaque)
{
    struct watch_range *watch = opaque;
    struct vcpu *vcpu = watch->vcpu;
    uint64_t rip = vcpu_get(vcpu, VCPU_RIP);

    (void)uc;
    (void)type;
    (void)value;
    watch->callback(watch->context, watch->gpa + (address - watch->start), (uint32_t)size, rip, vcpu_retired_at(vcpu, rip));
}

/* ---- the engine's record of exceptions ---- */

/*
 * The engine remembers the last contributory exception that it raised by itself, to make a double
 * fault of the next, and waits for its own delivery code to forget it. That code never runs here,
 * so the second #DE of a run would come as vector 8 and the third not at all. Nor does it tell an
 * exception's error code. No call does either, but a saved context holds both words. Where, is
 * found by watching them change.
 */
#define RECORD_NONE (-1)
#define PROBE_MAX 8

/* What to run for one look at the context; words: the two that are searched for, after it. */
struct probe {
    uint8_t code[PROBE_MAX];
    int32_t record, error_code; /* RECORD_ANY: whatever it is */
};

#define RECORD_ANY INT32_MIN

static const struct probe probes[] = {
    {{0xF4}, RECORD_NONE, RECORD_ANY},                          /* hlt */
    {{0x31, 0xC9, 0xF7, 0xF1}, VECTOR_DE, RECORD_ANY},          /* xor ecx, ecx; div ecx */
    {{0x31, 0xC9, 0xF7, 0xF1}, VECTOR_DF, RECORD_ANY},          /* the same */
    {{0x66, 0xB9, 0x3B, 0x12, 0x8E, 0xD9}, RECORD_ANY, 0x1238}, /* mov cx, ...; mov ds, cx */
    {{0x66, 0xB9, 0x7B, 0x56, 0x8E, 0xD9}, RECORD_ANY, 0x5678},
};
#define PROBE_COUNT (sizeof(probes) / sizeof(probes[0]))
#define PROBE_CODES 3 /* the first that looks for an error code */

static int32_t record_word(const void *context, size_t offset)
{
    int32_t word;

    memcpy(&word, (const uint8_t *)context + offset, sizeof(word));
    return word;
}

static void record_set(void *context, size_t offset, int32_t word)
{
    memcpy((uint8_t *)context + offset, &word, sizeof(word));
}

static bool record_fits(const uint8_t *contexts, size_t size, size_t at, bool error_code)
{
    for (size_t i = error_code ? PROBE_CODES : 0; i < (error_code ? PROBE_COUNT : PROBE_CODES);
         i++) {
        int32_t want = error_code ? probes[i].error_code : probes[i].record;

        if (want != RECORD_ANY && record_word(contexts + i * size, at) != want) {
            return false;
        }
    }
    return true;
}

/* The one offset where the contexts hold what the probes say; 0 when there is not exactly one. */
static size_t record_search(const uint8_t *contexts, size_t size, bool error_code)
{
    size_t found = 0;

    for (size_t at = 0; at + sizeof(int32_t) <= size; at += sizeof(int32_t)) {
        if (record_fits(contexts, size, at, error_code)) {
            if (found) {
                return 0;
            }
            found = at;
        }
    }
    return found;
}

/* Run one probe in the page after guest memory, from a clean record if that is known already. */
static uc_err record_probe(struct vcpu *vcpu, const struct probe *probe, uint8_t *context,
                           size_t size)
{
    uint64_t code = (uint64_t)memory_cipher_page(vcpu->memory) << PAGE_SHIFT;
    uint8_t *place = vcpu->memory->ram + code;
    uint8_t kept[PROBE_MAX];
    uc_err err = UC_ERR_OK;

    if (vcpu->record_offset) {
        record_set(vcpu->mending, vcpu->record_offset, RECORD_NONE);
        err = uc_context_restore(vcpu->uc, vcpu->mending);
    }
    memcpy(kept, place, sizeof(kept));
    memcpy(place, probe->code, sizeof(kept));
    engine_remove_block(vcpu->uc, code, PROBE_MAX);
    vcpu->stop.vector = VECTOR_DE;               /* as if */
    (void)uc_emu_start(vcpu->uc, code, 0, 0, 0); /* its error is that of the exception */
    memcpy(place, kept, sizeof(kept));
    err = err ? err : uc_context_save(vcpu->uc, vcpu->mending);
    memcpy(context, vcpu->mending, size);
    return err;
}

/* Before the engine translates addresses. */
static uc_err record_find(struct vcpu *vcpu)
{
    size_t size = uc_context_size(vcpu->uc);
    uint8_t *contexts = malloc((PROBE_COUNT + 1) * size), *pristine = contexts + PROBE_COUNT * size;
    uc_err err = contexts ? uc_context_save(vcpu->uc, vcpu->mending) : UC_ERR_NOMEM;
    bool clears_itself = false;

    if (!err) {
        memcpy(pristine, vcpu->mending, size);
    }
    for (size_t i = 0; !err && i < PROBE_COUNT; i++) {
        err = record_probe(vcpu, &probes[i], contexts + i * size, size);
        if (i == PROBE_CODES - 1) {
            clears_itself = vcpu->stop.vector == VECTOR_DE;
            vcpu->record_offset = clears_itself ? 0 : record_search(contexts, size, false);
        }
    }
    if (!err) {
        vcpu->code_offset = record_search(contexts, size, true);
        memcpy(vcpu->mending, pristine, size);
        err = uc_context_restore(vcpu->uc, vcpu->mending);
    }
    if (!err && ((vcpu->record_offset == 0 && !clears_itself) || vcpu->code_offset == 0)) {
        err = UC_ERR_VERSION;
    }
    free(contexts);
    return err;
}

/* After an exception that the engine raised: what is its error code, and forget it. */
static uc_err record_take(struct vcpu *vcpu)
{
    uc_err err = uc_context_save(vcpu->uc, vcpu->mending);

    if (err) {
        return err;
    }
    vcpu->stop.error_code = (uint32_t)record_word(vcpu->mending, vcpu->code_offset);
    if (vcpu->record_offset == 0) {
        return UC_ERR_OK;
    }
    record_set(vcpu->mending, vcpu->record_offset, RECORD_NONE);
    return uc_context_restore(vcpu->uc, vcpu->mending);
}

/* ---- the current privilege level ---- */

/*
 * The engine keeps it in a word of its own: a write to CS or SS changes selectors alone. The word is
 * found by going to CPL 3 once, before there is a guest: of what changes then, it alone changes in
 * bits 1:0 and nothing else.
 */
#define CPL_MASK 3
#define CPL_GDT 0x100
#define CPL_FRAME 0x200
#define CPL_CODE 0x10

static size_t cpl_search(const void *before, const void *after, size_t size)
{
    size_t found = 0;

    for (size_t at = 0; at + sizeof(int32_t) <= size; at += sizeof(int32_t)) {
        if ((record_word(before, at) ^ record_word(after, at)) == CPL_MASK) {
            if (found) {
                return 0;
            }
            found = at;
        }
    }
    return found;
}

/* IRETQ to CPL 3, where HLT faults, in the page after guest memory. */
static void cpl_probe(struct vcpu *vcpu, uint8_t *place, uint64_t gva)
{
    const uint64_t gdt[] = {0, 0x00CFF2000000FFFF, 0x00AFFA000000FFFF}; /* user data, user code */
    const uint64_t frame[] = {gva + CPL_CODE, 0x13, RFLAGS_FIXED, gva + PAGE_SIZE, 0x0B};
    const struct vcpu_table gdtr = {.base = gva + CPL_GDT, .limit = sizeof(gdt) - 1};

    place[0] = 0x48;
    place[1] = 0xCF;
    place[CPL_CODE] = 0xF4;
    memcpy(place + CPL_GDT, gdt, sizeof(gdt));
    memcpy(place + CPL_FRAME, frame, sizeof(frame));
    vcpu_set_table(vcpu, VCPU_GDTR, &gdtr);
    vcpu_set(vcpu, VCPU_RSP, gva + CPL_FRAME);
    (void)uc_emu_start(vcpu->uc, gva, 0, 0, 0);
}

static uc_err cpl_find(struct vcpu *vcpu)
{
    uint64_t gva = (uint64_t)memory_cipher_page(vcpu->memory) << PAGE_SHIFT;
    size_t size = uc_context_size(vcpu->uc);
    uint8_t *place = vcpu->memory->ram + gva;
    uint8_t *kept = malloc(PAGE_SIZE + size);
    uc_err err = kept ? uc_context_save(vcpu->uc, vcpu->mending) : UC_ERR_NOMEM;

    if (!err) {
        memcpy(kept, place, PAGE_SIZE);
        memcpy(kept + PAGE_SIZE, vcpu->mending, size);
        engine_remove_block(vcpu->uc, gva, PAGE_SIZE);
        cpl_probe(vcpu, place, gva);
        memcpy(place, kept, PAGE_SIZE);
        engine_remove_block(vcpu->uc, gva, PAGE_SIZE);
        err = uc_context_save(vcpu->uc, vcpu->mending);
    }
    if (!err) {
        vcpu->cpl_offset = cpl_search(kept + PAGE_SIZE, vcpu->mending, size);
        memcpy(vcpu->mending, kept + PAGE_SIZE, size);
        err = uc_context_restore(vcpu->uc, vcpu->mending);
    }
    if (!err && vcpu->cpl_offset == 0) {
        err = UC_ERR_VERSION;
    }
    free(kept);
    return err;
}

void vcpu_set_cpl(struct vcpu *vcpu, unsigned cpl)
{
    int32_t word;

    assert(cpl <= CPL_MASK);
    if (uc_context_save(vcpu->uc, vcpu->mending)) {
        assert(!"the CPU engine does not save its context");
    }
    word = record_word(vcpu->mending, vcpu->cpl_offset);
    record_set(vcpu->mending, vcpu->cpl_offset, (word & ~CPL_MASK) | (int32_t)cpl);
    if (uc_context_restore(vcpu->uc, vcpu->mending)) {
        assert(!"the CPU engine does not restore its context");
    }
}

void vcpu_pass(struct vcpu *vcpu)
{
    vcpu->passing = true;
    vcpu->pass_gva = vcpu_get(vcpu, VCPU_RIP);
}

/* ---- opening and running ---- */

static uc_err engine_add_hooks(struct vcpu *vcpu)
{
    uc_engine *uc = vcpu->uc;
    uc_hook hook;
    uc_err err;

    /* begin > end: everywhere */
    err = uc_hook_add(uc, &hook, UC_HOOK_INTR, (void *)vcpu_on_interrupt, vcpu, 1, 0);
    if (!err) {
        err = record_find(vcpu);
    }
    if (!err) {
        err = cpl_find(vcpu);
    }
    if (!err) {
        err = engine_use_vtlb(uc);
    }
    if (!err) {
        err = uc_hook_add(uc, &hook, UC_HOOK_TLB_FILL, (void *)vcpu_on_tlb_fill, vcpu, 1, 0);
    }
    if (!err) {
        err = uc_hook_add(uc, &hook, UC_HOOK_BLOCK, (void *)vcpu_on_block, vcpu, 1, 0);
    }
    if (!err) {
        err = uc_hook_add(uc, &hook, UC_HOOK_INSN_INVALID, (void *)vcpu_on_invalid, vcpu, 1, 0);
    }
    return err;
}

static uc_err engine_open(struct vcpu *vcpu)
{
    struct memory *memory = vcpu->memory;
    uc_err err = uc_open(UC_ARCH_X86, UC_MODE_64, &vcpu->uc);

    if (!err) {
        err = engine_set_model(vcpu->uc);
    }
    if (!err) {
        err = engine_use_no_exits(vcpu->uc);
    }
    if (!err) {
        err = uc_mem_map_ptr(vcpu->uc, 0, ((size_t)memory->page_count + 1) * PAGE_SIZE, UC_PROT_ALL,
                             memory->ram);
    }
    if (!err) {
        err = uc_context_alloc(vcpu->uc, &vcpu->mending);
    }
    return err ? err : engine_add_hooks(vcpu);
}

int vcpu_open(struct vcpu **out, struct memory *memory, struct rmp *rmp, vcpu_decode *decode,
              struct error *error)
{
    struct vcpu *vcpu = calloc(1, sizeof(*vcpu));
    uc_err err;

    if (!vcpu) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a vCPU");
    }
    vcpu->memory = memory;
    vcpu->rmp = rmp;
    vcpu->mmu = (struct mmu){.memory = memory, .rmp = rmp};
    vcpu->decode = decode;
    vcpu->asked = LIMIT_NONE;
    vcpu->limit = LIMIT_NONE;
    vcpu->left = (int64_t)LIMIT_NONE;
    vcpu->generation = 1;
    vcpu->site = calloc(SITE_MAX, sizeof(*vcpu->site));
    vcpu->fill = calloc(memory->page_count, sizeof(*vcpu->fill));
    for (size_t i = 0; i < CODE_VIEW_SLOTS; i++) {
        vcpu->code_view[i].page = MEMORY_NO_PAGE;
    }
    if (!vcpu->site || !vcpu->fill) {
        vcpu_close(vcpu);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a vCPU");
    }
    err = engine_open(vcpu);
    if (err) {
        vcpu_close(vcpu);
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine does not start: %s",
                         uc_strerror(err));
    }
    vcpu->efer = vcpu_get_msr(vcpu, MSR_EFER);
    vcpu_set(vcpu, VCPU_MXCSR, 0x1F80);
    vcpu_set(vcpu, VCPU_FPCW, 0x37F);
    *out = vcpu;
    return 0;
}

void vcpu_close(struct vcpu *vcpu)
{
    if (!vcpu) {
        return;
    }
    if (vcpu->saved) {
        uc_context_free(vcpu->saved);
    }
    if (vcpu->mending) {
        uc_context_free(vcpu->mending);
    }
    if (vcpu->uc) {
        uc_close(vcpu->uc);
    }
    free(vcpu->site);
    free(vcpu->fill);
    free(vcpu);
}

void vcpu_set_translation(struct vcpu *vcpu, vcpu_translate *translate, void *context)
{
    vcpu->translate = translate;
    vcpu->translate_context = context;
}

/* Sort out why the engine came back when no hook asked it to. */
static void vcpu_classify(struct vcpu *vcpu, uc_err err, uint64_t rip)
{
    uint8_t byte = 0;

    if (err == UC_ERR_EXCEPTION && vcpu->faulted) {
        vcpu->stop.kind = VCPU_STOP_FAULT;
    } else if (err == UC_ERR_OK && code_peek(vcpu, rip - 1, &byte, 1) == 1 && byte == 0xF4) {
        vcpu->stop.kind = VCPU_STOP_HALT;
    } else {
        vcpu->stop.kind = VCPU_STOP_ENGINE;
        vcpu->stop.vector = (uint32_t)err;
    }
}

/* The length of the instruction at gva, of which `have` bytes may be looked at; 0: none. */
static uint64_t insn_length(const struct vcpu *vcpu, uint64_t gva, size_t have)
{
    uint8_t bytes[15];
    struct vcpu_insn insn = {0};

    have = have < sizeof(bytes) ? have : sizeof(bytes);
    vcpu->decode(bytes, code_peek(vcpu, gva, bytes, have), &insn);
    return insn.length;
}

/* What a run has set up in the engine for itself and takes away at its end. */
struct vcpu_plan {
    bool limit_hooked;
    uc_hook limit_hook;
    bool exit_set;
    uint64_t exit_gva, from_gva;
};

/* The block at replan_gva does not fit into the budget: a hook where the budget ends in it. */
static uc_err plan_limit(struct vcpu *vcpu, struct vcpu_plan *plan)
{
    uint64_t at = vcpu->replan_gva;
    uc_err err;

    for (int64_t i = 0; i < vcpu->left; i++) {
        uint64_t length = insn_length(vcpu, at, 15);

        at += length ? length : 1;
    }
    err =
        uc_hook_add(vcpu->uc, &plan->limit_hook, UC_HOOK_CODE, (void *)vcpu_on_limit, vcpu, at, at);
    if (!err) {
        plan->limit_hooked = true;
        engine_remove_block(vcpu->uc, vcpu->replan_gva, vcpu->replan_size);
        vcpu_set_limit(vcpu, LIMIT_NONE);
    }
    return err;
}

/*
 * The engine translates a block up to its end before it runs any of it, into the next page if need
 * be. When that page's fetch fails, the instructions before it have not run: run them first, as a
 * block that ends where the next page begins. False when there are none.
 */
static bool plan_fetch(struct vcpu *vcpu, struct vcpu_plan *plan, uint64_t rip)
{
    uint64_t page = vcpu->stop.fault.gva & ~PAGE_MASK, at = rip, length;

    if (page - rip > BLOCK_BYTES_MAX) {
        return false;
    }
    while (at < page && (length = insn_length(vcpu, at, page - at)) != 0) {
        at += length;
    }
    if (at == rip || engine_set_exit(vcpu->uc, &at)) {
        return false;
    }
    plan->exit_set = true;
    plan->exit_gva = at;
    plan->from_gva = rip;
    return true;
}

static void plan_drop_exit(struct vcpu *vcpu, struct vcpu_plan *plan)
{
    if (plan->exit_set) {
        engine_set_exit(vcpu->uc, NULL);
        engine_remove_block(vcpu->uc, plan->from_gva, (uint32_t)(plan->exit_gva - plan->from_gva));
        plan->exit_set = false;
    }
}

/* Enter the engine once. True when that was not the end of it: the caller enters it again. */
static bool vcpu_enter(struct vcpu *vcpu, struct vcpu_plan *plan, uc_err *err)
{
    uint64_t rip = vcpu_get(vcpu, VCPU_RIP);

    memset(&vcpu->stop, 0, sizeof(vcpu->stop));
    vcpu->faulted = false;
    vcpu->replan = false;
    vcpu->code_written = false;
    vcpu->clear_resume = false;
    if (vcpu->resuming) {
        limit_hold(vcpu);
    }
    *err = uc_emu_start(vcpu->uc, rip, 0, 0, 0);
    limit_apply(vcpu, vcpu->asked);
    rip = vcpu_get(vcpu, VCPU_RIP);
    if (vcpu->replan) {
        if (vcpu->site_full) {
            site_forget_all(vcpu);
        }
        engine_remove_block(vcpu->uc, vcpu->replan_gva, vcpu->replan_size);
        return true;
    }
    if (vcpu->clear_resume) {
        vcpu_set(vcpu, VCPU_RFLAGS, vcpu_get(vcpu, VCPU_RFLAGS) & ~RFLAGS_RF);
        vcpu->resuming = false;
        return true;
    }
    if (vcpu->stop.kind == VCPU_STOP_LIMIT && vcpu->left > 0 && !plan->limit_hooked) {
        *err = plan_limit(vcpu, plan);
        return !*err;
    }
    if (plan->exit_set && !*err && vcpu->stop.kind == VCPU_STOP_NONE && rip == plan->exit_gva) {
        vcpu_settle(vcpu, rip);
        plan_drop_exit(vcpu, plan);
        return true;
    }
    return *err == UC_ERR_EXCEPTION && vcpu->faulted && vcpu->stop.fault.access == MMU_FETCH &&
           !plan->exit_set && plan_fetch(vcpu, plan, rip);
}

/* At the limit, what stands before an instruction that has not begun can wait. */
static bool stop_can_wait(enum vcpu_stop_kind kind)
{
    return kind == VCPU_STOP_INVALID || kind == VCPU_STOP_SITE || kind == VCPU_STOP_FAULT ||
           kind == VCPU_STOP_SPIN || kind == VCPU_STOP_BREAK;
}

int vcpu_run(struct vcpu *vcpu, struct vcpu_stop *stop, struct error *error)
{
    uint64_t limit = vcpu->asked;
    struct vcpu_plan plan = {0};
    uint64_t rip;
    uc_err err;

    if (vcpu->memory->code_changed) {
        vcpu->memory->code_changed = false;
        vcpu_code_changed(vcpu);
    }
    while (vcpu_enter(vcpu, &plan, &err)) {
    }
    rip = vcpu_get(vcpu, VCPU_RIP);
    plan_drop_exit(vcpu, &plan);
    if (plan.limit_hooked) {
        uc_hook_del(vcpu->uc, plan.limit_hook);
        engine_remove_block(vcpu->uc, vcpu->replan_gva, vcpu->replan_size);
    }
    if (vcpu->stop.kind == VCPU_STOP_NONE || (vcpu->faulted && err == UC_ERR_EXCEPTION)) {
        vcpu_classify(vcpu, err, rip);
    }
    /* A fetch that fails belongs to the next block, which has not been counted yet. */
    if (vcpu->stop.kind == VCPU_STOP_FAULT && vcpu->stop.fault.access == MMU_FETCH) {
        vcpu->current = NULL;
    }
    vcpu_settle(vcpu, rip);
    vcpu_set_limit(vcpu, limit);
    if (vcpu->left <= 0 && stop_can_wait(vcpu->stop.kind)) {
        vcpu->stop.kind = VCPU_STOP_LIMIT;
    }
    vcpu->stop.rip = rip;
    if (vcpu->stop.kind == VCPU_STOP_INTERRUPT && record_take(vcpu)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine does not restore its context");
    }
    *stop = vcpu->stop;
    return 0;
}

/* ---- registers ---- */

uint64_t vcpu_get(const struct vcpu *vcpu, enum vcpu_register reg)
{
    uint64_t value = 0;

    uc_reg_read(vcpu->uc, vcpu_register_id[reg], &value);
    return value;
}

void vcpu_set(struct vcpu *vcpu, enum vcpu_register reg, uint64_t value)
{
    uc_reg_write(vcpu->uc, vcpu_register_id[reg], &value);
}

void vcpu_get_table(const struct vcpu *vcpu, enum vcpu_table_register reg, struct vcpu_table *table)
{
    uc_x86_mmr mmr = {0};

    uc_reg_read(vcpu->uc, vcpu_table_id[reg], &mmr);
    table->selector = mmr.selector;
    table->base = mmr.base;
    table->limit = mmr.limit;
    table->flags = mmr.flags;
}

void vcpu_set_table(struct vcpu *vcpu, enum vcpu_table_register reg, const struct vcpu_table *table)
{
    uc_x86_mmr mmr = {
        .selector = table->selector,
        .base = table->base,
        .limit = table->limit,
        .flags = table->flags,
    };

    uc_reg_write(vcpu->uc, vcpu_table_id[reg], &mmr);
}

uint64_t vcpu_get_msr(const struct vcpu *vcpu, uint32_t index)
{
    uc_x86_msr msr = {.rid = index};

    uc_reg_read(vcpu->uc, UC_X86_REG_MSR, &msr);
    return msr.value;
}

void vcpu_set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
    uc_x86_msr msr = {.rid = index, .value = value};

    uc_reg_write(vcpu->uc, UC_X86_REG_MSR, &msr);
    if (index == MSR_EFER) {
        vcpu->efer = vcpu_get_msr(vcpu, MSR_EFER);
    }
}

/* Asked for at each TLB fill: read no more than decides. */
void vcpu_mmu_context(const struct vcpu *vcpu, struct mmu_context *context)
{
    static const int id[] = {UC_X86_REG_CR0, UC_X86_REG_CR3, UC_X86_REG_CR4, UC_X86_REG_CS};
    uint64_t cs = 0;
    void *value[] = {&context->cr0, &context->cr3, &context->cr4, &cs};

    uc_reg_read_batch(vcpu->uc, id, value, 4);
    context->efer = vcpu->efer & ~EFER_LMA;
    if ((context->cr0 & CR0_PG) && (vcpu->efer & EFER_LME)) {
        context->efer |= EFER_LMA;
    }
    context->rflags = context->cr4 & CR4_SMAP ? vcpu_get(vcpu, VCPU_RFLAGS) : 0;
    context->cpl = cs & 3;
    context->vmpl = vcpu_vmpl(vcpu);
}

unsigned vcpu_vmpl(const struct vcpu *vcpu)
{
    (void)vcpu;
    return 0; /* lower VMPLs do not run yet: creating one is `unmodelled` */
}

void vcpu_enter_long_mode(struct vcpu *vcpu, uint64_t cr0, uint64_t cr3, uint64_t cr4,
                          uint64_t efer)
{
    vcpu_set(vcpu, VCPU_CR4, cr4);
    vcpu_set(vcpu, VCPU_CR3, cr3);
    vcpu_set_msr(vcpu, MSR_EFER, efer);
    vcpu_set(vcpu, VCPU_CR0, cr0);
}

void vcpu_retire(struct vcpu *vcpu, unsigned length)
{
    vcpu_set(vcpu, VCPU_RIP, vcpu_get(vcpu, VCPU_RIP) + length);
    vcpu->left--;
}

void vcpu_expect_resume(struct vcpu *vcpu)
{
    vcpu->resuming = true;
}

int vcpu_set_break(struct vcpu *vcpu, uint64_t gva, struct error *error)
{
    uc_hook hook;

    if (uc_hook_add(vcpu->uc, &hook, UC_HOOK_CODE, (void *)vcpu_on_break, vcpu, gva, gva)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine refuses a breakpoint");
    }
    vcpu->break_set = true;
    vcpu->break_gva = gva;
    engine_flush_blocks(vcpu->uc);
    return 0;
}

/* ---- translations and watches ---- */

void vcpu_flush(struct vcpu *vcpu)
{
    engine_flush_tlb(vcpu->uc);
    vcpu->generation++;
}

void vcpu_page_changed(struct vcpu *vcpu, uint32_t page)
{
    if (vcpu->fill[page].generation == vcpu->generation) {
        vcpu_flush(vcpu);
    }
}

int vcpu_watch_add(struct vcpu *vcpu, uint64_t gpa, uint32_t size_bytes, vcpu_watch *callback,
                   void *context, struct error *error)
{
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
    if (uc_hook_add(vcpu->uc, &watch->hook, UC_HOOK_MEM_READ, (void *)vcpu_on_watched_read, watch,
                    start < 63 ? 0 : start - 63, start + size_bytes - 1)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine refuses a memory hook");
    }
    /* The presence of memory hooks is compiled into blocks. */
    if (vcpu->watch_count++ == 0) {
        engine_flush_blocks(vcpu->uc);
        vcpu_flush(vcpu);
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
    engine_flush_blocks(vcpu->uc);
    vcpu_flush(vcpu);
}

/* ---- snapshot ---- */

int vcpu_save(struct vcpu *vcpu, struct error *error)
{
    if (!vcpu->saved && uc_context_alloc(vcpu->uc, &vcpu->saved)) {
        vcpu->saved = NULL;
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a vCPU's context");
    }
    if (uc_context_save(vcpu->uc, vcpu->saved)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine does not save its context");
    }
    vcpu->saved_retired = vcpu_retired(vcpu);
    vcpu->saved_resuming = vcpu->resuming;
    return 0;
}

int vcpu_restore(struct vcpu *vcpu, struct error *error)
{
    assert(vcpu->saved);
    if (uc_context_restore(vcpu->uc, vcpu->saved)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine does not restore its context");
    }
    vcpu->efer = vcpu_get_msr(vcpu, MSR_EFER);
    vcpu->left = (int64_t)(vcpu->limit - vcpu->saved_retired);
    vcpu->resuming = vcpu->saved_resuming;
    vcpu->passing = false;
    vcpu->current = NULL;
    vcpu_flush(vcpu);
    return 0;
}

void vcpu_code_changed(struct vcpu *vcpu)
{
    block_forget_all(vcpu);
    engine_flush_blocks(vcpu->uc);
}

#define VERSION_TEXT_(x) #x
#define VERSION_TEXT(x) VERSION_TEXT_(x)

const char *vcpu_engine_version(void)
{
    return VERSION_TEXT(UC_VERSION_MAJOR) "." VERSION_TEXT(UC_VERSION_MINOR) "." VERSION_TEXT(
        UC_VERSION_PATCH);
}
