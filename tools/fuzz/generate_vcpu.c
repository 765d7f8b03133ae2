/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Save areas, and the code that makes vCPUs of them. Offsets: AMD APM Vol 2 (24593) appendix B,
 * table B-4.
 */
#include <string.h>

#include "abi/ghcb.h"
#include "abi/msr.h"
#include "abi/nae.h"
#include "abi/rmp.h"
#include "abi/x86.h"
#include "generate.h"

#define SAVE_AREA (GUEST_DATA + 0x4000)
#define SAVE_AREA_BYTES 0x400 /* what holds registers */
#define CHUNK_BYTES 128       /* of a record */
#define FEATURES 9            /* SNP, restricted injection: as the first vCPU */
#define CODE_64 0x0A9B        /* attributes: descriptor byte 5, then AVL, L, D/B, G */
#define DATA 0x0C93

struct area_field {
    uint16_t offset;
    uint8_t size;
    uint64_t value;
};

/* A vCPU that would run the same code. */
static const struct area_field fields[] = {
    {0x000, 2, 0x10},
    {0x002, 2, DATA},
    {0x004, 4, UINT32_MAX},
    {0x010, 2, 0x08},
    {0x012, 2, CODE_64},
    {0x014, 4, UINT32_MAX},
    {0x020, 2, 0x10},
    {0x022, 2, DATA},
    {0x024, 4, UINT32_MAX},
    {0x030, 2, 0x10},
    {0x032, 2, DATA},
    {0x034, 4, UINT32_MAX},
    {0x040, 2, 0},
    {0x048, 8, 0},
    {0x050, 2, 0},
    {0x058, 8, 0},
    {0x064, 4, 0x37},
    {0x068, 8, GUEST_BASE + GUEST_GDT},
    {0x072, 2, 0x82},
    {0x084, 4, 0x1FF},
    {0x088, 8, GUEST_BASE + GUEST_IDT},
    {0x090, 2, 0x28},
    {0x092, 2, 0x8B},
    {0x094, 4, 0x67},
    {0x098, 8, GUEST_BASE + GUEST_TSS},
    {0x0CB, 1, 0},                                              /* CPL */
    {0x0D0, 8, EFER_SVME | EFER_NXE | EFER_LMA | EFER_LME | 1}, /* EFER */
    {0x140, 8, 0},                                              /* XSS */
    {0x148, 8, CR4_PAE},                                        /* CR4 */
    {0x150, 8, (GUEST_BASE + GUEST_PML4) | CBIT_MASK},          /* CR3 */
    {0x158, 8, 0x80010031},                                     /* CR0 */
    {0x160, 8, 0x400},                                          /* DR7 */
    {0x168, 8, 0xFFFF0FF0},                                     /* DR6 */
    {0x170, 8, RFLAGS_FIXED},                                   /* RFLAGS */
    {0x178, 8, GUEST_BASE + GUEST_CODE},                        /* RIP */
    {0x1D8, 8, GUEST_BASE + GUEST_STACK_TOP - 0x800},           /* RSP */
    {0x200, 8, 0},                                              /* STAR */
    {0x208, 8, GUEST_BASE + GUEST_CODE},                        /* LSTAR */
    {0x268, 8, 0x0007040600070406},                             /* PAT */
    {0x390, 8, 0},                                              /* GUEST_EXITINFO1 */
    {0x3B8, 8, 0},                                              /* VINTR_CTRL */
    {0x3C0, 8, 0},                                              /* GUEST_EXITCODE */
    {0x3C8, 8, 0},                                              /* VIRTUAL_TOM */
    {0x3E8, 8, 1},                                              /* XCR0 */
};

/* Good, or with fields, bits, or bytes between the fields as they should not be. */
static void fill_area(struct generator *gen, uint8_t area[SAVE_AREA_BYTES])
{
    uint64_t features = gen_one_in(gen, 6) ? gen_number(gen) : FEATURES;

    memset(area, 0, SAVE_AREA_BYTES);
    for (size_t i = 0; i < COUNT(fields); i++) {
        memcpy(area + fields[i].offset, &fields[i].value, fields[i].size);
    }
    area[0xCA] = (uint8_t)gen_below(gen, gen_one_in(gen, 6) ? 256 : VMPL_COUNT); /* VMPL */
    memcpy(area + 0x3B0, &features, sizeof(features));                           /* SEV_FEATURES */
    for (unsigned left = gen_one_in(gen, 3) ? 0 : gen_below(gen, 6); left > 0; left--) {
        const struct area_field *field = &fields[gen_below(gen, COUNT(fields))];
        uint64_t value = gen_number(gen);

        if (gen_one_in(gen, 2)) {
            area[field->offset + gen_below(gen, field->size)] ^= (uint8_t)(1u << gen_below(gen, 8));
        } else if (gen_one_in(gen, 4)) {
            area[gen_below(gen, SAVE_AREA_BYTES)] = (uint8_t)value;
        } else {
            memcpy(area + field->offset, &value, field->size);
        }
    }
}

void change_vmsa(struct generator *gen)
{
    uint8_t area[SAVE_AREA_BYTES];

    fill_area(gen, area);
    for (uint32_t at = 0; at < SAVE_AREA_BYTES; at += CHUNK_BYTES) {
        gen_record_open(gen, SAVE_AREA + at);
        for (uint32_t i = 0; i < CHUNK_BYTES; i++) {
            gen_emit(gen, area[at + i], 1);
        }
        gen_record_close(gen);
    }
}

/* An event with 64-bit information; all fields are marked. */
static void event(struct generator *gen, uint64_t code, uint64_t info1, uint64_t info2,
                  uint64_t rax)
{
    const struct {
        uint32_t offset;
        uint64_t value;
    } stores[] = {
        {GHCB_SW_EXITCODE, code},
        {GHCB_SW_EXITINFO1, info1},
        {GHCB_SW_EXITINFO2, info2},
        {GHCB_RAX, rax},
    };

    gen_load(gen, 7, GUEST_BASE + GUEST_GHCB);
    for (size_t i = 0; i < COUNT(stores); i++) {
        gen_load(gen, 0, stores[i].value);
        gen_store_rax(gen, stores[i].offset);
    }
    gen_store_field(gen, GHCB_VALID_BITMAP, UINT32_MAX);
    gen_store_field(gen, GHCB_VALID_BITMAP + 8, UINT32_MAX);
    gen_load(gen, 1, MSR_GHCB);
    gen_load(gen, 0, GUEST_BASE + GUEST_GHCB);
    gen_load(gen, 2, 0);
    gen_emit(gen, 0x300F, 2);
    gen_vmgexit(gen);
}

/* RMPADJUST the page to a save area, and ask for a vCPU; another CPU's or another VMPL. */
void snippet_create(struct generator *gen)
{
    uint64_t area = gen_one_in(gen, 6) ? gen_address(gen) : GUEST_BASE + SAVE_AREA;
    uint64_t vmpl = gen_below(gen, gen_one_in(gen, 8) ? 16 : VMPL_COUNT);
    uint64_t apic_id = gen_below(gen, gen_one_in(gen, 8) ? 4096 : 2);

    if (!gen_one_in(gen, 6)) {
        gen_load(gen, 0, area);
        gen_load(gen, 1, 0);
        gen_load(gen, 2,
                 RMPADJUST_VMSA | gen_below(gen, 0x20) << RMPADJUST_PERM_SHIFT |
                     (1 + gen_below(gen, VMPL_COUNT - 1)));
        gen_emit(gen, 0xFE010FF3, 4);
    }
    event(gen, NAE_AP_CREATION,
          gen_below(gen, gen_one_in(gen, 8) ? 16 : 3) | vmpl << AP_CREATE_VMPL_SHIFT |
              apic_id << AP_CREATE_APIC_ID_SHIFT,
          area, gen_one_in(gen, 8) ? gen_number(gen) : FEATURES);
}

void snippet_vmpl(struct generator *gen)
{
    event(gen, gen_one_in(gen, 4) ? NAE_AP_RESET_HOLD : NAE_RUN_VMPL,
          gen_one_in(gen, 8) ? gen_number(gen) : gen_below(gen, VMPL_COUNT), 0, 0);
}
