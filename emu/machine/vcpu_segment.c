/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Segment registers with their hidden parts, and the engine's own word on the mode that follows
 * from them. The engine has calls for selectors and the bases of FS and GS alone; the rest is
 * changed in a saved context: vcpu_hidden.c.
 *
 * What the words mean: Unicorn 2.1.4, qemu/target/i386/cpu.h (HF_*, SegmentCache,
 * cpu_x86_load_seg_cache), helper.c (cpu_x86_update_cr0).
 */
#include <assert.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/x86.h"
#include "machine/vcpu_engine.h"

/* Bits of the engine's mode word. */
#define MODE_CPL 0x3u
#define MODE_CS32 (1u << 4)
#define MODE_SS32 (1u << 5)
#define MODE_ADDSEG (1u << 6) /* DS, ES and SS have bases */
#define MODE_PE (1u << 7)
#define MODE_LMA (1u << 14)
#define MODE_CS64 (1u << 15)
#define MODE_ALL (MODE_CPL | MODE_CS32 | MODE_SS32 | MODE_ADDSEG | MODE_PE | MODE_LMA | MODE_CS64)

/* A segment register as the engine has it. */
struct hidden_segment {
    uint32_t selector;
    uint32_t unused;
    uint64_t base;
    uint32_t limit;
    uint32_t flags; /* the upper half of the descriptor, of which the attributes count */
};
_Static_assert(sizeof(struct hidden_segment) == 24, "as the engine lays it out");

static uint16_t attributes_of(uint32_t flags)
{
    return (uint16_t)((flags >> 8 & 0xFF) | (flags >> 12 & 0xF00));
}

static uint32_t flags_of(uint16_t attributes)
{
    return (attributes & 0xFFu) << 8 | (attributes & 0xF00u) << 12;
}

static struct vcpu_segment segment_load(const uint8_t *place)
{
    struct hidden_segment hidden;

    memcpy(&hidden, place, sizeof(hidden));
    return (struct vcpu_segment){
        .selector = (uint16_t)hidden.selector,
        .attributes = attributes_of(hidden.flags),
        .limit = hidden.limit,
        .base = hidden.base,
    };
}

static void segment_store(uint8_t *place, const struct vcpu_segment *segment)
{
    struct hidden_segment hidden;

    memcpy(&hidden, place, sizeof(hidden));
    hidden.selector = segment->selector;
    hidden.base = segment->base;
    hidden.limit = segment->limit;
    hidden.flags = flags_of(segment->attributes);
    memcpy(place, &hidden, sizeof(hidden));
}

bool vcpu_mode_is_known(uint32_t word)
{
    return (word & MODE_ALL) == (MODE_CS32 | MODE_SS32 | MODE_PE | MODE_LMA | MODE_CS64);
}

static bool segment_fits(const uint8_t *place, uint64_t fs_base, uint64_t gs_base,
                         const struct vcpu_segment *want)
{
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];
    const struct vcpu_segment *ss = &segment[VCPU_SEG_SS];

    for (unsigned i = 0; i < VCPU_SEGMENT_COUNT; i++) {
        segment[i] = segment_load(place + i * sizeof(struct hidden_segment));
    }
    return segment[VCPU_SEG_FS].base == fs_base && segment[VCPU_SEG_GS].base == gs_base &&
           ss->selector == want->selector && ss->attributes == want->attributes &&
           ss->limit == want->limit && ss->base == want->base;
}

size_t vcpu_segment_search(const uint8_t *context, size_t size, uint64_t fs_base, uint64_t gs_base,
                           const struct vcpu_segment *ss)
{
    const size_t all = VCPU_SEGMENT_COUNT * sizeof(struct hidden_segment);
    size_t found = 0;

    for (size_t at = 0; at + all <= size; at += 4) {
        if (segment_fits(context + at, fs_base, gs_base, ss)) {
            if (found) {
                return 0;
            }
            found = at;
        }
    }
    return found;
}

/* What the engine would have made of the mode had the guest loaded these segments. */
static uint32_t mode_with(uint32_t word, const struct vcpu_segment segment[], uint64_t cr0,
                          uint64_t rflags)
{
    const struct vcpu_segment *cs = &segment[VCPU_SEG_CS], *ss = &segment[VCPU_SEG_SS];
    bool real = !(cr0 & CR0_PE), virtual_8086 = rflags & RFLAGS_VM;
    uint32_t mode = word & ~(MODE_CPL | MODE_CS32 | MODE_SS32 | MODE_ADDSEG | MODE_CS64);

    if (ss->attributes & SEGMENT_DEFAULT) {
        mode |= MODE_SS32;
    }
    if ((word & MODE_LMA) && (cs->attributes & SEGMENT_LONG)) {
        mode |= MODE_CS64 | MODE_CS32;
    } else {
        mode |= cs->attributes & SEGMENT_DEFAULT ? MODE_CS32 : 0;
        if (real || virtual_8086 || !(mode & MODE_CS32) ||
            (segment[VCPU_SEG_DS].base | segment[VCPU_SEG_ES].base | ss->base)) {
            mode |= MODE_ADDSEG;
        }
    }
    if (!real) {
        mode |= virtual_8086 ? 3u : (unsigned)SEGMENT_DPL(ss->attributes);
    }
    return mode;
}

void vcpu_get_segments(const struct vcpu *vcpu, struct vcpu_segment segment[VCPU_SEGMENT_COUNT])
{
    const uint8_t *place = vcpu_hidden_take(vcpu) + vcpu->segment_offset;

    for (unsigned i = 0; i < VCPU_SEGMENT_COUNT; i++) {
        segment[i] = segment_load(place + i * sizeof(struct hidden_segment));
    }
}

void vcpu_set_segments(struct vcpu *vcpu, const struct vcpu_segment segment[VCPU_SEGMENT_COUNT])
{
    uint64_t cr0 = vcpu_get(vcpu, VCPU_CR0), rflags = vcpu_get(vcpu, VCPU_RFLAGS);
    uint8_t *context = vcpu_hidden_take(vcpu);
    uint32_t word = vcpu_hidden_word(context, vcpu->cpl_offset);

    for (unsigned i = 0; i < VCPU_SEGMENT_COUNT; i++) {
        segment_store(context + vcpu->segment_offset + i * sizeof(struct hidden_segment),
                      &segment[i]);
    }
    vcpu_hidden_set_word(context, vcpu->cpl_offset, mode_with(word, segment, cr0, rflags));
    vcpu_hidden_give(vcpu);
    vcpu->code.stale = true;
    if (!vcpu_code_renew(vcpu)) {
        vcpu_code_drop_base(vcpu);
    }
}

/* ---- how code runs ---- */

static struct vcpu_code code_now(const struct vcpu *vcpu)
{
    const uint8_t *context = vcpu_hidden_take(vcpu);
    uint32_t word = vcpu_hidden_word(context, vcpu->cpl_offset);
    struct vcpu_segment cs =
        segment_load(context + vcpu->segment_offset + VCPU_SEG_CS * sizeof(struct hidden_segment));

    return (struct vcpu_code){
        .base = cs.base,
        .bits = word & MODE_CS64   ? 64
                : word & MODE_CS32 ? 32
                                   : 16,
        .cpl = word & MODE_CPL,
    };
}

const struct vcpu_code *vcpu_code(const struct vcpu *vcpu)
{
    if (vcpu->code.stale) {
        struct vcpu *cache = (struct vcpu *)vcpu;

        /* In the middle of a block that may change it, what is known now may not last. */
        cache->code = code_now(vcpu);
        cache->code.stale = vcpu->current && (vcpu->current->key & BLOCK_MODE);
    }
    return &vcpu->code;
}

bool vcpu_code_renew(struct vcpu *vcpu)
{
    if (vcpu->code.stale) {
        vcpu->code = code_now(vcpu);
    }
    if (vcpu->code.bits != vcpu->block_bits) {
        vcpu_block_forget_all(vcpu);
        vcpu->block_bits = vcpu->code.bits;
    }
    return vcpu->code.bits != 64 || vcpu->code.base == 0;
}

/* The engine adds it even in 64-bit code, where it counts as zero. */
void vcpu_code_drop_base(struct vcpu *vcpu)
{
    uint8_t *context = vcpu_hidden_take(vcpu);
    uint8_t *place = context + vcpu->segment_offset + VCPU_SEG_CS * sizeof(struct hidden_segment);
    struct vcpu_segment cs = segment_load(place);

    cs.base = 0;
    segment_store(place, &cs);
    vcpu_hidden_give(vcpu);
    vcpu->code.base = 0;
}

unsigned vcpu_code_bits(const struct vcpu *vcpu)
{
    return vcpu_code(vcpu)->bits;
}

uint64_t vcpu_code_gva(const struct vcpu *vcpu)
{
    return vcpu_code(vcpu)->base + vcpu_get(vcpu, VCPU_RIP);
}

unsigned vcpu_cpl(const struct vcpu *vcpu)
{
    return vcpu_code(vcpu)->cpl;
}

/*
 * The engine leaves long mode when paging ends, and only then; a new one is in long mode without
 * paging. So it goes into long mode with paging and out of it first, whatever was before.
 */
void vcpu_set_system(struct vcpu *vcpu, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer)
{
    vcpu_set(vcpu, VCPU_CR4, CR4_PAE);
    vcpu_set_msr(vcpu, MSR_EFER, EFER_LME);
    vcpu_set(vcpu, VCPU_CR0, CR0_PE);
    vcpu_set(vcpu, VCPU_CR0, CR0_PE | CR0_PG);
    vcpu_set(vcpu, VCPU_CR0, CR0_PE);
    vcpu_set(vcpu, VCPU_CR4, cr4);
    vcpu_set(vcpu, VCPU_CR3, cr3);
    vcpu_set_msr(vcpu, MSR_EFER, efer);
    vcpu_set(vcpu, VCPU_CR0, cr0);
    vcpu->efer = vcpu_get_msr(vcpu, MSR_EFER);
    vcpu->code.stale = true;
    vcpu_flush(vcpu);
}

void vcpu_enter_long_mode(struct vcpu *vcpu, uint64_t cr0, uint64_t cr3, uint64_t cr4,
                          uint64_t efer)
{
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];

    vcpu_set_system(vcpu, cr0, cr3, cr4, efer);
    vcpu_get_segments(vcpu, segment);
    segment[VCPU_SEG_CS].attributes = SEGMENT_CODE_64;
    segment[VCPU_SEG_CS].limit = UINT32_MAX;
    for (unsigned i = 0; i < VCPU_SEGMENT_COUNT; i++) {
        if (i != VCPU_SEG_CS) {
            segment[i].attributes = SEGMENT_DATA_32;
            segment[i].limit = UINT32_MAX;
        }
    }
    vcpu_set_segments(vcpu, segment);
}
