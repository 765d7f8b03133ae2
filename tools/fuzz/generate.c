/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inputs that know the machine: mostly sensible registers, code from interesting snippets, and a
 * few changes to page tables, descriptors and the GHCB page.
 */
#include "generate.h"
#include "abi/x86.h"

#define CHANGES_MAX 6

static void generate_header(struct generator *gen)
{
    struct guest_header header = {
        .options = (uint8_t)(gen_next(gen) & gen_next(gen) & (GUEST_USER | GUEST_SET_RSP)),
        .cr0 = gen_one_in(gen, 3) ? (uint8_t)gen_next(gen) : 1,
        .efer = gen_one_in(gen, 3) ? (uint8_t)gen_next(gen) : 7,
        .sev_features = gen_one_in(gen, 12) ? (uint8_t)gen_next(gen) : 0,
        .cr4 = gen_one_in(gen, 3) ? (uint16_t)gen_next(gen) : 3,
        .gdt_limit = gen_one_in(gen, 8) ? (uint16_t)gen_below(gen, 0x2000) : 0,
        .idt_limit = gen_one_in(gen, 8) ? (uint16_t)gen_below(gen, 0x2000) : 0,
        .rflags = gen_one_in(gen, 4) ? (uint16_t)gen_next(gen) : 2,
        .features = gen_one_in(gen, 8) ? (uint8_t)gen_next(gen) : 0,
        .strict = gen_one_in(gen, 12),
        .seed = gen_below(gen, 0x10000),
        .ghcb_msr = gen_one_in(gen, 2) ? GUEST_BASE + GUEST_GHCB : gen_ghcb_msr(gen),
    };

    header.options |= gen_one_in(gen, 4) ? 0 : GUEST_SKIP;
    header.options |= (uint8_t)(gen_one_in(gen, 3) ? 0 : GUEST_FILL_GHCB | GUEST_REGISTER_GHCB);
    header.options |= (uint8_t)(gen_next(gen) & (GUEST_LOAD_TR | GUEST_SET_MSR | GUEST_VMGEXIT));
    header.rflags &= (uint16_t)(gen_one_in(gen, 4) ? 0xFFFF : ~RFLAGS_TF);
    for (unsigned i = 0; i < GUEST_GPRS; i++) {
        header.gpr[i] = gen_number(gen);
    }
    guest_header_write(&header, gen->data);
    gen->size = GUEST_HEADER_SIZE;
}

size_t guest_generate(uint64_t seed, uint64_t number_, uint8_t *data, size_t room)
{
    struct generator gen = {.state = seed * 0xD1342543DE82EF95ULL + number_ * 0x9FB21C651E98DF25ULL,
                            .data = data,
                            .room = room};

    gen_next(&gen);
    generate_header(&gen);
    gen_change_ghcb(&gen);
    if (gen_one_in(&gen, 2)) {
        gen_change_buffer(&gen);
    }
    for (unsigned left = gen_one_in(&gen, 3) ? 0 : gen_below(&gen, CHANGES_MAX); left > 0; left--) {
        gen_change(&gen);
    }
    gen_code(&gen);
    return gen.size;
}
