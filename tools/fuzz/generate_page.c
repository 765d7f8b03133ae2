/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes to page tables, descriptors, the GHCB page. */
#include "abi/ghcb.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "generate.h"

static void change_entry(struct generator *gen)
{
    static const uint32_t table[] = {GUEST_PML4, GUEST_PDPT, GUEST_PD, GUEST_PT, GUEST_PT_2};
    static const uint16_t index[] = {0, 1, 2, 4, 5, 6, 7, 9, 16, 511};
    uint64_t target = (gen_one_in(gen, 3) ? gen_number(gen) : gen_address(gen)) & PTE_ADDR_MASK;

    gen_record_open(gen,
                    table[gen_below(gen, COUNT(table))] + 8 * index[gen_below(gen, COUNT(index))]);
    gen_emit(gen,
             target | (gen_one_in(gen, 3) ? 0 : CBIT_MASK) |
                 (gen_one_in(gen, 4) ? gen_below(gen, 4096) : 7) |
                 (gen_one_in(gen, 8) ? PTE_NX : 0) | (gen_one_in(gen, 6) ? PTE_LARGE : 0),
             8);
    gen_record_close(gen);
}

/* A table's entry leads to that table, or to one above it, or below, at any level. */
static void change_loop(struct generator *gen)
{
    static const uint32_t table[] = {GUEST_PML4, GUEST_PDPT, GUEST_PD, GUEST_PT};
    uint32_t from = table[gen_below(gen, COUNT(table))];

    gen_record_open(gen, from + 8 * gen_below(gen, gen_one_in(gen, 2) ? 2 : 512));
    gen_emit(gen,
             (GUEST_BASE + (gen_one_in(gen, 2) ? from : table[gen_below(gen, COUNT(table))])) | 7 |
                 (gen_one_in(gen, 6) ? 0 : CBIT_MASK) | (gen_one_in(gen, 6) ? PTE_LARGE : 0),
             8);
    gen_record_close(gen);
}

static void change_descriptor(struct generator *gen)
{
    gen_record_open(gen, (gen_one_in(gen, 2) ? GUEST_IDT + 8 * gen_below(gen, 64)
                                             : GUEST_GDT + 8 * gen_below(gen, 8)) +
                             gen_below(gen, 8));
    gen_emit(gen, gen_next(gen), 1 + gen_below(gen, 8));
    gen_record_close(gen);
}

static void change_stacks(struct generator *gen)
{
    gen_record_open(gen, GUEST_TSS + (gen_one_in(gen, 2) ? 4 : 0x24));
    gen_emit(gen, gen_number(gen), 8);
    gen_record_close(gen);
    for (unsigned i = gen_below(gen, 3); i > 0; i--) {
        gen_record_open(gen, GUEST_IDT + 16 * gen_below(gen, 32) + 4);
        gen_emit(gen, gen_below(gen, 8), 1);
        gen_record_close(gen);
    }
}

static void change_handler(struct generator *gen)
{
    gen_record_open(gen, GUEST_HANDLERS + 32 * gen_below(gen, 32));
    snippet_group7(gen);
    snippet_flow(gen);
    gen_emit(gen, 0xCF48, 2);
    gen_record_close(gen);
}

void gen_change_ghcb(struct generator *gen)
{
    gen_record_open(gen, GUEST_TEMPLATE + GHCB_SW_EXITCODE);
    gen_emit(gen, gen_exit_code(gen), 8);
    gen_emit(gen, gen_number(gen), 8);
    gen_emit(gen, gen_number(gen), 8);
    gen_emit(gen,
             gen_one_in(gen, 2) ? GUEST_BASE + GUEST_GHCB + GHCB_SHARED_BUFFER : gen_number(gen),
             8);
    gen_record_close(gen);
    gen_record_open(gen, GUEST_TEMPLATE + (gen_one_in(gen, 2) ? GHCB_RAX : GHCB_RCX));
    gen_emit(gen, gen_number(gen), 8);
    gen_emit(gen, gen_number(gen), 8);
    gen_record_close(gen);
    if (gen_one_in(gen, 4)) {
        gen_record_open(gen, GUEST_TEMPLATE + GHCB_VALID_BITMAP);
        gen_emit(gen, gen_next(gen), 8);
        gen_emit(gen, gen_next(gen), 8);
        gen_record_close(gen);
        gen_record_open(gen, GUEST_TEMPLATE + GHCB_VERSION);
        gen_emit(gen, gen_below(gen, 4), 2);
        gen_emit(gen, gen_one_in(gen, 2) ? gen_next(gen) : 0, 4);
        gen_record_close(gen);
    }
}

/* Entries of a page state change, right and wrong. */
void gen_change_buffer(struct generator *gen)
{
    unsigned count = 1 + gen_below(gen, 16);

    gen_record_open(gen, GUEST_TEMPLATE + GHCB_SHARED_BUFFER);
    gen_emit(gen, gen_one_in(gen, 8) ? gen_next(gen) : 0, 2);
    gen_emit(gen, gen_one_in(gen, 8) ? gen_next(gen) : count - 1, 2);
    gen_emit(gen, gen_one_in(gen, 16) ? gen_next(gen) : 0, 4);
    for (unsigned i = 0; i < count; i++) {
        gen_emit(gen,
                 (gen_address(gen) & PTE_ADDR_MASK) | (uint64_t)gen_below(gen, 6) << 52 |
                     (gen_one_in(gen, 3) ? PSC_PAGE_SIZE_2M : 0) |
                     (gen_one_in(gen, 16) ? gen_next(gen) : 0),
                 8);
    }
    gen_record_close(gen);
}

static void change_anything(struct generator *gen)
{
    gen_record_open(gen, gen_below(gen, GUEST_DATA));
    gen_emit(gen, gen_next(gen), 1 + gen_below(gen, 8));
    gen_record_close(gen);
}

void gen_change(struct generator *gen)
{
    static gen_part *const changes[] = {
        change_entry,   change_entry,    change_loop,       change_descriptor, change_stacks,
        change_handler, gen_change_ghcb, gen_change_buffer, change_anything,   change_vmsa,
    };

    changes[gen_below(gen, COUNT(changes))](gen);
}
