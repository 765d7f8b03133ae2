/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/flow.h"

#include <Zydis/Zydis.h>
#include <stdbool.h>

#include "trap/decode.h"

#define INSN_BYTES_MAX 15
/* A value below 2^31 that was looked at is as good as compared with an immediate. */
#define BOUND_BITS_MAX 31

#define FLAGS_ORDER (ZYDIS_CPUFLAG_CF | ZYDIS_CPUFLAG_SF | ZYDIS_CPUFLAG_OF)
#define FLAGS_ANY (FLAGS_ORDER | ZYDIS_CPUFLAG_ZF)

/* One decoded instruction. */
struct source {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
};

/* What the last one that set flags is to be marked with, when a later one looks at them. */
struct pending {
    struct flow_op *op;
    uint16_t on_order, on_zero;
};

/* 0: it carries no values that are followed. */
static uint32_t register_bit(ZydisRegister reg)
{
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

    if (whole >= ZYDIS_REGISTER_RAX && whole <= ZYDIS_REGISTER_R15) {
        return FLOW_BIT(whole - ZYDIS_REGISTER_RAX);
    }
    switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_XMM:
        return FLOW_BIT(16 + (ZydisRegisterGetId(reg) & 15));
    default:
        return 0;
    }
}

static bool is_explicit(const ZydisDecodedOperand *operand)
{
    return operand->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT;
}

static bool is_register(const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_REGISTER;
}

static bool is_immediate(const ZydisDecodedOperand *operand)
{
    return operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

/* The two explicit operands are one register. */
static bool is_same_twice(const struct source *source)
{
    const ZydisDecodedOperand *operand = source->operand;

    return source->insn.operand_count_visible >= 2 && is_register(&operand[0]) &&
           is_register(&operand[1]) && operand[0].reg.value == operand[1].reg.value;
}

/* ---- operands ---- */

static void put_memory(struct flow_op *op, const ZydisDecodedOperand *operand)
{
    uint32_t base = register_bit(operand->mem.base), index = register_bit(operand->mem.index);

    if (operand->mem.type == ZYDIS_MEMOP_TYPE_AGEN) {
        op->reads |= base | index; /* LEA */
        return;
    }
    op->base |= (uint16_t)base;
    op->index |= (uint16_t)index;
    op->flags |= operand->actions & ZYDIS_OPERAND_ACTION_MASK_READ ? FLOW_LOAD : 0;
    op->flags |= operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? FLOW_STORE : 0;
}

static void put_register(struct flow_op *op, const ZydisDecodedOperand *operand)
{
    uint32_t bit = register_bit(operand->reg.value);

    if (bit == FLOW_BIT(FLOW_RSP) && !is_explicit(operand)) {
        return; /* PUSH, CALL: it moves, by a constant */
    }
    /* CMOVcc may leave the old value. */
    if (operand->actions & (ZYDIS_OPERAND_ACTION_MASK_READ | ZYDIS_OPERAND_ACTION_CONDWRITE)) {
        op->reads |= bit;
    }
    if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) {
        op->writes |= bit;
    }
}

static void put_operands(struct flow_op *op, const struct source *source)
{
    for (size_t i = 0; i < source->insn.operand_count; i++) {
        const ZydisDecodedOperand *operand = &source->operand[i];

        if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY) {
            put_memory(op, operand);
        } else if (is_register(operand)) {
            put_register(op, operand);
        }
    }
}

/* ---- what is more than that ---- */

static void put_compare(struct flow_op *op, const struct source *source)
{
    const ZydisDecodedOperand *second = &source->operand[1];
    bool test = source->insn.mnemonic == ZYDIS_MNEMONIC_TEST;

    op->kind = FLOW_COMPARE;
    if (is_immediate(second)) {
        int64_t value = second->imm.value.s;

        /* TEST looks at upper bits, or at some bits. */
        if (test ? value < 0 : value != 0 && value != -1) {
            op->flags |= FLOW_CONSTANT;
        } else {
            op->flags |= FLOW_NOTHING;
        }
    } else if (test || is_same_twice(source)) {
        op->flags |= FLOW_NOTHING;
    }
}

static void put_string(struct flow_op *op, const struct source *source)
{
    uint32_t rax = FLOW_BIT(FLOW_RAX);

    op->kind = FLOW_STRING;
    op->reads &= rax;
    op->writes &= rax;
    if (source->insn.attributes &
        (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)) {
        op->flags |= FLOW_REPEAT;
    }
}

/* A mask has a bound when its sign is not set: it keeps few bits, and low ones. */
static void put_and(struct flow_op *op, const struct source *source)
{
    if (is_immediate(&source->operand[1]) && source->operand[1].imm.value.s >= 0) {
        op->kind = FLOW_CLEAN;
    }
}

/* Zero, from which a counter may start. */
static void put_cleared(struct flow_op *op, const struct source *source)
{
    if (is_same_twice(source)) {
        op->reads = 0;
    }
}

static void put_step(struct flow_op *op, struct pending *pending, const struct source *source)
{
    if (source->insn.operand_count_visible == 1 || is_immediate(&source->operand[1])) {
        pending->on_zero = FLOW_STEPS;
        op->flags |= FLOW_COUNTS;
    } else if (source->insn.mnemonic == ZYDIS_MNEMONIC_SUB) {
        pending->on_order = FLOW_ORDERS;
    }
}

static void put_shift(struct pending *pending, const struct source *source)
{
    const ZydisDecodedOperand *by = &source->operand[1];

    if (is_immediate(by) && by->imm.value.u > 1 && by->imm.value.u <= BOUND_BITS_MAX) {
        pending->on_zero = FLOW_BOUNDS;
    }
}

static void put_move(struct flow_op *op, const struct source *source)
{
    const ZydisDecodedOperand *from = &source->operand[1];

    if (is_register(from) && source->insn.mnemonic == ZYDIS_MNEMONIC_MOVZX) {
        op->kind = FLOW_CLEAN; /* what compilers make of a mask of 8 or 16 bits */
    } else if (is_register(from)) {
        op->flags |= FLOW_MOVES;
    } else if (is_immediate(from)) {
        op->flags |= from->imm.value.u ? FLOW_FIXES : 0;
    } else {
        op->flags |= op->base & (FLOW_BIT(FLOW_RSP) | FLOW_BIT(5)) ? FLOW_COUNTS : FLOW_FIXES;
    }
}

/* LEA of a register's own neighbourhood. */
static void put_address(struct flow_op *op, const struct source *source)
{
    const ZydisDecodedOperandMem *memory = &source->operand[1].mem;

    if (memory->base == source->operand[0].reg.value && memory->index == ZYDIS_REGISTER_NONE) {
        op->flags |= FLOW_COUNTS;
    }
}

static void put_details(struct flow_op *op, struct pending *pending, const struct source *source)
{
    switch (source->insn.mnemonic) {
    case ZYDIS_MNEMONIC_CMP:
    case ZYDIS_MNEMONIC_TEST:
        put_compare(op, source);
        break;
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_MOVZX:
    case ZYDIS_MNEMONIC_MOVSX:
    case ZYDIS_MNEMONIC_MOVSXD:
        put_move(op, source);
        break;
    case ZYDIS_MNEMONIC_AND:
        put_and(op, source);
        break;
    case ZYDIS_MNEMONIC_SUB:
        put_step(op, pending, source);
        put_cleared(op, source);
        break;
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC:
        put_step(op, pending, source);
        break;
    case ZYDIS_MNEMONIC_LEA:
        put_address(op, source);
        break;
    case ZYDIS_MNEMONIC_SHR:
        put_shift(pending, source);
        break;
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_SBB:
    case ZYDIS_MNEMONIC_PXOR:
    case ZYDIS_MNEMONIC_XORPS:
    case ZYDIS_MNEMONIC_XORPD:
        put_cleared(op, source);
        break;
    case ZYDIS_MNEMONIC_BSF:
    case ZYDIS_MNEMONIC_BSR:
    case ZYDIS_MNEMONIC_LZCNT:
    case ZYDIS_MNEMONIC_TZCNT:
    case ZYDIS_MNEMONIC_POPCNT:
        op->kind = FLOW_CLEAN;
        break;
    case ZYDIS_MNEMONIC_DIV:
    case ZYDIS_MNEMONIC_IDIV:
        op->kind = FLOW_DIVIDE;
        break;
    case ZYDIS_MNEMONIC_XCHG:
        op->kind = FLOW_SWAP;
        break;
    default:
        break;
    }
}

/* By what sort of instruction it is. */
static void put_category(struct flow_op *op, const struct source *source)
{
    switch (source->insn.meta.category) {
    case ZYDIS_CATEGORY_CALL:
        op->kind = FLOW_CALL;
        break;
    case ZYDIS_CATEGORY_UNCOND_BR:
        op->kind = FLOW_JUMP;
        break;
    case ZYDIS_CATEGORY_NOP:
    case ZYDIS_CATEGORY_WIDENOP:
    case ZYDIS_CATEGORY_PREFETCH:
    case ZYDIS_CATEGORY_RET:
        op->reads = op->writes = 0;
        op->base = op->index = 0;
        break;
    case ZYDIS_CATEGORY_STRINGOP:
        put_string(op, source);
        break;
    case ZYDIS_CATEGORY_SETCC:
        op->kind = FLOW_CLEAN;
        break;
    default:
        break;
    }
}

/* Instructions that the emulator executes. */
static void put_emulated(struct flow_op *op, const struct insn *insn)
{
    static const struct {
        enum insn_id id;
        enum flow_kind kind;
        uint16_t base;
        uint32_t writes;
    } rows[] = {
        {INSN_RDMSR, FLOW_MSR_READ, 0, FLOW_BIT(FLOW_RAX) | FLOW_BIT(FLOW_RDX)},
        {INSN_WRMSR, FLOW_MSR_WRITE, 0, 0},
        {INSN_RDTSC, FLOW_CLEAN, 0, FLOW_BIT(FLOW_RAX) | FLOW_BIT(FLOW_RDX)},
        {INSN_RDTSCP, FLOW_CLEAN, 0, FLOW_BIT(FLOW_RAX) | FLOW_BIT(FLOW_RCX) | FLOW_BIT(FLOW_RDX)},
        {INSN_PVALIDATE, FLOW_CLEAN, FLOW_BIT(FLOW_RAX), FLOW_BIT(FLOW_RAX)},
        {INSN_RMPADJUST, FLOW_CLEAN, FLOW_BIT(FLOW_RAX), FLOW_BIT(FLOW_RAX)},
        {INSN_RMPQUERY, FLOW_CLEAN, FLOW_BIT(FLOW_RAX),
         FLOW_BIT(FLOW_RAX) | FLOW_BIT(FLOW_RCX) | FLOW_BIT(FLOW_RDX)},
        {INSN_CLZERO, FLOW_CLEAN, FLOW_BIT(FLOW_RAX), 0},
    };

    op->kind = FLOW_CLEAN;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].id == insn->id) {
            op->kind = (uint8_t)rows[i].kind;
            op->base = rows[i].base;
            op->writes = rows[i].writes;
        }
    }
    if (insn->id == INSN_RDRAND || insn->id == INSN_RDSEED ||
        (insn->id == INSN_MOV_DR && !insn->writes)) {
        op->writes = FLOW_BIT(insn->reg & 15);
    }
}

/* ---- blocks ---- */

static void mark_flags(struct pending *pending, const struct source *source)
{
    uint32_t tested = source->insn.cpu_flags ? source->insn.cpu_flags->tested : 0;

    if (!pending->op) {
        return;
    }
    if (tested & FLAGS_ORDER) {
        pending->op->flags |= pending->on_order;
    }
    if (tested & ZYDIS_CPUFLAG_ZF) {
        pending->op->flags |= pending->on_zero;
    }
}

static bool decode_one(const uint8_t *bytes, size_t size, struct flow_op *op,
                       struct pending *pending)
{
    struct pending fresh = {.op = op};
    struct source source;
    ZydisDecoder decoder;
    struct insn insn;

    decode_insn(bytes, size, 64, &insn);
    op->length = insn.length;
    if (insn.id != INSN_OTHER) {
        put_emulated(op, &insn);
        return insn.length != 0;
    }
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, bytes, size, &source.insn, source.operand))) {
        return false;
    }
    mark_flags(pending, &source);
    put_operands(op, &source);
    put_category(op, &source);
    put_details(op, &fresh, &source);
    if (op->kind == FLOW_CLEAN) {
        op->reads = 0;
        op->flags |= FLOW_FIXES;
    }
    if (source.insn.cpu_flags && (source.insn.cpu_flags->modified & FLAGS_ANY)) {
        *pending = fresh;
    }
    return true;
}

size_t flow_decode(const uint8_t *bytes, size_t size_bytes, struct flow_op *op, size_t max)
{
    struct pending pending = {0};
    size_t at = 0, count = 0;

    while (at < size_bytes && count < max) {
        size_t left = size_bytes - at < INSN_BYTES_MAX ? size_bytes - at : INSN_BYTES_MAX;

        op[count] = (struct flow_op){.offset = (uint16_t)at};
        if (!decode_one(bytes + at, left, &op[count], &pending)) {
            break;
        }
        at += op[count++].length;
    }
    return count;
}
