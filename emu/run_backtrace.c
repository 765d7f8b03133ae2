/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who called whom. Where the image has call frame information, by that; else by what lies on the
 * stack: the frame of an exception, or an address behind a call instruction. Each step goes up the
 * stack, and there are at most RUN_BACKTRACE_MAX.
 */
#include <stdlib.h>

#include "abi/x86.h"
#include "image/unwind.h"
#include "run_internal.h"

#define SCAN_WORDS 128 /* that a guess looks at */
#define IRET_WORDS 5   /* RIP, CS, RFLAGS, RSP, SS */
#define CALL_RELATIVE 0xE8
#define CALL_RELATIVE_SIZE 5
#define GROUP_5 0xFF /* with /2: CALL through a register or memory */
#define GROUP_5_SIZE_MAX 7

struct walk {
    const struct run *run;
    const struct image *program;
    struct mmu_context context;
    struct unwind_registers registers;
    uint64_t cs;
};

static bool walk_read(void *context, uint64_t gva, uint64_t *value)
{
    const struct walk *walk = context;

    return mmu_peek(&walk->run->machine.mmu, &walk->context, gva, value, sizeof(*value)) ==
           sizeof(*value);
}

/* In a function, as far as anybody knows. */
static bool is_code(const struct walk *walk, uint64_t gva)
{
    return walk->program && image_symbol_at(walk->program, gva, NULL) != NULL;
}

/* Is there a call before it? */
static bool is_return(const struct walk *walk, uint64_t gva)
{
    uint8_t bytes[GROUP_5_SIZE_MAX];

    if (!is_code(walk, gva - 1) ||
        mmu_peek(&walk->run->machine.mmu, &walk->context, gva - sizeof(bytes), bytes,
                 sizeof(bytes)) != sizeof(bytes)) {
        return false;
    }
    if (bytes[sizeof(bytes) - CALL_RELATIVE_SIZE] == CALL_RELATIVE) {
        return true;
    }
    for (size_t at = 0; at + 1 < sizeof(bytes); at++) {
        if (bytes[at] == GROUP_5 && (bytes[at + 1] >> 3 & 7) == 2) {
            return true;
        }
    }
    return false;
}

static void walk_set(struct walk *walk, unsigned number, uint64_t value)
{
    walk->registers.value[number] = value;
    walk->registers.known |= 1u << number;
}

/* The five words that an exception pushes: its own code segment is the same as the handler's. */
static bool is_exception(const struct walk *walk, const uint64_t word[IRET_WORDS])
{
    return word[1] == walk->cs && is_code(walk, word[0]) && (word[2] & RFLAGS_FIXED) &&
           word[2] <= UINT32_MAX && word[4] <= UINT16_MAX;
}

/* By the frame pointer, when there is a return address behind what it points to. */
static bool guess_by_pointer(struct walk *walk)
{
    uint64_t rsp = walk->registers.value[UNWIND_RSP], rbp = walk->registers.value[UNWIND_RBP];
    uint64_t before, rip;

    if (!(walk->registers.known >> UNWIND_RBP & 1) || rbp < rsp || rbp % 8 != 0 ||
        rbp > UINT64_MAX - 16 || !walk_read(walk, rbp, &before) ||
        !walk_read(walk, rbp + 8, &rip) || before <= rbp || !is_return(walk, rip)) {
        return false;
    }
    walk_set(walk, UNWIND_RBP, before);
    walk_set(walk, UNWIND_RSP, rbp + 16);
    walk_set(walk, UNWIND_RIP, rip);
    return true;
}

/* The first on the stack that may be it. */
static bool guess_by_stack(struct walk *walk, bool *interrupted)
{
    uint64_t rsp = walk->registers.value[UNWIND_RSP];
    uint64_t word[SCAN_WORDS] = {0};
    size_t count = 0;

    while (count < SCAN_WORDS && walk_read(walk, rsp + 8 * count, &word[count])) {
        count++;
    }
    for (size_t i = 0; i < count; i++) {
        if (i + IRET_WORDS <= count && is_exception(walk, &word[i])) {
            walk_set(walk, UNWIND_RIP, word[i]);
            walk_set(walk, UNWIND_RSP, word[i + 3]);
            *interrupted = true;
            return true;
        }
        if (is_return(walk, word[i])) {
            walk_set(walk, UNWIND_RIP, word[i]);
            walk_set(walk, UNWIND_RSP, rsp + 8 * (i + 1));
            return true;
        }
    }
    return false;
}

/* To the caller. `at`: inside the call, or where the vCPU stands. False: nobody knows. */
static bool walk_up(struct walk *walk, uint64_t at, struct run_frame *caller)
{
    uint64_t rsp = walk->registers.value[UNWIND_RSP];
    struct unwind_registers before = walk->registers;

    *caller = (struct run_frame){0};
    if (walk->program && image_unwind(walk->program, at, &walk->registers, walk_read, walk)) {
        if (!(walk->registers.known >> UNWIND_RIP & 1)) {
            return false; /* it has no caller */
        }
        if (walk->registers.value[UNWIND_RSP] > rsp &&
            is_code(walk, walk->registers.value[UNWIND_RIP] - 1)) {
            return true;
        }
        walk->registers = before;
    }
    caller->guessed = true;
    return guess_by_pointer(walk) || guess_by_stack(walk, &caller->interrupted);
}

static void walk_begin(struct walk *walk, const struct run *run)
{
    static const struct {
        enum vcpu_register reg;
        unsigned number;
    } rows[] = {
        {VCPU_RAX, 0},  {VCPU_RDX, 1},  {VCPU_RCX, 2},  {VCPU_RBX, 3},  {VCPU_RSI, 4},
        {VCPU_RDI, 5},  {VCPU_RBP, 6},  {VCPU_RSP, 7},  {VCPU_R8, 8},   {VCPU_R9, 9},
        {VCPU_R10, 10}, {VCPU_R11, 11}, {VCPU_R12, 12}, {VCPU_R13, 13}, {VCPU_R14, 14},
        {VCPU_R15, 15}, {VCPU_RIP, 16},
    };
    const struct vcpu *vcpu = run->machine.vcpu;

    *walk = (struct walk){.run = run, .program = run_program(run)};
    vcpu_mmu_context(vcpu, &walk->context);
    walk->cs = vcpu_get(vcpu, VCPU_CS);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        walk_set(walk, rows[i].number, vcpu_get(vcpu, rows[i].reg));
    }
}

size_t run_backtrace(const struct run *run, struct run_frame *frame, size_t max)
{
    uint64_t gva = vcpu_code_gva(run->machine.vcpu), at = gva;
    struct run_frame next = {0};
    struct walk walk;
    size_t count = 0;

    /* HLT has retired: the function that ends with it, and not the one behind. */
    if (run->outcome.kind == OUTCOME_HALTED) {
        at = gva - 1;
    }
    max = max < RUN_BACKTRACE_MAX ? max : RUN_BACKTRACE_MAX;
    walk_begin(&walk, run);
    while (count < max) {
        frame[count] = next;
        frame[count].gva = gva;
        image_place_at(walk.program, at, &frame[count].place);
        frame[count].place.gva = gva;
        frame[count].place.offset += gva - at;
        count++;
        if (vcpu_code_bits(run->machine.vcpu) != 64 || !walk_up(&walk, at, &next)) {
            break;
        }
        gva = walk.registers.value[UNWIND_RIP];
        at = next.interrupted ? gva : gva - 1;
    }
    return count;
}

void run_report_backtrace(struct run *run)
{
    struct run_frame *frame;
    size_t count;

    if (!outcome_is_abnormal(&run->outcome) || !trace_active(run->options.trace) ||
        !run->options.trace->places) {
        return;
    }
    frame = calloc(RUN_BACKTRACE_MAX, sizeof(*frame));
    count = frame ? run_backtrace(run, frame, RUN_BACKTRACE_MAX) : 0;
    for (size_t i = 0; i < count; i++) {
        struct event event;

        if (trap_event_begin(&run->trap, &event, "frame", NULL)) {
            event_dec(&event, "number", i);
            if (i > 0) {
                event_string(&event, "how",
                             frame[i].interrupted ? "interrupted"
                             : frame[i].guessed   ? "guessed"
                                                  : "called");
            }
            event.rip = frame[i].gva;
            event.place = frame[i].place;
            event.symbol = event.place.symbol;
            event.full_only = true;
            trap_event_emit(&run->trap, &event);
        }
    }
    free(frame);
}
