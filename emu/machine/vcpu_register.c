/* SPDX-License-Identifier: GPL-2.0-or-later */
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
    static const int id[] = {UC_X86_REG_CR0, UC_X86_REG_CR3, UC_X86_REG_CR4, UC_X86_REG_CS};
    uint64_t cs = 0;
    void *value[] = {&context->cr0, &context->cr3, &context->cr4, &cs};

    uc_reg_read_batch(vcpu->uc, id, value, 4);
    context->efer = vcpu->efer & ~EFER_LMA;
    if ((context->cr0 & CR0_PG) && (vcpu->efer & EFER_LME)) {
        context->efer |= EFER_LMA;
    }
    context->rflags = context->cr4 & CR4_SMAP ? vcpu_get(vcpu, VCPU_RFLAGS) : 0;
    context->cpl = cs & 3;
    context->vmpl = vcpu_vmpl(vcpu);
    context->virtual_tom_active = vcpu->virtual_tom_active;
    context->virtual_tom = vcpu->virtual_tom;
}

void vcpu_set_virtual_tom(struct vcpu *vcpu, bool active, uint64_t gpa)
{
    vcpu->virtual_tom_active = active;
    vcpu->virtual_tom = gpa;
    vcpu_flush(vcpu);
}

unsigned vcpu_vmpl(const struct vcpu *vcpu)
{
    (void)vcpu;
    return 0; /* lower VMPLs do not run yet: creating one is `unmodelled` */
}

void vcpu_enter_long_mode(struct vcpu *vcpu, uint64_t cr0, uint64_t cr3, uint64_t cr4,
                          uint64_t efer)
{
    vcpu_set(vcpu, VCPU_CR4, cr4);
    vcpu_set(vcpu, VCPU_CR3, cr3);
    vcpu_set_msr(vcpu, MSR_EFER, efer);
    vcpu_set(vcpu, VCPU_CR0, cr0);
}
