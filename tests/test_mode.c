/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine/vcpu_segment.c: one engine in any mode, and from each to each other. The state comes from
 * outside, as out of a VMSA, or from the guest's own instructions.
 */
#include <check.h>
#include <string.h>

#include "abi/msr.h"
#include "guest_builder.h"

static struct guest guest;

static void setup(void)
{
    guest_open(&guest);
}

static void teardown(void)
{
    guest_close(&guest);
}

#define CR0_BOOT 0x10ULL /* ET */
#define LONG_CR0 (CR0_PG | CR0_WP | 0x33)
#define LONG_CR3 (GUEST_GPA | CBIT_MASK)
#define LONG_CR4 (CR4_PAE | 0x600)
#define LONG_EFER (EFER_LME | EFER_NXE | EFER_SVME | EFER_SCE)

enum mode {
    MODE_LONG,
    MODE_COMPATIBILITY,
    MODE_PROTECTED_32,
    MODE_PROTECTED_16,
    MODE_REAL,
    MODE_COUNT,
};

static const struct mode_row {
    const char *name;
    uint64_t cr0, cr4, efer;
    uint16_t code, data;
    bool paging;
} mode_rows[MODE_COUNT] = {
    [MODE_LONG] = {"64-bit", LONG_CR0, LONG_CR4, LONG_EFER, SEGMENT_CODE_64, SEGMENT_DATA_32, true},
    [MODE_COMPATIBILITY] = {"compatibility", LONG_CR0, LONG_CR4, LONG_EFER, SEGMENT_CODE_32,
                            SEGMENT_DATA_32, true},
    [MODE_PROTECTED_32] = {"32-bit protected", CR0_BOOT | CR0_PE, 0, EFER_SVME, SEGMENT_CODE_32,
                           SEGMENT_DATA_32, false},
    [MODE_PROTECTED_16] = {"16-bit protected", CR0_BOOT | CR0_PE, 0, EFER_SVME, SEGMENT_CODE_16,
                           SEGMENT_DATA_16, false},
    [MODE_REAL] = {"real", CR0_BOOT, 0, EFER_SVME, SEGMENT_CODE_16, SEGMENT_DATA_16, false},
};

/* As a VMSA would have it. Without paging addresses are those of guest physical memory. */
static void enter(enum mode mode, uint64_t code_base, uint64_t rip)
{
    const struct mode_row *row = &mode_rows[mode];
    struct vcpu *vcpu = guest.machine.vcpu;
    uint32_t limit = row->code == SEGMENT_CODE_16 ? 0xFFFF : UINT32_MAX;
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];

    for (unsigned i = 0; i < VCPU_SEGMENT_COUNT; i++) {
        segment[i] = (struct vcpu_segment){
            .selector = (uint16_t)(GUEST_DS + 8 * i), .attributes = row->data, .limit = limit};
    }
    segment[VCPU_SEG_CS] = (struct vcpu_segment){
        .selector = GUEST_CS, .attributes = row->code, .limit = limit, .base = code_base};
    vcpu_set_system(vcpu, row->cr0, LONG_CR3, row->cr4, row->efer);
    vcpu_set(vcpu, VCPU_RFLAGS, RFLAGS_FIXED);
    vcpu_set_segments(vcpu, segment);
    vcpu_set(vcpu, VCPU_RIP, rip);
    if (row->paging) {
        vcpu_set(vcpu, VCPU_RSP, GUEST_STACK_TOP);
    } else {
        vcpu_set(vcpu, VCPU_RSP, GUEST_GPA + GUEST_STACK_TOP);
    }
}

static uint64_t code_at(enum mode mode)
{
    return mode_rows[mode].paging ? GUEST_CODE : GUEST_GPA + GUEST_CODE;
}

/* ---- registers ---- */

static const struct vcpu_segment odd_segments[VCPU_SEGMENT_COUNT] = {
    {0x1111, 0x093, 0xFFFF, 0x11110}, {0xF000, 0x09B, 0xFFFF, 0xFFFF0000},
    {0x2222, 0xC93, ~0u, 0x22220000}, {0x3333, 0x8F7, 0x12FFF, 0x33330000},
    {0x4444, 0x0F1, 7, 0x123456789},  {0, 0, 0, 0xFFFF800000001000},
};

START_TEST(segments_come_back)
{
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];

    vcpu_set_segments(guest.machine.vcpu, odd_segments);
    vcpu_get_segments(guest.machine.vcpu, segment);
    for (unsigned i = 0; i < VCPU_SEGMENT_COUNT; i++) {
        ck_assert_uint_eq(segment[i].selector, odd_segments[i].selector);
        ck_assert_uint_eq(segment[i].attributes, odd_segments[i].attributes);
        ck_assert_uint_eq(segment[i].limit, odd_segments[i].limit);
        ck_assert_uint_eq(segment[i].base, odd_segments[i].base);
        ck_assert_uint_eq(guest_get(&guest, VCPU_ES + i), odd_segments[i].selector);
    }
    ck_assert_uint_eq(guest_get(&guest, VCPU_FS_BASE), 0x123456789);
    ck_assert_uint_eq(guest_get(&guest, VCPU_GS_BASE), 0xFFFF800000001000);
}
END_TEST

START_TEST(level_follows_ss)
{
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];

    vcpu_get_segments(guest.machine.vcpu, segment);
    for (unsigned cpl = 0; cpl <= 3; cpl++) {
        segment[VCPU_SEG_SS].attributes = (uint16_t)(SEGMENT_DATA_32 | cpl << 5);
        vcpu_set_segments(guest.machine.vcpu, segment);
        ck_assert_uint_eq(vcpu_cpl(guest.machine.vcpu), cpl);
    }
    vcpu_set_system(guest.machine.vcpu, CR0_BOOT, 0, 0, EFER_SVME);
    vcpu_set_segments(guest.machine.vcpu, segment);
    ck_assert_uint_eq(vcpu_cpl(guest.machine.vcpu), 0);
}
END_TEST

START_TEST(system_registers_of_each_mode)
{
    for (unsigned i = 0; i < 2 * MODE_COUNT; i++) {
        const struct mode_row *row = &mode_rows[i * 3 % MODE_COUNT];
        uint64_t lma = row->paging ? EFER_LMA : 0;

        vcpu_set_system(guest.machine.vcpu, row->cr0, LONG_CR3, row->cr4, row->efer);
        ck_assert_uint_eq(guest_get(&guest, VCPU_CR0), row->cr0);
        ck_assert_uint_eq(guest_get(&guest, VCPU_CR3), LONG_CR3);
        ck_assert_uint_eq(guest_get(&guest, VCPU_CR4), row->cr4);
        ck_assert_uint_eq(vcpu_get_msr(guest.machine.vcpu, MSR_EFER), row->efer | lma);
    }
}
END_TEST

START_TEST(fpu_comes_back)
{
    struct vcpu *vcpu = guest.machine.vcpu;
    struct vcpu_fpu set = {.control = 0x27F,
                           .status = 0x2800, /* top of the stack: register 5 */
                           .opcode = 0x123,
                           .tags = 0xA5,
                           .cs = 0x11,
                           .ds = 0x22,
                           .rip = 0x123456789ABC,
                           .dp = 0xBA9876543210,
                           .mxcsr = 0x9FC0};
    struct vcpu_fpu got;
    uint8_t xmm[16], xmm_got[16];

    for (unsigned i = 0; i < sizeof(set.x87); i++) {
        set.x87[i] = (uint8_t)(i * 7 + 1);
    }
    vcpu_set_fpu(vcpu, &set);
    vcpu_get_fpu(vcpu, &got);
    ck_assert_mem_eq(&got, &set, sizeof(set));
    for (unsigned n = 0; n < VCPU_XMM_COUNT; n++) {
        memset(xmm, (int)(0x10 + n), sizeof(xmm));
        vcpu_set_xmm(vcpu, n, xmm);
    }
    for (unsigned n = 0; n < VCPU_XMM_COUNT; n++) {
        memset(xmm, (int)(0x10 + n), sizeof(xmm));
        vcpu_get_xmm(vcpu, n, xmm_got);
        ck_assert_mem_eq(xmm_got, xmm, sizeof(xmm));
    }
}
END_TEST

/* fld1; fldz; hlt: two registers pushed, the last one on top; in the form of FXSAVE. */
START_TEST(fpu_as_the_guest_made_it)
{
    static const uint8_t one[10] = {0, 0, 0, 0, 0, 0, 0, 0x80, 0xFF, 0x3F};
    const struct vcpu_fpu clear = {.control = 0x37F, .mxcsr = 0x1F80};
    struct vcpu_fpu fpu;

    vcpu_set_fpu(guest.machine.vcpu, &clear);
    GUEST_CODE_BYTES(&guest, 0xD9, 0xE8, 0xD9, 0xEE, 0xF4);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
    vcpu_get_fpu(guest.machine.vcpu, &fpu);
    ck_assert_uint_eq(fpu.status >> 11 & 7, 6);
    ck_assert_uint_eq(fpu.tags, 0xC0);
    ck_assert_mem_eq(fpu.x87 + 8, one, 8); /* ST1 */
    ck_assert_mem_eq(fpu.x87 + 64 + 2, one + 8, 2);
}
END_TEST

/* xor ecx, ecx; xgetbv; hlt */
START_TEST(xcr0_is_what_the_guest_reads)
{
    struct vcpu *vcpu = guest.machine.vcpu;

    guest_set(&guest, VCPU_CR4, LONG_CR4 | CR4_OSXSAVE);
    ck_assert_uint_eq(vcpu_get_xcr0(vcpu), 1);
    vcpu_set_xcr0(vcpu, 3);
    GUEST_CODE_BYTES(&guest, 0x31, 0xC9, 0x0F, 0x01, 0xD0, 0xF4);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 3);
    ck_assert_uint_eq(vcpu_get_xcr0(vcpu), 3);
}
END_TEST

/* ---- code ---- */

/*
 * The same bytes, which are "inc rax" in 64-bit code, "dec eax; inc eax" in 32-bit code, and "dec
 * ax; inc ax" in 16-bit code; then HLT.
 */
static const uint8_t telling_code[] = {0x48, 0xFF, 0xC0, 0xF4};
#define TELLING_RAX 0x1FFFFFFFFULL

static const uint8_t telling_insns[MODE_COUNT] = {2, 3, 3, 3, 3};

static uint64_t told(enum mode mode)
{
    return mode == MODE_LONG                         ? TELLING_RAX + 1
           : mode_rows[mode].code == SEGMENT_CODE_32 ? 0xFFFFFFFFULL
                                                     : TELLING_RAX;
}

/* From each mode to each, at one address where there is no paging and at one where there is. */
START_TEST(one_engine_in_every_mode)
{
    guest_copy(&guest, GUEST_CODE, telling_code, sizeof(telling_code));
    for (unsigned i = 0; i < MODE_COUNT * MODE_COUNT * 3; i++) {
        enum mode mode = i % 2 ? i / 2 % MODE_COUNT : i / 2 / MODE_COUNT % MODE_COUNT;

        uint64_t before = vcpu_retired(guest.machine.vcpu);

        enter(mode, 0, code_at(mode));
        guest_set(&guest, VCPU_RAX, TELLING_RAX);
        ck_assert_msg(guest_stop(&guest) == VCPU_STOP_HALT, "%s: %d, %u", mode_rows[mode].name,
                      guest.stop.kind, guest.stop.vector);
        ck_assert_msg(guest_get(&guest, VCPU_RAX) == told(mode), "%s: 0x%llx", mode_rows[mode].name,
                      (unsigned long long)guest_get(&guest, VCPU_RAX));
        ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), code_at(mode) + sizeof(telling_code));
        ck_assert_uint_eq(vcpu_retired(guest.machine.vcpu) - before, telling_insns[mode]);
    }
}
END_TEST

/*
 * CS with a base: RIP is an offset, and everything that knows code by its address adds the base.
 * In 64-bit code there is none.
 */
START_TEST(code_segment_with_a_base)
{
    /* nop; rdtsc; nop; vmgexit (its prefix before); jmp to the next; jmp self */
    static const uint8_t code[] = {0x90, 0x0F, 0x31, 0x90, 0xF3, 0x0F,
                                   0x01, 0xD9, 0xEB, 0x00, 0xEB, 0xFE};
    static const struct {
        uint64_t limit;
        enum vcpu_stop_kind kind;
        unsigned rip;
    } steps[] = {
        {0, VCPU_STOP_LIMIT, 0},  {1, VCPU_STOP_LIMIT, 1}, {99, VCPU_STOP_SITE, 1},
        {2, VCPU_STOP_LIMIT, 3},  {3, VCPU_STOP_LIMIT, 4}, {99, VCPU_STOP_INVALID, 4},
        {99, VCPU_STOP_SPIN, 10},
    };
    struct vcpu *vcpu = guest.machine.vcpu;
    enum mode mode = (enum mode)_i;
    uint64_t base = mode == MODE_LONG ? 0 : code_at(mode) - 0x400;
    uint64_t rip = mode == MODE_LONG ? code_at(mode) : 0x400;
    uint64_t start = vcpu_retired(vcpu);

    guest_copy(&guest, GUEST_CODE, code, sizeof(code));
    enter(mode, mode == MODE_LONG ? 0x1000 : base, rip);
    ck_assert_uint_eq(vcpu_code_gva(vcpu), code_at(mode));
    for (size_t i = 0; i < COUNT(steps); i++) {
        vcpu_set_limit(vcpu, start + steps[i].limit);
        ck_assert_msg(guest_stop(&guest) == steps[i].kind, "%s, step %zu: %d", mode_rows[mode].name,
                      i, guest.stop.kind);
        ck_assert_uint_eq(guest.stop.rip, rip + steps[i].rip);
        ck_assert_uint_eq(guest.stop.code_gva, code_at(mode) + steps[i].rip);
        if (steps[i].kind == VCPU_STOP_SITE || steps[i].kind == VCPU_STOP_INVALID) {
            ck_assert_int_eq(trap_handle(&guest.trap, &guest.stop),
                             steps[i].kind == VCPU_STOP_SITE ? TRAP_RESUME : TRAP_EXIT);
        }
    }
    ck_assert_uint_eq(vcpu_retired(vcpu) - start, 5);
}
END_TEST

/* Stopped before it, at an address with the base. */
START_TEST(breakpoint_with_a_base)
{
    struct vcpu *vcpu = guest.machine.vcpu;

    guest_copy(&guest, GUEST_CODE, (const uint8_t[]){0x90, 0x90, 0xF4}, 3);
    enter(MODE_REAL, code_at(MODE_REAL) - 0x400, 0x400);
    ck_assert_int_eq(vcpu_set_break(vcpu, code_at(MODE_REAL) + 1, &guest.error), 0);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_BREAK);
    ck_assert_uint_eq(guest.stop.rip, 0x401);
}
END_TEST

/* The block goes on into a page that cannot be fetched: what is before it runs. */
START_TEST(fetch_fails_in_the_next_page)
{
    enum mode mode = _i ? MODE_REAL : MODE_COMPATIBILITY;
    uint64_t end = mode_rows[mode].paging ? GUEST_CODE + 16 * PAGE_SIZE : 0x40000000;
    uint64_t before = vcpu_retired(guest.machine.vcpu);

    if (mode == MODE_COMPATIBILITY) {
        *guest_entry(&guest, end, 1) = 0;
        memset(guest_at(&guest, end - 3), 0x90, 3);
    } else { /* the page after is the last of memory's */
        end = GUEST_GPA + GUEST_PAGES * PAGE_SIZE;
        machine_launch_page(&guest.machine, guest_page(&guest, end - PAGE_SIZE))[PAGE_SIZE - 3] =
            0x90;
        memset(memory_bytes_for_write(&guest.machine.memory, guest_page(&guest, end - 1)) +
                   PAGE_SIZE - 3,
               0x90, 3);
    }
    enter(mode, end - 0x403, 0x400);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_FAULT);
    ck_assert_uint_eq(guest.stop.rip, 0x403);
    ck_assert_uint_eq(guest.stop.fault.gva, end);
    ck_assert_uint_eq(vcpu_retired(guest.machine.vcpu) - before, 3);
}
END_TEST

/* ---- transitions by the guest itself ---- */

/* A descriptor as code_segment in the GDT: base, limit in pages, attributes. */
static uint64_t descriptor(uint32_t base, uint32_t limit, uint16_t attributes)
{
    return (uint64_t)(limit & 0xFFFF) | (uint64_t)(base & 0xFFFFFF) << 16 |
           (uint64_t)(attributes & 0xFF) << 40 | (uint64_t)(limit >> 16 & 0xF) << 48 |
           (uint64_t)(attributes >> 8 & 0xF) << 52 | (uint64_t)(base >> 24) << 56;
}

/* 64-bit code whose descriptor has a base, as no processor minds. */
START_TEST(base_of_a_64_bit_code_segment)
{
    static const uint32_t bases[] = {0, 1, 0x1000, GUEST_UNMAPPED - GUEST_CODE, 0xFFF00000};
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];
    uint64_t before = vcpu_retired(guest.machine.vcpu);

    /* push 0x08; push target; retfq; target: rdtsc; hlt */
    guest_store(&guest, GUEST_GDT + GUEST_CS, descriptor(bases[_i], 0xFFFFF, 0xA9B));
    GUEST_CODE_BYTES(&guest, 0x6A, 0x08, 0x68, 0x09, 0x00, 0x10, 0x00, 0x48, 0xCB, 0x0F, 0x31,
                     0xF4);
    ck_assert_int_eq(guest_run(&guest), TRAP_END);
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_HALTED);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), GUEST_CODE + 12);
    ck_assert_uint_eq(vcpu_retired(guest.machine.vcpu) - before, 5);
    vcpu_get_segments(guest.machine.vcpu, segment);
    ck_assert_uint_eq(segment[VCPU_SEG_CS].base, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mode");
    TCase *registers = tcase_create("registers");
    TCase *code = tcase_create("code");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(registers, setup, teardown);
    tcase_add_test(registers, segments_come_back);
    tcase_add_test(registers, level_follows_ss);
    tcase_add_test(registers, system_registers_of_each_mode);
    tcase_add_test(registers, fpu_comes_back);
    tcase_add_test(registers, fpu_as_the_guest_made_it);
    tcase_add_test(registers, xcr0_is_what_the_guest_reads);
    suite_add_tcase(suite, registers);
    tcase_add_checked_fixture(code, setup, teardown);
    tcase_add_test(code, one_engine_in_every_mode);
    tcase_add_loop_test(code, code_segment_with_a_base, 0, MODE_COUNT);
    tcase_add_test(code, breakpoint_with_a_base);
    tcase_add_loop_test(code, fetch_fails_in_the_next_page, 0, 2);
    tcase_add_loop_test(code, base_of_a_64_bit_code_segment, 0, 5);
    suite_add_tcase(suite, code);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
