/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers that matter to somebody; bytes and records. */
#include "abi/ghcb.h"
#include "abi/msr.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "generate.h"

/* ---- numbers ---- */

uint64_t gen_next(struct generator *gen)
{
    uint64_t z = gen->state += 0x9E3779B97F4A7C15ULL;

    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ z >> 27) * 0x94D049BB133111EBULL;
    return z ^ z >> 31;
}

uint32_t gen_below(struct generator *gen, size_t limit)
{
    return (uint32_t)(gen_next(gen) % limit);
}

bool gen_one_in(struct generator *gen, unsigned n)
{
    return gen_below(gen, n) == 0;
}

uint64_t gen_address(struct generator *gen)
{
    static const uint32_t place[] = {
        GUEST_START,    GUEST_CODE, GUEST_IDT,       GUEST_GDT,  GUEST_TSS,
        GUEST_HANDLERS, GUEST_DATA, GUEST_TEMPLATE,  GUEST_PML4, GUEST_PDPT,
        GUEST_PD,       GUEST_PT,   GUEST_PT_2,      GUEST_GHCB, GUEST_GHCB,
        GUEST_GHCB,     0x201000,   0x1FF000,        0x3FF000,   0x400000,
        GUEST_DATA + 1, 0x40000,    GUEST_STACK_TOP, 0x42000,    0x50000,
    };
    static const int offset[] = {0, 0, 0, 0, 0, 0, 1, 8, 0x7FF, 0x800, 0xFF0, 0xFF8, 0xFFF, -1, -8};

    return GUEST_BASE + place[gen_below(gen, COUNT(place))] +
           (uint64_t)offset[gen_below(gen, COUNT(offset))];
}

uint64_t gen_number(struct generator *gen)
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

    switch (gen_below(gen, 5)) {
    case 0:
        return gen_next(gen);
    case 1:
        return gen_address(gen) | CBIT_MASK;
    case 2:
        return value[gen_below(gen, COUNT(value))];
    case 3:
        return gen_below(gen, 64);
    default:
        return gen_address(gen);
    }
}

uint32_t gen_msr_index(struct generator *gen)
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

    return gen_one_in(gen, 12) ? (uint32_t)gen_next(gen) : index[gen_below(gen, COUNT(index))];
}

uint64_t gen_exit_code(struct generator *gen)
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

    return gen_one_in(gen, 16) ? gen_number(gen) : code[gen_below(gen, COUNT(code))];
}

uint64_t gen_ghcb_msr(struct generator *gen)
{
    static const uint16_t info[] = {0x002, 0x004, 0x006, 0x010, 0x012, 0x014,
                                    0x016, 0x080, 0x100, 0x001, 0x0FF, 0x7FF};

    switch (gen_below(gen, 4)) {
    case 0:
        return GUEST_BASE + GUEST_GHCB;
    case 1:
        return gen_number(gen);
    case 2:
        return (gen_number(gen) & ~0xFFFULL) | info[gen_below(gen, COUNT(info))];
    default: /* a page state change */
        return (gen_address(gen) & PTE_ADDR_MASK) | (uint64_t)gen_below(gen, 6) << 52 | 0x014;
    }
}

/* ---- bytes and records ---- */

void gen_emit(struct generator *gen, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width && gen->size < gen->room; i++) {
        gen->data[gen->size++] = (uint8_t)(value >> (8 * i));
    }
}

void gen_record_open(struct generator *gen, uint32_t position)
{
    gen_emit(gen, position, 3);
    gen->length_at = gen->size;
    gen_emit(gen, 0, 1);
}

void gen_record_close(struct generator *gen)
{
    if (gen->length_at < gen->size) {
        gen->data[gen->length_at] = (uint8_t)(gen->size - gen->length_at - 1);
    }
}

size_t gen_record_size(const struct generator *gen)
{
    return gen->size - gen->length_at - 1;
}
