/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * REP STOS and REP MOVS in one go. For the engine each iteration is a block, with all that comes
 * with one; half of the blocks of a guest that clears pages are nothing else. Here what is left of
 * a page is done at once, in the block hook before an iteration, when nobody could tell the
 * difference: the iteration before was the engine's own, in the same pages, so they are there and
 * may be written; nobody watches these pages; and the budget does not end on the way. The engine
 * does the rest, the last iteration at least, and all that is less simple.
 */
#include <string.h>

#include "abi/x86.h"
#include "machine/vcpu_engine.h"

#define REP_LEAST 2 /* iterations: fewer are not worth it */

struct rep {
    unsigned size_bytes; /* of an element */
    bool moves;
};

/* The plain forms of 64-bit code: no segment, 64-bit addresses. */
static bool rep_parse(const uint8_t *bytes, size_t size, struct rep *rep)
{
    bool rep_prefix = false, wide = false, narrow = false;
    size_t at = 0;

    while (at < size && (bytes[at] == 0xF3 || bytes[at] == 0x66)) {
        rep_prefix = rep_prefix || bytes[at] == 0xF3;
        narrow = narrow || bytes[at] == 0x66;
        at++;
    }
    if (at < size && (bytes[at] & 0xF0) == 0x40) {
        wide = bytes[at++] & 8;
    }
    if (!rep_prefix || at + 1 != size) {
        return false;
    }
    rep->moves = (bytes[at] & 0xFE) == 0xA4;
    rep->size_bytes = !(bytes[at] & 1) ? 1 : wide ? 8 : narrow ? 2 : 4;
    return rep->moves || (bytes[at] & 0xFE) == 0xAA;
}

bool vcpu_rep_is(const struct vcpu *vcpu, const uint8_t *bytes, size_t size)
{
    struct rep rep;

    return vcpu_code(vcpu)->bits == 64 && rep_parse(bytes, size, &rep);
}

static bool is_watched(const struct vcpu *vcpu, uint32_t page)
{
    for (size_t i = 0; i < vcpu->watch_count; i++) {
        if (vcpu->watch[i].start >> PAGE_SHIFT == page) {
            return true;
        }
    }
    return false;
}

/* The page that the engine has at an address, if that is plain memory for this kind of access;
   NULL: who knows. */
static uint8_t *rep_page(struct vcpu *vcpu, uint64_t gva, bool write)
{
    bool user = vcpu_code(vcpu)->cpl == 3, found = false;
    uint32_t page = MEMORY_NO_PAGE;

    for (uint32_t i = 0; i < vcpu->live_count; i++) {
        const struct vcpu_live *live = &vcpu->live[i];

        if ((live->gva ^ gva) >> PAGE_SHIFT) {
            continue;
        }
        if ((page != MEMORY_NO_PAGE && live->page != page) || live->ciphertext ||
            live->user != user || live->view > (write ? VCPU_VIEW_READS : VCPU_VIEW_LOADS)) {
            return NULL;
        }
        page = live->page;
        found = found || live->access == (write ? MMU_WRITE : MMU_READ) ||
                (!write && live->access == MMU_WRITE);
    }
    if (!found || is_watched(vcpu, page) || (write && (vcpu->memory->flags[page] & MEMORY_CODE))) {
        return NULL;
    }
    return vcpu->memory->ram + (size_t)page * PAGE_SIZE;
}

/* How many elements from gva on are in its page; 0 when the one before was not. */
static uint64_t rep_room(uint64_t gva, unsigned size_bytes)
{
    uint64_t offset = gva & PAGE_MASK;

    return offset < size_bytes ? 0 : (PAGE_SIZE - offset) / size_bytes;
}

/* One after the other, upwards: the ranges may meet. `size` is a constant to the compiler. */
static inline __attribute__((always_inline)) void rep_loop(uint8_t *to, const uint8_t *from,
                                                           uint64_t count, size_t size, size_t step)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t element;

        memcpy(&element, from, size);
        memcpy(to, &element, size);
        to += size;
        from += step;
    }
}

static void rep_do(const struct rep *rep, uint8_t *to, const uint8_t *from, uint64_t count)
{
    switch (rep->size_bytes) {
    case 1:
        rep_loop(to, from, count, 1, rep->moves ? 1 : 0);
        break;
    case 2:
        rep_loop(to, from, count, 2, rep->moves ? 2 : 0);
        break;
    case 4:
        rep_loop(to, from, count, 4, rep->moves ? 4 : 0);
        break;
    default:
        rep_loop(to, from, count, 8, rep->moves ? 8 : 0);
        break;
    }
}

/* Does it; how many iterations it was. */
uint64_t vcpu_rep_run(struct vcpu *vcpu, const struct block *block)
{
    uint64_t count = vcpu_get(vcpu, VCPU_RCX), to_gva, from_gva, value, room;
    uint8_t bytes[15], *to;
    const uint8_t *from;
    struct rep rep;

    if (count <= REP_LEAST || vcpu->left <= REP_LEAST || vcpu->live_full || vcpu->probe_count > 0 ||
        vcpu->observer.exact || vcpu->limit != vcpu->asked ||
        !rep_parse(bytes, vcpu_code_peek(vcpu, block->gva, bytes, block_size(block)), &rep) ||
        (vcpu_get(vcpu, VCPU_RFLAGS) & RFLAGS_DF)) {
        return 0;
    }
    to_gva = vcpu_get(vcpu, VCPU_RDI);
    from_gva = rep.moves ? vcpu_get(vcpu, VCPU_RSI) : 0;
    value = rep.moves ? 0 : vcpu_get(vcpu, VCPU_RAX);
    room = rep_room(to_gva, rep.size_bytes);
    if (rep.moves && rep_room(from_gva, rep.size_bytes) < room) {
        room = rep_room(from_gva, rep.size_bytes);
    }
    count = count - 1 < room ? count - 1 : room;
    count = count < (uint64_t)vcpu->left - 1 ? count : (uint64_t)vcpu->left - 1;
    to = count >= REP_LEAST ? rep_page(vcpu, to_gva, true) : NULL;
    from = to && rep.moves ? rep_page(vcpu, from_gva, false) : to;
    if (!from) {
        return 0;
    }
    from = rep.moves ? from + (from_gva & PAGE_MASK) : (const uint8_t *)&value;
    rep_do(&rep, to + (to_gva & PAGE_MASK), from, count);
    vcpu_set(vcpu, VCPU_RCX, vcpu_get(vcpu, VCPU_RCX) - count);
    vcpu_set(vcpu, VCPU_RDI, to_gva + count * rep.size_bytes);
    if (rep.moves) {
        vcpu_set(vcpu, VCPU_RSI, from_gva + count * rep.size_bytes);
    }
    return count;
}
