/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine/vcpu_segment.c: one engine in any mode, and from each to each other. The state comes from
 * outside, as out of a VMSA, or from the guest's own instructions.
 */
#include <check.h>
#include <string.h>

#include "abi/msr.h"
#include "guest_builder.h"
#include "machine/digest.h"
#include "trap/debug.h"
#include "trap/decode.h"

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

/* A snapshot brings back the mode, hidden parts included, and what ran meanwhile leaves no trace.
 */
START_TEST(snapshot_in_each_mode)
{
    struct vcpu *vcpu = guest.machine.vcpu;
    struct vcpu_segment before[VCPU_SEGMENT_COUNT], after[VCPU_SEGMENT_COUNT];
    uint8_t digest[DIGEST_SIZE], again[DIGEST_SIZE];
    enum mode mode = (enum mode)_i;

    guest_copy(&guest, GUEST_CODE, telling_code, sizeof(telling_code));
    enter(mode, 0, code_at(mode));
    guest_set(&guest, VCPU_RAX, TELLING_RAX);
    vcpu_get_segments(vcpu, before);
    ck_assert_int_eq(machine_save(&guest.machine, &guest.error), 0);
    ck_assert_int_eq(digest_machine(&guest.machine, NULL, 0, digest, &guest.error), 0);
    for (unsigned other = 0; other < MODE_COUNT; other++) {
        enter((enum mode)other, 0, code_at((enum mode)other));
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
        ck_assert_int_eq(machine_restore(&guest.machine, &guest.error), 0);
        ck_assert_int_eq(digest_machine(&guest.machine, NULL, 0, again, &guest.error), 0);
        ck_assert_mem_eq(again, digest, sizeof(digest));
        vcpu_get_segments(vcpu, after);
        ck_assert_uint_eq(after[VCPU_SEG_CS].attributes, before[VCPU_SEG_CS].attributes);
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), told(mode));
    }
    /* Each hidden part counts in the digest. */
    machine_restore(&guest.machine, &guest.error);
    for (unsigned i = 0; i < VCPU_SEGMENT_COUNT; i++) {
        vcpu_get_segments(vcpu, after);
        after[i].limit ^= 0x1000;
        vcpu_set_segments(vcpu, after);
        ck_assert_int_eq(digest_machine(&guest.machine, NULL, 0, again, &guest.error), 0);
        ck_assert_mem_ne(again, digest, sizeof(digest));
        after[i].limit ^= 0x1000;
        vcpu_set_segments(vcpu, after);
    }
    ck_assert_int_eq(digest_machine(&guest.machine, NULL, 0, again, &guest.error), 0);
    ck_assert_mem_eq(again, digest, sizeof(digest));
}
END_TEST

/* Stopped before it, at an address with the base. */
START_TEST(breakpoint_with_a_base)
{
    struct vcpu *vcpu = guest.machine.vcpu;

    guest_copy(&guest, GUEST_CODE, (const uint8_t[]){0x90, 0x90, 0xF4}, 3);
    enter(MODE_REAL, code_at(MODE_REAL) - 0x400, 0x400);
    ck_assert_int_eq(vcpu_set_break(vcpu, code_at(MODE_REAL) + 1, NULL, &guest.error), 0);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_BREAK);
    ck_assert_uint_eq(guest.stop.rip, 0x401);
}
END_TEST

/* The guest's own: DR0 holds an address with the base, too. */
START_TEST(debug_register_with_a_base)
{
    struct vcpu *vcpu = guest.machine.vcpu;
    enum mode mode = (enum mode)_i;
    uint64_t base = mode == MODE_LONG ? 0 : code_at(mode) - 0x400, gva = code_at(mode);

    /* nop; mov dr0, eax; mov ecx, dr0; nop; nop; hlt */
    guest_copy(&guest, GUEST_CODE,
               (const uint8_t[]){0x90, 0x0F, 0x23, 0xC0, 0x0F, 0x21, 0xC1, 0x90, 0x90, 0xF4}, 10);
    enter(mode, base, gva - base);
    guest_set(&guest, VCPU_DR7, 0x401);
    guest_set(&guest, VCPU_RAX, (mode == MODE_LONG ? 0 : 7ULL << 32) | (gva + 8));
    do {
        guest_stop(&guest);
    } while (guest.stop.kind == VCPU_STOP_SITE && guest_handle(&guest) == TRAP_RESUME);
    ck_assert_msg(guest.stop.kind == VCPU_STOP_DEBUG, "%s: %d", mode_rows[mode].name,
                  guest.stop.kind);
    ck_assert_uint_eq(guest.stop.rip, gva + 8 - base);
    ck_assert_uint_eq(guest.stop.code_gva, gva + 8);
    ck_assert(debug_at_breakpoint(&guest.trap, guest.stop.code_gva));
    ck_assert_uint_eq(guest_get(&guest, VCPU_RCX), gva + 8);
    guest_set(&guest, VCPU_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
    ck_assert_uint_eq(vcpu_code_gva(vcpu), gva + 10);
}
END_TEST

/* SYSRET without REX.W: to 32-bit code at CPL 3, and no upper halves. */
START_TEST(sysret_to_32_bit_code)
{
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];
    struct vcpu *vcpu = guest.machine.vcpu;

    GUEST_CODE_BYTES(&guest, 0x0F, 0x07);
    vcpu_set_msr(vcpu, MSR_STAR, 0x0063ULL << 48);
    guest_set(&guest, VCPU_RCX, 0x1234500006789ULL);
    guest_set(&guest, VCPU_R11, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_RF);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_SITE);
    ck_assert_int_eq(guest_handle(&guest), TRAP_RESUME);
    vcpu_get_segments(vcpu, segment);
    ck_assert_uint_eq(vcpu_code_bits(vcpu), 32);
    ck_assert_uint_eq(vcpu_cpl(vcpu), 3);
    ck_assert_uint_eq(segment[VCPU_SEG_CS].selector, 0x63);
    ck_assert_uint_eq(segment[VCPU_SEG_CS].attributes, SEGMENT_CODE_32 | 0x60);
    ck_assert_uint_eq(segment[VCPU_SEG_SS].selector, 0x6B);
    ck_assert_uint_eq(segment[VCPU_SEG_SS].attributes, SEGMENT_DATA_32 | 0x60);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), 0x6789);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RFLAGS), RFLAGS_FIXED | RFLAGS_IF);
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

#define GPA32(gva) (uint32_t)(GUEST_GPA + (gva))
#define WORD(w) (uint8_t)(w), (uint8_t)((w) >> 8)
#define DWORD(d) (uint8_t)(d), (uint8_t)((d) >> 8), (uint8_t)((d) >> 16), (uint8_t)((d) >> 24)

/* Beside those of guest_builder.h, at the end of its GDT. */
#define SELECTOR_CODE_32 0x50 /* flat */
#define SELECTOR_CODE_16 0x58 /* base GPA of GUEST_CODE */
#define SELECTOR_DATA_16 0x60
#define SELECTOR_CODE_64 0x68
#define GDT_SIZE 0x70
#define GDT_IMAGE (GUEST_CODE + 0xF00) /* for LGDT: limit and base */

static void prepare_tables(void)
{
    const uint8_t image[6] = {WORD(GDT_SIZE - 1), DWORD(GPA32(GUEST_GDT))};

    guest_store(&guest, GUEST_GDT + SELECTOR_CODE_32, descriptor(0, 0xFFFFF, SEGMENT_CODE_32));
    guest_store(&guest, GUEST_GDT + SELECTOR_CODE_16,
                descriptor(GPA32(GUEST_CODE), 0xFFFF, SEGMENT_CODE_16));
    guest_store(&guest, GUEST_GDT + SELECTOR_DATA_16,
                descriptor(GPA32(GUEST_CODE), 0xFFFF, SEGMENT_DATA_16));
    guest_store(&guest, GUEST_GDT + SELECTOR_CODE_64, descriptor(0x5000, 0xFFFFF, SEGMENT_CODE_64));
    guest_copy(&guest, GDT_IMAGE, image, sizeof(image));
    /* Where code and GDT are without paging they are with paging, too. */
    guest_map(&guest, GUEST_GPA + GUEST_GDT, GUEST_GPA + GUEST_GDT, PAGE_SIZE, GUEST_PRIVATE);
    guest_map(&guest, GUEST_GPA + GUEST_CODE, GUEST_GPA + GUEST_CODE, PAGE_SIZE, GUEST_PRIVATE);
}

/* As firmware starts: the vCPU in real mode, with a code segment whose base no selector makes. */
static void start_in_real_mode(void)
{
    struct vcpu *vcpu = guest.machine.vcpu;
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];
    const struct vcpu_table none = {.limit = 0xFFFF};

    for (unsigned i = 0; i < VCPU_SEGMENT_COUNT; i++) {
        segment[i] = (struct vcpu_segment){.attributes = SEGMENT_DATA_16, .limit = 0xFFFF};
    }
    segment[VCPU_SEG_CS] = (struct vcpu_segment){.selector = 0xF000,
                                                 .attributes = SEGMENT_CODE_16,
                                                 .limit = 0xFFFF,
                                                 .base = GUEST_GPA + GUEST_CODE};
    vcpu_set_system(vcpu, CR0_BOOT, LONG_CR3, 0, EFER_SVME);
    vcpu_set(vcpu, VCPU_RFLAGS, RFLAGS_FIXED);
    vcpu_set_segments(vcpu, segment);
    vcpu_set_table(vcpu, VCPU_GDTR, &none);
    vcpu_set_table(vcpu, VCPU_IDTR, &none);
    vcpu_set(vcpu, VCPU_RIP, 0);
    vcpu_set(vcpu, VCPU_RSP, 0);
}

/* Code that goes through all modes, in three pieces at these offsets. */
#define AT_32 0x100
#define AT_64 0x200
#define AT_16 0x300
#define AT_REAL 0x400

static const uint8_t climb_16[] = {
    0x2E,
    0x66,
    0x0F,
    0x01,
    0x16,
    WORD(0xF00), /* lgdt cs:[image] */
    0x0F,
    0x20,
    0xC0,
    0x0C,
    0x01,
    0x0F,
    0x22,
    0xC0, /* CR0.PE */
    0x66,
    0xEA,
    DWORD(GPA32(GUEST_CODE) + AT_32),
    WORD(SELECTOR_CODE_32), /* jmp far */
};
static const uint8_t climb_32[] = {
    0x66,
    0xB8,
    WORD(GUEST_DS),
    0x8E,
    0xD8,
    0x8E,
    0xC0,
    0x8E,
    0xD0, /* DS, ES, SS */
    0x0F,
    0x20,
    0xE0,
    0x83,
    0xC8,
    0x20,
    0x0F,
    0x22,
    0xE0, /* CR4.PAE */
    0xB8,
    DWORD(GUEST_GPA),
    0x0F,
    0x22,
    0xD8, /* CR3 */
    0xB9,
    DWORD(MSR_EFER),
    0x0F,
    0x32,
    0x0D,
    DWORD(EFER_LME),
    0x0F,
    0x30,
    0x0F,
    0x20,
    0xC0,
    0x0D,
    DWORD(CR0_PG),
    0x0F,
    0x22,
    0xC0, /* CR0.PG: compatibility mode */
    0x40,
    0x48, /* inc eax; dec eax */
    0xEA,
    DWORD(GPA32(GUEST_CODE) + AT_64),
    WORD(SELECTOR_CODE_64),
};
static const uint8_t climb_64[] = {
    0x48,
    0xB8,
    DWORD(0x89ABCDEFu),
    DWORD(0x01234567u), /* mov rax, 0x123456789ABCDEF */
    0x49,
    0x89,
    0xC0, /* mov r8, rax */
    0x68,
    DWORD(SELECTOR_CODE_32), /* push; push; retfq */
    0x68,
    DWORD(GPA32(GUEST_CODE) + AT_64 + 0x20),
    0x48,
    0xCB,
};
static const uint8_t descend_32[] = {
    /* in compatibility mode: paging off, EFER.LME off, to 16-bit protected mode */
    0x0F,
    0x20,
    0xC0,
    0x25,
    DWORD(~CR0_PG),
    0x0F,
    0x22,
    0xC0,
    0xB9,
    DWORD(MSR_EFER),
    0x0F,
    0x32,
    0x25,
    DWORD(~EFER_LME),
    0x0F,
    0x30,
    0xEA,
    DWORD(AT_16),
    WORD(SELECTOR_CODE_16),
};
static const uint8_t descend_16[] = {
    0xB8, WORD(SELECTOR_DATA_16),
    0x8E, 0xD8,
    0x8E, 0xC0,
    0x8E, 0xD0,
    0x0F, 0x20,
    0xC0, 0x24,
    0xFE, 0x0F,
    0x22, 0xC0, /* CR0.PE off: real mode, base as it was */
    0xE9, WORD(AT_REAL - (AT_16 + 19)),
};
static const uint8_t descend_real[] = {0x66, 0x40, 0xF4}; /* inc eax; hlt */

START_TEST(guest_goes_through_all_modes)
{
    struct vcpu *vcpu = guest.machine.vcpu;
    struct mmu_context context;
    uint64_t before;

    prepare_tables();
    guest_copy(&guest, GUEST_CODE, climb_16, sizeof(climb_16));
    guest_copy(&guest, GUEST_CODE + AT_32, climb_32, sizeof(climb_32));
    guest_copy(&guest, GUEST_CODE + AT_64, climb_64, sizeof(climb_64));
    guest_copy(&guest, GUEST_CODE + AT_64 + 0x20, descend_32, sizeof(descend_32));
    guest_copy(&guest, GUEST_CODE + AT_16, descend_16, sizeof(descend_16));
    guest_copy(&guest, GUEST_CODE + AT_REAL, descend_real, sizeof(descend_real));
    guest_map(&guest, GUEST_GPA + GUEST_STACK, GUEST_GPA + GUEST_STACK, PAGE_SIZE, GUEST_PRIVATE);
    for (unsigned round = 0; round < 4; round++) {
        start_in_real_mode();
        guest_set(&guest, VCPU_RSP, GUEST_GPA + GUEST_STACK + 0x800);
        guest_set(&guest, VCPU_R8, 0);
        before = vcpu_retired(vcpu);
        ck_assert_int_eq(guest_run(&guest), TRAP_END);
        ck_assert_msg(guest.outcome.kind == OUTCOME_HALTED, "%s: %s, RIP 0x%llx, %u bits",
                      outcome_name(guest.outcome.kind), guest.outcome.detail,
                      (unsigned long long)guest_get(&guest, VCPU_RIP), vcpu_code_bits(vcpu));
        ck_assert_uint_eq(guest_get(&guest, VCPU_R8), 0x123456789ABCDEF);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), CR0_BOOT + 1);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), AT_REAL + sizeof(descend_real));
        ck_assert_uint_eq(vcpu_get_msr(vcpu, MSR_EFER), EFER_SVME);
        ck_assert_uint_eq(vcpu_code_bits(vcpu), 16);
        ck_assert_uint_eq(vcpu_code_gva(vcpu),
                          GUEST_GPA + GUEST_CODE + AT_REAL + sizeof(descend_real));
        vcpu_mmu_context(vcpu, &context);
        ck_assert_uint_eq(context.efer, EFER_SVME);
        ck_assert_uint_eq(context.cpl, 0);
        ck_assert_uint_eq(vcpu_retired(vcpu) - before, 5 + 19 + 5 + 8 + 8 + 2);
    }
}
END_TEST

/*
 * The reset vector: the last 16 bytes below 4 GiB, by a base that no selector makes; a jump back in
 * the segment, a store to low memory, and a far jump, after which the base is the selector's.
 */
START_TEST(reset_vector)
{
    static const uint8_t reset[] = {0xE9, WORD(0x10000 + 0xFF00 - 0xFFF3)};
    static const uint8_t rom[] = {
        0xB8, WORD(0x0120), 0x8E,         0xD8,         /* mov ax, 0x120; mov ds, ax */
        0xC7, 0x06,         WORD(0x0034), WORD(0xBEEF), /* mov word [0x34], 0xBEEF */
        0xEA, WORD(0x0010), WORD(0x0200),               /* jmp 0x200:0x10 */
    };
    static const uint8_t low[] = {0x0F, 0x31, 0xF4}; /* rdtsc; hlt */
    const struct memory_slot slot[] = {{.gpa = 0, .page_count = 512},
                                       {.gpa = 0xFFE00000, .page_count = 512}};
    struct outcome outcome = {0};
    struct trap_context trap = {.outcome = &outcome};
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];
    struct machine machine;
    struct vcpu_stop stop;
    struct error error;
    uint8_t *page;

    ck_assert_int_eq(machine_init(&machine, slot, COUNT(slot), 1, decode_for_vcpu, &error), 0);
    trap.machine = &machine;
    page = machine_launch_page(&machine, memory_page(&machine.memory, 0xFFFFF000));
    memcpy(page + 0xFF0, reset, sizeof(reset));
    memcpy(page + 0xF00, rom, sizeof(rom));
    machine_launch_page(&machine, memory_page(&machine.memory, 0x1000));
    page = machine_launch_page(&machine, memory_page(&machine.memory, 0x2000));
    memcpy(page + 0x10, low, sizeof(low));
    for (unsigned i = 0; i < VCPU_SEGMENT_COUNT; i++) {
        segment[i] = (struct vcpu_segment){.attributes = SEGMENT_DATA_16, .limit = 0xFFFF};
    }
    segment[VCPU_SEG_CS] = (struct vcpu_segment){0xF000, SEGMENT_CODE_16, 0xFFFF, 0xFFFF0000};
    vcpu_set_system(machine.vcpu, CR0_BOOT, 0, 0, EFER_SVME);
    vcpu_set(machine.vcpu, VCPU_RFLAGS, RFLAGS_FIXED);
    vcpu_set_segments(machine.vcpu, segment);
    vcpu_set(machine.vcpu, VCPU_RIP, 0xFFF0);
    ck_assert_uint_eq(vcpu_code_gva(machine.vcpu), 0xFFFFFFF0);
    ck_assert_int_eq(vcpu_run(machine.vcpu, &stop, &error), 0);
    ck_assert_int_eq(stop.kind, VCPU_STOP_SITE);
    ck_assert_uint_eq(stop.code_gva, 0x2010);
    ck_assert_uint_eq(vcpu_retired(machine.vcpu), 5);
    ck_assert_int_eq(trap_handle(&trap, &stop), TRAP_RESUME);
    ck_assert_int_eq(vcpu_run(machine.vcpu, &stop, &error), 0);
    ck_assert_int_eq(stop.kind, VCPU_STOP_HALT);
    ck_assert_uint_eq(stop.rip, 0x13);
    vcpu_get_segments(machine.vcpu, segment);
    ck_assert_uint_eq(segment[VCPU_SEG_CS].base, 0x2000);
    ck_assert_uint_eq(segment[VCPU_SEG_CS].selector, 0x200);
    ck_assert_uint_eq(segment[VCPU_SEG_DS].base, 0x1200);
    page = memory_bytes(&machine.memory, memory_page(&machine.memory, 0x1234));
    ck_assert_uint_eq(page[0x234] | page[0x235] << 8, 0xBEEF);
    machine_release(&machine);
}
END_TEST

/* ---- exceptions ---- */

#define IDT_32 (GUEST_DATA + 0x1000)
#define HANDLER_32 (GUEST_CODE + 0x800)
#define STACK_32 GPA32(GUEST_STACK_TOP)

static void gate_32(unsigned vector, uint16_t selector, uint32_t target, uint8_t type)
{
    guest_store(&guest, IDT_32 + 8 * vector,
                (uint64_t)(target & 0xFFFF) | (uint64_t)selector << 16 | (uint64_t)type << 40 |
                    (uint64_t)(target >> 16) << 48);
}

/* 32-bit protected mode without paging: GDT, IDT with gates to a HLT, flat segments. */
static void start_in_32_bit(void)
{
    struct vcpu *vcpu = guest.machine.vcpu;
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];

    prepare_tables();
    guest_copy(&guest, HANDLER_32, (const uint8_t[]){0xF4}, 1);
    for (unsigned vector = 0; vector < 32; vector++) {
        gate_32(vector, SELECTOR_CODE_32, GPA32(HANDLER_32), 0x8E);
    }
    enter(MODE_PROTECTED_32, 0, GUEST_GPA + GUEST_CODE);
    vcpu_get_segments(vcpu, segment);
    segment[VCPU_SEG_CS].selector = SELECTOR_CODE_32;
    vcpu_set_segments(vcpu, segment);
    vcpu_set_table(vcpu, VCPU_GDTR,
                   &(struct vcpu_table){.base = GUEST_GPA + GUEST_GDT, .limit = GDT_SIZE - 1});
    vcpu_set_table(vcpu, VCPU_IDTR,
                   &(struct vcpu_table){.base = GUEST_GPA + IDT_32, .limit = 32 * 8 - 1});
    vcpu_set(vcpu, VCPU_RSP, STACK_32);
}

static uint32_t frame_word(uint32_t esp, unsigned n)
{
    return (uint32_t)guest_load(&guest, esp - GUEST_GPA + 4ULL * n);
}

/*
 * What firmware does first under SEV-ES: CPUID is a #VC, whose handler asks the hypervisor through
 * the GHCB MSR, in 32-bit code, and goes on behind the instruction.
 */
START_TEST(vc_handler_in_32_bit_code)
{
    static const uint8_t handler[] = {
        0x83, 0x3C,
        0x24, 0x72,
        0x75, 0x1B, /* CPUID's? */
        0x31, 0xD2,
        0xB8, DWORD(0x40000004u), /* MSR value, lower half */
        0xB9, DWORD(MSR_GHCB),
        0x0F, 0x30, /* wrmsr */
        0xF3, 0x0F,
        0x01, 0xD9, /* vmgexit */
        0x0F, 0x32,
        0x83, 0xC4,
        0x04, 0x83,
        0x04, 0x24,
        0x02, 0xCF, /* rdmsr; skip; iretd */
        0xF4,
    };
    struct vcpu *vcpu = guest.machine.vcpu;
    uint64_t before;

    start_in_32_bit();
    guest_copy(&guest, HANDLER_32, handler, sizeof(handler));
    /* cpuid; mov ebx, edx; hlt */
    guest_copy(&guest, GUEST_CODE, (const uint8_t[]){0x0F, 0xA2, 0x89, 0xD3, 0xF4}, 5);
    for (unsigned round = 0; round < 3; round++) {
        guest_set(&guest, VCPU_RIP, GUEST_GPA + GUEST_CODE);
        guest_set(&guest, VCPU_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
        before = vcpu_retired(vcpu);
        ck_assert_int_eq(guest_run(&guest), TRAP_EXIT);
        ck_assert_uint_eq(guest.machine.state.ghcb_msr, 0x40000004);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RSP), STACK_32 - 16);
        ck_assert_uint_eq(frame_word(STACK_32 - 16, 0), VC_CPUID);
        ck_assert_uint_eq(frame_word(STACK_32 - 16, 1), GPA32(GUEST_CODE));
        ck_assert_uint_eq(frame_word(STACK_32 - 16, 2), SELECTOR_CODE_32);
        ck_assert_uint_eq(frame_word(STACK_32 - 16, 3), RFLAGS_FIXED | RFLAGS_IF | RFLAGS_RF);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RFLAGS) & (RFLAGS_IF | RFLAGS_RF), 0);
        guest.machine.state.ghcb_msr = 0x1234567800000005ULL; /* as the hypervisor answers */
        ck_assert_int_eq(guest_run(&guest), TRAP_END);
        ck_assert_int_eq(guest.outcome.kind, OUTCOME_HALTED);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), GUEST_GPA + GUEST_CODE + 5);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RBX), 0x12345678);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RFLAGS) & (RFLAGS_IF | RFLAGS_RF), RFLAGS_IF);
        ck_assert_uint_eq(vcpu_retired(vcpu) - before, 11 + 2);
    }
}
END_TEST

/* What an exception in 32-bit code comes to. The handler halts, unless the row says otherwise. */
static const struct exception_row {
    const char *name;
    uint8_t code[8];
    uint8_t gate_vector, gate_type;
    uint16_t gate_selector;
    uint8_t vector; /* whose frame is looked at */
    bool has_error_code;
    uint32_t error_code;
    uint8_t pushed_rip; /* offset */
    uint8_t word_bytes;
    enum outcome_kind outcome;
} exception_rows[] = {
    {"#UD", {0x0F, 0x0B}, 6, 0x8E, SELECTOR_CODE_32, 6, false, 0, 0, 4, OUTCOME_HALTED},
    {"#DE after a nop",
     {0x90, 0x31, 0xC9, 0xF7, 0xF1},
     0,
     0x8E,
     SELECTOR_CODE_32,
     0,
     false,
     0,
     3,
     4,
     OUTCOME_HALTED},
    {"trap gate", {0x0F, 0x0B}, 6, 0x8F, SELECTOR_CODE_32, 6, false, 0, 0, 4, OUTCOME_HALTED},
    {"in", {0xEC}, 29, 0x8E, SELECTOR_CODE_32, 29, true, VC_IOIO, 0, 4, OUTCOME_HALTED},
    {"out of 16 bits",
     {0x66, 0xEF},
     29,
     0x8E,
     SELECTOR_CODE_32,
     29,
     true,
     VC_IOIO,
     0,
     4,
     OUTCOME_HALTED},
    {"vmmcall",
     {0x0F, 0x01, 0xD9},
     29,
     0x8E,
     SELECTOR_CODE_32,
     29,
     true,
     VC_VMMCALL,
     0,
     4,
     OUTCOME_HALTED},
    {"a REX byte is an instruction",
     {0x40, 0x0F, 0xA2},
     29,
     0x8E,
     SELECTOR_CODE_32,
     29,
     true,
     VC_CPUID,
     1,
     4,
     OUTCOME_HALTED},
    {"int 6", {0xCD, 0x06}, 6, 0x8E, SELECTOR_CODE_32, 6, false, 0, 2, 4, OUTCOME_HALTED},
    {"int3", {0xCC}, 3, 0x8F, SELECTOR_CODE_32, 3, false, 0, 1, 4, OUTCOME_HALTED},
    {"#GP with a selector",
     {0x66, 0xB8, 0xF8, 0x0F, 0x8E, 0xD8},
     13,
     0x8E,
     SELECTOR_CODE_32,
     13,
     true,
     0xFF8,
     4,
     4,
     OUTCOME_HALTED},
    {"16-bit gate", {0x0F, 0x0B}, 6, 0x86, SELECTOR_CODE_16, 6, false, 0, 0, 2, OUTCOME_HALTED},
    {"gate not present: #NP",
     {0x0F, 0x0B},
     6,
     0x0E,
     SELECTOR_CODE_32,
     11,
     true,
     6 * 8 + 2,
     0,
     4,
     OUTCOME_HALTED},
    {"no gate at all: #GP",
     {0x0F, 0x0B},
     6,
     0x8C,
     SELECTOR_CODE_32,
     13,
     true,
     6 * 8 + 2,
     0,
     4,
     OUTCOME_HALTED},
    {"a data segment: #GP",
     {0x0F, 0x0B},
     6,
     0x8E,
     GUEST_DS,
     13,
     true,
     GUEST_DS,
     0,
     4,
     OUTCOME_HALTED},
    {"a null selector: #GP", {0x0F, 0x0B}, 6, 0x8E, 0, 13, true, 0, 0, 4, OUTCOME_HALTED},
    {"beyond the GDT: #GP", {0x0F, 0x0B}, 6, 0x8E, 0x70, 13, true, 0x70, 0, 4, OUTCOME_HALTED},
    {"segment not present: #NP",
     {0x0F, 0x0B},
     6,
     0x8E,
     GUEST_CS_NOT_PRESENT,
     11,
     true,
     GUEST_CS_NOT_PRESENT,
     0,
     4,
     OUTCOME_HALTED},
    {"a task gate", {0x0F, 0x0B}, 6, 0x85, GUEST_TR, 0, false, 0, 0, 4, OUTCOME_UNMODELLED},
    {"pvalidate",
     {0xF2, 0x0F, 0x01, 0xFF},
     6,
     0x8E,
     SELECTOR_CODE_32,
     0,
     false,
     0,
     0,
     4,
     OUTCOME_UNMODELLED},
};

START_TEST(exceptions_in_32_bit_code)
{
    const struct exception_row *row = &exception_rows[_i];
    unsigned words = row->has_error_code ? 4 : 3;
    uint32_t esp = STACK_32 - words * row->word_bytes;
    uint32_t rip = GPA32(GUEST_CODE) + row->pushed_rip, got[4];

    start_in_32_bit();
    guest_copy(&guest, GUEST_CODE, row->code, sizeof(row->code));
    gate_32(row->gate_vector, row->gate_selector,
            row->gate_selector == SELECTOR_CODE_16 ? HANDLER_32 - GUEST_CODE : GPA32(HANDLER_32),
            row->gate_type);
    guest_set(&guest, VCPU_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
    ck_assert_int_eq(guest_run(&guest), TRAP_END);
    ck_assert_msg(guest.outcome.kind == row->outcome, "%s: %s, %s", row->name,
                  outcome_name(guest.outcome.kind), guest.outcome.detail);
    if (row->outcome != OUTCOME_HALTED) {
        return;
    }
    ck_assert_uint_eq(vcpu_code_gva(guest.machine.vcpu), GPA32(HANDLER_32) + 1);
    ck_assert_uint_eq(vcpu_code_bits(guest.machine.vcpu), row->word_bytes * 8u);
    ck_assert_msg(guest_get(&guest, VCPU_RSP) == esp, "%s: ESP 0x%llx", row->name,
                  (unsigned long long)guest_get(&guest, VCPU_RSP));
    for (unsigned i = 0; i < words; i++) {
        uint64_t mask = row->word_bytes == 4 ? UINT32_MAX : UINT16_MAX;

        got[i] = (uint32_t)(guest_load(&guest, esp - GUEST_GPA + i * row->word_bytes) & mask);
        rip &= (uint32_t)mask;
    }
    if (row->has_error_code) {
        ck_assert_msg(got[0] == row->error_code, "%s: 0x%x", row->name, got[0]);
    }
    ck_assert_msg(got[words - 3] == rip, "%s: EIP 0x%x", row->name, got[words - 3]);
    ck_assert_uint_eq(got[words - 2], SELECTOR_CODE_32);
    ck_assert_msg(!(guest_get(&guest, VCPU_RFLAGS) & RFLAGS_IF) == !(row->gate_type & 1), "%s",
                  row->name);
}
END_TEST

/* From CPL 3 the stack comes from the TSS, and the old one is in the frame; IRETD goes back. */
START_TEST(inner_stack_from_the_tss)
{
    struct vcpu *vcpu = guest.machine.vcpu;
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];
    uint32_t inner = GPA32(GUEST_IST_TOP);
    uint32_t tss[26] = {0};

    start_in_32_bit();
    tss[1] = inner;
    tss[2] = GUEST_DS;
    guest_copy(&guest, GUEST_DATA, tss, sizeof(tss));
    vcpu_set_table(vcpu, VCPU_TR,
                   &(struct vcpu_table){.selector = GUEST_TR,
                                        .base = GUEST_GPA + GUEST_DATA,
                                        .limit = _i == 1 ? 7 : sizeof(tss) - 1,
                                        .flags = _i == 2 ? 0x8300 : 0x8B00});
    vcpu_get_segments(vcpu, segment);
    segment[VCPU_SEG_CS].attributes |= 3 << 5;
    segment[VCPU_SEG_CS].selector = GUEST_USER_CS;
    segment[VCPU_SEG_SS].attributes |= 3 << 5;
    segment[VCPU_SEG_SS].selector = GUEST_USER_DS;
    vcpu_set_segments(vcpu, segment);
    guest_copy(&guest, GUEST_CODE, (const uint8_t[]){0x90, 0x0F, 0x0B}, 3);
    ck_assert_int_eq(guest_run(&guest), TRAP_END);
    if (_i != 0) { /* too short: #TS, and so on to the end; a 16-bit one */
        ck_assert_int_eq(guest.outcome.kind, _i == 1 ? OUTCOME_TRIPLE_FAULT : OUTCOME_UNMODELLED);
        return;
    }
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_HALTED);
    ck_assert_uint_eq(vcpu_cpl(vcpu), 0);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RSP), inner - 20);
    ck_assert_uint_eq(guest_get(&guest, VCPU_SS), GUEST_DS);
    ck_assert_uint_eq(frame_word(inner - 20, 0), GPA32(GUEST_CODE) + 1);
    ck_assert_uint_eq(frame_word(inner - 20, 1), GUEST_USER_CS);
    ck_assert_uint_eq(frame_word(inner - 20, 3), STACK_32);
    ck_assert_uint_eq(frame_word(inner - 20, 4), GUEST_USER_DS);
}
END_TEST

/* The vector table of real mode; its frame has three words and no error code. */
START_TEST(exception_in_real_mode)
{
    struct vcpu *vcpu = guest.machine.vcpu;
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];
    const uint64_t sp = 0xFF0;

    start_in_real_mode();
    vcpu_get_segments(vcpu, segment);
    segment[VCPU_SEG_SS].base = GUEST_GPA + GUEST_STACK;
    vcpu_set_segments(vcpu, segment);
    vcpu_set(vcpu, VCPU_RSP, sp);
    vcpu_set(vcpu, VCPU_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
    vcpu_set_table(vcpu, VCPU_IDTR,
                   &(struct vcpu_table){.base = GUEST_GPA + IDT_32, .limit = _i ? 0x10 : 0x3FF});
    guest_store(&guest, IDT_32 + 4 * 29, 0xABCD1234); /* an address where nothing is */
    guest_copy(&guest, GUEST_CODE, (const uint8_t[]){0x90, 0x0F, 0xA2}, 3);
    guest_stop(&guest);
    if (_i) {
        ck_assert_int_eq(trap_handle(&guest.trap, &guest.stop), TRAP_END);
        ck_assert_int_eq(guest.outcome.kind, OUTCOME_TRIPLE_FAULT);
        return;
    }
    ck_assert_int_eq(trap_handle(&guest.trap, &guest.stop), TRAP_RESUME);
    ck_assert_uint_eq(guest_get(&guest, VCPU_CS), 0xABCD);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), 0x1234);
    ck_assert_uint_eq(vcpu_code_gva(vcpu), 0xABCD0 + 0x1234);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RSP), sp - 6);
    ck_assert_uint_eq(guest_load(&guest, GUEST_STACK + sp - 6) & 0xFFFFFFFFFFFF,
                      (RFLAGS_FIXED | RFLAGS_IF) << 32 | 0xF0000001);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RFLAGS) & RFLAGS_IF, 0);
}
END_TEST

/* Out of compatibility-mode code the handler is 64-bit, and IRETQ goes back. */
START_TEST(exception_in_compatibility_mode)
{
    static const uint8_t handler[] = {
        0x48, 0xB8, DWORD(1), DWORD(1),                               /* mov rax, ... */
        0x49, 0x89, 0xC1,                                             /* mov r9, rax */
        0x48, 0x83, 0xC4,     0x08,     0x48, 0x83, 0x04, 0x24, 0x02, /* error code, RIP */
        0x48, 0xCF,
    };
    struct vcpu *vcpu = guest.machine.vcpu;

    prepare_tables();
    guest_gate(&guest, VECTOR_VC, GUEST_CS, HANDLER_32, 0, GUEST_GATE_INTERRUPT);
    guest_copy(&guest, HANDLER_32, handler, sizeof(handler));
    vcpu_set_table(vcpu, VCPU_GDTR, &(struct vcpu_table){.base = GUEST_GDT, .limit = GDT_SIZE - 1});
    /* push 0x50; push target; retfq; target: cpuid; inc eax; dec eax; inc ebx; hlt */
    GUEST_CODE_BYTES(&guest, 0x6A, SELECTOR_CODE_32, 0x68, DWORD(GUEST_CODE + 9), 0x48, 0xCB, 0x0F,
                     0xA2, 0x40, 0x48, 0x43, 0xF4);
    guest_set(&guest, VCPU_RBX, 0);
    ck_assert_int_eq(guest_run(&guest), TRAP_END);
    ck_assert_msg(guest.outcome.kind == OUTCOME_HALTED, "%s, %s", outcome_name(guest.outcome.kind),
                  guest.outcome.detail);
    ck_assert_uint_eq(guest_get(&guest, VCPU_R9), 0x100000001);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RBX), 1);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), GUEST_CODE + 15);
    ck_assert_uint_eq(vcpu_code_bits(vcpu), 32);
}
END_TEST

/* #VC 0x404: CR2 is the byte, the bases of segments and the width of addresses counted in. */
static const struct cr2_row {
    const char *name;
    enum mode mode;
    uint8_t code[8];
    uint64_t cr2; /* from the start of the page */
} cr2_rows[] = {
    {"16-bit, [bx+si]", MODE_REAL, {0x8A, 0x00}, 0x123},
    {"16-bit, [bp+di+0x10] by SS", MODE_REAL, {0x8B, 0x43, 0x10}, 0x230},
    {"16-bit, es:[0x45]", MODE_REAL, {0x26, 0xA0, 0x45, 0x00}, 0x345},
    {"16-bit, [esi] with an address prefix", MODE_REAL, {0x67, 0x8A, 0x06}, 0x23},
    {"32-bit, [ebx+esi*4]", MODE_PROTECTED_32, {0x8B, 0x04, 0xB3}, 0x18C},
    {"32-bit, push", MODE_PROTECTED_32, {0x50}, 0x2FC},
    {"32-bit, [bx+si] with an address prefix", MODE_PROTECTED_32, {0x67, 0x8A, 0x00}, 0x123},
};

START_TEST(cr2_in_other_modes)
{
    const struct cr2_row *row = &cr2_rows[_i];
    struct vcpu *vcpu = guest.machine.vcpu;
    uint64_t page = GUEST_GPA + GUEST_DATA + 0x4000;
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];

    guest_copy(&guest, GUEST_CODE, row->code, sizeof(row->code));
    rmp_assign(&guest.machine.rmp, guest_page(&guest, page), false);
    guest_rmp(&guest, page)->flags &= (uint8_t)~RMP_VALIDATED;
    enter(row->mode, 0, code_at(row->mode));
    vcpu_get_segments(vcpu, segment);
    segment[VCPU_SEG_DS].base = page;
    segment[VCPU_SEG_SS].base = page + 0x200;
    segment[VCPU_SEG_ES].base = page + 0x300;
    vcpu_set_segments(vcpu, segment);
    vcpu_set_table(vcpu, VCPU_IDTR, &(struct vcpu_table){0});
    guest_set(&guest, VCPU_RBX, 0x100);
    guest_set(&guest, VCPU_RSI, 0x23);
    guest_set(&guest, VCPU_RBP, 0xFFFF0010); /* the upper half does not count */
    guest_set(&guest, VCPU_RDI, 0x10);
    guest_set(&guest, VCPU_RSP, 0x100);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_FAULT);
    ck_assert_int_eq(guest.stop.fault.kind, MMU_FAULT_VC);
    ck_assert_int_eq(trap_handle(&guest.trap, &guest.stop), TRAP_END);
    ck_assert_msg(guest_get(&guest, VCPU_CR2) == page + row->cr2, "%s: 0x%llx", row->name,
                  (unsigned long long)(guest_get(&guest, VCPU_CR2) - page));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mode");
    TCase *registers = tcase_create("registers");
    TCase *code = tcase_create("code");
    TCase *exceptions = tcase_create("exceptions");
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
    tcase_add_loop_test(code, snapshot_in_each_mode, 0, MODE_COUNT);
    tcase_add_test(code, breakpoint_with_a_base);
    tcase_add_loop_test(code, debug_register_with_a_base, 0, MODE_COUNT);
    tcase_add_test(code, sysret_to_32_bit_code);
    tcase_add_loop_test(code, fetch_fails_in_the_next_page, 0, 2);
    tcase_add_loop_test(code, base_of_a_64_bit_code_segment, 0, 5);
    tcase_add_test(code, guest_goes_through_all_modes);
    tcase_add_test(code, reset_vector);
    suite_add_tcase(suite, code);
    tcase_add_checked_fixture(exceptions, setup, teardown);
    tcase_add_test(exceptions, vc_handler_in_32_bit_code);
    tcase_add_loop_test(exceptions, exceptions_in_32_bit_code, 0, COUNT(exception_rows));
    tcase_add_loop_test(exceptions, inner_stack_from_the_tss, 0, 3);
    tcase_add_loop_test(exceptions, exception_in_real_mode, 0, 2);
    tcase_add_test(exceptions, exception_in_compatibility_mode);
    tcase_add_loop_test(exceptions, cr2_in_other_modes, 0, COUNT(cr2_rows));
    suite_add_tcase(suite, exceptions);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
