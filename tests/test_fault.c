/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trap/fault.c and trap/trap.c: exceptions through the guest's own IDT, with exact frames, and what
 * becomes of those that cannot be delivered.
 *
 * Source of the expectations: AMD APM Vol 2 (24593) 8.2 (vectors), 8.2.9 (double faults), 8.4
 * (error codes), 8.9 (long-mode control transfers, IST), 15.35.5 and 15.36.10 (#VC).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "guest_builder.h"

#define CODE(...)                                                                                  \
    sizeof((uint8_t[]){__VA_ARGS__}),                                                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define AT(gva) (uint8_t)(gva), (uint8_t)((gva) >> 8), (uint8_t)((gva) >> 16), 0

#define NOWHERE GUEST_UNMAPPED        /* no translation */
#define INVALID (GUEST_DATA + 0x4000) /* assigned, not validated */
#define READ_ONLY (GUEST_DATA + 0x9000)
#define NO_EXECUTE (GUEST_DATA + 0x6000)
#define RESERVED (GUEST_DATA + 0x7000)     /* a reserved bit in its entry */
#define DATA_END (GUEST_SHARED + 0x10000)  /* the last mapped page ends here */
#define BAD_SELECTOR (GUEST_DATA + 0x3000) /* holds 0xFFF8 */
#define NON_CANONICAL 0x0000900000000000ULL

#define NO_CODE UINT32_MAX
#define ANY_CR2 0

static struct guest guest;

static void setup(void)
{
    guest_open(&guest);
    guest_store(&guest, BAD_SELECTOR, 0xFFF8);
    guest_rmp(&guest, GUEST_GPA + INVALID)->flags = RMP_ASSIGNED;
    *guest_entry(&guest, READ_ONLY, 1) &= ~PTE_WRITE;
    *guest_entry(&guest, NO_EXECUTE, 1) |= PTE_NX;
    *guest_entry(&guest, RESERVED, 1) |= 1ULL << 50;
}

static void teardown(void)
{
    guest_close(&guest);
}

/* ---- frames ---- */

struct frame {
    uint64_t rip, cs, rflags, rsp, ss;
};

static void check_frame(const char *name, uint64_t rsp, uint32_t error_code,
                        const struct frame *want)
{
    const uint64_t words[] = {want->rip, want->cs, want->rflags, want->rsp, want->ss};
    static const char *const names[] = {"RIP", "CS", "RFLAGS", "RSP", "SS"};

    ck_assert_msg(guest_get(&guest, VCPU_RSP) == rsp, "%s: RSP 0x%llx, should be 0x%llx", name,
                  (unsigned long long)guest_get(&guest, VCPU_RSP), (unsigned long long)rsp);
    if (error_code != NO_CODE) {
        ck_assert_msg(guest_load(&guest, rsp) == error_code, "%s: error code 0x%llx", name,
                      (unsigned long long)guest_load(&guest, rsp));
        rsp += 8;
    }
    for (size_t i = 0; i < COUNT(words); i++) {
        ck_assert_msg(guest_load(&guest, rsp + i * 8) == words[i],
                      "%s: %s in the frame is 0x%llx, should be 0x%llx", name, names[i],
                      (unsigned long long)guest_load(&guest, rsp + i * 8),
                      (unsigned long long)words[i]);
    }
}

static void check_vector(const char *name, int vector)
{
    ck_assert_msg(guest.outcome.kind == OUTCOME_HALTED, "%s: %s, %s", name,
                  outcome_name(guest.outcome.kind), guest.outcome.detail);
    ck_assert_msg(guest_halted_in(&guest) == vector, "%s: vector %d", name,
                  guest_halted_in(&guest));
}

/* ---- every kind of fault, with its error code, CR2 and RIP ---- */

#define START_RSP (GUEST_STACK_TOP - 0x105) /* so that the frame's alignment shows */
#define START_RFLAGS (RFLAGS_FIXED | RFLAGS_CF | RFLAGS_SF | RFLAGS_IF | RFLAGS_NT)

static const struct {
    const char *name;
    uint8_t size;
    uint8_t code[16];
    int vector;
    uint32_t error_code;
    uint64_t cr2;
    uint8_t rip; /* offset */
} fault_rows[] = {
    {"ud2", CODE(0x90, 0x0F, 0x0B), VECTOR_UD, NO_CODE, ANY_CR2, 1},
    {"an opcode that does not exist", CODE(0x06), VECTOR_UD, NO_CODE, ANY_CR2, 0},
    {"lock rdmsr", CODE(0x90, 0xF0, 0x0F, 0x32), VECTOR_UD, NO_CODE, ANY_CR2, 1},
    {"rmpquery", CODE(0xF3, 0x0F, 0x01, 0xFD), VECTOR_UD, NO_CODE, ANY_CR2, 0},
    {"div by zero", CODE(0x90, 0xF7, 0xF5), VECTOR_DE, NO_CODE, ANY_CR2, 1},
    {"div overflows", CODE(0x48, 0xF7, 0xF3), VECTOR_DE, NO_CODE, ANY_CR2, 0},
    {"idiv overflows", CODE(0x48, 0xF7, 0xFB), VECTOR_DE, NO_CODE, ANY_CR2, 0},
    /* #GP and #SS */
    {"load, non-canonical", CODE(0x90, 0x48, 0x8B, 0x06), VECTOR_GP, 0, ANY_CR2, 1},
    {"store, non-canonical", CODE(0x48, 0x89, 0x06), VECTOR_GP, 0, ANY_CR2, 0},
    {"load through RBP, non-canonical", CODE(0x48, 0x8B, 0x04, 0x2E), VECTOR_GP, 0, ANY_CR2, 0},
    {"load through [rbp+rsi], the stack's segment", CODE(0x48, 0x8B, 0x44, 0x35, 0x00), VECTOR_SS,
     0, ANY_CR2, 0},
    {"bad selector into DS", CODE(0x90, 0x8E, 0x1C, 0x25, AT(BAD_SELECTOR)), VECTOR_GP, 0xFFF8,
     ANY_CR2, 1},
    {"bad selector in a register, RPL dropped", CODE(0x66, 0xB8, 0x53, 0x00, 0x8E, 0xC0), VECTOR_GP,
     0x50, ANY_CR2, 4},
    {"local descriptor table, which is empty", CODE(0x66, 0xB8, 0x0C, 0x00, 0x8E, 0xE0), VECTOR_GP,
     0x0C, ANY_CR2, 4},
    {"a null selector into DS is allowed", CODE(0x31, 0xC0, 0x8E, 0xD8, 0x0F, 0x0B), VECTOR_UD,
     NO_CODE, ANY_CR2, 4},
    /* #PF */
    {"load, not present", CODE(0x90, 0x48, 0x8B, 0x04, 0x25, AT(NOWHERE + 0x123)), VECTOR_PF, 0,
     NOWHERE + 0x123, 1},
    {"store, not present", CODE(0x88, 0x04, 0x25, AT(NOWHERE + 0xFFF)), VECTOR_PF, PF_WRITE,
     NOWHERE + 0xFFF, 0},
    {"add to memory, not present", CODE(0x48, 0x01, 0x04, 0x25, AT(NOWHERE + 8)), VECTOR_PF,
     PF_WRITE, NOWHERE + 8, 0},
    {"lock add, not present", CODE(0xF0, 0x48, 0x01, 0x04, 0x25, AT(NOWHERE + 8)), VECTOR_PF,
     PF_WRITE, NOWHERE + 8, 0},
    {"cmp with memory, not present", CODE(0x48, 0x39, 0x04, 0x25, AT(NOWHERE + 8)), VECTOR_PF, 0,
     NOWHERE + 8, 0},
    {"store, read-only", CODE(0x88, 0x04, 0x25, AT(READ_ONLY + 5)), VECTOR_PF,
     PF_PRESENT | PF_WRITE, READ_ONLY + 5, 0},
    {"add to memory, read-only", CODE(0x01, 0x04, 0x25, AT(READ_ONLY + 4)), VECTOR_PF,
     PF_PRESENT | PF_WRITE, READ_ONLY + 4, 0},
    {"load, reserved bit", CODE(0x8A, 0x04, 0x25, AT(RESERVED + 1)), VECTOR_PF,
     PF_PRESENT | PF_RESERVED, RESERVED + 1, 0},
    {"load across a page's end, the second not present",
     CODE(0x48, 0x8B, 0x04, 0x25, AT(DATA_END - 3)), VECTOR_PF, 0, DATA_END, 0},
    {"store across a page's end", CODE(0x48, 0x89, 0x04, 0x25, AT(DATA_END - 3)), VECTOR_PF,
     PF_WRITE, DATA_END, 0},
    {"store across into the first page", CODE(0x48, 0x89, 0x04, 0x25, AT(READ_ONLY - 3)), VECTOR_PF,
     PF_PRESENT | PF_WRITE, READ_ONLY, 0},
    {"load, gs", CODE(0x65, 0x8A, 0x04, 0x25, 0x10, 0, 0, 0), VECTOR_PF, 0, NOWHERE + 0x1010, 0},
    {"movsb, the source", CODE(0xBE, AT(NOWHERE + 7), 0xBF, AT(GUEST_DATA), 0xA4), VECTOR_PF, 0,
     NOWHERE + 7, 10},
    {"movsb, the destination", CODE(0xBE, AT(GUEST_DATA), 0xBF, AT(NOWHERE + 7), 0xA4), VECTOR_PF,
     PF_WRITE, NOWHERE + 7, 10},
    {"movsb inside a read-only page", CODE(0xBE, AT(READ_ONLY + 1), 0xBF, AT(READ_ONLY + 9), 0xA4),
     VECTOR_PF, PF_PRESENT | PF_WRITE, READ_ONLY + 9, 10},
    {"jump, not present", CODE(0xB8, AT(NOWHERE + 0x45), 0xFF, 0xE0), VECTOR_PF, PF_FETCH,
     NOWHERE + 0x45, 0xFF},
    {"jump, not executable", CODE(0xB8, AT(NO_EXECUTE + 0x45), 0xFF, 0xE0), VECTOR_PF,
     PF_PRESENT | PF_FETCH, NO_EXECUTE + 0x45, 0xFF},
    /* #VC */
    {"cpuid", CODE(0x90, 0x0F, 0xA2), VECTOR_VC, 0x72, ANY_CR2, 1},
    {"in al, dx", CODE(0xEC), VECTOR_VC, 0x7B, ANY_CR2, 0},
    {"out imm8, al", CODE(0xE6, 0x80), VECTOR_VC, 0x7B, ANY_CR2, 0},
    {"rep outsb", CODE(0xF3, 0x6E), VECTOR_VC, 0x7B, ANY_CR2, 0},
    {"vmmcall", CODE(0x0F, 0x01, 0xD9), VECTOR_VC, 0x81, ANY_CR2, 0},
    {"load before validation", CODE(0x8A, 0x04, 0x25, AT(INVALID + 0x123)), VECTOR_VC, 0x404,
     INVALID + 0x123, 0},
    {"store before validation", CODE(0x88, 0x04, 0x25, AT(INVALID + 0x123)), VECTOR_VC, 0x404,
     INVALID + 0x123, 0},
    {"jump before validation", CODE(0xB8, AT(INVALID + 0x40), 0xFF, 0xE0), VECTOR_VC, 0x404,
     INVALID + 0x40, 0xFF},
};

static void start(const uint8_t *code, size_t size)
{
    guest_code(&guest, code, size);
    guest_set(&guest, VCPU_RAX, 0x1234);
    guest_set(&guest, VCPU_RBX, 1);
    guest_set(&guest, VCPU_RDX, 0x5555);
    guest_set(&guest, VCPU_RSI, NON_CANONICAL);
    guest_set(&guest, VCPU_RBP, 0);
    guest_set(&guest, VCPU_GS_BASE, NOWHERE + 0x1000);
    guest_set(&guest, VCPU_RSP, START_RSP);
    guest_set(&guest, VCPU_RFLAGS, START_RFLAGS);
}

START_TEST(fault_table)
{
    const char *name = fault_rows[_i].name;
    struct frame want = {.cs = GUEST_CS, .rflags = START_RFLAGS | RFLAGS_RF, .rsp = START_RSP};
    uint64_t rsp = (START_RSP & ~15ULL) - (fault_rows[_i].error_code == NO_CODE ? 40 : 48);
    uint64_t flags;

    want.rip = fault_rows[_i].rip == 0xFF ? fault_rows[_i].cr2 : GUEST_CODE + fault_rows[_i].rip;
    for (unsigned time = 0; time < 2; time++) {
        start(fault_rows[_i].code, fault_rows[_i].size);
        guest_set(&guest, VCPU_CR2, 0x77);
        guest_run(&guest);
        check_vector(name, fault_rows[_i].vector);
        /* What executed before may have changed the flags; those of the frame are in the handler's.
         */
        flags = guest_load(&guest, rsp + (fault_rows[_i].error_code == NO_CODE ? 16 : 24));
        if (fault_rows[_i].rip != 0) {
            want.rflags = flags;
            ck_assert_msg((flags & (RFLAGS_RF | RFLAGS_IF | RFLAGS_NT)) ==
                              (RFLAGS_RF | RFLAGS_IF | RFLAGS_NT),
                          "%s: RFLAGS 0x%llx", name, (unsigned long long)flags);
        }
        check_frame(name, rsp, fault_rows[_i].error_code, &want);
        ck_assert_msg(guest_get(&guest, VCPU_CR2) ==
                          (fault_rows[_i].cr2 == ANY_CR2 ? 0x77 : fault_rows[_i].cr2),
                      "%s: CR2 0x%llx", name, (unsigned long long)guest_get(&guest, VCPU_CR2));
        ck_assert_msg(guest_get(&guest, VCPU_RFLAGS) ==
                          (want.rflags & ~(RFLAGS_RF | RFLAGS_IF | RFLAGS_NT)),
                      "%s: RFLAGS in the handler 0x%llx", name,
                      (unsigned long long)guest_get(&guest, VCPU_RFLAGS));
        ck_assert_uint_eq(guest_get(&guest, VCPU_CS), GUEST_CS);
    }
}
END_TEST

/* A #PF in a REP leaves the registers where the iterations have got to. */
START_TEST(fault_inside_a_rep)
{
    start((const uint8_t[]){0xF3, 0xAA}, 2);
    guest_set(&guest, VCPU_RCX, 9);
    guest_set(&guest, VCPU_RDI, DATA_END - 4);
    guest_run(&guest);
    check_vector("rep stosb", VECTOR_PF);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RCX), 5);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RDI), DATA_END);
    ck_assert_uint_eq(guest_get(&guest, VCPU_CR2), DATA_END);
    ck_assert_uint_eq(guest_load(&guest, guest_get(&guest, VCPU_RSP) + 8), GUEST_CODE);
}
END_TEST

/* Faults of pushes and calls need another stack for their frames. */
static const struct {
    const char *name;
    uint8_t size;
    uint8_t code[8];
    uint64_t rsp;
    int vector;
    uint32_t error_code;
    uint64_t cr2;
} stack_rows[] = {
    {"push", CODE(0x50), NOWHERE + 0x100, VECTOR_PF, PF_WRITE, NOWHERE + 0xF8},
    {"push ax", CODE(0x66, 0x50), NOWHERE + 0x100, VECTOR_PF, PF_WRITE, NOWHERE + 0xFE},
    {"pushfq", CODE(0x9C), NOWHERE + 0x100, VECTOR_PF, PF_WRITE, NOWHERE + 0xF8},
    {"call", CODE(0xE8, 0, 0, 0, 0), NOWHERE + 0x100, VECTOR_PF, PF_WRITE, NOWHERE + 0xF8},
    {"pop", CODE(0x58), NOWHERE + 0x100, VECTOR_PF, 0, NOWHERE + 0x100},
    {"ret", CODE(0xC3), NOWHERE + 0x100, VECTOR_PF, 0, NOWHERE + 0x100},
    {"iretq", CODE(0x48, 0xCF), NOWHERE + 0x100, VECTOR_PF, 0, NOWHERE + 0x100},
    {"push before validation", CODE(0x50), INVALID + 0x100, VECTOR_VC, 0x404, INVALID + 0xF8},
    {"push, non-canonical", CODE(0x50), NON_CANONICAL, VECTOR_SS, 0, ANY_CR2},
    {"pop, non-canonical", CODE(0x58), NON_CANONICAL, VECTOR_SS, 0, ANY_CR2},
    {"ret, non-canonical", CODE(0xC3), NON_CANONICAL, VECTOR_SS, 0, ANY_CR2},
};

START_TEST(stack_table)
{
    const char *name = stack_rows[_i].name;
    unsigned vector = (unsigned)stack_rows[_i].vector;
    struct frame want = {
        .rip = GUEST_CODE,
        .cs = GUEST_CS,
        .rflags = (START_RFLAGS & ~RFLAGS_NT) | RFLAGS_RF, /* IRETQ does not like NT */
        .rsp = stack_rows[_i].rsp,
    };

    guest_gate(&guest, vector, GUEST_CS, GUEST_HANDLERS + 16 * vector, 1, GUEST_GATE_INTERRUPT);
    start(stack_rows[_i].code, stack_rows[_i].size);
    guest_set(&guest, VCPU_RFLAGS, START_RFLAGS & ~RFLAGS_NT);
    guest_set(&guest, VCPU_RSP, stack_rows[_i].rsp);
    guest_run(&guest);
    check_vector(name, stack_rows[_i].vector);
    check_frame(name, GUEST_IST_TOP - 48, stack_rows[_i].error_code, &want);
    ck_assert_msg(stack_rows[_i].cr2 == ANY_CR2 ||
                      guest_get(&guest, VCPU_CR2) == stack_rows[_i].cr2,
                  "%s: CR2 0x%llx", name, (unsigned long long)guest_get(&guest, VCPU_CR2));
}
END_TEST

/* ---- gates ---- */

START_TEST(interrupt_and_trap_gates)
{
    static const struct {
        uint8_t type;
        uint64_t kept;
    } rows[] = {{GUEST_GATE_INTERRUPT, 0}, {GUEST_GATE_TRAP, RFLAGS_IF}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        guest_gate(&guest, VECTOR_UD, GUEST_CS, GUEST_HANDLERS + 16 * VECTOR_UD, 0, rows[i].type);
        start((const uint8_t[]){0x0F, 0x0B}, 2);
        guest_run(&guest);
        check_vector("gate", VECTOR_UD);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RFLAGS) & (RFLAGS_IF | RFLAGS_NT | RFLAGS_RF),
                          rows[i].kept);
    }
}
END_TEST

START_TEST(interrupt_stacks)
{
    for (uint8_t ist = 1; ist <= 7; ist++) {
        uint64_t top = GUEST_IST_TOP - ist * 0x100 + 5; /* aligned by the processor */

        guest_store(&guest, GUEST_TSS + 0x24 + 8 * (ist - 1), top);
        guest_gate(&guest, VECTOR_UD, GUEST_CS, GUEST_HANDLERS + 16 * VECTOR_UD, ist,
                   GUEST_GATE_INTERRUPT);
        start((const uint8_t[]){0x0F, 0x0B}, 2);
        guest_run(&guest);
        check_vector("ist", VECTOR_UD);
        check_frame("ist", (top & ~15ULL) - 40, NO_CODE,
                    &(struct frame){.rip = GUEST_CODE,
                                    .cs = GUEST_CS,
                                    .rflags = START_RFLAGS | RFLAGS_RF,
                                    .rsp = START_RSP});
    }
}
END_TEST

/* The handler runs with the gate's selector, and IRETQ goes back to the old one. */
START_TEST(gate_selector_is_loaded)
{
    /* mov rcx, cs; mov [rsp-8], cs...: the handler keeps CS in RCX and returns behind the ud2 */
    static const uint8_t handler[] = {0x48, 0x8C, 0xC9, 0x48, 0x83, 0x04, 0x24, 0x02, 0x48, 0xCF};
    /* ud2; mov rbx, cs; hlt */
    static const uint8_t code[] = {0x0F, 0x0B, 0x48, 0x8C, 0xCB, 0xF4};

    guest_gate(&guest, VECTOR_UD, GUEST_CS_OTHER, GUEST_HANDLERS + 16 * VECTOR_UD, 0,
               GUEST_GATE_INTERRUPT);
    guest_handler(&guest, VECTOR_UD, handler, sizeof(handler));
    start(code, sizeof(code));
    guest_run(&guest);
    check_vector("back", -1);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RCX), GUEST_CS_OTHER);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RBX), GUEST_CS);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RSP), START_RSP);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RFLAGS), START_RFLAGS);
}
END_TEST

/* A #UD that cannot be delivered becomes something else. */
#define UD_IDT (VECTOR_UD * 8 + 2) /* error code: its gate */

struct gate_bend {
    uint16_t selector;
    uint64_t target;
    uint8_t ist, type;
};

static const struct {
    const char *name;
    struct gate_bend gate;
    uint32_t idt_limit; /* 0: as it is */
    uint16_t tr;        /* 0: none is loaded, 1: as it is, else a selector */
    uint32_t tss_limit; /* 0: as it is */
    int vector;
    uint32_t error_code;
} gate_rows[] = {
    {"a good gate", {GUEST_CS, 0, 0, GUEST_GATE_INTERRUPT}, 0, 1, 0, VECTOR_UD, NO_CODE},
    {"not present", {GUEST_CS, 0, 0, 0x0E}, 0, 1, 0, VECTOR_NP, UD_IDT},
    {"all zero", {0, 0, 0, 0}, 0, 1, 0, VECTOR_GP, UD_IDT},
    {"a task gate", {GUEST_CS, 0, 0, 0x85}, 0, 1, 0, VECTOR_GP, UD_IDT},
    {"a call gate", {GUEST_CS, 0, 0, 0x8C}, 0, 1, 0, VECTOR_GP, UD_IDT},
    {"a 16-bit interrupt gate", {GUEST_CS, 0, 0, 0x86}, 0, 1, 0, VECTOR_GP, UD_IDT},
    {"DPL does not matter for a fault", {GUEST_CS, 0, 0, 0xEE}, 0, 1, 0, VECTOR_UD, NO_CODE},
    {"null selector", {0, 0, 0, GUEST_GATE_INTERRUPT}, 0, 1, 0, VECTOR_GP, 0},
    {"null selector with RPL", {3, 0, 0, GUEST_GATE_INTERRUPT}, 0, 1, 0, VECTOR_GP, 0},
    {"beyond the GDT", {0x50, 0, 0, GUEST_GATE_INTERRUPT}, 0, 1, 0, VECTOR_GP, 0x50},
    {"a data segment", {GUEST_DS, 0, 0, GUEST_GATE_INTERRUPT}, 0, 1, 0, VECTOR_GP, GUEST_DS},
    {"a 32-bit segment",
     {GUEST_CS_32, 0, 0, GUEST_GATE_INTERRUPT},
     0,
     1,
     0,
     VECTOR_GP,
     GUEST_CS_32},
    {"a segment of less privilege",
     {GUEST_USER_CS, 0, 0, GUEST_GATE_INTERRUPT},
     0,
     1,
     0,
     VECTOR_GP,
     GUEST_USER_CS & ~3},
    {"the segment is not present",
     {GUEST_CS_NOT_PRESENT, 0, 0, GUEST_GATE_INTERRUPT},
     0,
     1,
     0,
     VECTOR_NP,
     GUEST_CS_NOT_PRESENT},
    {"RPL of the gate's selector is ignored",
     {GUEST_CS | 3, 0, 0, GUEST_GATE_INTERRUPT},
     0,
     1,
     0,
     VECTOR_UD,
     NO_CODE},
    {"non-canonical target",
     {GUEST_CS, NON_CANONICAL, 0, GUEST_GATE_INTERRUPT},
     0,
     1,
     0,
     VECTOR_GP,
     0},
    {"IST without a TSS", {GUEST_CS, 0, 1, GUEST_GATE_INTERRUPT}, 0, 0, 0, VECTOR_TS, 0},
    {"IST beyond the TSS", {GUEST_CS, 0, 7, GUEST_GATE_INTERRUPT}, 0, 1, 0x5A, VECTOR_TS, GUEST_TR},
    {"IST at the TSS's end",
     {GUEST_CS, 0, 1, GUEST_GATE_INTERRUPT},
     0,
     1,
     0x2B,
     VECTOR_UD,
     NO_CODE},
};

static void bend_gate(const struct gate_bend *gate)
{
    guest_gate(&guest, VECTOR_UD, gate->selector,
               gate->target ? gate->target : GUEST_HANDLERS + 16 * VECTOR_UD, gate->ist,
               gate->type);
}

START_TEST(gate_table)
{
    const char *name = gate_rows[_i].name;
    bool ist = gate_rows[_i].gate.ist && gate_rows[_i].vector == VECTOR_UD;
    struct frame want = {
        .rip = GUEST_CODE,
        .cs = GUEST_CS,
        .rflags = START_RFLAGS | RFLAGS_RF,
        .rsp = START_RSP,
    };
    struct vcpu_table tr;

    bend_gate(&gate_rows[_i].gate);
    vcpu_get_table(guest.machine.vcpu, VCPU_TR, &tr);
    tr.selector = gate_rows[_i].tr == 1 ? tr.selector : gate_rows[_i].tr;
    tr.limit = gate_rows[_i].tss_limit ? gate_rows[_i].tss_limit : tr.limit;
    vcpu_set_table(guest.machine.vcpu, VCPU_TR, &tr);
    start((const uint8_t[]){0x0F, 0x0B}, 2);
    guest_run(&guest);
    check_vector(name, gate_rows[_i].vector);
    check_frame(name,
                (ist ? GUEST_IST_TOP : START_RSP & ~15ULL) -
                    (gate_rows[_i].error_code == NO_CODE ? 40 : 48),
                gate_rows[_i].error_code, &want);
}
END_TEST

/* The IDT's limit: the gate's last byte must be inside. */
START_TEST(idt_limit)
{
    static const struct {
        uint32_t limit;
        int vector;
    } rows[] = {{VECTOR_UD * 16 + 15, VECTOR_UD}, {VECTOR_UD * 16 + 14, -1}, {15, -1}};

    for (size_t i = 0; i < COUNT(rows); i++) {
        vcpu_set_table(guest.machine.vcpu, VCPU_IDTR,
                       &(struct vcpu_table){.base = GUEST_IDT, .limit = rows[i].limit});
        start((const uint8_t[]){0x0F, 0x0B}, 2);
        guest_run(&guest);
        if (rows[i].vector >= 0) {
            check_vector("limit", rows[i].vector);
        } else {
            /* Neither #GP nor #DF has a gate then. */
            ck_assert_int_eq(guest.outcome.kind, OUTCOME_TRIPLE_FAULT);
        }
    }
}
END_TEST

/* ---- one fault on top of another ---- */

#define ABSENT 0x70000000ULL /* a guest physical address without memory */

enum trouble {
    NO_GATE_UD = 1, /* the gates are not present */
    NO_GATE_DE = 2,
    NO_GATE_NP = 4,
    NO_GATE_GP = 8,
    NO_GATE_VC = 16,
    NO_GATE_PF = 32,
    NO_GATE_DF = 64,
    NO_STACK = 128,        /* RSP leads nowhere; #PF, #DF have an IST */
    NO_STACK_AT_ALL = 256, /* ... and #DF has not */
    PF_IST_NOWHERE = 512,  /* the stack of #PF leads nowhere, too */
    IDT_INVALID = 1024,    /* the IDT's page is not validated */
    IDT_ABSENT = 2048,     /* it is not in memory */
    STACK_SHARED = 4096,   /* the stack's page became the hypervisor's */
};

static const struct {
    const char *name;
    uint8_t size;
    uint8_t code[8];
    unsigned trouble;
    enum outcome_kind outcome;
    int vector;
    uint32_t error_code;
    uint64_t cr2;
} chain_rows[] = {
    {"#UD, then #NP", CODE(0x0F, 0x0B), NO_GATE_UD, OUTCOME_HALTED, VECTOR_NP, UD_IDT, ANY_CR2},
    {"#UD, #NP, #NP: double fault", CODE(0x0F, 0x0B), NO_GATE_UD | NO_GATE_NP, OUTCOME_HALTED,
     VECTOR_DF, 0, ANY_CR2},
    {"#DE, #NP: double fault", CODE(0xF7, 0xF5), NO_GATE_DE, OUTCOME_HALTED, VECTOR_DF, 0, ANY_CR2},
    {"#GP, #NP: double fault", CODE(0x48, 0x8B, 0x06), NO_GATE_GP, OUTCOME_HALTED, VECTOR_DF, 0,
     ANY_CR2},
    {"#VC, #NP: double fault", CODE(0x0F, 0xA2), NO_GATE_VC, OUTCOME_HALTED, VECTOR_DF, 0, ANY_CR2},
    {"#PF, #NP: double fault", CODE(0x8A, 0x04, 0x25, AT(NOWHERE + 1)), NO_GATE_PF, OUTCOME_HALTED,
     VECTOR_DF, 0, NOWHERE + 1},
    {"#UD, then #PF of the stack", CODE(0x0F, 0x0B), NO_STACK, OUTCOME_HALTED, VECTOR_PF, PF_WRITE,
     NOWHERE + 0x100 - 40},
    {"#DE, then #PF of the stack: not a double fault", CODE(0xF7, 0xF5), NO_STACK, OUTCOME_HALTED,
     VECTOR_PF, PF_WRITE, NOWHERE + 0x100 - 40},
    {"#PF, #PF: double fault", CODE(0x8A, 0x04, 0x25, AT(NOWHERE + 1)), PF_IST_NOWHERE,
     OUTCOME_HALTED, VECTOR_DF, 0, NOWHERE + 0x800 - 48},
    {"#DE, #PF, #PF: double fault", CODE(0xF7, 0xF5), NO_STACK | PF_IST_NOWHERE, OUTCOME_HALTED,
     VECTOR_DF, 0, NOWHERE + 0x800 - 48},
    {"#UD, #NP, #NP, #NP: triple", CODE(0x0F, 0x0B), NO_GATE_UD | NO_GATE_NP | NO_GATE_DF,
     OUTCOME_TRIPLE_FAULT, -1, 0, ANY_CR2},
    {"#UD, no stack at all: triple", CODE(0x0F, 0x0B), NO_STACK_AT_ALL, OUTCOME_TRIPLE_FAULT, -1, 0,
     ANY_CR2},
    {"the IDT before validation: triple", CODE(0x0F, 0x0B), IDT_INVALID, OUTCOME_TRIPLE_FAULT, -1,
     0, ANY_CR2},
    {"the IDT is not in memory: the host's turn", CODE(0x0F, 0x0B), IDT_ABSENT,
     OUTCOME_NESTED_FAULT, -1, 0, ANY_CR2},
    {"the stack is the hypervisor's: the host's turn", CODE(0x0F, 0x0B), STACK_SHARED,
     OUTCOME_NESTED_FAULT, -1, 0, ANY_CR2},
};

static void make_trouble(unsigned trouble)
{
    static const struct {
        unsigned trouble;
        unsigned vector;
    } gates[] = {{NO_GATE_UD, VECTOR_UD}, {NO_GATE_DE, VECTOR_DE}, {NO_GATE_NP, VECTOR_NP},
                 {NO_GATE_GP, VECTOR_GP}, {NO_GATE_VC, VECTOR_VC}, {NO_GATE_PF, VECTOR_PF},
                 {NO_GATE_DF, VECTOR_DF}};

    for (size_t i = 0; i < COUNT(gates); i++) {
        bool bent = trouble & gates[i].trouble;
        bool stack = trouble & (NO_STACK | PF_IST_NOWHERE);
        uint8_t ist = !stack                         ? 0
                      : gates[i].vector == VECTOR_PF ? 2
                      : gates[i].vector == VECTOR_DF ? 1
                                                     : 0;

        guest_gate(&guest, gates[i].vector, GUEST_CS, GUEST_HANDLERS + 16 * gates[i].vector, ist,
                   bent ? 0x0E : GUEST_GATE_INTERRUPT);
    }
    guest_store(&guest, GUEST_TSS + 0x2C,
                trouble & PF_IST_NOWHERE ? NOWHERE + 0x800 : GUEST_IST_TOP - 0x800);
    if (trouble & (NO_STACK | NO_STACK_AT_ALL)) {
        guest_set(&guest, VCPU_RSP, NOWHERE + 0x100);
    }
    if (trouble & IDT_INVALID) {
        guest_rmp(&guest, GUEST_GPA + GUEST_IDT)->flags = RMP_ASSIGNED;
    }
    if (trouble & IDT_ABSENT) {
        guest_map(&guest, GUEST_IDT, ABSENT, PAGE_SIZE, GUEST_PRIVATE);
    }
    if (trouble & STACK_SHARED) {
        machine_unassign(&guest.machine, guest_page(&guest, GUEST_GPA + START_RSP));
    }
}

START_TEST(chain_table)
{
    const char *name = chain_rows[_i].name;
    uint64_t rsp, original;

    start(chain_rows[_i].code, chain_rows[_i].size);
    make_trouble(chain_rows[_i].trouble);
    original = guest_get(&guest, VCPU_RSP);
    guest_run(&guest);
    if (chain_rows[_i].outcome != OUTCOME_HALTED) {
        ck_assert_msg(guest.outcome.kind == chain_rows[_i].outcome, "%s: %s, %s", name,
                      outcome_name(guest.outcome.kind), guest.outcome.detail);
        /* Nothing was done. */
        ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), GUEST_CODE);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RSP), original);
        return;
    }
    check_vector(name, chain_rows[_i].vector);
    rsp = guest_get(&guest, VCPU_RSP);
    check_frame(name, rsp, chain_rows[_i].error_code,
                &(struct frame){.rip = GUEST_CODE,
                                .cs = GUEST_CS,
                                .rflags = START_RFLAGS | RFLAGS_RF,
                                .rsp = original});
    ck_assert_msg(chain_rows[_i].cr2 == ANY_CR2 ||
                      guest_get(&guest, VCPU_CR2) == chain_rows[_i].cr2,
                  "%s: CR2 0x%llx", name, (unsigned long long)guest_get(&guest, VCPU_CR2));
}
END_TEST

/* A handler that is not there: its fetch faults, on top of a frame that is complete. */
START_TEST(handler_not_mapped)
{
    uint64_t first = (START_RSP & ~15ULL) - 40;

    guest_gate(&guest, VECTOR_UD, GUEST_CS, NOWHERE + 0x10, 0, GUEST_GATE_INTERRUPT);
    start((const uint8_t[]){0x0F, 0x0B}, 2);
    guest_run(&guest);
    check_vector("fetch", VECTOR_PF);
    ck_assert_uint_eq(guest_get(&guest, VCPU_CR2), NOWHERE + 0x10);
    check_frame("fetch", (first & ~15ULL) - 48, PF_FETCH,
                &(struct frame){.rip = NOWHERE + 0x10,
                                .cs = GUEST_CS,
                                .rflags = (START_RFLAGS & ~(RFLAGS_IF | RFLAGS_NT)) | RFLAGS_RF,
                                .rsp = first});
}
END_TEST

/* ---- what is not modelled says so ---- */

static const struct {
    const char *name;
    uint8_t size;
    uint8_t code[8];
    const char *detail;
} unmodelled_rows[] = {
    {"vmsave", CODE(0x0F, 0x01, 0xDB), "svm instruction"},
    {"psmash", CODE(0xF3, 0x0F, 0x01, 0xFF), "rmpupdate or psmash"},
    {"mcommit", CODE(0xF3, 0x0F, 0x01, 0xFA), "instruction that the CPU engine does not know"},
    {"sha256msg1", CODE(0x0F, 0x38, 0xCC, 0xC1),
     "instruction that the CPU engine does not know: sha-ni"},
};

START_TEST(unmodelled_table)
{
    start(unmodelled_rows[_i].code, unmodelled_rows[_i].size);
    guest_run(&guest);
    ck_assert_msg(guest.outcome.kind == OUTCOME_UNMODELLED, "%s: %s", unmodelled_rows[_i].name,
                  outcome_name(guest.outcome.kind));
    ck_assert_str_eq(guest.outcome.detail, unmodelled_rows[_i].detail);
}
END_TEST

/* From ring 3, where IRETQ leads: the handler runs on the stack that the TSS names. */
START_TEST(fault_in_ring_3)
{
    uint64_t user = NOWHERE + 0x8000, frame = GUEST_STACK_TOP - 0x100;
    uint64_t rsp0 = guest_load(&guest, GUEST_TSS + 4);

    guest_map(&guest, user, GUEST_GPA + GUEST_CODE + 0x5000, PAGE_SIZE, GUEST_PRIVATE | PTE_USER);
    guest_copy(&guest, user, "\x0F\x0B", 2);
    start((const uint8_t[]){0x48, 0xCF}, 2);
    guest_set(&guest, VCPU_RFLAGS, RFLAGS_FIXED);
    guest_set(&guest, VCPU_RSP, frame);
    guest_store(&guest, frame, user);
    guest_store(&guest, frame + 0x08, GUEST_USER_CS);
    guest_store(&guest, frame + 0x10, RFLAGS_FIXED | RFLAGS_CF);
    guest_store(&guest, frame + 0x18, 0x1003);
    guest_store(&guest, frame + 0x20, GUEST_USER_DS);
    guest_run(&guest);
    check_vector("ring 3", VECTOR_UD);
    check_frame("ring 3", rsp0 - 40, NO_CODE,
                &(struct frame){.rip = user,
                                .cs = GUEST_USER_CS,
                                .rflags = RFLAGS_FIXED | RFLAGS_CF | RFLAGS_RF,
                                .rsp = 0x1003,
                                .ss = GUEST_USER_DS});
    ck_assert_uint_eq(guest_get(&guest, VCPU_CS), GUEST_CS);
    ck_assert_uint_eq(guest_get(&guest, VCPU_SS), 0);
}
END_TEST

/* ---- many faults in one run ---- */

#define ROUNDS 400
#define KINDS 6
#define COUNTERS (GUEST_DATA + 0x1000) /* one word for each vector */
#define HANDLER_CODE (GUEST_CODE + 0x1000)

/* Count itself at COUNTERS, skip an instruction of `size` bytes, return. */
static void counting_handler(unsigned vector, bool has_error_code, uint8_t size)
{
    uint8_t code[24] = {0x48, 0xFF, 0x04, 0x25, AT(COUNTERS + 8 * vector)}; /* inc qword [...] */
    size_t at = 8;

    if (has_error_code) {
        memcpy(code + at, (const uint8_t[]){0x48, 0x83, 0xC4, 0x08}, 4); /* add rsp, 8 */
        at += 4;
    }
    memcpy(code + at, (const uint8_t[]){0x48, 0x83, 0x04, 0x24, size, 0x48, 0xCF}, 7);
    guest_copy(&guest, HANDLER_CODE + 32 * vector, code, at + 7);
    guest_gate(&guest, vector, GUEST_CS, HANDLER_CODE + 32 * vector, 0, GUEST_GATE_INTERRUPT);
}

/* Contributory ones that the engine raises, one after the other, mixed with others. */
START_TEST(many_faults)
{
    static const uint8_t code[] = {
        0xBB, ROUNDS & 0xFF, ROUNDS >> 8, 0,
        0,                                                  /* mov ebx, ROUNDS */
        0xF7, 0x34,          0x25,        AT(GUEST_DATA),   /* L: div dword [zero]: #DE */
        0x8E, 0x1C,          0x25,        AT(BAD_SELECTOR), /* mov ds, [bad]: #GP, by the engine */
        0xF7, 0x34,          0x25,        AT(GUEST_DATA),   /* #DE again */
        0x0F, 0x0B,          0x90,        0x90,
        0x90, 0x90,          0x90,                     /* ud2: #UD */
        0x8A, 0x04,          0x25,        AT(NOWHERE), /* mov al, [nowhere]: #PF */
        0x0F, 0xA2,          0x90,        0x90,
        0x90, 0x90,          0x90,              /* cpuid: #VC */
        0xFF, 0xCB,          0x75,        0xD2, /* dec ebx; jnz L */
        0xF4,
    };
    static const struct {
        unsigned vector;
        uint64_t count;
    } rows[] = {{VECTOR_DE, 2 * ROUNDS}, {VECTOR_GP, ROUNDS}, {VECTOR_UD, ROUNDS},
                {VECTOR_PF, ROUNDS},     {VECTOR_VC, ROUNDS}, {VECTOR_DF, 0}};
    uint64_t before = vcpu_retired(guest.machine.vcpu);

    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned vector = rows[i].vector;

        counting_handler(vector, vector != VECTOR_DE && vector != VECTOR_UD, 7);
    }
    start(code, sizeof(code));
    guest_run(&guest);
    check_vector("the end", -1);
    for (size_t i = 0; i < COUNT(rows); i++) {
        ck_assert_msg(guest_load(&guest, COUNTERS + 8 * rows[i].vector) == rows[i].count,
                      "vector %u: %llu times", rows[i].vector,
                      (unsigned long long)guest_load(&guest, COUNTERS + 8 * rows[i].vector));
    }
    ck_assert_uint_eq(guest_get(&guest, VCPU_RSP), START_RSP);
    /* mov; per round dec, jnz, and handlers of 3 or 4; hlt */
    ck_assert_uint_eq(vcpu_retired(guest.machine.vcpu) - before,
                      1 + ROUNDS * (2 + 3 * 3 + 3 * 4) + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fault");
    TCase *tcase = tcase_create("fault");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, fault_table, 0, COUNT(fault_rows));
    tcase_add_test(tcase, fault_inside_a_rep);
    tcase_add_loop_test(tcase, stack_table, 0, COUNT(stack_rows));
    tcase_add_test(tcase, interrupt_and_trap_gates);
    tcase_add_test(tcase, interrupt_stacks);
    tcase_add_test(tcase, gate_selector_is_loaded);
    tcase_add_loop_test(tcase, gate_table, 0, COUNT(gate_rows));
    tcase_add_test(tcase, idt_limit);
    tcase_add_loop_test(tcase, chain_table, 0, COUNT(chain_rows));
    tcase_add_test(tcase, handler_not_mapped);
    tcase_add_loop_test(tcase, unmodelled_table, 0, COUNT(unmodelled_rows));
    tcase_add_test(tcase, fault_in_ring_3);
    tcase_add_test(tcase, many_faults);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
