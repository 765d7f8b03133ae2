/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "abi/x86.h"
#include "machine/vcpu_engine.h"

/* ---- the engine's record of exceptions ---- */

/*
 * The engine remembers the last contributory exception that it raised by itself, to make a double
 * fault of the next, and waits for its own delivery code to forget it. That code never runs here,
 * so the second #DE of a run would come as vector 8 and the third not at all. Nor does it tell an
 * exception's error code. No call does either, but a saved context holds both words. Where, is
 * found by watching them change.
 */
#define RECORD_NONE (-1)
#define PROBE_MAX 16

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
uc_err vcpu_record_find(struct vcpu *vcpu)
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
uc_err vcpu_record_take(struct vcpu *vcpu)
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

/* ---- the current privilege level, and the segments ---- */

/*
 * The engine keeps the level in a word of its own: a write to CS or SS changes selectors alone. The
 * word is found by going to CPL 3 once, before there is a guest: of what changes then, it alone
 * changes in bits 1:0 and nothing else. Other bits of it say what mode the code runs in. The same
 * journey loads CS and SS from descriptors, by which the segments are found.
 */
#define CPL_MASK 3
#define CPL_GDT 0x100
#define CPL_FRAME 0x200
#define CPL_CODE 0x10
#define CPL_FS_BASE 0x5A17C0DE0001ULL
#define CPL_GS_BASE 0x5A17C0DE0002ULL

/* User data: base 0x12345678 and limit 0x9ABCD, for they have no effect in 64-bit code. */
static const struct vcpu_segment cpl_data = {
    .selector = 0x0B, .attributes = 0x4F3, .limit = 0x9ABCD, .base = 0x12345678};
#define CPL_DATA_DESCRIPTOR 0x1249F3345678ABCDULL

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
    const uint64_t gdt[] = {0, CPL_DATA_DESCRIPTOR, 0x00AFFA000000FFFF}; /* user code */
    const uint64_t frame[] = {gva + CPL_CODE, 0x13, RFLAGS_FIXED, gva + PAGE_SIZE, 0x0B};
    const struct vcpu_table gdtr = {.base = gva + CPL_GDT, .limit = sizeof(gdt) - 1};

    place[0] = 0x48;
    place[1] = 0xCF;
    place[CPL_CODE] = 0xF4;
    memcpy(place + CPL_GDT, gdt, sizeof(gdt));
    memcpy(place + CPL_FRAME, frame, sizeof(frame));
    vcpu_set_table(vcpu, VCPU_GDTR, &gdtr);
    vcpu_set(vcpu, VCPU_RSP, gva + CPL_FRAME);
    vcpu_set(vcpu, VCPU_FS_BASE, CPL_FS_BASE);
    vcpu_set(vcpu, VCPU_GS_BASE, CPL_GS_BASE);
    (void)uc_emu_start(vcpu->uc, gva, 0, 0, 0);
}

uc_err vcpu_cpl_find(struct vcpu *vcpu)
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
        vcpu->segment_offset = vcpu_segment_search((const uint8_t *)vcpu->mending, size,
                                                   CPL_FS_BASE, CPL_GS_BASE, &cpl_data);
        memcpy(vcpu->mending, kept + PAGE_SIZE, size);
        err = uc_context_restore(vcpu->uc, vcpu->mending);
    }
    if (!err && (vcpu->cpl_offset == 0 || vcpu->segment_offset == 0 ||
                 !vcpu_mode_is_known(vcpu_hidden_word(vcpu->mending, vcpu->cpl_offset)))) {
        err = UC_ERR_VERSION;
    }
    free(kept);
    return err;
}

/* ---- XCR0 ---- */

static size_t xcr0_search(const uint8_t *both, const uint8_t *x87, size_t size)
{
    size_t found = 0;

    for (size_t at = 0; at + sizeof(uint64_t) <= size; at += sizeof(uint64_t)) {
        if (record_word(both, at) == 3 && record_word(x87, at) == 1 &&
            record_word(both, at + 4) == 0 && record_word(x87, at + 4) == 0) {
            if (found) {
                return 0;
            }
            found = at;
        }
    }
    return found;
}

/* Found by two XSETBVs, after which other registers are as they were. Before the engine translates
   addresses. */
uc_err vcpu_xcr0_find(struct vcpu *vcpu)
{
    /* xor eax, eax; mov al, n; xor ecx, ecx; xor edx, edx; xsetbv; xor eax, eax; hlt */
    static const struct probe set[] = {
        {{0x31, 0xC0, 0xB0, 3, 0x31, 0xC9, 0x31, 0xD2, 0x0F, 0x01, 0xD1, 0x31, 0xC0, 0xF4}, 0, 0},
        {{0x31, 0xC0, 0xB0, 1, 0x31, 0xC9, 0x31, 0xD2, 0x0F, 0x01, 0xD1, 0x31, 0xC0, 0xF4}, 0, 0},
    };
    size_t size = uc_context_size(vcpu->uc);
    uint8_t *contexts = malloc(3 * size);
    uc_err err = contexts ? uc_context_save(vcpu->uc, vcpu->mending) : UC_ERR_NOMEM;

    if (!err) {
        memcpy(contexts + 2 * size, vcpu->mending, size);
    }
    for (size_t i = 0; !err && i < 2; i++) {
        err = record_probe(vcpu, &set[i], contexts + i * size, size);
    }
    if (!err) {
        vcpu->xcr0_offset = xcr0_search(contexts, contexts + size, size);
        memcpy(vcpu->mending, contexts + 2 * size, size);
        err = uc_context_restore(vcpu->uc, vcpu->mending);
    }
    if (!err && vcpu->xcr0_offset == 0) {
        err = UC_ERR_VERSION;
    }
    free(contexts);
    return err;
}

/* ---- looking and changing ---- */

uint8_t *vcpu_hidden_take(const struct vcpu *vcpu)
{
    if (uc_context_save(vcpu->uc, vcpu->mending)) {
        assert(0 && "the CPU engine does not save its context");
    }
    return (uint8_t *)vcpu->mending;
}

void vcpu_hidden_give(struct vcpu *vcpu)
{
    if (uc_context_restore(vcpu->uc, vcpu->mending)) {
        assert(0 && "the CPU engine does not restore its context");
    }
}

uint32_t vcpu_hidden_word(const void *context, size_t offset)
{
    return (uint32_t)record_word(context, offset);
}

void vcpu_hidden_set_word(void *context, size_t offset, uint32_t word)
{
    record_set(context, offset, (int32_t)word);
}

void vcpu_set_cpl(struct vcpu *vcpu, unsigned cpl)
{
    uint8_t *context = vcpu_hidden_take(vcpu);
    uint32_t word = vcpu_hidden_word(context, vcpu->cpl_offset);

    assert(cpl <= CPL_MASK);
    vcpu_hidden_set_word(context, vcpu->cpl_offset, (word & ~(uint32_t)CPL_MASK) | cpl);
    vcpu_hidden_give(vcpu);
    vcpu->code.cpl = cpl;
}

uint64_t vcpu_get_xcr0(const struct vcpu *vcpu)
{
    uint64_t value;

    memcpy(&value, vcpu_hidden_take(vcpu) + vcpu->xcr0_offset, sizeof(value));
    return value;
}

void vcpu_set_xcr0(struct vcpu *vcpu, uint64_t value)
{
    value &= 3;
    memcpy(vcpu_hidden_take(vcpu) + vcpu->xcr0_offset, &value, sizeof(value));
    vcpu_hidden_give(vcpu);
}
