/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine/vmsa.c and who runs in machine.c: every field of a save area goes into the processor and
 * comes back, in each mode; what VMRUN refuses, beside what it takes.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "guest_builder.h"
#include "machine/digest.h"

static struct guest guest;

static void setup(void)
{
    guest_open(&guest);
}

static void teardown(void)
{
    guest_close(&guest);
}

/* ---- a save area that a processor takes ---- */

struct page {
    uint8_t bytes[VMSA_SIZE];
};

static void put(struct page *page, unsigned offset, unsigned size, uint64_t value)
{
    memcpy(page->bytes + offset, &value, size);
}

static uint64_t take(const struct page *page, unsigned offset, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, page->bytes + offset, size);
    return value;
}

static void put_segment(struct page *page, unsigned offset, uint64_t selector, uint64_t attributes,
                        uint64_t limit, uint64_t base)
{
    vmsa_set(page->bytes, offset, selector | attributes << 16 | limit << 32);
    vmsa_set(page->bytes, offset + VMSA_SEGMENT_BASE, base);
}

#define LONG_CR0 (CR0_PG | CR0_WP | 0x33)
#define LONG_CR4 (CR4_PAE | 0x600)
#define LONG_EFER (EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | EFER_SCE)
#define CR0_BOOT 0x10ULL /* ET */

/* 64-bit code, everything at VMPL0. */
static void fill_long(struct page *page)
{
    static const unsigned data[] = {VMSA_ES, VMSA_SS, VMSA_DS, VMSA_FS, VMSA_GS};

    memset(page, 0, sizeof(*page));
    for (size_t i = 0; i < COUNT(data); i++) {
        put_segment(page, data[i], GUEST_DS, SEGMENT_DATA_32, UINT32_MAX, 0);
    }
    put_segment(page, VMSA_CS, GUEST_CS, SEGMENT_CODE_64, UINT32_MAX, 0);
    put_segment(page, VMSA_GDTR, 0, 0, GUEST_GDT_SIZE - 1, GUEST_GDT);
    put_segment(page, VMSA_IDTR, 0, 0, 0x1FF, GUEST_IDT);
    vmsa_set(page->bytes, VMSA_CR0, LONG_CR0);
    vmsa_set(page->bytes, VMSA_CR3, GUEST_GPA | CBIT_MASK);
    vmsa_set(page->bytes, VMSA_CR4, LONG_CR4);
    vmsa_set(page->bytes, VMSA_EFER, LONG_EFER);
    vmsa_set(page->bytes, VMSA_RFLAGS, RFLAGS_FIXED);
    vmsa_set(page->bytes, VMSA_DR6, 0xFFFF0FF0);
    vmsa_set(page->bytes, VMSA_DR7, 0x400);
    vmsa_set(page->bytes, VMSA_RIP, GUEST_CODE);
    vmsa_set(page->bytes, VMSA_RSP, GUEST_STACK_TOP);
    vmsa_set(page->bytes, VMSA_XCR0, 1);
    put(page, VMSA_MXCSR, 4, 0x1F80);
    put(page, VMSA_X87_FCW, 2, 0x37F);
}

/* ---- every field ---- */

#define SEGMENT(offset, selector, attributes, limit, base)                                         \
    {offset + VMSA_SEGMENT_SELECTOR, 2, selector},                                                 \
        {offset + VMSA_SEGMENT_ATTRIBUTES, 2, attributes},                                         \
        {offset + VMSA_SEGMENT_LIMIT, 4, limit},                                                   \
    {                                                                                              \
        offset + VMSA_SEGMENT_BASE, 8, base                                                        \
    }
#define TABLE(offset, limit, base)                                                                 \
    {offset + VMSA_SEGMENT_LIMIT, 4, limit},                                                       \
    {                                                                                              \
        offset + VMSA_SEGMENT_BASE, 8, base                                                        \
    }

/* Each value is one that no other field has. */
static const struct {
    uint16_t offset, size;
    uint64_t value;
} fields[] = {
    SEGMENT(VMSA_ES, 0x13, 0xC93, 0x111111FF, 0x10000),
    SEGMENT(VMSA_CS, 0x18, SEGMENT_CODE_64, 0xFFFFFFFF, 0),
    SEGMENT(VMSA_SS, 0x23, 0xC93, 0x222222FF, 0x20000),
    SEGMENT(VMSA_DS, 0x2B, 0x8F3, 0x333333FF, 0x30000),
    SEGMENT(VMSA_FS, 0x33, 0x0F1, 0x444444FF, 0xFFFF800000004000),
    SEGMENT(VMSA_GS, 0x3B, 0xCF3, 0x555555FF, 0xFFFF800000005000),
    TABLE(VMSA_GDTR, 0x1237, 0xFFFF800000006000),
    TABLE(VMSA_IDTR, 0x0ABF, 0xFFFF800000007000),
    SEGMENT(VMSA_LDTR, 0x48, 0x082, 0x4F, 0xFFFF800000008000),
    SEGMENT(VMSA_TR, 0x50, 0x08B, 0x67, 0xFFFF800000009000),
    {VMSA_VMPL, 1, 2},
    {VMSA_EFER, 8, LONG_EFER},
    {VMSA_CR4, 8, LONG_CR4},
    {VMSA_CR3, 8, 0x123000 | CBIT_MASK},
    {VMSA_CR0, 8, LONG_CR0},
    {VMSA_DR7, 8, 0x455},
    {VMSA_DR6, 8, 0xFFFF0FF1},
    {VMSA_RFLAGS, 8, RFLAGS_FIXED | RFLAGS_CF | RFLAGS_ZF | RFLAGS_IF | RFLAGS_OF | RFLAGS_AC},
    {VMSA_RIP, 8, 0xFFFF80000000A001},
    {VMSA_DR0, 8, 0xD0},
    {VMSA_DR1, 8, 0xD1},
    {VMSA_DR2, 8, 0xD2},
    {VMSA_DR3, 8, 0xD3},
    {VMSA_RSP, 8, 0xFFFF80000000B002},
    {VMSA_RAX, 8, 0xA1A2A3A4A5A6A7A8},
    {VMSA_STAR, 8, 0x0023001000000001},
    {VMSA_LSTAR, 8, 0xFFFF80000000C003},
    {VMSA_CSTAR, 8, 0xFFFF80000000C004},
    {VMSA_SFMASK, 8, 0x47700},
    {VMSA_KERNEL_GS_BASE, 8, 0xFFFF80000000C005},
    {VMSA_SYSENTER_CS, 8, 0x58},
    {VMSA_SYSENTER_ESP, 8, 0xFFFF80000000C006},
    {VMSA_SYSENTER_EIP, 8, 0xFFFF80000000C007},
    {VMSA_CR2, 8, 0xFFFF80000000C008},
    {VMSA_G_PAT, 8, 0x0007040600070401},
    {VMSA_RCX, 8, 0xC1C2C3C4C5C6C7C8},
    {VMSA_RDX, 8, 0xD1D2D3D4D5D6D7D8},
    {VMSA_RBX, 8, 0xB1B2B3B4B5B6B7B8},
    {VMSA_RBP, 8, 0xE1E2E3E4E5E6E7E8},
    {VMSA_RSI, 8, 0xF1F2F3F4F5F6F7F8},
    {VMSA_RDI, 8, 0x1112131415161718},
    {VMSA_R8, 8, 0x8881828384858687},
    {VMSA_R9, 8, 0x9991929394959697},
    {VMSA_R10, 8, 0x1010101010101010},
    {VMSA_R11, 8, 0x1111111111111111},
    {VMSA_R12, 8, 0x1212121212121212},
    {VMSA_R13, 8, 0x1313131313131313},
    {VMSA_R14, 8, 0x1414141414141414},
    {VMSA_R15, 8, 0x1515151515151515},
    {VMSA_XCR0, 8, 3},
    {VMSA_X87_DP, 8, 0xBA9876543210},
    {VMSA_MXCSR, 4, 0x9FC0},
    {VMSA_X87_FTW, 2, 0xA5},
    {VMSA_X87_FSW, 2, 0x2800},
    {VMSA_X87_FCW, 2, 0x27F},
    {VMSA_X87_FOP, 2, 0x123},
    {VMSA_X87_DS, 2, 0x22},
    {VMSA_X87_CS, 2, 0x11},
    {VMSA_X87_RIP, 8, 0x123456789ABC},
};

/* Not registers: neither loaded nor stored by what is tested here. */
static const uint16_t left_alone[] = {VMSA_SEV_FEATURES, VMSA_VINTR_CTRL, VMSA_VIRTUAL_TOM,
                                      VMSA_EVENT_INJ, VMSA_GUEST_EXITINTINFO};

static void fill_all(struct page *page)
{
    memset(page, 0, sizeof(*page));
    for (size_t i = 0; i < COUNT(fields); i++) {
        put(page, fields[i].offset, fields[i].size, fields[i].value);
    }
    for (unsigned i = 0; i < VMSA_FPREG_X87_SIZE; i++) {
        page->bytes[VMSA_FPREG_X87 + i] = (uint8_t)(i * 7 + 1);
    }
    for (unsigned i = 0; i < VMSA_FPREG_XMM_SIZE; i++) {
        page->bytes[VMSA_FPREG_XMM + i] = (uint8_t)(i * 3 + 2);
    }
}

static const struct vmsa_exit no_exit;

START_TEST(every_field_comes_back)
{
    struct page in, out;

    fill_all(&in);
    ck_assert_ptr_null(vmsa_check(in.bytes));
    vmsa_load(guest.machine.vcpu, in.bytes);
    memset(&out, 0xEE, sizeof(out));
    vmsa_store(guest.machine.vcpu, &no_exit, out.bytes);
    for (size_t i = 0; i < COUNT(fields); i++) {
        ck_assert_msg(take(&out, fields[i].offset, fields[i].size) == fields[i].value,
                      "offset 0x%x: 0x%llx, want 0x%llx", fields[i].offset,
                      (unsigned long long)take(&out, fields[i].offset, fields[i].size),
                      (unsigned long long)fields[i].value);
    }
    ck_assert_mem_eq(out.bytes + VMSA_FPREG_X87, in.bytes + VMSA_FPREG_X87, VMSA_FPREG_X87_SIZE);
    ck_assert_mem_eq(out.bytes + VMSA_FPREG_XMM, in.bytes + VMSA_FPREG_XMM, VMSA_FPREG_XMM_SIZE);
    for (size_t i = 0; i < COUNT(left_alone); i++) {
        ck_assert_uint_eq(vmsa_get(out.bytes, left_alone[i]), 0xEEEEEEEEEEEEEEEE);
    }
}
END_TEST

/* One field changed at a time changes that field of what is stored, and no other. */
START_TEST(fields_do_not_mix)
{
    static const uint16_t free_fields[] = {
        VMSA_RAX,          VMSA_RBX,
        VMSA_RCX,          VMSA_RDX,
        VMSA_RSI,          VMSA_RDI,
        VMSA_RBP,          VMSA_RSP,
        VMSA_R8,           VMSA_R9,
        VMSA_R10,          VMSA_R11,
        VMSA_R12,          VMSA_R13,
        VMSA_R14,          VMSA_R15,
        VMSA_RIP,          VMSA_CR2,
        VMSA_DR0,          VMSA_DR1,
        VMSA_DR2,          VMSA_DR3,
        VMSA_STAR,         VMSA_LSTAR,
        VMSA_CSTAR,        VMSA_KERNEL_GS_BASE,
        VMSA_SYSENTER_ESP, VMSA_SYSENTER_EIP,
    };
    struct page base, in, out, want;

    fill_all(&base);
    vmsa_load(guest.machine.vcpu, base.bytes);
    memset(&want, 0, sizeof(want));
    vmsa_store(guest.machine.vcpu, &no_exit, want.bytes);
    for (size_t i = 0; i < COUNT(free_fields); i++) {
        struct page expected = want;

        in = base;
        in.bytes[free_fields[i]] ^= 0x40;
        expected.bytes[free_fields[i]] ^= 0x40;
        if (free_fields[i] == VMSA_RIP) {
            expected.bytes[VMSA_GUEST_NRIP] ^= 0x40;
        }
        vmsa_load(guest.machine.vcpu, in.bytes);
        memset(&out, 0, sizeof(out));
        vmsa_store(guest.machine.vcpu, &no_exit, out.bytes);
        ck_assert_msg(memcmp(&out, &expected, sizeof(out)) == 0, "offset 0x%x", free_fields[i]);
    }
}
END_TEST

static const struct vmsa_exit exits[] = {
    {VMEXIT_VMGEXIT, 0, 0},
    {VMEXIT_HLT, 0, 0},
    {VMEXIT_PAUSE, 0, 0},
    {VMEXIT_INTR, 0, 0},
    {VMEXIT_NPF, 0x100000004, 0x40001000},
};

START_TEST(exit_fields)
{
    const struct vmsa_exit *exit = &exits[_i];
    struct page page;

    fill_long(&page);
    vmsa_load(guest.machine.vcpu, page.bytes);
    guest_set(&guest, VCPU_RIP, GUEST_CODE + 7);
    vmsa_store(guest.machine.vcpu, exit, page.bytes);
    ck_assert_uint_eq(vmsa_get(page.bytes, VMSA_GUEST_EXITCODE), exit->code);
    ck_assert_uint_eq(vmsa_get(page.bytes, VMSA_GUEST_EXITINFO1), exit->info1);
    ck_assert_uint_eq(vmsa_get(page.bytes, VMSA_GUEST_EXITINFO2), exit->info2);
    ck_assert_uint_eq(vmsa_get(page.bytes, VMSA_GUEST_NRIP), GUEST_CODE + 7);
    ck_assert_uint_eq(vmsa_get(page.bytes, VMSA_RIP), GUEST_CODE + 7);
}
END_TEST

START_TEST(level_is_stored)
{
    struct page page;

    for (unsigned cpl = 0; cpl <= 3; cpl++) {
        fill_long(&page);
        put(&page, VMSA_SS + VMSA_SEGMENT_ATTRIBUTES, 2, SEGMENT_DATA_32 | cpl << 5);
        put(&page, VMSA_VMPL, 1, cpl);
        vmsa_load(guest.machine.vcpu, page.bytes);
        memset(&page, 0, sizeof(page));
        vmsa_store(guest.machine.vcpu, &no_exit, page.bytes);
        ck_assert_uint_eq(page.bytes[VMSA_CPL], cpl);
        ck_assert_uint_eq(page.bytes[VMSA_VMPL], cpl);
    }
}
END_TEST

/* ---- modes ---- */

static const struct mode_row {
    const char *name;
    uint64_t cr0, cr4, efer;
    uint16_t code, data;
    uint64_t code_base; /* RIP is an offset from here */
    unsigned rax;       /* what the code below leaves in RAX, from 0 */
} mode_rows[] = {
    {"64-bit", LONG_CR0, LONG_CR4, LONG_EFER, SEGMENT_CODE_64, SEGMENT_DATA_32, 0, 1},
    {"compatibility", LONG_CR0, LONG_CR4, LONG_EFER, SEGMENT_CODE_32, SEGMENT_DATA_32, 0, 0},
    {"32-bit protected", CR0_BOOT | CR0_PE, 0, EFER_SVME, SEGMENT_CODE_32, SEGMENT_DATA_32, 0, 0},
    {"16-bit protected", CR0_BOOT | CR0_PE, 0, EFER_SVME, SEGMENT_CODE_16, SEGMENT_DATA_16,
     GUEST_GPA, 0},
    {"real", CR0_BOOT, 0, EFER_SVME, SEGMENT_CODE_16, SEGMENT_DATA_16, GUEST_GPA, 0},
};

/* inc rax in 64-bit code; dec and inc of (e)ax elsewhere; then hlt. */
static const uint8_t telling_code[] = {0x48, 0xFF, 0xC0, 0xF4};

static void fill_mode(struct page *page, const struct mode_row *row)
{
    static const unsigned data[] = {VMSA_ES, VMSA_SS, VMSA_DS, VMSA_FS, VMSA_GS};
    uint32_t limit = row->code == SEGMENT_CODE_16 ? 0xFFFF : UINT32_MAX;

    fill_long(page);
    for (size_t i = 0; i < COUNT(data); i++) {
        put_segment(page, data[i], GUEST_DS, row->data, limit, 0);
    }
    put_segment(page, VMSA_CS, GUEST_CS, row->code, limit, row->code_base);
    vmsa_set(page->bytes, VMSA_CR0, row->cr0);
    vmsa_set(page->bytes, VMSA_CR4, row->cr4);
    vmsa_set(page->bytes, VMSA_EFER, row->efer);
    if (!(row->cr0 & CR0_PG) && row->code_base == 0) {
        vmsa_set(page->bytes, VMSA_RIP, GUEST_GPA + GUEST_CODE);
    }
}

/* From each mode to each: loaded, stored, loaded again, run; and what is stored then. */
START_TEST(round_trip_in_each_mode)
{
    struct vcpu *vcpu = guest.machine.vcpu;
    struct page in, out, again;

    guest_copy(&guest, GUEST_CODE, telling_code, sizeof(telling_code));
    for (unsigned i = 0; i < 2 * COUNT(mode_rows); i++) {
        const struct mode_row *row = &mode_rows[(_i + i * 3) % COUNT(mode_rows)];

        fill_mode(&in, row);
        ck_assert_msg(!vmsa_check(in.bytes), "%s: %s", row->name, vmsa_check(in.bytes));
        vmsa_load(vcpu, in.bytes);
        out = in;
        vmsa_store(vcpu, &no_exit, out.bytes);
        vmsa_set(in.bytes, VMSA_GUEST_NRIP, vmsa_get(in.bytes, VMSA_RIP));
        for (unsigned at = 0; at < VMSA_SIZE; at++) {
            ck_assert_msg(out.bytes[at] == in.bytes[at], "%s: byte 0x%x: 0x%x, want 0x%x",
                          row->name, at, out.bytes[at], in.bytes[at]);
        }
        vmsa_load(vcpu, out.bytes);
        ck_assert_msg(guest_stop(&guest) == VCPU_STOP_HALT, "%s: %d", row->name, guest.stop.kind);
        again = out;
        vmsa_store(vcpu, &exits[1], again.bytes);
        ck_assert_uint_eq(vmsa_get(again.bytes, VMSA_RAX), row->rax);
        ck_assert_uint_eq(vmsa_get(again.bytes, VMSA_RIP),
                          vmsa_get(in.bytes, VMSA_RIP) + sizeof(telling_code));
        ck_assert_uint_eq(vmsa_get(again.bytes, VMSA_CS), vmsa_get(in.bytes, VMSA_CS));
    }
}
END_TEST

/* A vCPU in real mode begins at the reset vector's kind of address: CS base and RIP. */
START_TEST(real_mode_base)
{
    struct page page;

    guest_copy(&guest, GUEST_CODE + 0xFFF0, telling_code, sizeof(telling_code));
    fill_mode(&page, &mode_rows[4]);
    put_segment(&page, VMSA_CS, 0xF000, SEGMENT_CODE_16, 0xFFFF, GUEST_GPA + GUEST_CODE);
    vmsa_set(page.bytes, VMSA_RIP, 0xFFF0);
    vmsa_load(guest.machine.vcpu, page.bytes);
    ck_assert_uint_eq(vcpu_code_gva(guest.machine.vcpu), GUEST_GPA + GUEST_CODE + 0xFFF0);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
    vmsa_store(guest.machine.vcpu, &no_exit, page.bytes);
    ck_assert_uint_eq(vmsa_get(page.bytes, VMSA_RIP), 0xFFF0 + sizeof(telling_code));
    ck_assert_uint_eq(vmsa_get(page.bytes, VMSA_CS + VMSA_SEGMENT_BASE), GUEST_GPA + GUEST_CODE);
}
END_TEST

/* ---- what VMRUN refuses ---- */

static const struct {
    const char *why;
    uint16_t offset, size;
    uint64_t bad, good;
} refusals[] = {
    {"EFER.SVME is clear", VMSA_EFER, 8, LONG_EFER & ~EFER_SVME, LONG_EFER},
    {"there is no such VMPL", VMSA_VMPL, 1, VMPL_COUNT, VMPL_COUNT - 1},
    {"there is no such VMPL", VMSA_VMPL, 1, 0xFF, 0},
    {"CR0 is not valid", VMSA_CR0, 8, LONG_CR0 | 1ULL << 32, LONG_CR0},
    {"CR0 is not valid", VMSA_CR0, 8, LONG_CR0 | CR0_NW, LONG_CR0 | CR0_NW | CR0_CD},
    {"CR4 is not valid", VMSA_CR4, 8, LONG_CR4 | 1ULL << 32, LONG_CR4},
    {"DR6 or DR7 has a bit above 31", VMSA_DR6, 8, 0x1FFFF0FF0, 0xFFFF0FF0},
    {"DR6 or DR7 has a bit above 31", VMSA_DR7, 8, 1ULL << 63, 0x400},
    {"long mode without CR4.PAE or CR0.PE", VMSA_CR4, 8, 0x600, LONG_CR4},
    {"long mode without CR4.PAE or CR0.PE", VMSA_CR0, 8, LONG_CR0 & ~CR0_PE, LONG_CR0},
    {"CS.L and CS.D are both set", VMSA_CS + VMSA_SEGMENT_ATTRIBUTES, 2,
     SEGMENT_CODE_64 | SEGMENT_DEFAULT, SEGMENT_CODE_64},
};

START_TEST(each_refusal_beside_success)
{
    const char *why;
    struct page page;

    fill_long(&page);
    put(&page, refusals[_i].offset, refusals[_i].size, refusals[_i].bad);
    why = vmsa_check(page.bytes);
    ck_assert_ptr_nonnull(why);
    ck_assert_str_eq(why, refusals[_i].why);
    put(&page, refusals[_i].offset, refusals[_i].size, refusals[_i].good);
    ck_assert_ptr_null(vmsa_check(page.bytes));
}
END_TEST

/* What looks like long mode and is none: L and D together mean nothing there. */
START_TEST(not_long_mode)
{
    struct page page;

    fill_mode(&page, &mode_rows[2]);
    put(&page, VMSA_CS + VMSA_SEGMENT_ATTRIBUTES, 2, SEGMENT_CODE_64 | SEGMENT_DEFAULT);
    ck_assert_ptr_null(vmsa_check(page.bytes));
    vmsa_set(page.bytes, VMSA_EFER, EFER_SVME | EFER_LME); /* without CR0.PG */
    ck_assert_ptr_null(vmsa_check(page.bytes));
}
END_TEST

/* ---- VMRUN and #VMEXIT of a machine ---- */

#define VMSA_GVA (GUEST_DATA + 3 * PAGE_SIZE)
#define VMSA_GPA (GUEST_GPA + VMSA_GVA)
#define OTHER_GVA (GUEST_DATA + 4 * PAGE_SIZE)
#define OTHER_GPA (GUEST_GPA + OTHER_GVA)

/* A page that VMRUN takes, with code that halts. */
static void make_vmsa(uint64_t gva, uint64_t rax)
{
    struct page page;

    fill_long(&page);
    vmsa_set(page.bytes, VMSA_RAX, rax);
    vmsa_set(page.bytes, VMSA_SEV_FEATURES, 0x5);
    guest_copy(&guest, gva, page.bytes, sizeof(page.bytes));
    guest_rmp(&guest, GUEST_GPA + gva)->flags |= RMP_VMSA;
    GUEST_CODE_BYTES(&guest, 0x48, 0xFF, 0xC0, 0xF4); /* inc rax; hlt */
}

static void vmrun(uint64_t gpa, const char *want)
{
    const char *why = machine_vmrun(&guest.machine, gpa);

    if (want) {
        ck_assert_msg(why && strcmp(why, want) == 0, "%s, want %s", why ? why : "taken", want);
    } else {
        ck_assert_msg(!why, "%s", why);
    }
}

START_TEST(two_save_areas_in_turn)
{
    const struct vmsa_exit halt = {.code = VMEXIT_HLT};

    make_vmsa(VMSA_GVA, 100);
    make_vmsa(OTHER_GVA, 200);
    for (uint64_t i = 1; i <= 3; i++) {
        vmrun(VMSA_GPA, NULL);
        guest_set(&guest, VCPU_RIP, GUEST_CODE);
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 100 + i);
        ck_assert_uint_eq(guest_load(&guest, VMSA_GVA + VMSA_RAX), 99 + i);
        machine_vmexit(&guest.machine, &halt);
        ck_assert_uint_eq(guest_load(&guest, VMSA_GVA + VMSA_RAX), 100 + i);
        ck_assert_uint_eq(guest_load(&guest, VMSA_GVA + VMSA_GUEST_EXITCODE), VMEXIT_HLT);
        ck_assert_uint_eq(guest_load(&guest, VMSA_GVA + VMSA_SEV_FEATURES), 0x5);
        vmrun(OTHER_GPA, NULL);
        ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 200);
        ck_assert_uint_eq(guest.machine.state.sev_features, 0x5);
        machine_vmexit(&guest.machine, &halt);
    }
}
END_TEST

/* The launch's save area is no page of memory, and is refused for nothing that the RMP says. */
START_TEST(launch_save_area)
{
    const struct vmsa_exit leave = {.code = VMEXIT_VMGEXIT};

    make_vmsa(VMSA_GVA, 7);
    guest_set(&guest, VCPU_RAX, 0x1234);
    ck_assert_uint_eq(guest.machine.state.vmsa_gpa, MACHINE_LAUNCH_VMSA);
    machine_vmexit(&guest.machine, &leave);
    ck_assert_uint_eq(vmsa_get(guest.machine.state.launch_vmsa, VMSA_RAX), 0x1234);
    vmrun(VMSA_GPA, NULL);
    machine_vmexit(&guest.machine, &leave);
    vmrun(MACHINE_LAUNCH_VMSA, NULL);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 0x1234);
}
END_TEST

/* Whoever runs, the launch's translation is that of the first vCPU at VMPL0. */
START_TEST(launch_context)
{
    struct mmu_context before, during;

    machine_launch_context(&guest.machine, &before);
    make_vmsa(VMSA_GVA, 7);
    guest_store(&guest, VMSA_GVA + VMSA_CR3, (GUEST_GPA + PAGE_SIZE) | CBIT_MASK);
    machine_vmexit(&guest.machine, &(struct vmsa_exit){.code = VMEXIT_VMGEXIT});
    vmrun(VMSA_GPA, NULL);
    machine_launch_context(&guest.machine, &during);
    ck_assert_uint_eq(during.cr3, before.cr3);
    ck_assert_uint_eq(during.cr0, before.cr0);
    ck_assert_uint_eq(during.cr4, before.cr4);
    ck_assert_uint_eq(during.efer, before.efer);
    ck_assert_uint_eq(during.vmpl, 0);
    ck_assert_uint_ne(guest_context(&guest).cr3, before.cr3);
}
END_TEST

enum spoil {
    SPOIL_NOT_VMSA,
    SPOIL_NOT_VALIDATED,
    SPOIL_SHARED,
    SPOIL_OTHER_GUEST,
    SPOIL_OTHER_ADDRESS,
    SPOIL_IMMUTABLE,
    SPOIL_LARGE,
    SPOIL_SVME,
    SPOIL_COUNT,
};

static const char *const spoil_words[SPOIL_COUNT] = {
    [SPOIL_NOT_VMSA] = "the page is not marked as a VMSA",
    [SPOIL_NOT_VALIDATED] = "the page is not a validated 4 KiB page",
    [SPOIL_SHARED] = "the page is not the guest's",
    [SPOIL_OTHER_GUEST] = "the page is not the guest's",
    [SPOIL_OTHER_ADDRESS] = "the page is assigned at another address",
    [SPOIL_IMMUTABLE] = "the page is not a validated 4 KiB page",
    [SPOIL_LARGE] = "the page is not a validated 4 KiB page",
    [SPOIL_SVME] = "EFER.SVME is clear",
};

static void spoil(enum spoil how)
{
    struct rmp_entry *entry = guest_rmp(&guest, VMSA_GPA);
    uint32_t page = guest_page(&guest, VMSA_GPA);
    struct rmp_state state = {.assigned = true, .asid = RMP_ASID_GUEST, .guest_page = page};

    switch (how) {
    case SPOIL_NOT_VMSA:
        entry->flags &= (uint8_t)~RMP_VMSA;
        break;
    case SPOIL_NOT_VALIDATED:
        entry->flags &= (uint8_t)~RMP_VALIDATED;
        break;
    case SPOIL_SHARED:
        machine_unassign(&guest.machine, page);
        break;
    case SPOIL_OTHER_GUEST:
        state.asid = 2;
        ck_assert_uint_eq(machine_update(&guest.machine, page, &state), RMP_SUCCESS);
        break;
    case SPOIL_OTHER_ADDRESS:
        state.guest_page++;
        ck_assert_uint_eq(machine_update(&guest.machine, page, &state), RMP_SUCCESS);
        break;
    case SPOIL_IMMUTABLE:
        entry->flags |= RMP_IMMUTABLE;
        break;
    case SPOIL_LARGE:
        entry->flags |= RMP_LARGE;
        break;
    case SPOIL_SVME:
        guest_store(&guest, VMSA_GVA + VMSA_EFER, LONG_EFER & ~EFER_SVME);
        break;
    case SPOIL_COUNT:
        break;
    }
}

/* A refused VMRUN leaves the machine as it is. */
START_TEST(refused_vmrun_changes_nothing)
{
    uint8_t before[DIGEST_SIZE], after[DIGEST_SIZE];

    make_vmsa(VMSA_GVA, 7);
    spoil((enum spoil)_i);
    ck_assert_int_eq(digest_machine(&guest.machine, NULL, 0, before, &guest.error), 0);
    vmrun(VMSA_GPA, spoil_words[_i]);
    ck_assert_int_eq(digest_machine(&guest.machine, NULL, 0, after, &guest.error), 0);
    ck_assert_mem_eq(after, before, sizeof(before));
    ck_assert_uint_eq(guest.machine.state.vmsa_gpa, MACHINE_LAUNCH_VMSA);
}
END_TEST

START_TEST(no_page_there)
{
    make_vmsa(VMSA_GVA, 7);
    vmrun(VMSA_GPA + 8, "there is no page");
    vmrun(0, "there is no page");
    vmrun(GUEST_GPA + GUEST_PAGES * PAGE_SIZE, "there is no page");
    vmrun(UINT64_MAX, "there is no page");
    vmrun(MACHINE_LAUNCH_VMSA_GPA, "there is no page"); /* measured there, and no memory */
    vmrun(VMSA_GPA, NULL);
}
END_TEST

START_TEST(in_use)
{
    uint32_t page = guest_page(&guest, VMSA_GPA), other = guest_page(&guest, OTHER_GPA);

    make_vmsa(VMSA_GVA, 1);
    make_vmsa(OTHER_GVA, 2);
    for (uint32_t i = 0; i < GUEST_PAGES; i++) {
        ck_assert(!machine_in_use(&guest.machine, i)); /* the launch's is no page */
    }
    vmrun(VMSA_GPA, NULL);
    ck_assert(machine_in_use(&guest.machine, page) && !machine_in_use(&guest.machine, other));
    machine_vmexit(&guest.machine, &no_exit);
    vmrun(OTHER_GPA, NULL);
    ck_assert(!machine_in_use(&guest.machine, page) && machine_in_use(&guest.machine, other));
    guest_rmp(&guest, VMSA_GPA)->flags &= (uint8_t)~RMP_VMSA;
    vmrun(VMSA_GPA, "the page is not marked as a VMSA");
    ck_assert(!machine_in_use(&guest.machine, page) && machine_in_use(&guest.machine, other));
}
END_TEST

/* The host cannot take it while it runs; afterwards it can. */
START_TEST(in_use_is_refused)
{
    uint32_t page = guest_page(&guest, VMSA_GPA);
    const struct rmp_state taken = {.assigned = true, .asid = 2, .guest_page = page};
    const struct rmp_state large = {.assigned = true,
                                    .large = true,
                                    .asid = RMP_ASID_GUEST,
                                    .guest_page = page - page % PAGES_PER_LARGE_PAGE};

    make_vmsa(VMSA_GVA, 1);
    machine_vmexit(&guest.machine, &no_exit);
    vmrun(VMSA_GPA, NULL);
    ck_assert_uint_eq(machine_update(&guest.machine, page, &taken), RMP_FAIL_INUSE);
    ck_assert_uint_eq(machine_update(&guest.machine, large.guest_page, &large), RMP_FAIL_INUSE);
    machine_unassign(&guest.machine, page);
    machine_unassign_gpa(&guest.machine, VMSA_GPA);
    ck_assert_uint_eq(guest_load(&guest, VMSA_GVA + VMSA_RAX), 1);
    machine_vmexit(&guest.machine, &no_exit);
    vmrun(VMSA_GPA, NULL);
    machine_vmexit(&guest.machine, &no_exit);
    vmrun(MACHINE_LAUNCH_VMSA, NULL);
    ck_assert_uint_eq(machine_update(&guest.machine, page, &taken), RMP_SUCCESS);
    vmrun(VMSA_GPA, "the page is not the guest's");
}
END_TEST

/* The registers go to the page that they came from, whatever the nested map says meanwhile. */
START_TEST(remapped_while_it_runs)
{
    struct memory *memory = &guest.machine.memory;
    uint32_t page = guest_page(&guest, VMSA_GPA), other = guest_page(&guest, OTHER_GPA);
    uint64_t kept;

    make_vmsa(VMSA_GVA, 77);
    make_vmsa(OTHER_GVA, 88);
    vmrun(VMSA_GPA, NULL);
    ck_assert_int_eq(machine_swap(&guest.machine, VMSA_GPA, OTHER_GPA, &guest.error), 0);
    ck_assert(machine_in_use(&guest.machine, page) && !machine_in_use(&guest.machine, other));
    guest_set(&guest, VCPU_RAX, 99);
    machine_vmexit(&guest.machine, &no_exit);
    memcpy(&kept, memory_bytes(memory, page) + VMSA_RAX, sizeof(kept));
    ck_assert_uint_eq(kept, 99);
    memcpy(&kept, memory_bytes(memory, other) + VMSA_RAX, sizeof(kept));
    ck_assert_uint_eq(kept, 88);
    vmrun(VMSA_GPA, "the page is assigned at another address");
    ck_assert_int_eq(machine_swap(&guest.machine, VMSA_GPA, OTHER_GPA, &guest.error), 0);
    vmrun(VMSA_GPA, NULL);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 99);
}
END_TEST

/* A snapshot in which a second save area is loaded. */
START_TEST(snapshot_of_who_runs)
{
    uint8_t before[DIGEST_SIZE], after[DIGEST_SIZE];

    make_vmsa(VMSA_GVA, 40);
    make_vmsa(OTHER_GVA, 50);
    machine_vmexit(&guest.machine, &no_exit);
    vmrun(VMSA_GPA, NULL);
    ck_assert_int_eq(machine_save(&guest.machine, &guest.error), 0);
    ck_assert_int_eq(digest_machine(&guest.machine, NULL, 0, before, &guest.error), 0);
    for (unsigned round = 0; round < 3; round++) {
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
        machine_vmexit(&guest.machine, &(struct vmsa_exit){.code = VMEXIT_HLT});
        vmrun(round == 1 ? MACHINE_LAUNCH_VMSA : OTHER_GPA, NULL);
        ck_assert_int_eq(machine_restore(&guest.machine, &guest.error), 0);
        ck_assert_uint_eq(guest.machine.state.vmsa_gpa, VMSA_GPA);
        ck_assert_int_eq(digest_machine(&guest.machine, NULL, 0, after, &guest.error), 0);
        ck_assert_mem_eq(after, before, sizeof(before));
        ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 40);
        ck_assert_uint_eq(guest_load(&guest, VMSA_GVA + VMSA_RAX), 40);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vmsa");
    TCase *page = tcase_create("page");
    TCase *machine = tcase_create("machine");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, page);
    tcase_add_checked_fixture(page, setup, teardown);
    tcase_add_test(page, every_field_comes_back);
    tcase_add_test(page, fields_do_not_mix);
    tcase_add_loop_test(page, exit_fields, 0, COUNT(exits));
    tcase_add_test(page, level_is_stored);
    tcase_add_loop_test(page, round_trip_in_each_mode, 0, COUNT(mode_rows));
    tcase_add_test(page, real_mode_base);
    tcase_add_loop_test(page, each_refusal_beside_success, 0, COUNT(refusals));
    tcase_add_test(page, not_long_mode);
    suite_add_tcase(suite, machine);
    tcase_add_checked_fixture(machine, setup, teardown);
    tcase_add_test(machine, two_save_areas_in_turn);
    tcase_add_test(machine, launch_save_area);
    tcase_add_test(machine, launch_context);
    tcase_add_loop_test(machine, refused_vmrun_changes_nothing, 0, SPOIL_COUNT);
    tcase_add_test(machine, no_page_there);
    tcase_add_test(machine, in_use);
    tcase_add_test(machine, in_use_is_refused);
    tcase_add_test(machine, remapped_while_it_runs);
    tcase_add_test(machine, snapshot_of_who_runs);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
