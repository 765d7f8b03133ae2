/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the taint is shown of a run: blocks as operations, decoded once each, accesses, and what the
 * emulator does in the guest's stead. While no value is followed it costs a call at each block.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "check/taint.h"
#include "run_internal.h"
#include "trap/flow.h"

#define OPS_MAX (1u << 17)
#define BLOCK_OPS_MAX 512 /* the engine makes no longer blocks */
#define INSN_BYTES_MAX 15
#define BLOCK_BYTES_MAX (BLOCK_OPS_MAX * INSN_BYTES_MAX)
#define FRAME_SIZE 48 /* at most, of an exception */

/* The operations of a block of code; op_count 0: not decoded yet. */
struct known_block {
    uint32_t first, op_count;
};

struct run_taint {
    struct taint *taint;
    bool follows; /* taint_is_live, for the vCPU */
    /* The block that runs, and whether the taint knows of it. */
    uint32_t number;
    uint64_t gva, retired;
    uint32_t size_bytes;
    bool begun;
    uint32_t op_used;
    struct flow_op op[OPS_MAX + BLOCK_OPS_MAX];
    struct known_block block[VCPU_BLOCK_MAX];
    uint8_t bytes[BLOCK_BYTES_MAX];
};

static bool is_watched(const struct run *run)
{
    return vcpu_vmpl(run->machine.vcpu) == 0;
}

static void note_follows(struct run_taint *taint)
{
    taint->follows = taint_is_live(taint->taint);
}

/* ---- blocks ---- */

static size_t peek(struct run *run, uint64_t gva, uint8_t *bytes, size_t size)
{
    struct mmu_context context;

    vcpu_mmu_context(run->machine.vcpu, &context);
    return mmu_peek(&run->machine.mmu, &context, gva, bytes, size);
}

static void on_forget(void *context)
{
    struct run *run = context;

    if (run->taint) {
        memset(run->taint->block, 0, sizeof(run->taint->block));
        run->taint->op_used = 0;
    }
}

/* No value is followed through code that is not 64-bit. */
static const struct known_block *known(struct run *run)
{
    struct run_taint *taint = run->taint;
    struct known_block *block = &taint->block[taint->number];
    size_t have;

    if (block->op_count == 0 && vcpu_code_bits(run->machine.vcpu) == 64) {
        if (taint->op_used >= OPS_MAX) {
            on_forget(run);
        }
        have = peek(run, taint->gva, taint->bytes, taint->size_bytes);
        block->first = taint->op_used;
        block->op_count =
            (uint32_t)flow_decode(taint->bytes, have, taint->op + block->first, BLOCK_OPS_MAX);
        taint->op_used += block->op_count;
    }
    return block;
}

static struct taint_block present_block(struct run *run)
{
    const struct known_block *block = known(run);

    return (struct taint_block){
        .vcpu = run->trap.vcpu,
        .gva = run->taint->gva,
        .retired = run->taint->retired,
        .op = run->taint->op + block->first,
        .op_count = block->op_count,
    };
}

static void on_block(void *context, uint32_t number, uint64_t gva, uint32_t size_bytes,
                     uint64_t retired)
{
    struct run *run = context;
    struct run_taint *taint = run->taint;
    struct taint_block block;

    taint->number = number;
    taint->gva = gva;
    taint->size_bytes = size_bytes;
    taint->retired = retired;
    taint->begun = false;
    if (taint->follows && is_watched(run)) {
        taint_finish(taint->taint); /* before its operations may make room */
        block = present_block(run);
        taint_begin(taint->taint, &block);
        taint->begun = true;
        note_follows(taint);
    }
}

static void on_settle(void *context, uint64_t code_gva)
{
    struct run *run = context;
    struct run_taint *taint = run->taint;

    if (taint->begun) {
        taint_settle(taint->taint, code_gva);
        taint->begun = false;
        note_follows(taint);
    }
}

void run_taint_access(struct run *run, const struct oracle_access *access)
{
    struct run_taint *taint = run->taint;
    bool source = oracles_is_hosts(run->oracles, access);

    if (!taint->follows && !source) {
        return;
    }
    if (!taint->begun) {
        struct taint_block block = present_block(run);

        taint_enter(taint->taint, &block, access->code_gva);
        taint->begun = true;
    }
    taint_access(taint->taint, access, source);
    note_follows(taint);
}

/* ---- what the emulator does ---- */

/* The stack pointer leads to a frame that the guest did not write. */
static void clear_frame(struct run *run)
{
    struct mmu_context context;
    uint64_t gva = vcpu_get(run->machine.vcpu, VCPU_RSP), left = PAGE_SIZE - (gva & PAGE_MASK), gpa;
    uint32_t page;

    vcpu_mmu_context(run->machine.vcpu, &context);
    if (mmu_peek_gpa(&run->machine.mmu, &context, gva, &gpa) &&
        (page = memory_page(&run->machine.memory, gpa)) != MEMORY_NO_PAGE) {
        taint_clear(run->taint->taint, page, gva & PAGE_MASK,
                    left < FRAME_SIZE ? (uint32_t)left : FRAME_SIZE);
    }
}

void run_taint_trap(struct run *run, const struct vcpu_stop *stop)
{
    struct run_taint *taint = run->taint;
    struct vcpu *vcpu = run->machine.vcpu;
    bool emulated = stop->kind == VCPU_STOP_SITE || stop->kind == VCPU_STOP_INVALID, source;
    uint64_t gva = vcpu_code_gva(vcpu);
    uint8_t bytes[INSN_BYTES_MAX];
    struct flow_op op;

    if (!taint || !is_watched(run) || (!taint->follows && !run->state.msr_hosts)) {
        return;
    }
    if (!emulated ||
        flow_decode(bytes, peek(run, stop->code_gva, bytes, sizeof(bytes)), &op, 1) == 0 ||
        gva != stop->code_gva + op.length) {
        if (gva - stop->code_gva > INSN_BYTES_MAX) {
            clear_frame(run);
        }
        return;
    }
    source = op.kind == FLOW_MSR_READ && run->state.msr_hosts == run->trap.vcpu + 1 &&
             (uint32_t)vcpu_get(vcpu, VCPU_RCX) == MSR_GHCB;
    if (op.kind == FLOW_MSR_WRITE && (uint32_t)vcpu_get(vcpu, VCPU_RCX) == MSR_GHCB) {
        run->state.msr_hosts = 0;
    }
    taint_emulated(taint->taint, run->trap.vcpu, &op, stop->code_gva, vcpu_retired(vcpu) - 1,
                   source);
    note_follows(taint);
}

void run_taint_page(struct run *run, uint64_t gpa, uint64_t size_bytes)
{
    for (uint64_t at = 0; run->taint && run->taint->follows && at < size_bytes; at += PAGE_SIZE) {
        uint32_t page = memory_page(&run->machine.memory, gpa + at);

        if (page != MEMORY_NO_PAGE) {
            taint_clear(run->taint->taint, page, 0, PAGE_SIZE);
        }
    }
}

/* ---- making and keeping ---- */

/* Ours, linux-svsm's, Rust's. */
static const struct {
    const char *name;
    unsigned reg;
} allocators[] = {
    {"mem_allocate", FLOW_RDI},   {"mem_allocate_frames", FLOW_RDI},
    {"__rust_alloc", FLOW_RDI},   {"__rust_alloc_zeroed", FLOW_RDI},
    {"__rust_realloc", FLOW_RCX},
};

static void on_hit(void *context, const struct oracle_hit *hit)
{
    struct run *run = context;

    oracles_report(run->oracles, hit);
}

int run_taint_open(struct run *run, struct vcpu_observer *observer, struct error *error)
{
    int status;

    if (!run->options.oracles_exact || run->options.oracles_from > 0 ||
        !(run->options.oracles & ORACLE_BIT(ORACLE_TRUSTED_UNCHECKED))) {
        return 0;
    }
    run->taint = calloc(1, sizeof(*run->taint));
    if (!run->taint) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for following values");
    }
    status = taint_new(&run->taint->taint, run->machine.memory.page_count,
                       run->hypervisor.vcpus.count, on_hit, run, error);
    for (size_t i = 0; status == 0 && i < sizeof(allocators) / sizeof(allocators[0]); i++) {
        uint64_t gva;

        if (image_symbol_find(run->image, allocators[i].name, &gva, NULL)) {
            taint_add_allocator(run->taint->taint, gva, allocators[i].reg);
        }
    }
    observer->follows = &run->taint->follows;
    observer->block = on_block;
    observer->settle = on_settle;
    observer->forget = on_forget;
    return status;
}

void run_taint_free(struct run *run)
{
    if (run->taint) {
        taint_free(run->taint->taint);
        free(run->taint);
    }
}

int run_taint_save(struct run *run, struct error *error)
{
    return run->taint ? taint_save(run->taint->taint, error) : 0;
}

void run_taint_restore(struct run *run)
{
    if (run->taint) {
        taint_restore(run->taint->taint);
        run->taint->begun = false;
        note_follows(run->taint);
    }
}
