/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "image/unwind.h"

#include <stdlib.h>

#include "image/dwarf.h"

#define STACK_MAX 16 /* operands of an expression */
#define OPS_MAX 64   /* operations of one */

struct machine {
    const struct unwind_registers *registers;
    uint64_t cfa;
    unwind_read *read;
    void *context;
    uint64_t stack[STACK_MAX];
    size_t depth;
    bool is_value; /* the result is what the register holds, not where that is */
};

static bool push(struct machine *machine, uint64_t value)
{
    if (machine->depth == STACK_MAX) {
        return false;
    }
    machine->stack[machine->depth++] = value;
    return true;
}

static bool push_register(struct machine *machine, uint64_t number, uint64_t offset)
{
    return number < UNWIND_REGISTERS && (machine->registers->known >> number & 1) &&
           push(machine, machine->registers->value[number] + offset);
}

static bool two_operands(struct machine *machine, unsigned atom)
{
    uint64_t *to, from;

    if (machine->depth < 2) {
        return false;
    }
    from = machine->stack[--machine->depth];
    to = &machine->stack[machine->depth - 1];
    *to = atom == DW_OP_plus    ? *to + from
          : atom == DW_OP_minus ? *to - from
          : atom == DW_OP_and   ? (*to & from)
          : atom == DW_OP_shl   ? (from < 64 ? *to << from : 0)
                                : (uint64_t)((int64_t)*to >= (int64_t)from);
    return true;
}

/* What compilers and linkers write for x86-64; anything else is refused. */
static bool operate(struct machine *machine, const Dwarf_Op *op)
{
    uint64_t *top = machine->depth ? &machine->stack[machine->depth - 1] : NULL;

    if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
        return push_register(machine, op->atom - DW_OP_breg0, op->number);
    }
    if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) {
        return push(machine, op->atom - DW_OP_lit0);
    }
    switch (op->atom) {
    case DW_OP_bregx:
        return push_register(machine, op->number, op->number2);
    case DW_OP_call_frame_cfa:
        return push(machine, machine->cfa);
    case DW_OP_const1u:
    case DW_OP_const1s:
    case DW_OP_const2u:
    case DW_OP_const2s:
    case DW_OP_const4u:
    case DW_OP_const4s:
    case DW_OP_const8u:
    case DW_OP_const8s:
    case DW_OP_constu:
    case DW_OP_consts:
        return push(machine, op->number);
    case DW_OP_plus_uconst:
        if (top) {
            *top += op->number;
        }
        return top != NULL;
    case DW_OP_deref:
        return top && machine->read(machine->context, *top, top);
    case DW_OP_plus:
    case DW_OP_minus:
    case DW_OP_and:
    case DW_OP_shl:
    case DW_OP_ge: /* where a PLT's entry is */
        return two_operands(machine, op->atom);
    case DW_OP_stack_value:
        machine->is_value = true;
        return true;
    default:
        return false;
    }
}

static bool evaluate(struct machine *machine, const Dwarf_Op *ops, size_t count, uint64_t *result)
{
    machine->depth = 0;
    machine->is_value = false;
    if (count == 0 || count > OPS_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!operate(machine, &ops[i])) {
            return false;
        }
    }
    *result = machine->depth ? machine->stack[machine->depth - 1] : 0;
    return machine->depth > 0;
}

/* One register of the caller. False: the rule makes no sense. */
static bool recover(Dwarf_Frame *frame, struct machine *machine, int number,
                    struct unwind_registers *caller)
{
    Dwarf_Op memory[3], *ops;
    size_t count;
    uint64_t value;
    uint32_t bit = 1u << number;

    if (dwarf_frame_register(frame, number, memory, &ops, &count) != 0) {
        return false;
    }
    if (count == 0) {
        /* The same as in the caller, or lost. RSP is what the CFA is by the ABI. */
        if (number == UNWIND_RSP) {
            caller->value[number] = machine->cfa;
            caller->known |= bit;
        } else if (ops) {
            caller->known &= ~bit;
        }
        return true;
    }
    if (!evaluate(machine, ops, count, &value) ||
        (!machine->is_value && !machine->read(machine->context, value, &value))) {
        return false;
    }
    caller->value[number] = value;
    caller->known |= bit;
    return true;
}

static bool unwind_frame(Dwarf_Frame *frame, struct unwind_registers *registers, unwind_read *read,
                         void *context)
{
    struct machine machine = {.registers = registers, .read = read, .context = context};
    struct unwind_registers caller = *registers;
    Dwarf_Op *ops;
    size_t count;

    if (dwarf_frame_cfa(frame, &ops, &count) != 0 ||
        !evaluate(&machine, ops, count, &machine.cfa)) {
        return false;
    }
    /* An undefined return address says that there is no caller. */
    caller.known &= ~(1u << UNWIND_RIP);
    for (int number = 0; number < UNWIND_REGISTERS; number++) {
        if (!recover(frame, &machine, number, &caller)) {
            return false;
        }
    }
    *registers = caller;
    return true;
}

static bool unwind_with(Dwarf_CFI *cfi, uint64_t gva, struct unwind_registers *registers,
                        unwind_read *read, void *context)
{
    Dwarf_Frame *frame = NULL;
    bool done;

    if (!cfi || dwarf_cfi_addrframe(cfi, gva, &frame) != 0) {
        return false;
    }
    done = unwind_frame(frame, registers, read, context);
    free(frame);
    return done;
}

bool image_unwind(const struct image *image, uint64_t gva, struct unwind_registers *registers,
                  unwind_read *read, void *context)
{
    struct image_file *file = image->file;
    Dwarf *dwarf = dwarf_of_image(file);

    if (!file->eh_frame_asked && file->dwarf_elf) {
        file->eh_frame_asked = true;
        file->eh_frame = dwarf_getcfi_elf(file->dwarf_elf);
    }
    return (dwarf && unwind_with(dwarf_getcfi(dwarf), gva, registers, read, context)) ||
           unwind_with(file->eh_frame, gva, registers, read, context);
}
