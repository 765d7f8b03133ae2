/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine/vcpu.c: time exact to the instruction, breakpoints, and no instruction that must trap
 * slips through, wherever it lies and however it got there.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "guest_builder.h"
#include "machine/vmsa.h"

static struct guest guest;

static void setup(void)
{
    guest_open(&guest);
}

static void teardown(void)
{
    guest_close(&guest);
}

static uint64_t retired(void)
{
    return vcpu_retired(guest.machine.vcpu);
}

/* Run, with traps handled, until `more` instructions have retired or the run ends. */
static enum trap_next run_for(uint64_t more)
{
    enum trap_next next = TRAP_RESUME;

    vcpu_set_limit(guest.machine.vcpu, retired() + more);
    memset(&guest.outcome, 0, sizeof(guest.outcome));
    while (next == TRAP_RESUME && guest_stop(&guest) != VCPU_STOP_LIMIT) {
        next = guest_handle(&guest);
    }
    return next;
}

/* ---- where time stands ---- */

#define PATH_MAX_ 40
#define CODE(...)                                                                                  \
    sizeof((uint8_t[]){__VA_ARGS__}),                                                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define PATH(...)                                                                                  \
    sizeof((uint8_t[]){__VA_ARGS__}),                                                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const struct {
    const char *name;
    uint8_t size;
    uint8_t code[40];
    uint8_t steps;
    uint8_t path[PATH_MAX_]; /* offset of each instruction in the order of execution, HLT last */
} path_rows[] = {
    {"hlt alone", CODE(0xF4), PATH(0)},
    {"straight", CODE(0x90, 0x48, 0x89, 0xC3, 0x50, 0x58, 0xF4), PATH(0, 1, 4, 5, 6)},
    {"two blocks", CODE(0x90, 0xEB, 0x02, 0x90, 0x90, 0x90, 0xF4), PATH(0, 1, 5, 6)},
    {"a loop", CODE(0xB9, 3, 0, 0, 0, 0x90, 0xFF, 0xC9, 0x75, 0xFB, 0xF4),
     PATH(0, 5, 6, 8, 5, 6, 8, 5, 6, 8, 10)},
    {"a loop that is a block of its own",
     CODE(0xB9, 4, 0, 0, 0, 0xEB, 0x00, 0xFF, 0xC9, 0x75, 0xFC, 0xF4),
     PATH(0, 5, 7, 9, 7, 9, 7, 9, 7, 9, 11)},
    {"the loop instruction", CODE(0xB9, 3, 0, 0, 0, 0xE2, 0xFE, 0xF4), PATH(0, 5, 5, 5, 7)},
    {"call and return", CODE(0xE8, 1, 0, 0, 0, 0xF4, 0x90, 0xC3), PATH(0, 6, 7, 5)},
    /* An iteration is an instruction, and so is finding that RCX is zero. */
    {"rep movsb of 3", CODE(0xB9, 3, 0, 0, 0, 0xF3, 0xA4, 0xF4), PATH(0, 5, 5, 5, 5, 7)},
    {"rep stosq of 1", CODE(0xB9, 1, 0, 0, 0, 0xF3, 0x48, 0xAB, 0xF4), PATH(0, 5, 5, 8)},
    {"rep movsb of 0", CODE(0x31, 0xC9, 0xF3, 0xA4, 0xF4), PATH(0, 2, 4)},
    /* Traps in the middle */
    {"rdtsc", CODE(0x90, 0x0F, 0x31, 0x90, 0xF4), PATH(0, 1, 3, 4)},
    {"rdtsc first", CODE(0x0F, 0x31, 0x90, 0xF4), PATH(0, 2, 3)},
    {"rdtsc last of a block", CODE(0x90, 0x0F, 0x31, 0xEB, 0x00, 0xF4), PATH(0, 1, 3, 5)},
    {"three traps in a row", CODE(0x0F, 0x31, 0x0F, 0xC7, 0xF0, 0x0F, 0x31, 0xF4),
     PATH(0, 2, 5, 7)},
    {"pvalidate, which the engine does not know", CODE(0x90, 0xF2, 0x0F, 0x01, 0xFF, 0x90, 0xF4),
     PATH(0, 1, 5, 6)},
    {"pvalidate first", CODE(0xF2, 0x0F, 0x01, 0xFF, 0x90, 0xF4), PATH(0, 4, 5)},
    {"a trap in a loop", CODE(0xB9, 2, 0, 0, 0, 0x0F, 0x31, 0xFF, 0xC9, 0x75, 0xFA, 0xF4),
     PATH(0, 5, 7, 9, 5, 7, 9, 11)},
};

/* Registers as every program here may rely on. */
static void point_at_code(void)
{
    static const enum vcpu_register zero[] = {VCPU_RAX, VCPU_RCX, VCPU_RDX, VCPU_RBP};

    for (size_t i = 0; i < COUNT(zero); i++) {
        guest_set(&guest, zero[i], 0);
    }
    guest_set(&guest, VCPU_RAX, GUEST_DATA); /* for PVALIDATE */
    guest_set(&guest, VCPU_RDX, 1);
    guest_set(&guest, VCPU_RSI, GUEST_DATA + 0x1000);
    guest_set(&guest, VCPU_RDI, GUEST_DATA + 0x2000);
    guest_set(&guest, VCPU_RFLAGS, RFLAGS_FIXED);
    guest_set(&guest, VCPU_RSP, GUEST_STACK_TOP - 0x800);
    guest_set(&guest, VCPU_RIP, GUEST_CODE);
}

START_TEST(path_table)
{
    const char *name = path_rows[_i].name;
    unsigned steps = path_rows[_i].steps;

    guest_code(&guest, path_rows[_i].code, path_rows[_i].size);
    for (unsigned k = 0; k <= steps; k++) {
        uint64_t before = retired();
        uint64_t rip;
        enum trap_next next;

        point_at_code();
        next = run_for(k);
        rip = guest_get(&guest, VCPU_RIP) - GUEST_CODE;
        ck_assert_msg(retired() - before == k, "%s: %u asked, %llu retired", name, k,
                      (unsigned long long)(retired() - before));
        if (k < steps) {
            ck_assert_msg(next == TRAP_RESUME && guest.stop.kind == VCPU_STOP_LIMIT, "%s, %u", name,
                          k);
            ck_assert_msg(rip == path_rows[_i].path[k], "%s: %u asked, RIP at %llu", name, k,
                          (unsigned long long)rip);
        } else {
            ck_assert_msg(guest.outcome.kind == OUTCOME_HALTED, "%s: %s, %s", name,
                          outcome_name(guest.outcome.kind), guest.outcome.detail);
            ck_assert_uint_eq(rip, path_rows[_i].path[k - 1] + 1);
        }
    }
}
END_TEST

/* The same in steps of `_i`: a stop changes nothing of what follows. */
START_TEST(path_in_steps)
{
    for (size_t row = 0; row < COUNT(path_rows); row++) {
        uint64_t before = retired();
        unsigned done = 0, steps = path_rows[row].steps;

        guest_code(&guest, path_rows[row].code, path_rows[row].size);
        point_at_code();
        while (run_for((uint64_t)_i) == TRAP_RESUME) {
            done += (unsigned)_i;
            ck_assert_uint_lt(done, steps);
            ck_assert_uint_eq(guest_get(&guest, VCPU_RIP) - GUEST_CODE, path_rows[row].path[done]);
        }
        ck_assert_int_eq(guest.outcome.kind, OUTCOME_HALTED);
        ck_assert_msg(retired() - before == steps, "%s: %llu", path_rows[row].name,
                      (unsigned long long)(retired() - before));
    }
}
END_TEST

/* Inside a REP the registers stand where the iterations have got to. */
START_TEST(rep_stops_between_iterations)
{
    GUEST_CODE_BYTES(&guest, 0xF3, 0xA4, 0xF4);
    for (unsigned k = 0; k <= 5; k++) {
        point_at_code();
        guest_set(&guest, VCPU_RCX, 5);
        run_for(k);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RCX), 5 - k);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RSI), GUEST_DATA + 0x1000 + k);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RDI), GUEST_DATA + 0x2000 + k);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), GUEST_CODE);
    }
}
END_TEST

/* A fault half way through a REP: what is done is done, and counted. */
START_TEST(rep_faults_between_iterations)
{
    uint64_t end = GUEST_SHARED + 0x10000; /* not mapped behind */
    uint64_t before = retired();

    GUEST_CODE_BYTES(&guest, 0x90, 0xF3, 0xA4, 0xF4);
    point_at_code();
    guest_set(&guest, VCPU_RCX, 9);
    guest_set(&guest, VCPU_RDI, end - 4);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_FAULT);
    ck_assert_uint_eq(guest.stop.rip, GUEST_CODE + 1);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RCX), 5);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RDI), end);
    ck_assert_uint_eq(retired() - before, 5);
}
END_TEST

/* ---- REP in one go ---- */

static const struct {
    const char *name;
    uint8_t size;
    uint8_t code[8];
} rep_rows[] = {
    {"stosb", CODE(0xF3, 0xAA, 0xF4)},
    {"stosw", CODE(0x66, 0xF3, 0xAB, 0xF4)},
    {"stosd", CODE(0xF3, 0xAB, 0xF4)},
    {"stosq", CODE(0xF3, 0x48, 0xAB, 0xF4)},
    {"movsb", CODE(0xF3, 0xA4, 0xF4)},
    {"movsw", CODE(0xF3, 0x66, 0xA5, 0xF4)},
    {"movsd", CODE(0xF3, 0xA5, 0xF4)},
    {"movsq", CODE(0xF3, 0x48, 0xA5, 0xF4)},
    {"stosq, 32-bit addresses", CODE(0x67, 0xF3, 0x48, 0xAB, 0xF4)},
    {"movsb of gs", CODE(0x65, 0xF3, 0xA4, 0xF4)},
    {"scasb", CODE(0xF3, 0xAE, 0xF4)},
};

#define REP_COUNT 3000
#define REP_PAGES 16

struct rep_end {
    uint64_t reg[VCPU_REGISTER_COUNT];
    uint64_t retired;
    uint8_t memory[REP_PAGES][PAGE_SIZE];
};

/* `most` instructions at a time: few are never more than one iteration for the engine. */
static void rep_run(struct rep_end *end, uint64_t from, uint64_t to, uint64_t flags, uint64_t most)
{
    uint64_t before = retired();

    for (unsigned i = 0; i < REP_PAGES; i++) {
        uint8_t *bytes = guest_at(&guest, GUEST_DATA + i * PAGE_SIZE);

        for (unsigned at = 0; at < PAGE_SIZE; at++) {
            bytes[at] = (uint8_t)(at * 7 + (at >> 8) + i);
        }
    }
    point_at_code();
    guest_set(&guest, VCPU_RAX, 0x1122334455667788);
    guest_set(&guest, VCPU_RSI, from);
    guest_set(&guest, VCPU_RDI, to);
    guest_set(&guest, VCPU_RCX, REP_COUNT);
    guest_set(&guest, VCPU_RFLAGS, RFLAGS_FIXED | flags);
    do {
        vcpu_set_limit(guest.machine.vcpu, retired() + most);
    } while (guest_stop(&guest) == VCPU_STOP_LIMIT);
    ck_assert_int_eq(guest.stop.kind, VCPU_STOP_HALT);
    for (unsigned i = 0; i < VCPU_REGISTER_COUNT; i++) {
        end->reg[i] = guest_get(&guest, i);
    }
    end->retired = retired() - before;
    for (unsigned i = 0; i < REP_PAGES; i++) {
        memcpy(end->memory[i], guest_at(&guest, GUEST_DATA + i * PAGE_SIZE), PAGE_SIZE);
    }
}

/* Whatever is done at once is as if it had been done one by one, up to where the budget ends. */
START_TEST(rep_at_once)
{
    static const uint64_t most[] = {1000000, 1001, 40};
    static const struct {
        uint64_t from, to, flags;
    } places[] = {
        {GUEST_DATA, GUEST_DATA + 0x8000, 0},
        {GUEST_DATA + 0xFF9, GUEST_DATA + 0x7FFD, 0},
        {GUEST_DATA + 0x100, GUEST_DATA + 0x103, 0}, /* reads what it has written */
        {GUEST_DATA + 0x103, GUEST_DATA + 0x100, 0},
        {GUEST_DATA + 0x7000, GUEST_DATA + 0xF000, RFLAGS_DF},
    };
    static struct rep_end slow, fast;

    guest_copy(&guest, GUEST_CODE, rep_rows[_i].code, rep_rows[_i].size);
    for (size_t place = 0; place < COUNT(places); place++) {
        rep_run(&slow, places[place].from, places[place].to, places[place].flags, 3);
        for (size_t i = 0; i < COUNT(most); i++) {
            rep_run(&fast, places[place].from, places[place].to, places[place].flags, most[i]);
            ck_assert_msg(memcmp(&slow, &fast, sizeof(slow)) == 0, "%s, place %zu, %llu at a time",
                          rep_rows[_i].name, place, (unsigned long long)most[i]);
        }
    }
}
END_TEST

/* ---- why it stopped ---- */

static const struct {
    const char *name;
    uint8_t size;
    uint8_t code[16];
    enum vcpu_stop_kind kind;
    uint8_t rip; /* offset */
    uint8_t retired;
    uint8_t vector; /* VCPU_STOP_INTERRUPT */
} stop_rows[] = {
    {"hlt", CODE(0x90, 0xF4), VCPU_STOP_HALT, 2, 2, 0},
    {"hlt after a jump over F4", CODE(0xEB, 0x01, 0xF4, 0xF4), VCPU_STOP_HALT, 4, 2, 0},
    {"jmp to itself", CODE(0xEB, 0xFE), VCPU_STOP_SPIN, 0, 0, 0},
    {"jmp to itself, rel32", CODE(0xE9, 0xFB, 0xFF, 0xFF, 0xFF), VCPU_STOP_SPIN, 0, 0, 0},
    {"jmp to itself after a jump to it", CODE(0x90, 0xEB, 0x00, 0xEB, 0xFE), VCPU_STOP_SPIN, 3, 2,
     0},
    {"jmp to itself at a block's end: seen after one jump", CODE(0x90, 0xEB, 0xFE), VCPU_STOP_SPIN,
     1, 2, 0},
    {"vmgexit", CODE(0x90, 0xF3, 0x0F, 0x01, 0xD9), VCPU_STOP_INVALID, 1, 1, 0},
    {"vmgexit with F2", CODE(0x90, 0xF2, 0x0F, 0x01, 0xD9), VCPU_STOP_INVALID, 1, 1, 0},
    {"vmgexit with an ignored REX", CODE(0x90, 0x48, 0xF3, 0x0F, 0x01, 0xD9), VCPU_STOP_INVALID, 1,
     1, 0},
    {"pvalidate", CODE(0xF2, 0x0F, 0x01, 0xFF), VCPU_STOP_INVALID, 0, 0, 0},
    {"rmpadjust", CODE(0xF3, 0x0F, 0x01, 0xFE), VCPU_STOP_INVALID, 0, 0, 0},
    {"rmpquery", CODE(0xF3, 0x0F, 0x01, 0xFD), VCPU_STOP_INVALID, 0, 0, 0},
    {"vmmcall", CODE(0x90, 0x0F, 0x01, 0xD9), VCPU_STOP_INVALID, 1, 1, 0},
    {"invlpgb", CODE(0x0F, 0x01, 0xFE), VCPU_STOP_INVALID, 0, 0, 0},
    {"tlbsync", CODE(0x0F, 0x01, 0xFF), VCPU_STOP_INVALID, 0, 0, 0},
    {"ud2", CODE(0x90, 0x90, 0x0F, 0x0B), VCPU_STOP_INVALID, 2, 2, 0},
    {"rdmsr", CODE(0x90, 0x0F, 0x32), VCPU_STOP_SITE, 1, 1, 0},
    {"wrmsr", CODE(0x0F, 0x30), VCPU_STOP_SITE, 0, 0, 0},
    {"cpuid", CODE(0x90, 0x0F, 0xA2), VCPU_STOP_SITE, 1, 1, 0},
    {"rdtsc", CODE(0x0F, 0x31), VCPU_STOP_SITE, 0, 0, 0},
    {"rdtscp", CODE(0x0F, 0x01, 0xF9), VCPU_STOP_SITE, 0, 0, 0},
    {"rdrand", CODE(0x48, 0x0F, 0xC7, 0xF0), VCPU_STOP_SITE, 0, 0, 0},
    {"rdseed", CODE(0x0F, 0xC7, 0xF9), VCPU_STOP_SITE, 0, 0, 0},
    {"in al, dx", CODE(0x90, 0xEC), VCPU_STOP_SITE, 1, 1, 0},
    {"in eax, imm8", CODE(0xE5, 0x60), VCPU_STOP_SITE, 0, 0, 0},
    {"out imm8, al", CODE(0xE6, 0x80), VCPU_STOP_SITE, 0, 0, 0},
    {"rep outsb", CODE(0xF3, 0x6E), VCPU_STOP_SITE, 0, 0, 0},
    {"rep insb", CODE(0xF3, 0x6C), VCPU_STOP_SITE, 0, 0, 0},
    {"xsetbv", CODE(0x0F, 0x01, 0xD1), VCPU_STOP_SITE, 0, 0, 0},
    {"syscall", CODE(0x0F, 0x05), VCPU_STOP_SITE, 0, 0, 0},
    {"wbinvd", CODE(0x0F, 0x09), VCPU_STOP_SITE, 0, 0, 0},
    {"invd", CODE(0x0F, 0x08), VCPU_STOP_SITE, 0, 0, 0},
    {"monitor", CODE(0x0F, 0x01, 0xC8), VCPU_STOP_SITE, 0, 0, 0},
    {"mov dr7, rax", CODE(0x0F, 0x23, 0xF8), VCPU_STOP_SITE, 0, 0, 0},
    {"vmrun", CODE(0x0F, 0x01, 0xD8), VCPU_STOP_SITE, 0, 0, 0},
    {"rdmsr with LOCK does not exist", CODE(0x90, 0xF0, 0x0F, 0x32), VCPU_STOP_SITE, 1, 1, 0},
    {"a trap behind what does not exist", CODE(0xF0, 0x90, 0x0F, 0x32), VCPU_STOP_SITE, 0, 0, 0},
    {"div by zero", CODE(0x90, 0x31, 0xC9, 0xF7, 0xF1), VCPU_STOP_INTERRUPT, 3, 2, VECTOR_DE},
    {"a load that fails", CODE(0x90, 0x8A, 0x04, 0x25, 0, 0, 0, 0), VCPU_STOP_FAULT, 1, 1, 0},
    {"a jump that fails", CODE(0xB8, 0, 0, 0x19, 0, 0xFF, 0xE0), VCPU_STOP_FAULT, 0, 2, 0},
};

START_TEST(stop_table)
{
    const char *name = stop_rows[_i].name;
    uint64_t rip = GUEST_CODE + stop_rows[_i].rip;

    if (strcmp(name, "a jump that fails") == 0) {
        rip = 0x190000; /* where it went */
    }
    guest_code(&guest, stop_rows[_i].code, stop_rows[_i].size);
    for (unsigned time = 0; time < 2; time++) { /* a second time over translated code */
        uint64_t before = retired();

        point_at_code();
        guest_stop(&guest);
        ck_assert_msg(guest.stop.kind == stop_rows[_i].kind, "%s: kind %d", name, guest.stop.kind);
        ck_assert_msg(guest.stop.rip == rip, "%s: RIP 0x%llx", name,
                      (unsigned long long)guest.stop.rip);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), rip);
        ck_assert_msg(guest.stop.kind != VCPU_STOP_INTERRUPT ||
                          guest.stop.vector == stop_rows[_i].vector,
                      "%s: vector %u", name, guest.stop.vector);
        ck_assert_msg(retired() - before == stop_rows[_i].retired, "%s: %llu retired", name,
                      (unsigned long long)(retired() - before));
    }
}
END_TEST

static const uint8_t break_offsets[] = {0, 1, 4, 7, 8};

START_TEST(breakpoint)
{
    uint64_t at = GUEST_CODE + break_offsets[_i], before = retired();

    /* nop; mov rbx, rax; mov [rsi], rax; nop; hlt */
    GUEST_CODE_BYTES(&guest, 0x90, 0x48, 0x89, 0xC3, 0x48, 0x89, 0x06, 0x90, 0xF4);
    point_at_code();
    ck_assert_int_eq(vcpu_set_break(guest.machine.vcpu, at, NULL, &guest.error), 0);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_BREAK);
    ck_assert_uint_eq(guest.stop.rip, at);
    ck_assert_uint_eq(retired() - before, _i);
    ck_assert_uint_eq(guest_load(&guest, GUEST_DATA + 0x1000), _i > 2 ? GUEST_DATA : 0);
}
END_TEST

/* On an instruction that traps, in a loop, and one that comes when the code has run already. */
START_TEST(breakpoint_in_known_code)
{
    uint64_t before;

    /* mov ecx, 3; L: rdtsc; dec ecx; jnz L; hlt */
    GUEST_CODE_BYTES(&guest, 0xB9, 3, 0, 0, 0, 0x0F, 0x31, 0xFF, 0xC9, 0x75, 0xFA, 0xF4);
    guest_run(&guest);
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_HALTED);
    ck_assert_int_eq(vcpu_set_break(guest.machine.vcpu, GUEST_CODE + 7, NULL, &guest.error), 0);
    before = retired();
    point_at_code();
    guest_run(&guest);
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_REACHED);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), GUEST_CODE + 7);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RCX), 3);
    ck_assert_uint_eq(retired() - before, 2);
}
END_TEST

/* ---- the guest's own breakpoints, and single steps ---- */

static void arm(uint64_t gva)
{
    guest_set(&guest, VCPU_DR2, gva);
    guest_set(&guest, VCPU_DR7, gva ? DR7_FIXED | DR7_ENABLE(2) : DR7_FIXED);
    ck_assert_int_eq(vcpu_debug_update(guest.machine.vcpu, &guest.error), 0);
}

/* Exact in place and time; where the budget ends there too, it comes first. */
START_TEST(debug_breakpoint)
{
    uint64_t at = GUEST_CODE + break_offsets[_i], before = retired();

    /* nop; mov rbx, rax; mov [rsi], rax; nop; hlt */
    GUEST_CODE_BYTES(&guest, 0x90, 0x48, 0x89, 0xC3, 0x48, 0x89, 0x06, 0x90, 0xF4);
    point_at_code();
    arm(at);
    vcpu_set_limit(guest.machine.vcpu, before + (uint64_t)_i);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_LIMIT);
    ck_assert_uint_eq(guest.stop.rip, at);
    vcpu_set_limit(guest.machine.vcpu, UINT64_MAX);
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_DEBUG);
        ck_assert_uint_eq(guest.stop.rip, at);
        ck_assert_uint_eq(retired() - before, _i);
    }
    arm(0);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
}
END_TEST

/* On an instruction that is known to trap already, and for which a hook was there first. */
START_TEST(debug_at_known_site)
{
    GUEST_CODE_BYTES(&guest, 0x90, 0x0F, 0x31, 0xF4); /* nop; rdtsc; hlt */
    for (int round = 0; round < 3; round++) {
        point_at_code();
        arm(round ? GUEST_CODE + 1 : 0);
        ck_assert_int_eq(guest_stop(&guest), round ? VCPU_STOP_DEBUG : VCPU_STOP_SITE);
        ck_assert_uint_eq(guest.stop.rip, GUEST_CODE + 1);
    }
    arm(0);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_SITE);
}
END_TEST

/* A snapshot brings back what was armed, and what was not. */
START_TEST(debug_after_restore)
{
    GUEST_CODE_BYTES(&guest, 0x90, 0x90, 0x90, 0xF4);
    point_at_code();
    arm(GUEST_CODE + 2);
    ck_assert_int_eq(machine_save(&guest.machine, &guest.error), 0);
    arm(0);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
    ck_assert_int_eq(machine_restore(&guest.machine, &guest.error), 0);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_DEBUG);
    ck_assert_uint_eq(guest.stop.rip, GUEST_CODE + 2);
    arm(0);
    point_at_code();
    ck_assert_int_eq(machine_save(&guest.machine, &guest.error), 0);
    arm(GUEST_CODE + 1);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_DEBUG);
    ck_assert_int_eq(machine_restore(&guest.machine, &guest.error), 0);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
}
END_TEST

/* Breakpoints and virtual TOM are those of the save area that was loaded. */
START_TEST(debug_out_of_a_vmsa)
{
    struct machine *machine = &guest.machine;
    uint8_t *page = machine->state.launch_vmsa, other[VMSA_SIZE];
    struct mmu_context context;

    GUEST_CODE_BYTES(&guest, 0x90, 0x90, 0x90, 0xF4);
    point_at_code();
    machine->state.vmsa_gpa = MACHINE_LAUNCH_VMSA;
    vmsa_set(page, VMSA_SEV_FEATURES, machine->state.sev_features);
    machine_vmexit(machine, &(struct vmsa_exit){0});
    memcpy(other, page, sizeof(other));
    arm(GUEST_CODE + 2);
    machine->state.sev_features |= SEV_FEATURE_VTOM;
    vmsa_set(page, VMSA_SEV_FEATURES, machine->state.sev_features);
    machine_set_virtual_tom(machine, 0x80000000);
    machine_vmexit(machine, &(struct vmsa_exit){0});
    ck_assert_uint_eq(vmsa_get(page, VMSA_VIRTUAL_TOM), 0x80000000);
    for (int i = 0; i < 3; i++) {
        uint8_t armed[VMSA_SIZE];

        memcpy(armed, page, sizeof(armed));
        memcpy(page, other, sizeof(other));
        ck_assert_ptr_null(machine_vmrun(machine, MACHINE_LAUNCH_VMSA));
        vcpu_mmu_context(machine->vcpu, &context);
        ck_assert(!context.virtual_tom_active);
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
        memcpy(page, armed, sizeof(armed));
        ck_assert_ptr_null(machine_vmrun(machine, MACHINE_LAUNCH_VMSA));
        vcpu_mmu_context(machine->vcpu, &context);
        ck_assert(context.virtual_tom_active);
        ck_assert_uint_eq(context.virtual_tom, 0x80000000);
        ck_assert_uint_eq(machine->state.virtual_tom, 0x80000000);
        /* The tables have C-bits, which are reserved now: without it again. */
        machine->state.sev_features &= ~SEV_FEATURE_VTOM;
        machine_set_virtual_tom(machine, 0);
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_DEBUG);
        ck_assert_uint_eq(guest.stop.rip, GUEST_CODE + 2);
    }
}
END_TEST

/*
 * RF lets the guest past a breakpoint although the run stops there for another reason first: by a
 * snapshot (1), or because another vCPU has its turn (2). `_i` 3: without RF.
 */
START_TEST(debug_resumed_late)
{
    uint8_t page[VMSA_SIZE] = {0};

    GUEST_CODE_BYTES(&guest, 0x90, 0x90, 0xF4);
    point_at_code();
    arm(GUEST_CODE);
    guest_set(&guest, VCPU_RFLAGS, RFLAGS_FIXED | (_i == 3 ? 0 : RFLAGS_RF));
    vcpu_set_limit(guest.machine.vcpu, retired());
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_LIMIT);
    ck_assert_int_eq(vcpu_debug_passes(guest.machine.vcpu), _i != 3);
    vcpu_set_limit(guest.machine.vcpu, UINT64_MAX);
    if (_i == 1) {
        ck_assert_int_eq(machine_save(&guest.machine, &guest.error), 0);
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
        ck_assert_int_eq(machine_restore(&guest.machine, &guest.error), 0);
    } else if (_i == 2) {
        vmsa_store(guest.machine.vcpu, &(struct vmsa_exit){0}, page);
        ck_assert_uint_eq(vmsa_get(page, VMSA_RFLAGS), RFLAGS_FIXED | RFLAGS_RF);
        guest_set(&guest, VCPU_RIP, GUEST_CODE + 1);
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
        vmsa_load(guest.machine.vcpu, page);
    }
    ck_assert_int_eq(guest_stop(&guest), _i == 3 ? VCPU_STOP_DEBUG : VCPU_STOP_HALT);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RFLAGS) & RFLAGS_RF, 0);
}
END_TEST

/* A jump to itself, which never gets as far as the hook of a breakpoint. */
START_TEST(debug_at_a_spin)
{
    GUEST_CODE_BYTES(&guest, 0xEB, 0xFE);
    point_at_code();
    arm(GUEST_CODE);
    guest.machine.state.sev_features |= SEV_FEATURE_DEBUG_SWAP;
    guest_set(&guest, VCPU_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
    ck_assert_int_eq(guest_run(&guest), TRAP_END);
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_STUCK);
    GUEST_CODE_BYTES(&guest, 0x90, 0xEB, 0xFE);
    vcpu_code_changed(guest.machine.vcpu);
    arm(GUEST_CODE + 1);
    point_at_code();
    ck_assert_int_eq(guest_run(&guest), TRAP_END);
    ck_assert_int_eq(guest_halted_in(&guest), VECTOR_DB);
}
END_TEST

/* One instruction, or one iteration, at a time, each counted once. */
START_TEST(single_steps)
{
    static const struct {
        uint8_t offset, rcx;
        bool again;
    } steps[] = {{1, 3, false}, {1, 2, true}, {1, 1, true}, {3, 0, false}, {4, 0, false}};
    uint64_t before = retired();

    /* nop; rep stosb; nop; hlt */
    GUEST_CODE_BYTES(&guest, 0x90, 0xF3, 0xAA, 0x90, 0xF4);
    point_at_code();
    guest_set(&guest, VCPU_RDI, GUEST_DATA);
    guest_set(&guest, VCPU_RCX, 3);
    guest_set(&guest, VCPU_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
    for (size_t i = 0; i < COUNT(steps); i++) {
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_INTERRUPT);
        ck_assert_uint_eq(guest.stop.vector, VECTOR_DB);
        ck_assert_uint_eq(guest.stop.rip, GUEST_CODE + steps[i].offset);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RCX), steps[i].rcx);
        ck_assert_int_eq(guest.stop.again, steps[i].again);
        ck_assert_uint_eq(retired() - before, i + 1);
    }
}
END_TEST

/* ---- traps that are hard to find ---- */

static const struct {
    const char *name;
    uint8_t size;
    uint8_t code[6];
    enum vcpu_stop_kind kind;
} straddle_rows[] = {
    {"rdmsr", CODE(0x0F, 0x32), VCPU_STOP_SITE},
    {"wrmsr", CODE(0x0F, 0x30), VCPU_STOP_SITE},
    {"cpuid", CODE(0x0F, 0xA2), VCPU_STOP_SITE},
    {"rdtsc", CODE(0x0F, 0x31), VCPU_STOP_SITE},
    {"rdtscp", CODE(0x0F, 0x01, 0xF9), VCPU_STOP_SITE},
    {"rdrand rax", CODE(0x48, 0x0F, 0xC7, 0xF0), VCPU_STOP_SITE},
    {"rdseed r9w", CODE(0x66, 0x41, 0x0F, 0xC7, 0xF9), VCPU_STOP_SITE},
    {"in al, imm8", CODE(0xE4, 0x60), VCPU_STOP_SITE},
    {"out imm8, eax", CODE(0xE7, 0x60), VCPU_STOP_SITE},
    {"rep insw", CODE(0xF3, 0x66, 0x6D), VCPU_STOP_SITE},
    {"vmgexit", CODE(0xF3, 0x0F, 0x01, 0xD9), VCPU_STOP_INVALID},
    {"pvalidate", CODE(0xF2, 0x0F, 0x01, 0xFF), VCPU_STOP_INVALID},
};

/* At every place around a page's end, the two pages not neighbours in memory. */
START_TEST(straddling_a_page_end)
{
    uint64_t end = GUEST_CODE + 0x1000;

    guest_map(&guest, end, GUEST_GPA + GUEST_CODE + 0x9000, PAGE_SIZE, GUEST_PRIVATE);
    for (unsigned in = 0; in <= straddle_rows[_i].size; in++) {
        uint64_t start = end - in, before = retired();

        memset(guest_at(&guest, end - 16), 0x90, 16);
        guest_copy(&guest, start, straddle_rows[_i].code, straddle_rows[_i].size);
        guest_set(&guest, VCPU_RIP, end - 8);
        guest_stop(&guest);
        ck_assert_msg(guest.stop.kind == straddle_rows[_i].kind && guest.stop.rip == start,
                      "%s, %u bytes before the end: kind %d at 0x%llx", straddle_rows[_i].name, in,
                      guest.stop.kind, (unsigned long long)guest.stop.rip);
        ck_assert_uint_eq(retired() - before, 8 - in);
    }
}
END_TEST

/* The second page of a straddling instruction is not there: a fault on its fetch, nothing else. */
START_TEST(straddling_into_nothing)
{
    uint64_t end = GUEST_CODE + 0x10000, before = retired(); /* a stack page is behind: not NX */

    *guest_entry(&guest, end, 1) |= PTE_NX;
    guest_copy(&guest, end - 3, "\x90\x90\x0F", 3);
    *guest_at(&guest, end) = 0x32;
    guest_set(&guest, VCPU_RIP, end - 3);
    guest_stop(&guest);
    ck_assert_int_eq(guest.stop.kind, VCPU_STOP_FAULT);
    ck_assert_int_eq(guest.stop.fault.access, MMU_FETCH);
    ck_assert_uint_eq(guest.stop.fault.gva, end);
    ck_assert_uint_eq(guest.stop.rip, end - 1);
    ck_assert_uint_eq(retired() - before, 2);
}
END_TEST

#define VICTIM (GUEST_CODE + 0x2000)

/* A page that held code and became another is one of data, until it is executed again: only of such
   an observer is shown all. */
START_TEST(discarded_code)
{
    struct memory *memory = &guest.machine.memory;
    uint32_t page = (uint32_t)((size_t)(guest_at(&guest, VICTIM) - memory->ram) / PAGE_SIZE);

    for (int round = 0; round < 2; round++) {
        *guest_at(&guest, VICTIM) = round ? 0x90 : 0xF4;
        *guest_at(&guest, VICTIM + 1) = 0xF4;
        guest_set(&guest, VCPU_RIP, VICTIM);
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), VICTIM + 1 + round);
        ck_assert(memory->flags[page] & MEMORY_CODE);
        memory_discard(memory, page);
        vcpu_page_changed(guest.machine.vcpu, page);
        ck_assert(!(memory->flags[page] & MEMORY_CODE));
    }
}
END_TEST

/* The budget ends behind an instruction that the block overwrites: there is none at that address
   any more, and then it would run for ever. */
START_TEST(budget_in_rewritten_block)
{
    /* mov [rdi], eax; 4 nops; 1: inc eax; jmp 1b */
    static const uint8_t code[] = {0x89, 0x07, 0x90, 0x90, 0x90, 0x90, 0xFF, 0xC0, 0xEB, 0xFC};
    uint64_t before = retired();

    guest_copy(&guest, GUEST_CODE, code, sizeof(code));
    guest_set(&guest, VCPU_RIP, GUEST_CODE);
    guest_set(&guest, VCPU_RDI, GUEST_CODE + 2);
    guest_set(&guest, VCPU_RAX, 0x00401F0F); /* nop dword [rax] */
    vcpu_set_limit(guest.machine.vcpu, before + 2);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_LIMIT);
    ck_assert_uint_eq(retired() - before, 2);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), GUEST_CODE + 6);
    vcpu_set_limit(guest.machine.vcpu, UINT64_MAX);
}
END_TEST

/* What a program that changes its own code must do before the changed instruction runs again. */
static const struct {
    const char *name;
    uint8_t before_size;
    uint8_t before[4];
    uint8_t after_size;
    uint8_t after[4];
    enum vcpu_stop_kind kind;
} rewrite_rows[] = {
    {"nops become rdmsr", CODE(0x90, 0x90), CODE(0x0F, 0x32), VCPU_STOP_SITE},
    {"a nop of two bytes becomes rdtsc", CODE(0x66, 0x90), CODE(0x0F, 0x31), VCPU_STOP_SITE},
    {"a move becomes in", CODE(0x89, 0xC0), CODE(0xE4, 0x60), VCPU_STOP_SITE},
    {"nops become vmgexit", CODE(0x90, 0x90, 0x90, 0x90), CODE(0xF3, 0x0F, 0x01, 0xD9),
     VCPU_STOP_INVALID},
    {"nops become a jump to themselves", CODE(0x90, 0x90), CODE(0xEB, 0xFE), VCPU_STOP_SPIN},
    {"rdmsr becomes nops", CODE(0x90, 0x90), CODE(0x90, 0x90), VCPU_STOP_HALT},
};

/* The victim: the bytes, then hlt. Run once; then the guest rewrites it and jumps there. */
static void rewrite_prepare(size_t row, uint64_t writer_gva)
{
    /* mov [rdi], eax; jmp rsi */
    static const uint8_t writer[] = {0x89, 0x07, 0xFF, 0xE6};
    uint8_t old[5] = {0xF4, 0xF4, 0xF4, 0xF4, 0xF4}, new[5] = {0xF4, 0xF4, 0xF4, 0xF4, 0xF4};
    uint32_t value;

    memcpy(old, rewrite_rows[row].before, rewrite_rows[row].before_size);
    memcpy(new, rewrite_rows[row].after, rewrite_rows[row].after_size);
    memcpy(&value, new, sizeof(value));
    guest_copy(&guest, VICTIM, old, sizeof(old));
    guest_copy(&guest, GUEST_CODE, writer, sizeof(writer));
    /* Both have run before. */
    guest_set(&guest, VCPU_RIP, VICTIM);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
    guest_set(&guest, VCPU_RIP, GUEST_CODE);
    guest_set(&guest, VCPU_RDI, writer_gva);
    guest_set(&guest, VCPU_RSI, VICTIM);
    memcpy(&value, old, sizeof(value));
    guest_set(&guest, VCPU_RAX, value);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
    memcpy(&value, new, sizeof(value));
    guest_set(&guest, VCPU_RAX, value);
    guest_set(&guest, VCPU_RIP, GUEST_CODE);
}

static void rewrite_check(size_t row)
{
    uint64_t before = retired();

    guest_stop(&guest);
    ck_assert_msg(guest.stop.kind == rewrite_rows[row].kind, "%s: kind %d", rewrite_rows[row].name,
                  guest.stop.kind);
    if (guest.stop.kind != VCPU_STOP_HALT) {
        ck_assert_uint_eq(guest.stop.rip, VICTIM);
        ck_assert_uint_eq(retired() - before, 2);
    } else {
        ck_assert_uint_eq(retired() - before, 2 + 3);
    }
}

START_TEST(rewritten_by_the_guest)
{
    rewrite_prepare((size_t)_i, VICTIM);
    rewrite_check((size_t)_i);
}
END_TEST

/* Through another virtual address of the same page, written to before and after it was executed. */
START_TEST(rewritten_through_an_alias)
{
    uint64_t alias = GUEST_UNMAPPED + 0x4000;

    guest_map(&guest, alias, GUEST_GPA + VICTIM, PAGE_SIZE, GUEST_PRIVATE | PTE_NX);
    rewrite_prepare((size_t)_i, alias);
    rewrite_check((size_t)_i);
    /* And back, and there again: no fill need come between. */
    for (unsigned time = 0; time < 3; time++) {
        rewrite_prepare((size_t)_i, alias);
        rewrite_check((size_t)_i);
    }
}
END_TEST

/* The instruction right behind the store that writes it. */
START_TEST(rewritten_in_the_same_block)
{
    uint64_t before = retired();

    /* mov word [rip+0], 0x310F; nop; nop; hlt: the nops become rdtsc */
    GUEST_CODE_BYTES(&guest, 0x66, 0xC7, 0x05, 0, 0, 0, 0, 0x0F, 0x31, 0x90, 0x90, 0xF4);
    guest_stop(&guest);
    ck_assert_int_eq(guest.stop.kind, VCPU_STOP_SITE);
    ck_assert_uint_eq(guest.stop.rip, GUEST_CODE + 9);
    ck_assert_uint_eq(retired() - before, 1);
}
END_TEST

/* The host, or a debugger, writes code between two runs. */
START_TEST(rewritten_from_outside)
{
    GUEST_CODE_BYTES(&guest, 0x90, 0x90, 0xF4);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
    GUEST_CODE_BYTES(&guest, 0x0F, 0x32, 0xF4);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_SITE);
    GUEST_CODE_BYTES(&guest, 0x90, 0x90, 0xF4);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
}
END_TEST

/* An instruction that faults where one stood that traps: the engine's hook there spoils flags. */
START_TEST(rewritten_to_fault)
{
    GUEST_CODE_BYTES(&guest, 0x04, 0x91, 0x0F, 0x31, 0xF4); /* add al, 0x91; rdtsc */
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_SITE);
    GUEST_CODE_BYTES(&guest, 0x04, 0x91, 0x8A, 0x07, 0xF4); /* add al, 0x91; mov al, [rdi] */
    for (unsigned time = 0; time < 2; time++) {
        uint64_t before = retired();

        guest_set(&guest, VCPU_RIP, GUEST_CODE);
        guest_set(&guest, VCPU_RAX, 0x9F);
        guest_set(&guest, VCPU_RDI, GUEST_UNMAPPED);
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_FAULT);
        ck_assert_uint_eq(guest.stop.rip, GUEST_CODE + 2);
        ck_assert_uint_eq(retired() - before, 1);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RFLAGS) & (RFLAGS_CF | RFLAGS_AF | RFLAGS_ZF),
                          RFLAGS_CF | RFLAGS_AF);
    }
}
END_TEST

/* ---- probes ---- */

struct probes {
    unsigned count;
    bool stops;
    struct vcpu_probed last;
};

static bool on_probe(void *context, const struct vcpu_probed *probed)
{
    struct probes *probes = context;

    probes->count++;
    probes->last = *probed;
    return probes->stops;
}

/* A debugger's hook on an instruction that faults is no reason for other flags. */
START_TEST(probe_on_a_fault)
{
    struct probes probes = {.stops = false};
    uint64_t before = retired();
    size_t number;

    GUEST_CODE_BYTES(&guest, 0x04, 0x91, 0x8A, 0x07, 0xF4); /* add al, 0x91; mov al, [rdi] */
    ck_assert_int_eq(vcpu_probe_code(guest.machine.vcpu, GUEST_CODE + 2, on_probe, &probes, &number,
                                     &guest.error),
                     0);
    guest_set(&guest, VCPU_RAX, 0x9F);
    guest_set(&guest, VCPU_RDI, GUEST_UNMAPPED);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_FAULT);
    ck_assert_uint_ge(probes.count, 1);
    ck_assert_uint_eq(probes.last.code_gva, GUEST_CODE + 2);
    ck_assert_uint_eq(probes.last.retired, before + 1);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RFLAGS) & (RFLAGS_CF | RFLAGS_AF | RFLAGS_ZF),
                      RFLAGS_CF | RFLAGS_AF);
    vcpu_probe_drop(guest.machine.vcpu, number);
}
END_TEST

/* It stops before its instruction, also before one that traps, as often as it wants. */
START_TEST(probe_stops)
{
    struct probes probes = {.stops = true};
    uint64_t before = retired();
    size_t number[2];

    GUEST_CODE_BYTES(&guest, 0x90, 0x90, 0x0F, 0x31, 0xF4); /* nop; nop; rdtsc */
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(vcpu_probe_code(guest.machine.vcpu, GUEST_CODE + 1 + i, on_probe, &probes,
                                         &number[i], &guest.error),
                         0);
    }
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_PROBE);
    ck_assert_uint_eq(guest.stop.rip, GUEST_CODE + 1);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_PROBE);
    ck_assert_uint_eq(guest.stop.rip, GUEST_CODE + 1);
    vcpu_probe_drop(guest.machine.vcpu, number[0]);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_PROBE);
    ck_assert_uint_eq(guest.stop.rip, GUEST_CODE + 2);
    ck_assert_uint_eq(retired() - before, 2);
    vcpu_probe_drop(guest.machine.vcpu, number[1]);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_SITE);
}
END_TEST

/* A store is shown with its place and time when it changes something; the vCPU stops behind it. */
START_TEST(probe_of_memory)
{
    struct probes probes = {.stops = true};
    struct vcpu *vcpu = guest.machine.vcpu;
    uint32_t page =
        (uint32_t)((guest_at(&guest, GUEST_DATA) - guest.machine.memory.ram) / PAGE_SIZE);
    uint64_t before = retired();
    size_t number;

    /* mov [rdi], eax twice; nop; jmp to hlt */
    GUEST_CODE_BYTES(&guest, 0x89, 0x07, 0x89, 0x07, 0x90, 0xEB, 0x00, 0xF4);
    guest_store(&guest, GUEST_DATA + 8, 0);
    guest_set(&guest, VCPU_RDI, GUEST_DATA + 8);
    guest_set(&guest, VCPU_RAX, 0x12345678);
    ck_assert_int_eq(vcpu_probe_memory(vcpu, VCPU_PROBE_CHANGE, page, 10, 1, on_probe, &probes,
                                       &number, &guest.error),
                     0);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_PROBE);
    ck_assert_uint_eq(probes.count, 1); /* the second one changes nothing */
    ck_assert(probes.last.write);
    ck_assert_uint_eq(probes.last.code_gva, GUEST_CODE);
    ck_assert_uint_eq(probes.last.retired, before);
    ck_assert_uint_eq(guest.stop.rip, GUEST_CODE + 7);
    ck_assert_uint_eq(retired() - before, 4);
    vcpu_probe_drop(vcpu, number);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
}
END_TEST

/* A virtual address that leads to other code after INVLPG. */
START_TEST(remapped_code)
{
    uint64_t gva = GUEST_UNMAPPED + 0x4000;
    uint64_t one = GUEST_CODE + 0x3000, two = GUEST_CODE + 0x4000;
    uint64_t before;

    guest_map(&guest, gva, GUEST_GPA + one, PAGE_SIZE, GUEST_PRIVATE);
    guest_copy(&guest, one, "\x90\x90\xF4", 3);
    guest_copy(&guest, two, "\x0F\x31\xF4", 3);
    /* mov [rdi], rax; invlpg [rsi]; jmp rsi */
    GUEST_CODE_BYTES(&guest, 0x48, 0x89, 0x07, 0x0F, 0x01, 0x3E, 0xFF, 0xE6);
    guest_map(&guest, GUEST_UNMAPPED + 0x6000,
              GUEST_GPA + (guest_entry(&guest, gva, 2)[0] & PTE_ADDR_MASK) - GUEST_GPA, PAGE_SIZE,
              GUEST_PRIVATE);
    for (unsigned time = 0; time < 4; time++) {
        bool second = time % 2;

        guest_set(&guest, VCPU_RDI, GUEST_UNMAPPED + 0x6000 + (gva >> PAGE_SHIFT & 0x1FF) * 8);
        guest_set(&guest, VCPU_RSI, gva);
        guest_set(&guest, VCPU_RAX, (GUEST_GPA + (second ? two : one)) | GUEST_PRIVATE);
        guest_set(&guest, VCPU_RIP, GUEST_CODE);
        before = retired();
        guest_stop(&guest);
        ck_assert_int_eq(guest.stop.kind, second ? VCPU_STOP_SITE : VCPU_STOP_HALT);
        ck_assert_uint_eq(guest.stop.rip, second ? gva : gva + 3);
        ck_assert_uint_eq(retired() - before, second ? 3 : 6);
    }
}
END_TEST

/* More trapping instructions than any table in the vCPU holds. */
#define MANY 2500

START_TEST(many_trap_sites)
{
    uint64_t first = GUEST_CODE + 0x1000;

    for (uint64_t i = 0; i < MANY; i++) {
        guest_copy(&guest, first + 2 * i, "\x0F\x31", 2);
    }
    *guest_at(&guest, first + 2 * MANY) = 0xF4;
    for (unsigned time = 0; time < 2; time++) {
        uint64_t before = retired();

        guest_set(&guest, VCPU_RIP, first);
        for (uint64_t i = 0; i < MANY; i++) {
            guest_stop(&guest);
            ck_assert_msg(guest.stop.kind == VCPU_STOP_SITE && guest.stop.rip == first + 2 * i,
                          "trap %llu: kind %d", (unsigned long long)i, guest.stop.kind);
            ck_assert_int_eq(guest_handle(&guest), TRAP_RESUME);
        }
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
        ck_assert_uint_eq(retired() - before, MANY + 1);
    }
}
END_TEST

/* ---- a trap in the middle changes nothing else ---- */

struct sample {
    uint8_t size;
    uint8_t code[9];
};

/* RBX: data, never changed. RSI and RDI walk upwards, RSP both ways. */
static const struct sample samples[] = {
    {CODE(0x48, 0x01, 0xC8)},             /* add rax, rcx */
    {CODE(0x48, 0x29, 0xD1)},             /* sub rcx, rdx */
    {CODE(0x48, 0x31, 0xC2)},             /* xor rdx, rax */
    {CODE(0x48, 0x11, 0xD0)},             /* adc rax, rdx */
    {CODE(0x48, 0x19, 0xC8)},             /* sbb rax, rcx */
    {CODE(0x48, 0x0F, 0xAF, 0xC2)},       /* imul rax, rdx */
    {CODE(0x48, 0xFF, 0xC0)},             /* inc rax */
    {CODE(0x48, 0xF7, 0xD9)},             /* neg rcx */
    {CODE(0x48, 0xD1, 0xC0)},             /* rol rax, 1 */
    {CODE(0x48, 0xD1, 0xD2)},             /* rcl rdx, 1 */
    {CODE(0x48, 0xC1, 0xE1, 0x03)},       /* shl rcx, 3 */
    {CODE(0x66, 0x01, 0xD0)},             /* add ax, dx */
    {CODE(0x48, 0x83, 0xF8, 0x07)},       /* cmp rax, 7 */
    {CODE(0x48, 0x85, 0xC9)},             /* test rcx, rcx */
    {CODE(0x0F, 0x92, 0xC1)},             /* setb cl */
    {CODE(0x48, 0x0F, 0x42, 0xC1)},       /* cmovb rax, rcx */
    {CODE(0x48, 0x87, 0xD0)},             /* xchg rax, rdx */
    {CODE(0x4D, 0x01, 0xC8)},             /* add r8, r9 */
    {CODE(0x49, 0x89, 0xC1)},             /* mov r9, rax */
    {CODE(0x48, 0x98)},                   /* cdqe */
    {CODE(0x99)},                         /* cdq */
    {CODE(0xF9)},                         /* stc */
    {CODE(0xF5)},                         /* cmc */
    {CODE(0x9E)},                         /* sahf */
    {CODE(0x90)},                         /* nop */
    {CODE(0xF3, 0x90)},                   /* pause */
    {CODE(0x50)},                         /* push rax */
    {CODE(0x59)},                         /* pop rcx */
    {CODE(0x9C)},                         /* pushfq */
    {CODE(0x48, 0x89, 0x03)},             /* mov [rbx], rax */
    {CODE(0x48, 0x03, 0x4B, 0x08)},       /* add rcx, [rbx+8] */
    {CODE(0x48, 0x01, 0x53, 0x10)},       /* add [rbx+0x10], rdx */
    {CODE(0xF0, 0x48, 0x01, 0x43, 0x18)}, /* lock add [rbx+0x18], rax */
    {CODE(0x88, 0x43, 0x21)},             /* mov [rbx+0x21], al */
    {CODE(0x0F, 0xB6, 0x53, 0x03)},       /* movzx edx, byte [rbx+3] */
    {CODE(0x48, 0x8D, 0x44, 0x08, 0x05)}, /* lea rax, [rax+rcx+5] */
    {CODE(0xA4)},                         /* movsb */
    {CODE(0x48, 0xA5)},                   /* movsq */
    {CODE(0xEB, 0x00)},                   /* jmp to the next */
    {CODE(0x75, 0x00)},                   /* jne to the next */
    {CODE(0xE8, 0, 0, 0, 0)},             /* call the next */
    {CODE(0x0F, 0x10, 0x03)},             /* movups xmm0, [rbx] */
    {CODE(0x66, 0x0F, 0xFE, 0xC8)},       /* paddd xmm1, xmm0 */
    {CODE(0x0F, 0x11, 0x4B, 0x30)},       /* movups [rbx+0x30], xmm1 */
    {CODE(0xD9, 0xE8)},                   /* fld1 */
    {CODE(0xDD, 0x5B, 0x40)},             /* fstp qword [rbx+0x40] */
};

#define ZERO (GUEST_DATA + 0x3000)    /* holds zeroes */
#define BAD (GUEST_DATA + 0x3010)     /* holds a selector beyond the GDT */
#define INVALID (GUEST_DATA + 0x4000) /* assigned, not validated */
#define AT(gva) (uint8_t)(gva), (uint8_t)((gva) >> 8), (uint8_t)((gva) >> 16), 0

/* Each is followed by the rest of the program, whatever that is. */
static const struct {
    const char *name;
    uint8_t size;
    uint8_t code[12];
    int vector; /* whose handler skips it; -1: none runs */
    bool has_error_code;
} trap_rows[] = {
    {"vmgexit", CODE(0xF3, 0x0F, 0x01, 0xD9), -1, false},
    {"cpuid", CODE(0x0F, 0xA2), VECTOR_VC, true},
    {"in al, dx", CODE(0xEC), VECTOR_VC, true},
    {"out imm8, eax", CODE(0xE7, 0x80), VECTOR_VC, true},
    {"vmmcall", CODE(0x0F, 0x01, 0xD9), VECTOR_VC, true},
    {"ud2", CODE(0x0F, 0x0B), VECTOR_UD, false},
    {"an encoding that does not exist", CODE(0xF0, 0x0F, 0x32), VECTOR_UD, false},
    {"#DE from the engine", CODE(0xF7, 0x34, 0x25, AT(ZERO)), VECTOR_DE, false},
    {"#GP from the engine", CODE(0x8E, 0x1C, 0x25, AT(BAD)), VECTOR_GP, true},
    {"#GP, non-canonical", CODE(0x48, 0xA1, 0, 0, 0, 0, 0, 0x90, 0, 0), VECTOR_GP, true},
    {"#PF", CODE(0x48, 0x8B, 0x04, 0x25, AT(GUEST_UNMAPPED)), VECTOR_PF, true},
    {"#PF of a write", CODE(0xF0, 0x48, 0x01, 0x04, 0x25, AT(GUEST_UNMAPPED)), VECTOR_PF, true},
    {"#VC 0x404", CODE(0x48, 0x8B, 0x04, 0x25, AT(INVALID)), VECTOR_VC, true},
};

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((random_state >> 33) % n);
}

#define SEQUENCE 24 /* instructions */
#define SEQUENCES 20

struct program {
    uint8_t code[SEQUENCE * 12 + 1];
    size_t size;
    size_t offset[SEQUENCE + 2]; /* of each instruction, HLT included */
    size_t trap_at;              /* which instruction traps */
};

static void program_make(struct program *program, const uint8_t *trap, size_t trap_size)
{
    program->size = 0;
    program->trap_at = random_below(SEQUENCE);
    for (size_t i = 0; i < SEQUENCE; i++) {
        const struct sample *sample = &samples[random_below(COUNT(samples))];
        bool traps = i == program->trap_at;
        size_t size = traps ? trap_size : sample->size;

        program->offset[i] = program->size;
        memcpy(program->code + program->size, traps ? trap : sample->code, size);
        program->size += size;
    }
    program->offset[SEQUENCE] = program->size;
    program->code[program->size++] = 0xF4;
}

/* All that a program can change. */
struct state {
    uint64_t reg[VCPU_REGISTER_COUNT];
    uint8_t data[3 * PAGE_SIZE], stack[PAGE_SIZE];
};

static void state_start(void)
{
    static const enum vcpu_register plain[] = {VCPU_RAX, VCPU_RCX, VCPU_RDX, VCPU_RBP,
                                               VCPU_R8,  VCPU_R9,  VCPU_R10};
    /* fninit; fldz eight times; fninit; xorps xmm0, xmm0; xorps xmm1, xmm1; hlt */
    static const uint8_t clean[] = {0xDB, 0xE3, 0xD9, 0xEE, 0xD9, 0xEE, 0xD9, 0xEE, 0xD9,
                                    0xEE, 0xD9, 0xEE, 0xD9, 0xEE, 0xD9, 0xEE, 0xD9, 0xEE,
                                    0xDB, 0xE3, 0x0F, 0x57, 0xC0, 0x0F, 0x57, 0xC9, 0xF4};

    for (size_t i = 0; i < COUNT(plain); i++) {
        guest_set(&guest, plain[i], 0x0123456789ABCDEFULL * (i + 3));
    }
    guest_set(&guest, VCPU_RBX, GUEST_DATA);
    guest_set(&guest, VCPU_RSI, GUEST_DATA + 0x1000);
    guest_set(&guest, VCPU_RDI, GUEST_DATA + 0x2000);
    guest_set(&guest, VCPU_CR2, 0);
    guest_set(&guest, VCPU_RFLAGS, RFLAGS_FIXED);
    guest_set(&guest, VCPU_RIP, GUEST_CODE);
    guest_set(&guest, VCPU_RSP, GUEST_STACK_TOP - 0x800);
    for (uint64_t page = 0; page < 3; page++) {
        uint8_t *bytes = guest_at(&guest, GUEST_DATA + page * PAGE_SIZE);

        for (uint64_t at = 0; at < PAGE_SIZE; at++) {
            bytes[at] = (uint8_t)(at * 37 + page);
        }
    }
    memset(guest_at(&guest, GUEST_STACK_TOP - 0x1000), 0, PAGE_SIZE);
    guest_copy(&guest, GUEST_CODE + 0x8000, clean, sizeof(clean));
    guest_set(&guest, VCPU_RIP, GUEST_CODE + 0x8000);
    vcpu_set_limit(guest.machine.vcpu, UINT64_MAX);
    guest_run(&guest);
    guest_set(&guest, VCPU_RIP, GUEST_CODE);
}

static void state_take(struct state *state)
{
    for (enum vcpu_register reg = 0; reg < VCPU_REGISTER_COUNT; reg++) {
        state->reg[reg] = guest_get(&guest, reg);
    }
    state->reg[VCPU_CR2] = 0; /* faults that the program has taken */
    memcpy(state->data, guest_at(&guest, GUEST_DATA), PAGE_SIZE);
    memcpy(state->data + PAGE_SIZE, guest_at(&guest, GUEST_DATA + PAGE_SIZE), PAGE_SIZE);
    memcpy(state->data + 2 * PAGE_SIZE, guest_at(&guest, GUEST_DATA + 2 * PAGE_SIZE), PAGE_SIZE);
    memcpy(state->stack, guest_at(&guest, GUEST_STACK_TOP - 0x1000), PAGE_SIZE);
}

static void state_compare(const char *name, const struct state *a, const struct state *b)
{
    for (enum vcpu_register reg = 0; reg < VCPU_REGISTER_COUNT; reg++) {
        ck_assert_msg(a->reg[reg] == b->reg[reg], "%s: register %d is 0x%llx, should be 0x%llx",
                      name, reg, (unsigned long long)a->reg[reg], (unsigned long long)b->reg[reg]);
    }
    ck_assert_msg(memcmp(a->data, b->data, sizeof(a->data)) == 0, "%s: data", name);
    ck_assert_msg(memcmp(a->stack, b->stack, sizeof(a->stack)) == 0, "%s: stack", name);
}

/* A handler that skips `size` bytes, on a stack of its own. */
static void skip_handler(int vector, bool has_error_code, uint8_t size)
{
    /* add qword [rsp+8], size; add rsp, 8; iretq */
    const uint8_t with[] = {0x48, 0x83, 0x44, 0x24, 0x08, size, 0x48, 0x83, 0xC4, 0x08, 0x48, 0xCF};
    /* add qword [rsp], size; iretq */
    const uint8_t without[] = {0x48, 0x83, 0x04, 0x24, size, 0x48, 0xCF};

    guest_gate(&guest, (unsigned)vector, GUEST_CS, GUEST_HANDLERS + 16u * (unsigned)vector, 1,
               GUEST_GATE_INTERRUPT);
    if (has_error_code) {
        guest_handler(&guest, (unsigned)vector, with, sizeof(with));
    } else {
        guest_handler(&guest, (unsigned)vector, without, sizeof(without));
    }
}

static void prepare_traps(int vector, bool has_error_code, uint8_t size)
{
    memset(guest_at(&guest, ZERO), 0, 16);
    guest_store(&guest, BAD, 0xFFF8);
    guest_rmp(&guest, GUEST_GPA + INVALID)->flags = RMP_ASSIGNED;
    if (vector >= 0) {
        skip_handler(vector, has_error_code, size);
    }
}

/* To the end, whatever traps. */
static void run_through(const char *name)
{
    enum trap_next next;

    do {
        next = guest_run(&guest);
    } while (next == TRAP_EXIT);
    ck_assert_msg(guest.outcome.kind == OUTCOME_HALTED && guest_halted_in(&guest) < 0, "%s: %s, %s",
                  name, outcome_name(guest.outcome.kind), guest.outcome.detail);
}

START_TEST(trap_leaves_the_rest_alone)
{
    static struct state with, without;
    const char *name = trap_rows[_i].name;
    uint8_t size = trap_rows[_i].size;

    random_state = (uint64_t)_i + 1;
    prepare_traps(trap_rows[_i].vector, trap_rows[_i].has_error_code, size);
    for (unsigned i = 0; i < SEQUENCES; i++) {
        struct program program;

        program_make(&program, trap_rows[_i].code, size);
        guest_copy(&guest, GUEST_CODE, program.code, program.size);
        state_start();
        run_through(name);
        state_take(&with);
        memset(guest_at(&guest, GUEST_CODE + program.offset[program.trap_at]), 0x90, size);
        state_start();
        run_through(name);
        state_take(&without);
        state_compare(name, &with, &without);
    }
}
END_TEST

/* The budget ends such a program exactly, at every instruction of it, and it goes on as if not. */
START_TEST(budget_is_exact)
{
    static const uint8_t rdtsc[] = {0x0F, 0x31}, vmgexit[] = {0xF3, 0x0F, 0x01, 0xD9};
    struct program program;

    random_state = (uint64_t)_i + 100;
    program_make(&program, _i % 2 ? rdtsc : vmgexit, _i % 2 ? sizeof(rdtsc) : sizeof(vmgexit));
    guest_copy(&guest, GUEST_CODE, program.code, program.size);
    for (size_t k = 0; k <= SEQUENCE; k++) {
        uint64_t before, expected = k;

        state_start();
        before = retired();
        vcpu_set_limit(guest.machine.vcpu, before + k);
        while (guest_stop(&guest) != VCPU_STOP_LIMIT) {
            ck_assert_int_ne(guest_handle(&guest), TRAP_END);
        }
        ck_assert_uint_eq(retired() - before, expected);
        ck_assert_msg(guest_get(&guest, VCPU_RIP) == GUEST_CODE + program.offset[k],
                      "after %zu instructions RIP is at %llu, should be at %zu", k,
                      (unsigned long long)(guest_get(&guest, VCPU_RIP) - GUEST_CODE),
                      program.offset[k]);
        vcpu_set_limit(guest.machine.vcpu, UINT64_MAX);
        run_through("the rest");
        ck_assert_uint_eq(retired() - before, SEQUENCE + 1);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vcpu");
    TCase *time = tcase_create("time");
    TCase *traps = tcase_create("traps");
    TCase *property = tcase_create("property");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, time);
    tcase_add_checked_fixture(time, setup, teardown);
    tcase_add_loop_test(time, path_table, 0, COUNT(path_rows));
    tcase_add_loop_test(time, path_in_steps, 1, 6);
    tcase_add_test(time, rep_stops_between_iterations);
    tcase_add_test(time, rep_faults_between_iterations);
    tcase_add_loop_test(time, rep_at_once, 0, COUNT(rep_rows));
    tcase_add_loop_test(time, stop_table, 0, COUNT(stop_rows));
    tcase_add_loop_test(time, breakpoint, 0, COUNT(break_offsets));
    tcase_add_test(time, breakpoint_in_known_code);
    tcase_add_loop_test(time, debug_breakpoint, 0, COUNT(break_offsets));
    tcase_add_test(time, debug_at_known_site);
    tcase_add_test(time, debug_after_restore);
    tcase_add_test(time, debug_out_of_a_vmsa);
    tcase_add_loop_test(time, debug_resumed_late, 0, 4);
    tcase_add_test(time, debug_at_a_spin);
    tcase_add_test(time, single_steps);

    suite_add_tcase(suite, traps);
    tcase_add_checked_fixture(traps, setup, teardown);
    tcase_add_loop_test(traps, straddling_a_page_end, 0, COUNT(straddle_rows));
    tcase_add_test(traps, straddling_into_nothing);
    tcase_add_loop_test(traps, rewritten_by_the_guest, 0, COUNT(rewrite_rows));
    tcase_add_loop_test(traps, rewritten_through_an_alias, 0, COUNT(rewrite_rows));
    tcase_add_test(traps, rewritten_in_the_same_block);
    tcase_add_test(traps, rewritten_from_outside);
    tcase_add_test(traps, rewritten_to_fault);
    tcase_add_test(traps, probe_on_a_fault);
    tcase_add_test(traps, probe_stops);
    tcase_add_test(traps, probe_of_memory);
    tcase_add_test(traps, remapped_code);
    tcase_add_test(traps, many_trap_sites);

    suite_add_tcase(suite, property);
    tcase_add_checked_fixture(property, setup, teardown);
    tcase_add_loop_test(property, trap_leaves_the_rest_alone, 0, COUNT(trap_rows));
    tcase_add_loop_test(property, budget_is_exact, 0, 12);
    tcase_add_test(property, budget_in_rewritten_block);
    tcase_add_test(property, discarded_code);

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
