/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snippets of code. */
#include "abi/ghcb.h"
#include "abi/msr.h"
#include "abi/x86.h"
#include "generate.h"

#define SNIPPETS_MAX 48
#define RECORD_ROOM 256 /* without it the input is full */

void gen_prefixes(struct generator *gen)
{
    static const uint8_t prefix[] = {0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x2E,
                                     0x36, 0x3E, 0x26, 0x64, 0x65};

    if (gen_one_in(gen, 3)) {
        for (unsigned i = gen_below(gen, gen_one_in(gen, 20) ? 16 : 4); i > 0; i--) {
            gen_emit(gen, prefix[gen_below(gen, COUNT(prefix))], 1);
        }
    }
    if (gen_one_in(gen, 4)) {
        gen_emit(gen, 0x40 + gen_below(gen, 16), 1);
    }
}

void gen_load(struct generator *gen, unsigned reg, uint64_t value)
{
    gen_emit(gen, reg < 8 ? 0x48 : 0x49, 1);
    gen_emit(gen, 0xB8 + (reg & 7), 1);
    gen_emit(gen, value, 8);
}

void gen_store_rax(struct generator *gen, uint32_t offset)
{
    gen_emit(gen, 0x878948, 3);
    gen_emit(gen, offset, 4);
}

void gen_vmgexit(struct generator *gen)
{
    gen_emit(gen, 0xD9010FF3, 4);
}

void snippet_group7(struct generator *gen)
{
    static const uint8_t modrm[] = {0xC1, 0xC8, 0xC9, 0xCA, 0xCB, 0xCF, 0xD0, 0xD1, 0xD4,
                                    0xD5, 0xD6, 0xD7, 0xD9, 0xD9, 0xE0, 0xE8, 0xEE, 0xEF,
                                    0xF0, 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF,
                                    0x10, 0x18, 0x38, 0x30, 0x00, 0x08, 0x20};

    if (gen_one_in(gen, 2)) {
        gen_load(gen, 0, gen_number(gen));
        gen_load(gen, 1, gen_number(gen));
        gen_load(gen, 2, gen_number(gen));
    }
    gen_prefixes(gen);
    gen_emit(gen, 0x010F, 2);
    gen_emit(gen, gen_one_in(gen, 4) ? gen_next(gen) : modrm[gen_below(gen, COUNT(modrm))], 1);
}

static void snippet_validate(struct generator *gen)
{
    gen_load(gen, 0, gen_address(gen) & ~(gen_one_in(gen, 8) ? 0 : PAGE_MASK));
    gen_load(gen, 1, gen_below(gen, 3));
    gen_load(gen, 2, gen_one_in(gen, 4) ? gen_number(gen) : gen_below(gen, 0x10000));
    gen_emit(gen,
             gen_one_in(gen, 2)   ? 0xFF010FF2
             : gen_one_in(gen, 3) ? 0xFD010FF3
                                  : 0xFE010FF3,
             4);
}

static void snippet_msr(struct generator *gen)
{
    gen_load(gen, 1, gen_msr_index(gen));
    if (gen_one_in(gen, 2)) {
        gen_load(gen, 0, gen_number(gen));
        gen_load(gen, 2, gen_number(gen) >> 32);
    }
    gen_prefixes(gen);
    gen_emit(gen, gen_one_in(gen, 2) ? 0x320F : 0x300F, 2);
}

static void snippet_msr_protocol(struct generator *gen)
{
    uint64_t value = gen_ghcb_msr(gen);

    gen_load(gen, 1, MSR_GHCB);
    gen_load(gen, 0, value & UINT32_MAX);
    gen_load(gen, 2, value >> 32);
    gen_emit(gen, 0x300F, 2);
    gen_emit(gen, gen_one_in(gen, 2) ? 0xD9010FF3 : 0xD9010FF2, 4);
}

/* mov qword [rdi + offset], imm32 */
void gen_store_field(struct generator *gen, uint32_t offset, uint32_t value)
{
    gen_emit(gen, 0x87C748, 3);
    gen_emit(gen, offset, 4);
    gen_emit(gen, value, 4);
}

static void snippet_ghcb(struct generator *gen)
{
    uint64_t page = gen_one_in(gen, 6) ? gen_address(gen) : GUEST_BASE + GUEST_GHCB;

    gen_load(gen, 7, page);
    gen_load(gen, 0, gen_exit_code(gen));
    gen_store_rax(gen, GHCB_SW_EXITCODE);
    gen_store_field(gen, GHCB_SW_EXITINFO1, (uint32_t)gen_number(gen));
    gen_store_field(gen, GHCB_SW_EXITINFO2, (uint32_t)gen_number(gen));
    if (gen_one_in(gen, 2)) {
        gen_store_field(gen, GHCB_SW_SCRATCH, (uint32_t)gen_address(gen));
    }
    gen_store_field(gen, GHCB_VALID_BITMAP, UINT32_MAX);
    gen_store_field(gen, GHCB_VALID_BITMAP + 8, UINT32_MAX);
    if (gen_one_in(gen, 2)) {
        gen_load(gen, 1, MSR_GHCB);
        gen_load(gen, 0, page & UINT32_MAX);
        gen_load(gen, 2, 0);
        gen_emit(gen, 0x300F, 2);
    }
    gen_vmgexit(gen);
}

/*
 * A page that is to be the GHCB: private, absent, shared, at the end of the address space. It is
 * registered, then used, each with or without the other; the address may have low bits, which make
 * a request of it.
 */
static void snippet_register(struct generator *gen)
{
    static const uint64_t place[] = {
        GUEST_BASE + GUEST_GHCB,
        GUEST_BASE + GUEST_GHCB + 0x1000,
        GUEST_BASE + GUEST_DATA,
        GUEST_BASE + GUEST_PML4,
        GUEST_BASE + GUEST_MEMORY,
        GUEST_BASE + GUEST_MEMORY - 0x1000,
        GUEST_BASE - 0x1000,
        0,
        0x000FFFFFFFFFF000,
        0xFFFFFFFFFFFFF000,
        CBIT_MASK | (GUEST_BASE + GUEST_GHCB),
    };
    uint64_t page =
        gen_one_in(gen, 4) ? gen_number(gen) & ~PAGE_MASK : place[gen_below(gen, COUNT(place))];

    for (unsigned step = 0; step < 2; step++) {
        uint64_t value = page | (step == 0            ? GHCB_MSR_REGISTER_REQ
                                 : gen_one_in(gen, 6) ? gen_below(gen, 4096)
                                                      : 0);

        if (gen_one_in(gen, 6)) {
            continue;
        }
        gen_load(gen, 1, MSR_GHCB);
        gen_load(gen, 0, value & UINT32_MAX);
        gen_load(gen, 2, value >> 32);
        gen_emit(gen, 0x300F, 2);
        gen_vmgexit(gen);
    }
}

/* GDTR, IDTR, LDTR or TR lead anywhere; what uses them comes after, or not. */
static void snippet_descriptors(struct generator *gen)
{
    static const uint32_t use[] = {0x80CD, 0x03CD, 0x0B0F, 0xCF48, 0xD88E, 0xCB48};

    gen_load(gen, 7, GUEST_BASE + GUEST_DATA + 0x2800 + gen_below(gen, 16));
    gen_load(gen, 0, gen_number(gen));
    if (gen_one_in(gen, 3)) {
        gen_load(gen, 0, 8 * gen_below(gen, 16) + (gen_one_in(gen, 4) ? 4 : 0));
        gen_emit(gen, gen_one_in(gen, 2) ? 0xD8000F : 0xD0000F, 3); /* ltr ax, lldt ax */
    } else {
        gen_emit(gen, 0x07C766, 3); /* mov word [rdi], imm16 */
        gen_emit(gen, gen_one_in(gen, 2) ? 0xFFFF : gen_below(gen, 0x400), 2);
        gen_emit(gen, 0x02478948, 4);                               /* mov [rdi + 2], rax */
        gen_emit(gen, gen_one_in(gen, 2) ? 0x17010F : 0x1F010F, 3); /* lgdt, lidt [rdi] */
    }
    if (gen_one_in(gen, 2)) {
        gen_emit(gen, use[gen_below(gen, COUNT(use))], 2);
    }
}

static void snippet_port(struct generator *gen)
{
    static const uint16_t port[] = {0x3F8, 0x3FD, 0x510, 0x511, 0x514, 0x518, 0xCF8, 0x80};
    static const uint8_t opcode[] = {0xE4, 0xE5, 0xE6, 0xE7, 0xEC, 0xED,
                                     0xEE, 0xEF, 0x6C, 0x6D, 0x6E, 0x6F};

    gen_load(gen, 2, port[gen_below(gen, COUNT(port))]);
    gen_prefixes(gen);
    gen_emit(gen, opcode[gen_below(gen, COUNT(opcode))], 1);
    gen_emit(gen, 0x90, 1);
}

static void snippet_system(struct generator *gen)
{
    static const uint8_t second[] = {0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0B,
                                     0x0D, 0x20, 0x21, 0x22, 0x22, 0x23, 0x31, 0x33, 0x34, 0x35,
                                     0x77, 0xA2, 0xA2, 0xAE, 0xC7, 0xB9, 0xFF, 0xA1, 0xA9, 0xB2};

    gen_prefixes(gen);
    gen_emit(gen, 0x0F, 1);
    gen_emit(gen, second[gen_below(gen, COUNT(second))], 1);
    gen_emit(gen, gen_next(gen) | (gen_one_in(gen, 2) ? 0xC0 : 0), 1);
}

void snippet_flow(struct generator *gen)
{
    static const struct {
        uint8_t size, bytes[5];
    } rows[] = {
        {1, {0xF4}},
        {1, {0xCC}},
        {1, {0xF1}},
        {1, {0xCF}},
        {2, {0x48, 0xCF}},
        {1, {0xCB}},
        {2, {0x48, 0xCB}},
        {1, {0xC3}},
        {1, {0x9D}},
        {1, {0x9C}},
        {1, {0xFA}},
        {1, {0xFB}},
        {2, {0xCD, 0x0E}},
        {2, {0xCD, 0x80}},
        {2, {0xCD, 0x1D}},
        {2, {0xCD, 0x03}},
        {2, {0xEB, 0xFE}},
        {2, {0xEB, 0x02}},
        {2, {0xEB, 0xF0}},
        {2, {0xE2, 0xF8}},
        {2, {0xE8, 0x00}},
        {2, {0xFF, 0x28}},
        {2, {0xFF, 0x18}},
        {3, {0x48, 0xFF, 0x2F}},
        {2, {0x8E, 0xD0}},
        {2, {0x8E, 0xD8}},
        {2, {0x0F, 0xA1}},
        {2, {0x8E, 0xE0}},
        {2, {0xF3, 0x90}},
        {2, {0x0F, 0x0B}},
        {3, {0x48, 0xF7, 0xF1}},
        {1, {0x9B}},
        {2, {0xFF, 0xE0}},
        {2, {0xFF, 0xD0}},
        {1, {0x17}},
        {3, {0xC8, 0x10, 0x1F}},
        {1, {0xC9}},
        {2, {0x0F, 0x37}},
        {3, {0xC6, 0xF8, 0x01}},
        {2, {0x5C, 0x90}},
    };
    unsigned row = gen_below(gen, COUNT(rows));

    gen_prefixes(gen);
    for (unsigned i = 0; i < rows[row].size; i++) {
        gen_emit(gen, rows[row].bytes[i], 1);
    }
}

static void snippet_memory(struct generator *gen)
{
    static const struct {
        uint8_t size, bytes[4];
    } rows[] = {
        {1, {0xA4}},
        {2, {0x48, 0xA5}},
        {1, {0xAA}},
        {2, {0x48, 0xAB}},
        {2, {0x48, 0xAF}},
        {1, {0xA6}},
        {3, {0x48, 0x89, 0x07}},
        {3, {0x48, 0x8B, 0x06}},
        {3, {0x48, 0xFF, 0x07}},
        {3, {0x0F, 0xC7, 0x0F}},
        {4, {0x48, 0x0F, 0xC7, 0x0F}},
        {3, {0x0F, 0xAE, 0x07}},
        {3, {0x0F, 0xAE, 0x0E}},
        {3, {0x0F, 0xAE, 0x3F}},
        {3, {0x0F, 0xAE, 0x27}},
        {2, {0xDD, 0x07}},
        {2, {0xDD, 0x37}},
        {3, {0x0F, 0x10, 0x06}},
        {3, {0x0F, 0x11, 0x07}},
        {3, {0x0F, 0x28, 0x06}},
        {4, {0xC5, 0xFC, 0x10, 0x06}},
        {2, {0xFF, 0x37}},
        {2, {0x8F, 0x07}},
        {3, {0x48, 0x87, 0x07}},
        {3, {0x0F, 0xAE, 0x2E}},
        {4, {0x48, 0x0F, 0xB1, 0x0F}},
        {3, {0x0F, 0xC3, 0x07}},
        {3, {0x0F, 0x18, 0x07}},
        {4, {0x0F, 0x38, 0xF0, 0x07}},
        {3, {0x0F, 0x1F, 0x07}},
    };
    unsigned row = gen_below(gen, COUNT(rows));

    if (gen_one_in(gen, 2)) {
        gen_load(gen, 7, gen_address(gen));
        gen_load(gen, 6, gen_address(gen));
    }
    if (gen_one_in(gen, 3)) {
        gen_load(gen, 1, gen_one_in(gen, 2) ? gen_below(gen, 600) : gen_number(gen));
    }
    if (gen_one_in(gen, 2)) {
        gen_emit(gen, gen_one_in(gen, 2) ? 0xF3 : 0xF2, 1);
    } else {
        gen_prefixes(gen);
    }
    for (unsigned i = 0; i < rows[row].size; i++) {
        gen_emit(gen, rows[row].bytes[i], 1);
    }
}

/* A store into code that is near. */
static void snippet_modify(struct generator *gen)
{
    static const uint32_t code[] = {0x310F, 0xA20F,     0x0B0F, 0xFEEB,
                                    0xF490, 0xD9010FF3, 0x320F, 0x90909090};

    gen_emit(gen, 0x05C7, 2); /* mov dword [rip + disp], imm32 */
    gen_emit(gen, (uint32_t)((int)gen_below(gen, 64) - 24), 4);
    gen_emit(gen, code[gen_below(gen, COUNT(code))], 4);
}

/* A store into a page-table entry, a descriptor or a gate; then often a flush. */
static void snippet_table(struct generator *gen)
{
    gen_load(gen, 7,
             GUEST_BASE + GUEST_IDT + 8 * (uint64_t)gen_below(gen, (GUEST_DATA - GUEST_IDT) / 8));
    if (gen_one_in(gen, 2)) {
        gen_load(gen, 7, GUEST_BASE + GUEST_PT + 8 * (uint64_t)gen_below(gen, 64));
    }
    gen_load(gen, 0, gen_number(gen) ^ gen_below(gen, 256));
    gen_emit(gen, 0x078948, 3); /* mov [rdi], rax */
    if (gen_one_in(gen, 2)) {
        gen_emit(gen, 0xD8200FDA200FULL >> (gen_one_in(gen, 2) ? 0 : 24), 3); /* mov edx/eax, cr3 */
        gen_emit(gen, 0xDA220F, 3);                                           /* mov cr3, rdx */
    }
}

static void snippet_control(struct generator *gen)
{
    static const uint8_t reg[] = {0, 0, 2, 3, 3, 4, 4, 8 & 7, 1, 5};
    uint8_t control = reg[gen_below(gen, COUNT(reg))];

    if (gen_one_in(gen, 2)) {
        gen_emit(gen, 0xC0200F | (uint32_t)control << 19, 3); /* mov rax, crN */
        gen_emit(gen, 0xBA0F48, 3);                           /* btc rax, n */
        gen_emit(gen, 0xF8 | (uint32_t)gen_below(gen, 32) << 8, 2);
    } else {
        gen_load(gen, 0, gen_number(gen));
    }
    gen_emit(gen, 0xC0220F | (uint32_t)control << 19, 3);
}

static void snippet_random(struct generator *gen)
{
    gen_emit(gen, gen_next(gen), 1 + gen_below(gen, 8));
}

static void snippet_load(struct generator *gen)
{
    gen_load(gen, gen_below(gen, 16), gen_number(gen));
}

void gen_code(struct generator *gen)
{
    static gen_part *const snippets[] = {
        snippet_group7,      snippet_group7, snippet_validate,     snippet_validate, snippet_msr,
        snippet_ghcb,        snippet_ghcb,   snippet_msr_protocol, snippet_register, snippet_port,
        snippet_system,      snippet_system, snippet_flow,         snippet_flow,     snippet_memory,
        snippet_memory,      snippet_modify, snippet_table,        snippet_control,  snippet_random,
        snippet_descriptors, snippet_load,   snippet_create,       snippet_vmpl,
    };
    uint32_t position = GUEST_CODE;

    if (gen_one_in(gen, 16)) {
        position += 0x1000 - gen_below(gen, 64); /* across the end of the page */
    }
    for (unsigned left = 1 + gen_below(gen, SNIPPETS_MAX);
         left > 0 && gen->size + RECORD_ROOM < gen->room;) {
        gen_record_open(gen, position);
        while (left > 0 && gen_record_size(gen) < 120) {
            snippets[gen_below(gen, COUNT(snippets))](gen);
            left--;
        }
        if (left == 0) {
            gen_emit(gen, 0xF4, 1);
        }
        gen_record_close(gen);
        position += (uint32_t)gen_record_size(gen);
    }
}
