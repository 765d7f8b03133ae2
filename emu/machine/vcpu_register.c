/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "abi/msr.h"
#include "abi/x86.h"
#include "machine/vcpu_engine.h"

const int vcpu_register_id[VCPU_REGISTER_COUNT] = {
    [VCPU_RAX] = UC_X86_REG_RAX,         [VCPU_RBX] = UC_X86_REG_RBX,
    [VCPU_RCX] = UC_X86_REG_RCX,         [VCPU_RDX] = UC_X86_REG_RDX,
    [VCPU_RSI] = UC_X86_REG_RSI,         [VCPU_RDI] = UC_X86_REG_RDI,
    [VCPU_RBP] = UC_X86_REG_RBP,         [VCPU_RSP] = UC_X86_REG_RSP,
    [VCPU_R8] = UC_X86_REG_R8,           [VCPU_R9] = UC_X86_REG_R9,
    [VCPU_R10] = UC_X86_REG_R10,         [VCPU_R11] = UC_X86_REG_R11,
    [VCPU_R12] = UC_X86_REG_R12,         [VCPU_R13] = UC_X86_REG_R13,
    [VCPU_R14] = UC_X86_REG_R14,         [VCPU_R15] = UC_X86_REG_R15,
    [VCPU_RIP] = UC_X86_REG_RIP,         [VCPU_RFLAGS] = UC_X86_REG_RFLAGS,
    [VCPU_CR0] = UC_X86_REG_CR0,         [VCPU_CR2] = UC_X86_REG_CR2,
    [VCPU_CR3] = UC_X86_REG_CR3,         [VCPU_CR4] = UC_X86_REG_CR4,
    [VCPU_CR8] = UC_X86_REG_CR8,         [VCPU_ES] = UC_X86_REG_ES,
    [VCPU_CS] = UC_X86_REG_CS,           [VCPU_SS] = UC_X86_REG_SS,
    [VCPU_DS] = UC_X86_REG_DS,           [VCPU_FS] = UC_X86_REG_FS,
    [VCPU_GS] = UC_X86_REG_GS,           [VCPU_FS_BASE] = UC_X86_REG_FS_BASE,
    [VCPU_GS_BASE] = UC_X86_REG_GS_BASE, [VCPU_DR0] = UC_X86_REG_DR0,
    [VCPU_DR1] = UC_X86_REG_DR1,         [VCPU_DR2] = UC_X86_REG_DR2,
    [VCPU_DR3] = UC_X86_REG_DR3,         [VCPU_DR6] = UC_X86_REG_DR6,
    [VCPU_DR7] = UC_X86_REG_DR7,         [VCPU_MXCSR] = UC_X86_REG_MXCSR,
    [VCPU_FPCW] = UC_X86_REG_FPCW,
};

const int vcpu_table_id[VCPU_TABLE_COUNT] = {
    [VCPU_GDTR] = UC_X86_REG_GDTR,
    [VCPU_IDTR] = UC_X86_REG_IDTR,
    [VCPU_LDTR] = UC_X86_REG_LDTR,
    [VCPU_TR] = UC_X86_REG_TR,
};

uint64_t vcpu_get(const struct vcpu *vcpu, enum vcpu_register reg)
{
    uint64_t value = 0;

    uc_reg_read(vcpu->uc, vcpu_register_id[reg], &value);
    return value;
}

void vcpu_set(struct vcpu *vcpu, enum vcpu_register reg, uint64_t value)
{
    uc_reg_write(vcpu->uc, vcpu_register_id[reg], &value);
    if (reg == VCPU_CR0) {
        vcpu->code.stale = true;
    }
}

void vcpu_get_table(const struct vcpu *vcpu, enum vcpu_table_register reg, struct vcpu_table *table)
{
    uc_x86_mmr mmr = {0};

    uc_reg_read(vcpu->uc, vcpu_table_id[reg], &mmr);
    table->selector = mmr.selector;
    table->base = mmr.base;
    table->limit = mmr.limit;
    table->flags = mmr.flags;
}

void vcpu_set_table(struct vcpu *vcpu, enum vcpu_table_register reg, const struct vcpu_table *table)
{
    uc_x86_mmr mmr = {
        .selector = table->selector,
        .base = table->base,
        .limit = table->limit,
        .flags = table->flags,
    };

    uc_reg_write(vcpu->uc, vcpu_table_id[reg], &mmr);
}

void vcpu_get_xmm(const struct vcpu *vcpu, unsigned number, uint8_t bytes[16])
{
    uc_reg_read(vcpu->uc, UC_X86_REG_XMM0 + (int)number, bytes);
}

void vcpu_set_xmm(struct vcpu *vcpu, unsigned number, const uint8_t bytes[16])
{
    uc_reg_write(vcpu->uc, UC_X86_REG_XMM0 + (int)number, bytes);
}

/* ---- x87 ---- */

#define X87_COUNT 8
#define X87_HIGH 64 /* where bytes 9:8 of the registers begin */

static uint16_t fpu_get16(const struct vcpu *vcpu, int id)
{
    uint16_t value = 0;

    uc_reg_read(vcpu->uc, id, &value);
    return value;
}

static uint64_t fpu_get64(const struct vcpu *vcpu, int id)
{
    uint64_t value = 0;

    uc_reg_read(vcpu->uc, id, &value);
    return value;
}

/* The engine has two bits for each register, 3 when it is empty. */
static uint16_t tags_abridge(uint16_t full)
{
    uint16_t tags = 0;

    for (unsigned i = 0; i < X87_COUNT; i++) {
        if ((full >> 2 * i & 3) != 3) {
            tags |= (uint16_t)(1u << i);
        }
    }
    return tags;
}

static uint16_t tags_expand(uint16_t tags)
{
    uint16_t full = 0;

    for (unsigned i = 0; i < X87_COUNT; i++) {
        if (!(tags >> i & 1)) {
            full |= (uint16_t)(3u << 2 * i);
        }
    }
    return full;
}

void vcpu_get_fpu(const struct vcpu *vcpu, struct vcpu_fpu *fpu)
{
    *fpu = (struct vcpu_fpu){
        .control = fpu_get16(vcpu, UC_X86_REG_FPCW),
        .status = fpu_get16(vcpu, UC_X86_REG_FPSW),
        .opcode = fpu_get16(vcpu, UC_X86_REG_FOP),
        .tags = tags_abridge(fpu_get16(vcpu, UC_X86_REG_FPTAG)),
        .cs = fpu_get16(vcpu, UC_X86_REG_FCS),
        .ds = fpu_get16(vcpu, UC_X86_REG_FDS),
        .rip = fpu_get64(vcpu, UC_X86_REG_FIP),
        .dp = fpu_get64(vcpu, UC_X86_REG_FDP),
        .mxcsr = (uint32_t)vcpu_get(vcpu, VCPU_MXCSR),
    };
    for (unsigned i = 0; i < X87_COUNT; i++) {
        uint8_t st[10];

        uc_reg_read(vcpu->uc, UC_X86_REG_ST0 + (int)i, st);
        memcpy(fpu->x87 + 8 * i, st, 8);
        memcpy(fpu->x87 + X87_HIGH + 2 * i, st + 8, 2);
    }
}

void vcpu_set_fpu(struct vcpu *vcpu, const struct vcpu_fpu *fpu)
{
    uint16_t tags = tags_expand(fpu->tags);

    uc_reg_write(vcpu->uc, UC_X86_REG_FPCW, &fpu->control);
    uc_reg_write(vcpu->uc, UC_X86_REG_FPSW, &fpu->status);
    uc_reg_write(vcpu->uc, UC_X86_REG_FOP, &fpu->opcode);
    uc_reg_write(vcpu->uc, UC_X86_REG_FPTAG, &tags);
    uc_reg_write(vcpu->uc, UC_X86_REG_FCS, &fpu->cs);
    uc_reg_write(vcpu->uc, UC_X86_REG_FDS, &fpu->ds);
    uc_reg_write(vcpu->uc, UC_X86_REG_FIP, &fpu->rip);
    uc_reg_write(vcpu->uc, UC_X86_REG_FDP, &fpu->dp);
    vcpu_set(vcpu, VCPU_MXCSR, fpu->mxcsr);
    /* Counted from the top of the stack, which the status word has just set. */
    for (unsigned i = 0; i < X87_COUNT; i++) {
        uint8_t st[10];

        memcpy(st, fpu->x87 + 8 * i, 8);
        memcpy(st + 8, fpu->x87 + X87_HIGH + 2 * i, 2);
        uc_reg_write(vcpu->uc, UC_X86_REG_ST0 + (int)i, st);
    }
}

uint64_t vcpu_get_msr(const struct vcpu *vcpu, uint32_t index)
{
    uc_x86_msr msr = {.rid = index};

    uc_reg_read(vcpu->uc, UC_X86_REG_MSR, &msr);
    return msr.value;
}

void vcpu_set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
    uc_x86_msr msr = {.rid = index, .value = value};

    uc_reg_write(vcpu->uc, UC_X86_REG_MSR, &msr);
    if (index == MSR_EFER) {
        vcpu->efer = vcpu_get_msr(vcpu, MSR_EFER);
    }
}

/* Asked for at each TLB fill: read no more than decides. */
void vcpu_mmu_context(const struct vcpu *vcpu, struct mmu_context *context)
{
    static const int id[] = {UC_X86_REG_CR0, UC_X86_REG_CR3, UC_X86_REG_CR4};
    void *value[] = {&context->cr0, &context->cr3, &context->cr4};

    uc_reg_read_batch(vcpu->uc, id, value, 3);
    context->efer = vcpu->efer & ~EFER_LMA;
    if ((context->cr0 & CR0_PG) && (vcpu->efer & EFER_LME)) {
        context->efer |= EFER_LMA;
    }
    context->rflags = context->cr4 & CR4_SMAP ? vcpu_get(vcpu, VCPU_RFLAGS) : 0;
    context->cpl = vcpu_code(vcpu)->cpl;
    context->vmpl = vcpu_vmpl(vcpu);
    context->virtual_tom_active = vcpu->virtual_tom_active;
    context->virtual_tom = vcpu->virtual_tom;
}

void vcpu_set_virtual_tom(struct vcpu *vcpu, bool active, uint64_t gpa)
{
    if (vcpu->virtual_tom_active != active || (active && vcpu->virtual_tom != gpa)) {
        vcpu_flush(vcpu);
    }
    vcpu->virtual_tom_active = active;
    vcpu->virtual_tom = gpa;
}

unsigned vcpu_vmpl(const struct vcpu *vcpu)
{
    return vcpu->vmpl;
}

void vcpu_set_vmpl(struct vcpu *vcpu, unsigned vmpl)
{
    vcpu->vmpl = vmpl;
    vcpu_ran_switch(vcpu);
}
