/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inputs that know the machine: mostly sensible registers, code from interesting snippets, and a
 * few changes to page tables, descriptors and the GHCB page.
 */
#include <string.h>

#include "abi/ghcb.h"
#include "abi/msr.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "guest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SNIPPETS_MAX 48
#define CHANGES_MAX 6

struct generator {
    uint64_t state;
    uint8_t *data;
    size_t room, size;
    size_t length_at; /* of the open record */
};

/* ---- numbers ---- */

static uint64_t next(struct generator *gen)
{
    uint64_t z = gen->state += 0x9E3779B97F4A7C15ULL;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ z >> 27) * 0x94D049BB133111EBULL;
    return z ^ z >> 31;
}

static uint32_t below(struct generator *gen, size_t limit)
{
    return (uint32_t)(next(gen) % limit);
}

static bool one_in(struct generator *gen, unsigned n)
{
    return below(gen, n) == 0;
}

static uint64_t address(struct generator *gen)
{
    static const uint32_t place[] = {
        GUEST_START,    GUEST_CODE, GUEST_IDT,       GUEST_GDT,  GUEST_TSS,
        GUEST_HANDLERS, GUEST_DATA, GUEST_TEMPLATE,  GUEST_PML4, GUEST_PDPT,
        GUEST_PD,       GUEST_PT,   GUEST_PT_2,      GUEST_GHCB, GUEST_GHCB,
        GUEST_GHCB,     0x201000,   0x1FF000,        0x3FF000,   0x400000,
        GUEST_DATA + 1, 0x40000,    GUEST_STACK_TOP, 0x42000,    0x50000,
    };
    static const int offset[] = {0, 0, 0, 0, 0, 0, 1, 8, 0x7FF, 0x800, 0xFF0, 0xFF8, 0xFFF, -1, -8};

    return GUEST_BASE + place[below(gen, COUNT(place))] +
           (uint64_t)offset[below(gen, COUNT(offset))];
}

static uint64_t number(struct generator *gen)
{
    static const uint64_t value[] = {
        0,
        1,
        2,
        4,
        8,
        0x10,
        0x80,
        0xFF,
        0x1000,
        0xFFFF,
        0x7FFFFFFF,
        0x80000000,
        0xFFFFFFFF,
        0x100000000,
        0x00007FFFFFFFFFFF,
        0x0000800000000000,
        0xFFFF7FFFFFFFFFFF,
        0xFFFF800000000000,
        0x7FFFFFFFFFFFFFFF,
        0x8000000000000000,
        0xFFFFFFFFFFFFF000,
        0xFFFFFFFFFFFFF001,
        0xFFFFFFFFFFFFFFF8,
        0xFFFFFFFFFFFFFFFF,
        CBIT_MASK,
        0x000FFFFFFFFFF000,
        0x0000FFFFFFFFF000,
        0xFEE00000,
        0xFED00000,
        0x3F8,
        0x510,
    };

    switch (below(gen, 5)) {
    case 0:
        return next(gen);
    case 1:
        return address(gen) | CBIT_MASK;
    case 2:
        return value[below(gen, COUNT(value))];
    case 3:
        return below(gen, 64);
    default:
        return address(gen);
    }
}

static uint32_t msr_index(struct generator *gen)
{
    static const uint32_t index[] = {
        MSR_EFER,    MSR_STAR,       MSR_LSTAR,   MSR_CSTAR,
        MSR_SFMASK,  MSR_FS_BASE,    MSR_GS_BASE, MSR_KERNEL_GS_BASE,
        MSR_TSC_AUX, MSR_PAT,        MSR_XSS,     MSR_GHCB,
        MSR_GHCB,    MSR_SEV_STATUS, 0x10,        0x1B,
        0x174,       0x175,          0x176,       0x1D9,
        0x200,       0x2FF,          0x802,       0x830,
        0x8FF,       0xC0010010,     0xC0010015,  0xC0010132,
        0xC0010134,  0xC0010135,     0xC001F000,  0x6E0,
        0x48,        0x122,          0x3A,
    };

    return one_in(gen, 12) ? (uint32_t)next(gen) : index[below(gen, COUNT(index))];
}

static uint64_t exit_code(struct generator *gen)
{
    static const uint64_t code[] = {
        NAE_DR7_READ,
        NAE_DR7_WRITE,
        NAE_RDTSC,
        NAE_RDPMC,
        NAE_CPUID,
        NAE_INVD,
        NAE_IOIO,
        NAE_IOIO,
        NAE_MSR,
        NAE_VMMCALL,
        NAE_RDTSCP,
        NAE_WBINVD,
        NAE_MONITOR,
        NAE_MWAIT,
        NAE_MMIO_READ,
        NAE_MMIO_WRITE,
        NAE_NMI_COMPLETE,
        NAE_AP_RESET_HOLD,
        NAE_AP_JUMP_TABLE,
        NAE_PAGE_STATE_CHANGE,
        NAE_PAGE_STATE_CHANGE,
        NAE_PAGE_STATE_CHANGE,
        NAE_GUEST_REQUEST,
        NAE_EXT_GUEST_REQUEST,
        NAE_AP_CREATION,
        NAE_HV_DOORBELL,
        NAE_HV_IPI,
        NAE_HV_TIMER,
        NAE_APIC_ID_LIST,
        NAE_APIC_ID_LIST,
        NAE_RUN_VMPL,
        NAE_SECURE_AVIC,
        NAE_CONFIGURE_INTERRUPT,
        NAE_DISABLE_ALTERNATE,
        NAE_SPECIFIC_EOI,
        NAE_HV_FEATURES,
        NAE_TERMINATE,
        NAE_UNSUPPORTED_EVENT,
    };

    return one_in(gen, 16) ? number(gen) : code[below(gen, COUNT(code))];
}

static uint64_t ghcb_msr(struct generator *gen)
{
    static const uint16_t info[] = {0x002, 0x004, 0x006, 0x010, 0x012, 0x014,
                                    0x016, 0x080, 0x100, 0x001, 0x0FF, 0x7FF};

    switch (below(gen, 4)) {
    case 0:
        return GUEST_BASE + GUEST_GHCB;
    case 1:
        return number(gen);
    case 2:
        return (number(gen) & ~0xFFFULL) | info[below(gen, COUNT(info))];
    default: /* a page state change */
        return (address(gen) & PTE_ADDR_MASK) | (uint64_t)below(gen, 6) << 52 | 0x014;
    }
}

/* ---- bytes and records ---- */

static void emit(struct generator *gen, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width && gen->size < gen->room; i++) {
        gen->data[gen->size++] = (uint8_t)(value >> (8 * i));
    }
}

static void record_open(struct generator *gen, uint32_t position)
{
    emit(gen, position, 3);
    gen->length_at = gen->size;
    emit(gen, 0, 1);
}

static void record_close(struct generator *gen)
{
    if (gen->length_at < gen->size) {
        gen->data[gen->length_at] = (uint8_t)(gen->size - gen->length_at - 1);
    }
}

static size_t record_size(const struct generator *gen)
{
    return gen->size - gen->length_at - 1;
}

/* ---- code ---- */

static void prefixes(struct generator *gen)
{
    static const uint8_t prefix[] = {0x66, 0x67, 0xF2, 0xF3, 0xF0, 0x2E,
                                     0x36, 0x3E, 0x26, 0x64, 0x65};

    if (one_in(gen, 3)) {
        for (unsigned i = below(gen, one_in(gen, 20) ? 16 : 4); i > 0; i--) {
            emit(gen, prefix[below(gen, COUNT(prefix))], 1);
        }
    }
    if (one_in(gen, 4)) {
        emit(gen, 0x40 + below(gen, 16), 1);
    }
}

static void load(struct generator *gen, unsigned reg, uint64_t value)
{
    emit(gen, reg < 8 ? 0x48 : 0x49, 1);
    emit(gen, 0xB8 + (reg & 7), 1);
    emit(gen, value, 8);
}

static void snippet_group7(struct generator *gen)
{
    static const uint8_t modrm[] = {0xC1, 0xC8, 0xC9, 0xCA, 0xCB, 0xCF, 0xD0, 0xD1, 0xD4,
                                    0xD5, 0xD6, 0xD7, 0xD9, 0xD9, 0xE0, 0xE8, 0xEE, 0xEF,
                                    0xF0, 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF,
                                    0x10, 0x18, 0x38, 0x30, 0x00, 0x08, 0x20};

    if (one_in(gen, 2)) {
        load(gen, 0, number(gen));
        load(gen, 1, number(gen));
        load(gen, 2, number(gen));
    }
    prefixes(gen);
    emit(gen, 0x010F, 2);
    emit(gen, one_in(gen, 4) ? next(gen) : modrm[below(gen, COUNT(modrm))], 1);
}

static void snippet_validate(struct generator *gen)
{
    load(gen, 0, address(gen) & ~(one_in(gen, 8) ? 0 : PAGE_MASK));
    load(gen, 1, below(gen, 3));
    load(gen, 2, one_in(gen, 4) ? number(gen) : below(gen, 0x10000));
    emit(gen, one_in(gen, 2) ? 0xFF010FF2 : one_in(gen, 3) ? 0xFD010FF3 : 0xFE010FF3, 4);
}

static void snippet_msr(struct generator *gen)
{
    load(gen, 1, msr_index(gen));
    if (one_in(gen, 2)) {
        load(gen, 0, number(gen));
        load(gen, 2, number(gen) >> 32);
    }
    prefixes(gen);
    emit(gen, one_in(gen, 2) ? 0x320F : 0x300F, 2);
}

static void snippet_msr_protocol(struct generator *gen)
{
    uint64_t value = ghcb_msr(gen);

    load(gen, 1, MSR_GHCB);
    load(gen, 0, value & UINT32_MAX);
    load(gen, 2, value >> 32);
    emit(gen, 0x300F, 2);
    emit(gen, one_in(gen, 2) ? 0xD9010FF3 : 0xD9010FF2, 4);
}

/* mov qword [rdi + offset], imm32 */
static void store_field(struct generator *gen, uint32_t offset, uint32_t value)
{
    emit(gen, 0x87C748, 3);
    emit(gen, offset, 4);
    emit(gen, value, 4);
}

static void snippet_ghcb(struct generator *gen)
{
    uint64_t page = one_in(gen, 6) ? address(gen) : GUEST_BASE + GUEST_GHCB;

    load(gen, 7, page);
    load(gen, 0, exit_code(gen));
    emit(gen, 0x878948, 3); /* mov [rdi + SW_EXITCODE], rax */
    emit(gen, GHCB_SW_EXITCODE, 4);
    store_field(gen, GHCB_SW_EXITINFO1, (uint32_t)number(gen));
    store_field(gen, GHCB_SW_EXITINFO2, (uint32_t)number(gen));
    if (one_in(gen, 2)) {
        store_field(gen, GHCB_SW_SCRATCH, (uint32_t)address(gen));
    }
    store_field(gen, GHCB_VALID_BITMAP, UINT32_MAX);
    store_field(gen, GHCB_VALID_BITMAP + 8, UINT32_MAX);
    if (one_in(gen, 2)) {
        load(gen, 1, MSR_GHCB);
        load(gen, 0, page & UINT32_MAX);
        load(gen, 2, 0);
        emit(gen, 0x300F, 2);
    }
    emit(gen, 0xD9010FF3, 4);
}

static void snippet_port(struct generator *gen)
{
    static const uint16_t port[] = {0x3F8, 0x3FD, 0x510, 0x511, 0x514, 0x518, 0xCF8, 0x80};
    static const uint8_t opcode[] = {0xE4, 0xE5, 0xE6, 0xE7, 0xEC, 0xED,
                                     0xEE, 0xEF, 0x6C, 0x6D, 0x6E, 0x6F};

    load(gen, 2, port[below(gen, COUNT(port))]);
    prefixes(gen);
    emit(gen, opcode[below(gen, COUNT(opcode))], 1);
    emit(gen, 0x90, 1);
}

static void snippet_system(struct generator *gen)
{
    static const uint8_t second[] = {0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0B,
                                     0x0D, 0x20, 0x21, 0x22, 0x22, 0x23, 0x31, 0x33, 0x34, 0x35,
                                     0x77, 0xA2, 0xA2, 0xAE, 0xC7, 0xB9, 0xFF, 0xA1, 0xA9, 0xB2};

    prefixes(gen);
    emit(gen, 0x0F, 1);
    emit(gen, second[below(gen, COUNT(second))], 1);
    emit(gen, next(gen) | (one_in(gen, 2) ? 0xC0 : 0), 1);
}

static void snippet_flow(struct generator *gen)
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
    unsigned row = below(gen, COUNT(rows));

    prefixes(gen);
    for (unsigned i = 0; i < rows[row].size; i++) {
        emit(gen, rows[row].bytes[i], 1);
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
    unsigned row = below(gen, COUNT(rows));

    if (one_in(gen, 2)) {
        load(gen, 7, address(gen));
        load(gen, 6, address(gen));
    }
    if (one_in(gen, 3)) {
        load(gen, 1, one_in(gen, 2) ? below(gen, 600) : number(gen));
    }
    if (one_in(gen, 2)) {
        emit(gen, one_in(gen, 2) ? 0xF3 : 0xF2, 1);
    } else {
        prefixes(gen);
    }
    for (unsigned i = 0; i < rows[row].size; i++) {
        emit(gen, rows[row].bytes[i], 1);
    }
}

/* A store into code that is near. */
static void snippet_modify(struct generator *gen)
{
    static const uint32_t code[] = {0x310F, 0xA20F,     0x0B0F, 0xFEEB,
                                    0xF490, 0xD9010FF3, 0x320F, 0x90909090};

    emit(gen, 0x05C7, 2); /* mov dword [rip + disp], imm32 */
    emit(gen, (uint32_t)((int)below(gen, 64) - 24), 4);
    emit(gen, code[below(gen, COUNT(code))], 4);
}

/* A store into a page-table entry, a descriptor or a gate; then often a flush. */
static void snippet_table(struct generator *gen)
{
    load(gen, 7, GUEST_BASE + GUEST_IDT + 8 * (uint64_t)below(gen, (GUEST_DATA - GUEST_IDT) / 8));
    if (one_in(gen, 2)) {
        load(gen, 7, GUEST_BASE + GUEST_PT + 8 * (uint64_t)below(gen, 64));
    }
    load(gen, 0, number(gen) ^ below(gen, 256));
    emit(gen, 0x078948, 3); /* mov [rdi], rax */
    if (one_in(gen, 2)) {
        emit(gen, 0xD8200FDA200FULL >> (one_in(gen, 2) ? 0 : 24), 3); /* mov edx/eax, cr3 */
        emit(gen, 0xDA220F, 3);                                       /* mov cr3, rdx */
    }
}

static void snippet_control(struct generator *gen)
{
    static const uint8_t reg[] = {0, 0, 2, 3, 3, 4, 4, 8 & 7, 1, 5};
    uint8_t control = reg[below(gen, COUNT(reg))];

    if (one_in(gen, 2)) {
        emit(gen, 0xC0200F | (uint32_t)control << 19, 3); /* mov rax, crN */
        emit(gen, 0xBA0F48, 3);                           /* btc rax, n */
        emit(gen, 0xF8 | (uint32_t)below(gen, 32) << 8, 2);
    } else {
        load(gen, 0, number(gen));
    }
    emit(gen, 0xC0220F | (uint32_t)control << 19, 3);
}

static void snippet_random(struct generator *gen)
{
    emit(gen, next(gen), 1 + below(gen, 8));
}

static void snippet_load(struct generator *gen)
{
    load(gen, below(gen, 16), number(gen));
}

typedef void snippet(struct generator *gen);

static void generate_code(struct generator *gen)
{
    static snippet *const snippets[] = {
        snippet_group7, snippet_group7,       snippet_validate, snippet_validate, snippet_msr,
        snippet_ghcb,   snippet_msr_protocol, snippet_ghcb,     snippet_port,     snippet_system,
        snippet_system, snippet_flow,         snippet_flow,     snippet_memory,   snippet_memory,
        snippet_modify, snippet_table,        snippet_control,  snippet_random,   snippet_load,
    };
    uint32_t position = GUEST_CODE;

    if (one_in(gen, 16)) {
        position += 0x1000 - below(gen, 64); /* across the end of the page */
    }
    for (unsigned left = 1 + below(gen, SNIPPETS_MAX); left > 0;) {
        record_open(gen, position);
        while (left > 0 && record_size(gen) < 120) {
            snippets[below(gen, COUNT(snippets))](gen);
            left--;
        }
        if (left == 0) {
            emit(gen, 0xF4, 1);
        }
        record_close(gen);
        position += (uint32_t)record_size(gen);
    }
}

/* ---- tables and pages ---- */

static void change_entry(struct generator *gen)
{
    static const uint32_t table[] = {GUEST_PML4, GUEST_PDPT, GUEST_PD, GUEST_PT, GUEST_PT_2};
    static const uint16_t index[] = {0, 1, 2, 4, 5, 6, 7, 9, 16, 511};
    uint64_t target = (one_in(gen, 3) ? number(gen) : address(gen)) & PTE_ADDR_MASK;

    record_open(gen, table[below(gen, COUNT(table))] + 8 * index[below(gen, COUNT(index))]);
    emit(gen,
         target | (one_in(gen, 3) ? 0 : CBIT_MASK) | (one_in(gen, 4) ? below(gen, 4096) : 7) |
             (one_in(gen, 8) ? PTE_NX : 0) | (one_in(gen, 6) ? PTE_LARGE : 0),
         8);
    record_close(gen);
}

static void change_descriptor(struct generator *gen)
{
    record_open(gen,
                (one_in(gen, 2) ? GUEST_IDT + 8 * below(gen, 64) : GUEST_GDT + 8 * below(gen, 8)) +
                    below(gen, 8));
    emit(gen, next(gen), 1 + below(gen, 8));
    record_close(gen);
}

static void change_stacks(struct generator *gen)
{
    record_open(gen, GUEST_TSS + (one_in(gen, 2) ? 4 : 0x24));
    emit(gen, number(gen), 8);
    record_close(gen);
    for (unsigned i = below(gen, 3); i > 0; i--) {
        record_open(gen, GUEST_IDT + 16 * below(gen, 32) + 4);
        emit(gen, below(gen, 8), 1);
        record_close(gen);
    }
}

static void change_handler(struct generator *gen)
{
    record_open(gen, GUEST_HANDLERS + 32 * below(gen, 32));
    snippet_group7(gen);
    snippet_flow(gen);
    emit(gen, 0xCF48, 2);
    record_close(gen);
}

static void change_ghcb(struct generator *gen)
{
    record_open(gen, GUEST_TEMPLATE + GHCB_SW_EXITCODE);
    emit(gen, exit_code(gen), 8);
    emit(gen, number(gen), 8);
    emit(gen, number(gen), 8);
    emit(gen, one_in(gen, 2) ? GUEST_BASE + GUEST_GHCB + GHCB_SHARED_BUFFER : number(gen), 8);
    record_close(gen);
    record_open(gen, GUEST_TEMPLATE + (one_in(gen, 2) ? GHCB_RAX : GHCB_RCX));
    emit(gen, number(gen), 8);
    emit(gen, number(gen), 8);
    record_close(gen);
    if (one_in(gen, 4)) {
        record_open(gen, GUEST_TEMPLATE + GHCB_VALID_BITMAP);
        emit(gen, next(gen), 8);
        emit(gen, next(gen), 8);
        record_close(gen);
        record_open(gen, GUEST_TEMPLATE + GHCB_VERSION);
        emit(gen, below(gen, 4), 2);
        emit(gen, one_in(gen, 2) ? next(gen) : 0, 4);
        record_close(gen);
    }
}

/* Entries of a page state change, right and wrong. */
static void change_buffer(struct generator *gen)
{
    unsigned count = 1 + below(gen, 16);

    record_open(gen, GUEST_TEMPLATE + GHCB_SHARED_BUFFER);
    emit(gen, one_in(gen, 8) ? next(gen) : 0, 2);
    emit(gen, one_in(gen, 8) ? next(gen) : count - 1, 2);
    emit(gen, one_in(gen, 16) ? next(gen) : 0, 4);
    for (unsigned i = 0; i < count; i++) {
        emit(gen,
             (address(gen) & PTE_ADDR_MASK) | (uint64_t)below(gen, 6) << 52 |
                 (one_in(gen, 3) ? PSC_PAGE_SIZE_2M : 0) | (one_in(gen, 16) ? next(gen) : 0),
             8);
    }
    record_close(gen);
}

static void change_anything(struct generator *gen)
{
    record_open(gen, below(gen, GUEST_DATA));
    emit(gen, next(gen), 1 + below(gen, 8));
    record_close(gen);
}

static void generate_header(struct generator *gen)
{
    struct guest_header header = {
        .options = (uint8_t)(next(gen) & next(gen) & (GUEST_USER | GUEST_SET_RSP)),
        .cr0 = one_in(gen, 3) ? (uint8_t)next(gen) : 1,
        .efer = one_in(gen, 3) ? (uint8_t)next(gen) : 7,
        .sev_features = one_in(gen, 12) ? (uint8_t)next(gen) : 0,
        .cr4 = one_in(gen, 3) ? (uint16_t)next(gen) : 3,
        .gdt_limit = one_in(gen, 8) ? (uint16_t)below(gen, 0x2000) : 0,
        .idt_limit = one_in(gen, 8) ? (uint16_t)below(gen, 0x2000) : 0,
        .rflags = one_in(gen, 4) ? (uint16_t)next(gen) : 2,
        .features = one_in(gen, 8) ? (uint8_t)next(gen) : 0,
        .strict = one_in(gen, 12),
        .seed = below(gen, 0x10000),
        .ghcb_msr = one_in(gen, 2) ? GUEST_BASE + GUEST_GHCB : ghcb_msr(gen),
    };

    header.options |= one_in(gen, 4) ? 0 : GUEST_SKIP;
    header.options |= (uint8_t)(one_in(gen, 3) ? 0 : GUEST_FILL_GHCB | GUEST_REGISTER_GHCB);
    header.options |= (uint8_t)(next(gen) & (GUEST_LOAD_TR | GUEST_SET_MSR | GUEST_VMGEXIT));
    header.rflags &= (uint16_t)(one_in(gen, 4) ? 0xFFFF : ~RFLAGS_TF);
    for (unsigned i = 0; i < GUEST_GPRS; i++) {
        header.gpr[i] = number(gen);
    }
    guest_header_write(&header, gen->data);
    gen->size = GUEST_HEADER_SIZE;
}

size_t guest_generate(uint64_t seed, uint64_t number_, uint8_t *data, size_t room)
{
    static snippet *const changes[] = {
        change_entry,   change_entry, change_entry,  change_descriptor, change_stacks,
        change_handler, change_ghcb,  change_buffer, change_anything,
    };
    struct generator gen = {.state = seed * 0xD1342543DE82EF95ULL + number_ * 0x9FB21C651E98DF25ULL,
                            .data = data,
                            .room = room};

    next(&gen);
    generate_header(&gen);
    change_ghcb(&gen);
    if (one_in(&gen, 2)) {
        change_buffer(&gen);
    }
    for (unsigned left = one_in(&gen, 3) ? 0 : below(&gen, CHANGES_MAX); left > 0; left--) {
        changes[below(&gen, COUNT(changes))](&gen);
    }
    generate_code(&gen);
    return gen.size;
}
