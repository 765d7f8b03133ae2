/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/vmsa.h"

#include <stddef.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/rmp.h"
#include "abi/x86.h"

/* ---- fields ---- */

static const struct {
    uint16_t offset;
    enum vcpu_register reg;
} registers[] = {
    {VMSA_RAX, VCPU_RAX},       {VMSA_RBX, VCPU_RBX}, {VMSA_RCX, VCPU_RCX}, {VMSA_RDX, VCPU_RDX},
    {VMSA_RSI, VCPU_RSI},       {VMSA_RDI, VCPU_RDI}, {VMSA_RBP, VCPU_RBP}, {VMSA_RSP, VCPU_RSP},
    {VMSA_R8, VCPU_R8},         {VMSA_R9, VCPU_R9},   {VMSA_R10, VCPU_R10}, {VMSA_R11, VCPU_R11},
    {VMSA_R12, VCPU_R12},       {VMSA_R13, VCPU_R13}, {VMSA_R14, VCPU_R14}, {VMSA_R15, VCPU_R15},
    {VMSA_RIP, VCPU_RIP},       {VMSA_CR2, VCPU_CR2}, {VMSA_DR0, VCPU_DR0}, {VMSA_DR1, VCPU_DR1},
    {VMSA_DR2, VCPU_DR2},       {VMSA_DR3, VCPU_DR3}, {VMSA_DR6, VCPU_DR6}, {VMSA_DR7, VCPU_DR7},
    {VMSA_RFLAGS, VCPU_RFLAGS},
};

/* FS_BASE and GS_BASE are those of their segments, EFER is loaded with the control registers. */
static const struct {
    uint16_t offset;
    uint32_t index;
} msrs[] = {
    {VMSA_STAR, MSR_STAR},
    {VMSA_LSTAR, MSR_LSTAR},
    {VMSA_CSTAR, MSR_CSTAR},
    {VMSA_SFMASK, MSR_SFMASK},
    {VMSA_KERNEL_GS_BASE, MSR_KERNEL_GS_BASE},
    {VMSA_SYSENTER_CS, MSR_SYSENTER_CS},
    {VMSA_SYSENTER_ESP, MSR_SYSENTER_ESP},
    {VMSA_SYSENTER_EIP, MSR_SYSENTER_EIP},
    {VMSA_G_PAT, MSR_PAT},
};

static const uint16_t segments[VCPU_SEGMENT_COUNT] = {
    [VCPU_SEG_ES] = VMSA_ES, [VCPU_SEG_CS] = VMSA_CS, [VCPU_SEG_SS] = VMSA_SS,
    [VCPU_SEG_DS] = VMSA_DS, [VCPU_SEG_FS] = VMSA_FS, [VCPU_SEG_GS] = VMSA_GS,
};

static const uint16_t tables[VCPU_TABLE_COUNT] = {
    [VCPU_GDTR] = VMSA_GDTR,
    [VCPU_IDTR] = VMSA_IDTR,
    [VCPU_LDTR] = VMSA_LDTR,
    [VCPU_TR] = VMSA_TR,
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

uint64_t vmsa_get(const uint8_t *page, unsigned offset)
{
    uint64_t value;

    memcpy(&value, page + offset, sizeof(value));
    return value;
}

void vmsa_set(uint8_t *page, unsigned offset, uint64_t value)
{
    memcpy(page + offset, &value, sizeof(value));
}

/* ---- what VMRUN refuses ---- */

/* APM Vol 2 15.5.1, canonicalization and consistency checks, as far as they concern a save area. */
const char *vmsa_check(const uint8_t *page)
{
    uint64_t cr0 = vmsa_get(page, VMSA_CR0), cr4 = vmsa_get(page, VMSA_CR4);
    uint64_t efer = vmsa_get(page, VMSA_EFER);
    uint64_t attributes = vmsa_get(page, VMSA_CS) >> 16;
    bool paging_long = (efer & EFER_LME) && (cr0 & CR0_PG);

    if (!(efer & EFER_SVME)) {
        return "EFER.SVME is clear";
    }
    if (page[VMSA_VMPL] >= VMPL_COUNT) {
        return "there is no such VMPL";
    }
    if ((cr0 >> 32) || ((cr0 & CR0_NW) && !(cr0 & CR0_CD))) {
        return "CR0 is not valid";
    }
    if (cr4 >> 32) {
        return "CR4 is not valid";
    }
    if (vmsa_get(page, VMSA_DR6) >> 32 || vmsa_get(page, VMSA_DR7) >> 32) {
        return "DR6 or DR7 has a bit above 31";
    }
    if (paging_long && (!(cr4 & CR4_PAE) || !(cr0 & CR0_PE))) {
        return "long mode without CR4.PAE or CR0.PE";
    }
    if (paging_long && (cr4 & CR4_PAE) && (attributes & SEGMENT_LONG) &&
        (attributes & SEGMENT_DEFAULT)) {
        return "CS.L and CS.D are both set";
    }
    return NULL;
}

/* ---- load ---- */

/* The engine has LDTR's and TR's attributes where the upper half of a descriptor has them. */
static uint32_t flags_of(uint16_t attributes)
{
    return (attributes & 0xFFu) << 8 | (attributes & 0xF00u) << 12;
}

static uint16_t attributes_of(uint32_t flags)
{
    return (uint16_t)((flags >> 8 & 0xFF) | (flags >> 12 & 0xF00));
}

static void load_segments(struct vcpu *vcpu, const uint8_t *page)
{
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];

    for (size_t i = 0; i < VCPU_SEGMENT_COUNT; i++) {
        const uint8_t *field = page + segments[i];

        memcpy(&segment[i].selector, field + VMSA_SEGMENT_SELECTOR, sizeof(segment[i].selector));
        memcpy(&segment[i].attributes, field + VMSA_SEGMENT_ATTRIBUTES,
               sizeof(segment[i].attributes));
        memcpy(&segment[i].limit, field + VMSA_SEGMENT_LIMIT, sizeof(segment[i].limit));
        memcpy(&segment[i].base, field + VMSA_SEGMENT_BASE, sizeof(segment[i].base));
    }
    vcpu_set_segments(vcpu, segment);
}

static void load_tables(struct vcpu *vcpu, const uint8_t *page)
{
    for (size_t i = 0; i < VCPU_TABLE_COUNT; i++) {
        const uint8_t *field = page + tables[i];
        struct vcpu_table table = {.base = vmsa_get(field, VMSA_SEGMENT_BASE)};
        uint16_t attributes;

        memcpy(&table.selector, field + VMSA_SEGMENT_SELECTOR, sizeof(table.selector));
        memcpy(&table.limit, field + VMSA_SEGMENT_LIMIT, sizeof(table.limit));
        memcpy(&attributes, field + VMSA_SEGMENT_ATTRIBUTES, sizeof(attributes));
        table.flags = flags_of(attributes);
        vcpu_set_table(vcpu, (enum vcpu_table_register)i, &table);
    }
}

/* Fields of struct vcpu_fpu, in both directions. */
#define FPU(offset, member)                                                                        \
    {                                                                                              \
        offset, offsetof(struct vcpu_fpu, member), sizeof(((struct vcpu_fpu *)0)->member)          \
    }

static const struct {
    uint16_t offset, member, size;
} fpu_fields[] = {
    FPU(VMSA_X87_DP, dp),      FPU(VMSA_MXCSR, mxcsr),     FPU(VMSA_X87_FTW, tags),
    FPU(VMSA_X87_FSW, status), FPU(VMSA_X87_FCW, control), FPU(VMSA_X87_FOP, opcode),
    FPU(VMSA_X87_DS, ds),      FPU(VMSA_X87_CS, cs),       FPU(VMSA_X87_RIP, rip),
    FPU(VMSA_FPREG_X87, x87),
};

static void load_fpu(struct vcpu *vcpu, const uint8_t *page)
{
    struct vcpu_fpu fpu = {0};

    for (size_t i = 0; i < COUNT(fpu_fields); i++) {
        memcpy((uint8_t *)&fpu + fpu_fields[i].member, page + fpu_fields[i].offset,
               fpu_fields[i].size);
    }
    vcpu_set_fpu(vcpu, &fpu);
    for (unsigned i = 0; i < VCPU_XMM_COUNT; i++) {
        vcpu_set_xmm(vcpu, i, page + VMSA_FPREG_XMM + i * 16);
    }
}

void vmsa_load(struct vcpu *vcpu, const uint8_t *page)
{
    vcpu_set_vmpl(vcpu, page[VMSA_VMPL]);
    vcpu_set_system(vcpu, vmsa_get(page, VMSA_CR0), vmsa_get(page, VMSA_CR3),
                    vmsa_get(page, VMSA_CR4), vmsa_get(page, VMSA_EFER));
    load_tables(vcpu, page);
    vcpu_set(vcpu, VCPU_RFLAGS, vmsa_get(page, VMSA_RFLAGS));
    load_segments(vcpu, page);
    for (size_t i = 0; i < COUNT(registers); i++) {
        vcpu_set(vcpu, registers[i].reg, vmsa_get(page, registers[i].offset));
    }
    for (size_t i = 0; i < COUNT(msrs); i++) {
        vcpu_set_msr(vcpu, msrs[i].index, vmsa_get(page, msrs[i].offset));
    }
    load_fpu(vcpu, page);
    vcpu_set_xcr0(vcpu, vmsa_get(page, VMSA_XCR0));
    vcpu_switched(vcpu);
}

/* ---- store ---- */

static void store_segments(const struct vcpu *vcpu, uint8_t *page)
{
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];

    vcpu_get_segments(vcpu, segment);
    for (size_t i = 0; i < VCPU_SEGMENT_COUNT; i++) {
        uint8_t *field = page + segments[i];

        memcpy(field + VMSA_SEGMENT_SELECTOR, &segment[i].selector, sizeof(segment[i].selector));
        memcpy(field + VMSA_SEGMENT_ATTRIBUTES, &segment[i].attributes,
               sizeof(segment[i].attributes));
        memcpy(field + VMSA_SEGMENT_LIMIT, &segment[i].limit, sizeof(segment[i].limit));
        memcpy(field + VMSA_SEGMENT_BASE, &segment[i].base, sizeof(segment[i].base));
    }
    page[VMSA_CPL] = (uint8_t)vcpu_cpl(vcpu);
}

static void store_tables(const struct vcpu *vcpu, uint8_t *page)
{
    for (size_t i = 0; i < VCPU_TABLE_COUNT; i++) {
        uint8_t *field = page + tables[i];
        struct vcpu_table table;
        uint16_t attributes;

        vcpu_get_table(vcpu, (enum vcpu_table_register)i, &table);
        attributes = attributes_of(table.flags);
        memcpy(field + VMSA_SEGMENT_LIMIT, &table.limit, sizeof(table.limit));
        memcpy(field + VMSA_SEGMENT_BASE, &table.base, sizeof(table.base));
        if (i == VCPU_LDTR || i == VCPU_TR) {
            memcpy(field + VMSA_SEGMENT_SELECTOR, &table.selector, sizeof(table.selector));
            memcpy(field + VMSA_SEGMENT_ATTRIBUTES, &attributes, sizeof(attributes));
        }
    }
}

static void store_fpu(const struct vcpu *vcpu, uint8_t *page)
{
    struct vcpu_fpu fpu;

    vcpu_get_fpu(vcpu, &fpu);
    for (size_t i = 0; i < COUNT(fpu_fields); i++) {
        memcpy(page + fpu_fields[i].offset, (const uint8_t *)&fpu + fpu_fields[i].member,
               fpu_fields[i].size);
    }
    for (unsigned i = 0; i < VCPU_XMM_COUNT; i++) {
        vcpu_get_xmm(vcpu, i, page + VMSA_FPREG_XMM + i * 16);
    }
}

static void store_system(const struct vcpu *vcpu, uint8_t *page)
{
    struct mmu_context context;

    vcpu_mmu_context(vcpu, &context);
    vmsa_set(page, VMSA_CR0, context.cr0);
    vmsa_set(page, VMSA_CR3, context.cr3);
    vmsa_set(page, VMSA_CR4, context.cr4);
    vmsa_set(page, VMSA_EFER, context.efer);
    vmsa_set(page, VMSA_XCR0, vcpu_get_xcr0(vcpu));
}

void vmsa_store(const struct vcpu *vcpu, const struct vmsa_exit *exit, uint8_t *page)
{
    page[VMSA_VMPL] = (uint8_t)vcpu_vmpl(vcpu);
    store_system(vcpu, page);
    store_segments(vcpu, page);
    store_tables(vcpu, page);
    for (size_t i = 0; i < COUNT(registers); i++) {
        vmsa_set(page, registers[i].offset, vcpu_get(vcpu, registers[i].reg));
    }
    if (vcpu_debug_passes(vcpu)) { /* the vCPU took RF away early */
        vmsa_set(page, VMSA_RFLAGS, vmsa_get(page, VMSA_RFLAGS) | RFLAGS_RF);
    }
    for (size_t i = 0; i < COUNT(msrs); i++) {
        vmsa_set(page, msrs[i].offset, vcpu_get_msr(vcpu, msrs[i].index));
    }
    store_fpu(vcpu, page);
    vmsa_set(page, VMSA_GUEST_EXITCODE, exit->code);
    vmsa_set(page, VMSA_GUEST_EXITINFO1, exit->info1);
    vmsa_set(page, VMSA_GUEST_EXITINFO2, exit->info2);
    vmsa_set(page, VMSA_GUEST_NRIP, vcpu_get(vcpu, VCPU_RIP));
}
