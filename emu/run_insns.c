/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instructions that ran last, of all vCPUs in the order in which they ran, and those that would
 * come next. The vCPU keeps pieces of code; here they become instructions.
 */
#include <stdlib.h>
#include <string.h>

#include "run_internal.h"
#include "trap/decode.h"
#include "trap/disassemble.h"

#define AHEAD 4 /* instructions from where the vCPU stands */
#define INSN_BYTES_MAX 15
#define PIECE_MAX 8192 /* as long as a piece of code can be */

/* What stands there; 0 where nobody knows any more. */
static size_t piece_bytes(struct run *run, const struct vcpu_last *piece, uint8_t *bytes)
{
    struct memory *memory = &run->machine.memory;
    size_t size = piece->size_bytes < PIECE_MAX ? piece->size_bytes : PIECE_MAX;
    size_t first = PAGE_SIZE - (piece->gva & PAGE_MASK);

    first = first < size ? first : size;
    if (piece->page[0] == MEMORY_NO_PAGE) {
        return 0;
    }
    memcpy(bytes, memory_bytes(memory, piece->page[0]) + (piece->gva & PAGE_MASK), first);
    if (size > first && (piece->page[1] == MEMORY_NO_PAGE || size - first > PAGE_SIZE)) {
        return first;
    }
    if (size > first) {
        memcpy(bytes + first, memory_bytes(memory, piece->page[1]), size - first);
    }
    return size;
}

static const struct image *program_at(const struct run *run, unsigned vmpl)
{
    const struct firmware *firmware = run->options.firmware;

    return vmpl == 0 ? run->image : firmware ? firmware->program : NULL;
}

/* One instruction; its length, 1 where there is none. */
static size_t make_insn(const struct run *run, const struct vcpu_last *piece, uint64_t at,
                        const uint8_t *bytes, size_t have, struct run_insn *insn)
{
    struct vcpu_insn known = {0};

    *insn = (struct run_insn){.gva = piece->gva + at, .vcpu = piece->who, .vmpl = piece->vmpl};
    decode_for_vcpu(bytes, have, piece->bits, &known);
    disassemble(bytes, known.length ? known.length : have, piece->bits, insn->gva, insn->text,
                sizeof(insn->text));
    image_place_at(program_at(run, piece->vmpl), insn->gva, &insn->place);
    return known.length ? known.length : 1;
}

/* The last `max` of a piece, in order. */
static size_t take_piece(struct run *run, const struct vcpu_last *piece, uint8_t *bytes,
                         struct run_insn *insn, size_t max)
{
    size_t size = piece_bytes(run, piece, bytes), count = 0, skip = 0, number = 0;

    for (size_t at = 0; at < size;) {
        struct vcpu_insn known = {0};

        decode_for_vcpu(bytes + at, size - at, piece->bits, &known);
        at += known.length ? known.length : 1;
        count++;
    }
    skip = count > max ? count - max : 0;
    for (size_t at = 0; at < size; number++) {
        struct run_insn one;

        at += make_insn(run, piece, at, bytes + at, size - at, &one);
        if (number >= skip) {
            insn[number - skip] = one;
        }
    }
    return count - skip;
}

/* From where the vCPU stands. */
static size_t take_ahead(const struct run *run, struct run_insn *insn, size_t max)
{
    const struct vcpu *vcpu = run->machine.vcpu;
    struct vcpu_last piece = {
        .gva = vcpu_code_gva(vcpu),
        .who = run->trap.vcpu,
        .vmpl = (uint8_t)vcpu_vmpl(vcpu),
        .bits = (uint8_t)vcpu_code_bits(vcpu),
    };
    struct mmu_context context;
    size_t count = 0;

    vcpu_mmu_context(vcpu, &context);
    for (uint64_t at = 0; count < max && count < AHEAD; count++) {
        uint8_t bytes[INSN_BYTES_MAX];
        size_t have = mmu_peek(&run->machine.mmu, &context, piece.gva + at, bytes, sizeof(bytes));

        if (have == 0) {
            break;
        }
        at += make_insn(run, &piece, at, bytes, have, &insn[count]);
        if (insn[count].place.symbol != insn[0].place.symbol) {
            break; /* what lies behind the function is another matter */
        }
        insn[count].ahead = true;
    }
    return count;
}

size_t run_last_insns(struct run *run, struct run_insn *insn, size_t max)
{
    size_t wanted = run->options.insns < max ? run->options.insns : max, left = wanted, back = 0;
    uint8_t *bytes = malloc(PIECE_MAX);
    struct vcpu_last piece;

    /* From the last one back: the end of `insn` fills first. */
    while (bytes && left > 0 && vcpu_get_last(run->machine.vcpu, back, &piece)) {
        size_t some = take_piece(run, &piece, bytes, insn, left);

        /* They were put in front, where nothing stands yet. */
        memmove(insn + left - some, insn, some * sizeof(*insn));
        left -= some;
        back++;
    }
    free(bytes);
    memmove(insn, insn + left, (wanted - left) * sizeof(*insn));
    wanted -= left;
    return wanted + (run->options.insns ? take_ahead(run, insn + wanted, max - wanted) : 0);
}

int run_keep_insns(struct run *run, struct error *error)
{
    return vcpu_keep_last(run->machine.vcpu, run->options.insns, &run->trap.vcpu, error);
}

void run_report_insns(struct run *run)
{
    size_t max = run->options.insns + AHEAD, count;
    struct run_insn *insn;

    if (!run->options.insns || !trace_active(run->options.trace) || !run->options.trace->places) {
        return;
    }
    insn = calloc(max, sizeof(*insn));
    count = insn ? run_last_insns(run, insn, max) : 0;
    for (size_t i = 0; i < count; i++) {
        struct event event;

        if (trap_event_begin(&run->trap, &event, "insn", insn[i].ahead ? "ahead" : "ran")) {
            event_string(&event, "text", insn[i].text);
            event.vcpu = insn[i].vcpu;
            event.vmpl = insn[i].vmpl;
            event.rip = insn[i].gva;
            event.place = insn[i].place;
            event.symbol = event.place.symbol;
            event.full_only = true;
            trap_event_emit(&run->trap, &event);
        }
    }
    free(insn);
}
