/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ghcb/nae*.c: each event of the page protocol, what it answers and what it refuses.
 *
 * Source of the expectations: Linux arch/x86/kvm/svm/sev.c sev_es_validate_vmgexit (inputs and
 * reasons), sev_handle_vmgexit, and what the rows of ghcb/nae.c name.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/apic.h"
#include "abi/nae.h"
#include "abi/psp.h"
#include "ghcb/table.h"
#include "ghcb_bench.h"

static struct ghcb_bench bench;

static void setup(void)
{
    bench_open(&bench);
}

static void teardown(void)
{
    bench_close(&bench);
}

#define MALFORMED GHCB_INFO1_MALFORMED
#define EXCEPTION GHCB_INFO1_EXCEPTION
#define EVENT_GP 0x8000030DULL
#define SELF 0ULL
#define OTHER (1ULL << 32)
#define VMPL(n) ((uint64_t)(n) << AP_CREATE_VMPL_SHIFT)
#define FEATURES 0x9ULL /* SNP, restricted injection: the launch's */
#define MISSING MALFORMED, GHCB_ERR_MISSING_INPUT
#define SCRATCH_REFUSED MALFORMED, GHCB_ERR_INVALID_SCRATCH
#define INVALID MALFORMED, GHCB_ERR_INVALID_INPUT
#define UNSUPPORTED MALFORMED, GHCB_ERR_INVALID_EVENT
#define UNMODELLED REPLY_UNMODELLED, 0, 0
#define RESUME(...) REPLY_RESUME, __VA_ARGS__
#define DONE RESUME(0, 0)

struct put {
    uint32_t marked; /* FIELD_BIT() */
    uint64_t rax, rbx, rcx, rdx, cpl, xcr0, scratch;
};

#define NONE                                                                                       \
    {                                                                                              \
        .marked = 0                                                                                \
    }
#define WITH(...)                                                                                  \
    {                                                                                              \
        .marked = __VA_ARGS__                                                                      \
    }
#define RAX FIELD_BIT(FIELD_RAX)
#define RBX FIELD_BIT(FIELD_RBX)
#define RCX FIELD_BIT(FIELD_RCX)
#define RDX FIELD_BIT(FIELD_RDX)
#define CPL FIELD_BIT(FIELD_CPL)
#define XCR0 FIELD_BIT(FIELD_XCR0)
#define SCRATCH FIELD_BIT(FIELD_SCRATCH)

static void put_fields(const struct put *put)
{
    const struct {
        enum ghcb_field field;
        uint64_t value;
    } values[] = {
        {FIELD_RAX, put->rax},         {FIELD_RBX, put->rbx}, {FIELD_RCX, put->rcx},
        {FIELD_RDX, put->rdx},         {FIELD_CPL, put->cpl}, {FIELD_XCR0, put->xcr0},
        {FIELD_SCRATCH, put->scratch},
    };

    for (size_t i = 0; i < COUNT(values); i++) {
        bench_put(&bench, values[i].field, values[i].value);
        bench_mark(&bench, values[i].field, put->marked & FIELD_BIT(values[i].field));
    }
}

struct row {
    const char *name;
    uint64_t code, info1, info2;
    struct put put;
    enum reply_resume resume;
    uint64_t want1, want2;
};

static const struct row rows[] = {
    /* CPU */
    {"DR7 read", NAE_DR7_READ, 0, 0, NONE, DONE},
    {"DR7 write", NAE_DR7_WRITE, 0, 0, WITH(RAX, .rax = 0x400), DONE},
    {"DR7 write without a value", NAE_DR7_WRITE, 0, 0, NONE, RESUME(MISSING)},
    {"RDTSC", NAE_RDTSC, 0, 0, NONE, DONE},
    {"RDTSCP", NAE_RDTSCP, 0, 0, NONE, DONE},
    {"RDPMC", NAE_RDPMC, 0, 0, WITH(RCX), RESUME(EXCEPTION, EVENT_GP)},
    {"RDPMC without a counter", NAE_RDPMC, 0, 0, NONE, RESUME(MISSING)},
    {"CPUID", NAE_CPUID, 0, 0, WITH(RAX | RCX), DONE},
    {"CPUID without rax", NAE_CPUID, 0, 0, WITH(RCX), RESUME(MISSING)},
    {"CPUID without rcx", NAE_CPUID, 0, 0, WITH(RAX), RESUME(MISSING)},
    {"CPUID 0xD", NAE_CPUID, 0, 0, WITH(RAX | RCX | XCR0, .rax = 0xD, .xcr0 = 1), DONE},
    {"CPUID 0xD without xcr0", NAE_CPUID, 0, 0, WITH(RAX | RCX, .rax = 0xD), RESUME(MISSING)},
    {"INVD", NAE_INVD, 0, 0, NONE, DONE},
    {"WBINVD", NAE_WBINVD, 0, 0, NONE, DONE},
    {"MONITOR", NAE_MONITOR, 0, 0, WITH(RAX | RCX | RDX), DONE},
    {"MONITOR without rdx", NAE_MONITOR, 0, 0, WITH(RAX | RCX), RESUME(MISSING)},
    {"MONITOR without rax", NAE_MONITOR, 0, 0, WITH(RCX | RDX), RESUME(MISSING)},
    {"MWAIT", NAE_MWAIT, 0, 0, WITH(RAX | RCX), DONE},
    {"MWAIT without rcx", NAE_MWAIT, 0, 0, WITH(RAX), RESUME(MISSING)},
    {"VMMCALL", NAE_VMMCALL, 0, 0, WITH(RAX | CPL), DONE},
    {"VMMCALL without cpl", NAE_VMMCALL, 0, 0, WITH(RAX), RESUME(MISSING)},
    {"VMMCALL without rax", NAE_VMMCALL, 0, 0, WITH(CPL), RESUME(MISSING)},

    /* MSRs */
    {"read MSR", NAE_MSR, 0, 0, WITH(RCX, .rcx = APIC_MSR_BASE), DONE},
    {"read MSR without rcx", NAE_MSR, 0, 0, NONE, RESUME(MISSING)},
    {"write MSR without rax", NAE_MSR, 1, 0, WITH(RCX | RDX), RESUME(MISSING)},
    {"write MSR without rdx", NAE_MSR, 1, 0, WITH(RCX | RAX), RESUME(MISSING)},
    {"read an unknown MSR", NAE_MSR, 0, 0, WITH(RCX, .rcx = 0xC0019999), UNMODELLED},
    {"write an unknown MSR", NAE_MSR, 1, 0, WITH(RAX | RCX | RDX, .rcx = 0xC0019999), UNMODELLED},
    {"write the TSC", NAE_MSR, 1, 0, WITH(RAX | RCX | RDX, .rcx = 0x10), UNMODELLED},
    {"read a Hyper-V MSR", NAE_MSR, 0, 0, WITH(RCX, .rcx = 0x40000000),
     RESUME(EXCEPTION, EVENT_GP)},
    {"x2APIC register in xAPIC mode", NAE_MSR, 0, 0, WITH(RCX, .rcx = X2APIC_ID),
     RESUME(EXCEPTION, EVENT_GP)},
    {"APIC base, reserved bit", NAE_MSR, 1, 0,
     WITH(RAX | RCX | RDX, .rcx = APIC_MSR_BASE, .rax = 0xFEE00901), RESUME(EXCEPTION, EVENT_GP)},
    {"APIC base beyond physical memory", NAE_MSR, 1, 0,
     WITH(RAX | RCX | RDX, .rcx = APIC_MSR_BASE, .rax = 0x900, .rdx = 1u << 20),
     RESUME(EXCEPTION, EVENT_GP)},
    {"APIC base, x2APIC but not on", NAE_MSR, 1, 0,
     WITH(RAX | RCX | RDX, .rcx = APIC_MSR_BASE, .rax = 0xFEE00500), RESUME(EXCEPTION, EVENT_GP)},

    /* port I/O: the rest is in test_fw_cfg.c */
    {"OUT without rax", NAE_IOIO, 0x03F80010, 0, NONE, RESUME(MISSING)},
    {"OUT", NAE_IOIO, 0x03F80010, 0, WITH(RAX, .rax = 'x'), DONE},
    {"OUT with an address size", NAE_IOIO, 0x03F80210, 0, WITH(RAX, .rax = 'x'), DONE},
    {"IN", NAE_IOIO, 0x03FD0011, 0, NONE, DONE},
    {"IN with REP but no string", NAE_IOIO, 0x03FD0019, 0, NONE, DONE},
    {"no operand size", NAE_IOIO, 0x03F80000, 0, WITH(RAX), RESUME(INVALID)},
    {"two operand sizes", NAE_IOIO, 0x03F80030, 0, WITH(RAX), RESUME(INVALID)},
    {"string without scratch", NAE_IOIO, 0x03F80014, 1, WITH(RAX), RESUME(MISSING)},
    {"string needs no rax", NAE_IOIO, 0x03F80014, 1, WITH(SCRATCH, .scratch = BENCH_BUFFER), DONE},

    /* MMIO */
    {"MMIO read without scratch", NAE_MMIO_READ, 0xFED00000, 4, NONE, RESUME(MISSING)},
    {"MMIO write without scratch", NAE_MMIO_WRITE, 0xFED00000, 4, NONE, RESUME(MISSING)},
    {"MMIO read, no device", NAE_MMIO_READ, 0xFED00000, 4, WITH(SCRATCH, .scratch = BENCH_BUFFER),
     UNMODELLED},
    {"MMIO write, no device", NAE_MMIO_WRITE, 0xFED00000, 4, WITH(SCRATCH, .scratch = BENCH_BUFFER),
     UNMODELLED},
    {"MMIO at memory", NAE_MMIO_READ, GUEST_GPA, 4, WITH(SCRATCH, .scratch = BENCH_BUFFER),
     UNMODELLED},
    {"MMIO of nothing", NAE_MMIO_READ, 0xFED00000, 0, WITH(SCRATCH, .scratch = BENCH_BUFFER), DONE},
    {"MMIO with the scratch area at 0", NAE_MMIO_READ, 0xFED00000, 4, WITH(SCRATCH),
     RESUME(SCRATCH_REFUSED)},
    {"MMIO over the buffer's end", NAE_MMIO_WRITE, 0xFED00000, 8,
     WITH(SCRATCH, .scratch = BENCH_BUFFER + 0x7E9), RESUME(SCRATCH_REFUSED)},
    {"MMIO in the save area", NAE_MMIO_READ, 0xFED00000, 8,
     WITH(SCRATCH, .scratch = BENCH_GHCB + 0x390), RESUME(SCRATCH_REFUSED)},
    {"MMIO that wraps", NAE_MMIO_READ, 0xFED00000, ~0ULL, WITH(SCRATCH, .scratch = BENCH_BUFFER),
     RESUME(SCRATCH_REFUSED)},
    {"MMIO of more than 16 pages", NAE_MMIO_READ, 0xFED00000, 0x10001,
     WITH(SCRATCH, .scratch = BENCH_SHARED(1)), RESUME(SCRATCH_REFUSED)},
    {"MMIO from private memory", NAE_MMIO_WRITE, 0xFED00000, 4,
     WITH(SCRATCH, .scratch = BENCH_PRIVATE), REPLY_FAIL, 0, 0},

    /* vCPUs */
    {"NMI complete", NAE_NMI_COMPLETE, 0, 0, NONE, DONE},
    {"AP reset hold", NAE_AP_RESET_HOLD, 0, 0, NONE, REPLY_HOLD, 0, 0},
    {"AP jump table set", NAE_AP_JUMP_TABLE, 0, 0x1234000, NONE, DONE},
    {"AP jump table get", NAE_AP_JUMP_TABLE, 1, 0, NONE, DONE},
    {"AP jump table 2", NAE_AP_JUMP_TABLE, 2, 0, NONE, RESUME(INVALID)},
    {"AP creation without features", NAE_AP_CREATION, OTHER | AP_CREATE, BENCH_PRIVATE, NONE,
     RESUME(MISSING)},
    {"AP creation", NAE_AP_CREATION, OTHER | AP_CREATE, BENCH_PRIVATE, WITH(RAX, .rax = FEATURES),
     DONE},
    {"AP creation on INIT", NAE_AP_CREATION, OTHER, BENCH_PRIVATE, WITH(RAX, .rax = FEATURES),
     DONE},
    {"AP destruction", NAE_AP_CREATION, OTHER | AP_DESTROY, 0, NONE, DONE},
    {"AP creation, request 3", NAE_AP_CREATION, OTHER | 3, BENCH_PRIVATE,
     WITH(RAX, .rax = FEATURES), RESUME(INVALID)},
    {"AP creation, bit 20", NAE_AP_CREATION, OTHER | 1 << 20 | AP_CREATE, BENCH_PRIVATE,
     WITH(RAX, .rax = FEATURES), RESUME(INVALID)},
    {"AP creation, no such vCPU", NAE_AP_CREATION, 4ULL << 32 | AP_CREATE, BENCH_PRIVATE,
     WITH(RAX, .rax = FEATURES), RESUME(INVALID)},
    {"AP creation, VMPL0 of itself", NAE_AP_CREATION, SELF | AP_CREATE, BENCH_PRIVATE,
     WITH(RAX, .rax = FEATURES), RESUME(INVALID)},
    {"AP destruction of itself", NAE_AP_CREATION, SELF | AP_DESTROY, 0, NONE, RESUME(INVALID)},
    {"AP creation, VMPL4", NAE_AP_CREATION, OTHER | VMPL(4) | AP_CREATE, BENCH_PRIVATE,
     WITH(RAX, .rax = FEATURES), RESUME(INVALID)},
    {"AP creation, other features", NAE_AP_CREATION, OTHER | AP_CREATE, BENCH_PRIVATE,
     WITH(RAX, .rax = 1), RESUME(INVALID)},
    {"AP creation, unaligned", NAE_AP_CREATION, OTHER | AP_CREATE, BENCH_PRIVATE + 8,
     WITH(RAX, .rax = FEATURES), RESUME(INVALID)},
    {"AP creation, 2 MiB aligned", NAE_AP_CREATION, OTHER | AP_CREATE, GUEST_REGION(1),
     WITH(RAX, .rax = FEATURES), RESUME(INVALID)},
    {"AP creation beyond physical memory", NAE_AP_CREATION, OTHER | AP_CREATE, 1ULL << 52 | 0x1000,
     WITH(RAX, .rax = FEATURES), RESUME(INVALID)},
    {"VMPL1 of itself", NAE_AP_CREATION, SELF | VMPL(1) | AP_CREATE, BENCH_PRIVATE,
     WITH(RAX, .rax = 1), DONE},
    {"VMPL1 of itself on INIT", NAE_AP_CREATION, SELF | VMPL(1), BENCH_PRIVATE, WITH(RAX, .rax = 1),
     DONE},
    {"run VMPL0 at VMPL0", NAE_RUN_VMPL, 0, 0, NONE, DONE},
    {"run VMPL0, upper half ignored", NAE_RUN_VMPL, 1ULL << 32, 0, NONE, DONE},
    {"run VMPL1 without a VMSA", NAE_RUN_VMPL, 1, 0, NONE, RESUME(MALFORMED, 0)},
    {"run VMPL4", NAE_RUN_VMPL, 4, 0, NONE, RESUME(MALFORMED, 0)},

    /* guest requests */
    {"guest request", NAE_GUEST_REQUEST, BENCH_SHARED(1), BENCH_SHARED(2), NONE,
     RESUME(0, PSP_INVALID_PARAM)},
    {"guest request, request unaligned", NAE_GUEST_REQUEST, BENCH_SHARED(1) + 1, BENCH_SHARED(2),
     NONE, RESUME(MISSING)},
    {"guest request, response unaligned", NAE_GUEST_REQUEST, BENCH_SHARED(1), BENCH_SHARED(2) + 1,
     NONE, RESUME(MISSING)},
    {"guest request, one page", NAE_GUEST_REQUEST, BENCH_SHARED(1), BENCH_SHARED(1), NONE,
     RESUME(MISSING)},
    {"guest request in private memory", NAE_GUEST_REQUEST, BENCH_PRIVATE, BENCH_SHARED(2), NONE,
     REPLY_FAIL, 0, 0},
    {"guest request, response in private memory", NAE_GUEST_REQUEST, BENCH_SHARED(1), BENCH_PRIVATE,
     NONE, REPLY_FAIL, 0, 0},
    {"extended request", NAE_EXT_GUEST_REQUEST, BENCH_SHARED(1), BENCH_SHARED(2), NONE,
     RESUME(0, PSP_INVALID_PARAM)},
    {"extended request, one page", NAE_EXT_GUEST_REQUEST, BENCH_SHARED(1), BENCH_SHARED(1), NONE,
     RESUME(MISSING)},

    /* restricted injection */
    {"doorbell, preferred", NAE_HV_DOORBELL, 0, 0, NONE, RESUME(0, ~0ULL)},
    {"doorbell, set", NAE_HV_DOORBELL, 1, BENCH_SHARED(1), NONE, RESUME(0, BENCH_SHARED(1))},
    {"doorbell, set unaligned", NAE_HV_DOORBELL, 1, BENCH_SHARED(1) + 8, NONE, RESUME(INVALID)},
    {"doorbell, set nowhere", NAE_HV_DOORBELL, 1, BENCH_NOWHERE, NONE, RESUME(INVALID)},
    {"doorbell, query without one", NAE_HV_DOORBELL, 2, 0, NONE, RESUME(0, ~0ULL)},
    {"doorbell, clear", NAE_HV_DOORBELL, 3, 0, NONE, DONE},
    {"doorbell, 4", NAE_HV_DOORBELL, 4, 0, NONE, RESUME(INVALID)},
    {"#HV IPI with the APIC off", NAE_HV_IPI, 0x30, 0, NONE, RESUME(INVALID)},
    {"#HV timer", NAE_HV_TIMER, 0, 0, NONE, UNMODELLED},

    /* not offered */
    {"secure AVIC", NAE_SECURE_AVIC, 0, 0, WITH(RAX | RBX, .rax = ~0ULL, .rbx = BENCH_PRIVATE),
     RESUME(UNSUPPORTED)},
    {"configure interrupt", NAE_CONFIGURE_INTERRUPT, 0x40, 0, NONE, RESUME(UNSUPPORTED)},
    {"disable alternate injection", NAE_DISABLE_ALTERNATE, 2 << 16, 0, NONE, RESUME(UNSUPPORTED)},
    {"specific EOI", NAE_SPECIFIC_EOI, 2 << 16, 0, NONE, RESUME(UNSUPPORTED)},
    {"HLT is no event", 0x78, 0, 0, NONE, RESUME(UNSUPPORTED)},
    {"0x80000006", 0x80000006, 0, 0, NONE, RESUME(UNSUPPORTED)},
    {"0x80000019", 0x80000019, 0, 0, NONE, RESUME(UNSUPPORTED)},
    {"the software exit", 0xF0000000, 0, 0, NONE, RESUME(UNSUPPORTED)},
    {"a code with an upper half", 1ULL << 32 | NAE_CPUID, 0, 0, WITH(RAX | RCX),
     RESUME(UNSUPPORTED)},
    {"all ones", ~0ULL, 0, 0, NONE, RESUME(UNSUPPORTED)},

    /* what the guest tells */
    {"features", NAE_HV_FEATURES, 0, 0, NONE, RESUME(0, 0x37)},
    {"unsupported event", NAE_UNSUPPORTED_EVENT, 0x42, 0, NONE, REPLY_FAIL, 0, 0},
};

START_TEST(event)
{
    const struct row *row = &rows[_i];
    enum reply_resume resume;

    put_fields(&row->put);
    resume = bench_exit(&bench, row->code, row->info1, row->info2);
    ck_assert_msg(resume == row->resume, "%s: resume %d, %s", row->name, (int)resume,
                  bench.reply.reason);
    if (resume == REPLY_RESUME) {
        uint64_t info1 = bench_get(&bench, FIELD_INFO1), info2 = bench_get(&bench, FIELD_INFO2);

        ck_assert_msg(info1 == row->want1 && info2 == row->want2, "%s: 0x%llx/0x%llx", row->name,
                      (unsigned long long)info1, (unsigned long long)info2);
    }
}
END_TEST

/* ---- what every event has in common ---- */

/* An input that must be marked is looked for under its mark alone. */
START_TEST(required_inputs)
{
    const struct exit_row *row = &exit_nae_rows[_i];

    for (enum ghcb_field field = 0; field < FIELD_COUNT; field++) {
        const uint32_t common =
            FIELD_BIT(FIELD_CODE) | FIELD_BIT(FIELD_INFO1) | FIELD_BIT(FIELD_INFO2);

        if (!(row->required & FIELD_BIT(field))) {
            continue;
        }
        bench_clear(&bench);
        for (enum ghcb_field other = 0; other < FIELD_COUNT; other++) {
            if (!(common & FIELD_BIT(other))) {
                bench_put(&bench, other, 0);
            }
        }
        bench_mark(&bench, field, false);
        ck_assert_int_eq(bench_exit(&bench, row->code, 0, 0), REPLY_RESUME);
        ck_assert_uint_eq(bench_get(&bench, FIELD_INFO1), GHCB_INFO1_MALFORMED);
        ck_assert_uint_eq(bench_get(&bench, FIELD_INFO2), GHCB_ERR_MISSING_INPUT);
    }
}
END_TEST

/* Six marks and no others: the bitmap of every answer. */
START_TEST(answer_marks)
{
    static const uint8_t want[16] = {[7] = 0x80, [12] = 0x0E, [14] = 0x18};

    bench_put(&bench, FIELD_RSI, 7);
    bench_put(&bench, FIELD_SCRATCH, BENCH_BUFFER);
    bench_put(&bench, FIELD_RBX, 0x1122334455667788);
    bench_exit(&bench, NAE_WBINVD, 0, 0);
    ck_assert_mem_eq(bench_page(&bench, GHCB_VALID_BITMAP), want, sizeof(want));
    /* Registers come back as they were, or zero when they were not marked. */
    ck_assert_uint_eq(bench_get(&bench, FIELD_RBX), 0x1122334455667788);
    bench_put(&bench, FIELD_RBX, 0x1122334455667788);
    bench_mark(&bench, FIELD_RBX, false);
    bench_exit(&bench, NAE_WBINVD, 0, 0);
    ck_assert_uint_eq(bench_get(&bench, FIELD_RBX), 0);
}
END_TEST

static const struct {
    const char *name;
    enum ghcb_field unmarked;
} mark_rows[] = {{"code", FIELD_CODE}, {"info1", FIELD_INFO1}, {"info2", FIELD_INFO2}};

static const uint64_t mark_codes[] = {NAE_WBINVD, NAE_HV_FEATURES, NAE_TERMINATE, 0x12345678};

START_TEST(marks_of_every_exit)
{
    for (size_t i = 0; i < COUNT(mark_codes); i++) {
        bench_clear(&bench);
        bench_exit(&bench, NAE_WBINVD, 0, 0); /* puts the version */
        bench_put(&bench, FIELD_CODE, mark_codes[i]);
        bench_put(&bench, FIELD_INFO1, 0);
        bench_put(&bench, FIELD_INFO2, 0);
        bench_mark(&bench, mark_rows[_i].unmarked, false);
        ck_assert_int_eq(bench_go(&bench), REPLY_RESUME);
        ck_assert_msg(bench_get(&bench, FIELD_INFO1) == GHCB_INFO1_MALFORMED &&
                          bench_get(&bench, FIELD_INFO2) == GHCB_ERR_MISSING_INPUT,
                      "%s of 0x%llx", mark_rows[_i].name, (unsigned long long)mark_codes[i]);
    }
}
END_TEST

START_TEST(usage)
{
    uint32_t word = 1;

    memcpy(bench_page(&bench, GHCB_USAGE), &word, sizeof(word));
    bench_exit(&bench, NAE_WBINVD, 0, 0);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO1), GHCB_INFO1_MALFORMED);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO2), GHCB_ERR_INVALID_USAGE);
    /* It counts before the marks. */
    bench_clear(&bench);
    bench_exit(&bench, NAE_WBINVD, 0, 0);
    memcpy(bench_page(&bench, GHCB_USAGE), &word, sizeof(word));
    bench_go(&bench); /* nothing is marked but what the answer left */
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO2), GHCB_ERR_INVALID_USAGE);
}
END_TEST

static const struct {
    uint16_t version;
    enum reply_resume resume;
} version_rows[] = {
    {0, REPLY_UNMODELLED}, {1, REPLY_RESUME},          {2, REPLY_RESUME},
    {3, REPLY_UNMODELLED}, {0xFFFF, REPLY_UNMODELLED},
};

START_TEST(version)
{
    bench_exit(&bench, NAE_WBINVD, 0, 0);
    bench_put(&bench, FIELD_CODE, NAE_WBINVD);
    bench_put(&bench, FIELD_INFO1, 0);
    bench_put(&bench, FIELD_INFO2, 0);
    memcpy(bench_page(&bench, GHCB_VERSION), &version_rows[_i].version, 2);
    ck_assert_int_eq(bench_go(&bench), version_rows[_i].resume);
}
END_TEST

/* ---- outputs ---- */

START_TEST(time_stamp)
{
    vcpu_retire(bench.guest.machine.vcpu, 0);
    vcpu_retire(bench.guest.machine.vcpu, 0);
    bench_exit(&bench, NAE_RDTSC, 0, 0);
    ck_assert_uint_eq(bench_get(&bench, FIELD_RAX), 2);
    ck_assert_uint_eq(bench_get(&bench, FIELD_RDX), 0);
    bench.hypervisor.state.tsc_aux = 5;
    bench_exit(&bench, NAE_RDTSCP, 0, 0);
    ck_assert_uint_eq(bench_get(&bench, FIELD_RAX), 2);
    ck_assert_uint_eq(bench_get(&bench, FIELD_RCX), 5);
}
END_TEST

static const struct {
    uint64_t number, cpl, want;
} hypercall_rows[] = {
    {0, 0, (uint64_t)-1000}, {1, 0, 0},
    {5, 0, (uint64_t)-1000}, {1, 3, (uint64_t)-1},
    {0, 1, (uint64_t)-1},    {~0ULL, 0, (uint64_t)-1000},
};

START_TEST(hypercall)
{
    bench_put(&bench, FIELD_RAX, hypercall_rows[_i].number);
    bench_put(&bench, FIELD_CPL, hypercall_rows[_i].cpl);
    bench_exit(&bench, NAE_VMMCALL, 0, 0);
    ck_assert_uint_eq(bench_get(&bench, FIELD_RAX), hypercall_rows[_i].want);
}
END_TEST

/* ---- MSRs ---- */

static bool wrmsr(uint32_t index, uint64_t value)
{
    bench_clear(&bench);
    bench_put(&bench, FIELD_RCX, index);
    bench_put(&bench, FIELD_RAX, (uint32_t)value);
    bench_put(&bench, FIELD_RDX, value >> 32);
    ck_assert_int_eq(bench_exit(&bench, NAE_MSR, 1, 0), REPLY_RESUME);
    return bench_get(&bench, FIELD_INFO1) == 0;
}

static bool rdmsr(uint32_t index, uint64_t *value)
{
    bench_clear(&bench);
    bench_put(&bench, FIELD_RCX, index);
    ck_assert_int_eq(bench_exit(&bench, NAE_MSR, 0, 0), REPLY_RESUME);
    *value = bench_get(&bench, FIELD_RDX) << 32 | bench_get(&bench, FIELD_RAX);
    return bench_get(&bench, FIELD_INFO1) == 0;
}

static uint64_t rdmsr_value(uint32_t index)
{
    uint64_t value;

    ck_assert(rdmsr(index, &value));
    return value;
}

#define BASE_X2APIC (APIC_BASE_RESET | APIC_BASE_ENABLE | APIC_BASE_EXTD | APIC_BASE_BSP)
#define BASE_XAPIC (APIC_BASE_RESET | APIC_BASE_ENABLE | APIC_BASE_BSP)
#define BASE_OFF (APIC_BASE_RESET | APIC_BASE_BSP)

START_TEST(apic_modes)
{
    ck_assert_uint_eq(rdmsr_value(APIC_MSR_BASE), BASE_XAPIC);
    ck_assert(wrmsr(APIC_MSR_BASE, BASE_XAPIC)); /* the same again */
    ck_assert(wrmsr(APIC_MSR_BASE, BASE_X2APIC));
    ck_assert(!wrmsr(APIC_MSR_BASE, BASE_XAPIC)); /* not back */
    ck_assert_uint_eq(rdmsr_value(APIC_MSR_BASE), BASE_X2APIC);
    ck_assert(wrmsr(APIC_MSR_BASE, BASE_OFF));
    ck_assert(!wrmsr(APIC_MSR_BASE, BASE_X2APIC)); /* not at once */
    ck_assert(wrmsr(APIC_MSR_BASE, BASE_XAPIC));
    ck_assert(wrmsr(APIC_MSR_BASE, BASE_X2APIC));
}
END_TEST

START_TEST(x2apic_registers)
{
    uint64_t value;

    ck_assert(wrmsr(APIC_MSR_BASE, BASE_X2APIC));
    ck_assert_uint_eq(rdmsr_value(X2APIC_ID), 0);
    ck_assert_uint_eq(rdmsr_value(X2APIC_LDR), 1);
    ck_assert_uint_eq(rdmsr_value(X2APIC_VERSION), 0x50014);
    ck_assert_uint_eq(rdmsr_value(X2APIC_SPIV), 0xFF);
    ck_assert(wrmsr(X2APIC_SPIV, 0xFFFFF1FF));
    ck_assert_uint_eq(rdmsr_value(X2APIC_SPIV), 0x1FF);
    ck_assert(wrmsr(X2APIC_TPR, 0x120));
    ck_assert_uint_eq(rdmsr_value(X2APIC_TPR), 0x20);
    ck_assert_uint_eq(rdmsr_value(X2APIC_PPR), 0x20);
    ck_assert(wrmsr(X2APIC_EOI, 0));
    for (uint32_t msr = X2APIC_ISR_FIRST; msr <= X2APIC_IRR_LAST; msr++) {
        ck_assert_uint_eq(rdmsr_value(msr), 0);
    }
    ck_assert(wrmsr(X2APIC_ESR, 0));
    ck_assert(!wrmsr(X2APIC_ESR, 1));
    ck_assert(!wrmsr(X2APIC_ID, 0));       /* read-only */
    ck_assert(!rdmsr(X2APIC_EOI, &value)); /* write-only */
    ck_assert(!rdmsr(0x80E, &value));      /* no such register */
    ck_assert(!wrmsr(X2APIC_TPR, 1ULL << 32));
    ck_assert(!wrmsr(X2APIC_ICR, 1u << 13));
}
END_TEST

static const struct {
    uint32_t msr;
    uint64_t value;
} interrupt_registers[] = {
    {X2APIC_ICR, 2ULL << 32 | 0x30}, /* to another vCPU */
    {X2APIC_ICR, 0x500},             /* INIT */
    {X2APIC_SELF_IPI, 0xF},          /* a vector of the processor's own */
    {X2APIC_LVT_FIRST, 0x30},
    {X2APIC_TIMER_INITIAL, 0x30},
};

START_TEST(interrupts_are_not_modelled)
{
    ck_assert(wrmsr(APIC_MSR_BASE, BASE_X2APIC));
    bench_clear(&bench);
    bench_put(&bench, FIELD_RCX, interrupt_registers[_i].msr);
    bench_put(&bench, FIELD_RAX, (uint32_t)interrupt_registers[_i].value);
    bench_put(&bench, FIELD_RDX, interrupt_registers[_i].value >> 32);
    ck_assert_int_eq(bench_exit(&bench, NAE_MSR, 1, 0), REPLY_UNMODELLED);
    ck_assert_ptr_nonnull(strstr(bench.reply.reason, "MSR 0x8"));
}
END_TEST

/* IRR and ISR hold 32 vectors each; what has no doorbell page to go through stays requested. */
START_TEST(interrupts_to_itself)
{
    struct apic *apic = &vcpus_current(&bench.hypervisor.vcpus)->apic;

    ck_assert(wrmsr(APIC_MSR_BASE, BASE_X2APIC));
    ck_assert(wrmsr(X2APIC_SELF_IPI, 0x31)); /* lost: it is off by its spurious vector register */
    ck_assert_uint_eq(rdmsr_value(X2APIC_IRR_FIRST + 1), 0);
    ck_assert(wrmsr(X2APIC_SPIV, 0x1FF));
    ck_assert(wrmsr(X2APIC_SELF_IPI, 0x31));
    ck_assert(wrmsr(X2APIC_ICR, 0x410FF));
    ck_assert_uint_eq(rdmsr_value(X2APIC_ICR), 0x400FF); /* not busy */
    ck_assert(!wrmsr(X2APIC_SELF_IPI, 0x131));
    ck_assert_uint_eq(rdmsr_value(X2APIC_IRR_FIRST + 1), 1u << 17);
    ck_assert_uint_eq(rdmsr_value(X2APIC_IRR_LAST), 1u << 31);
    ck_assert_uint_eq(apic_deliverable(apic), 0xFF);
    apic_accept(apic, 0xFF);
    ck_assert_uint_eq(rdmsr_value(X2APIC_IRR_LAST), 0);
    ck_assert_uint_eq(rdmsr_value(X2APIC_TMR_FIRST - 1), 1u << 31);
    ck_assert_uint_eq(rdmsr_value(X2APIC_PPR), 0xF0);
    ck_assert_uint_eq(apic_deliverable(apic), 0);
    ck_assert(wrmsr(X2APIC_EOI, 0));
    ck_assert_uint_eq(apic_deliverable(apic), 0x31);
    ck_assert(wrmsr(X2APIC_TPR, 0x30));
    ck_assert_uint_eq(apic_deliverable(apic), 0);
    ck_assert(wrmsr(X2APIC_TPR, 0x2F));
    ck_assert_uint_eq(apic_deliverable(apic), 0x31);
    ck_assert(wrmsr(X2APIC_SPIV, 0xFF));
    ck_assert_uint_eq(apic_deliverable(apic), 0);
}
END_TEST

START_TEST(tsc_aux)
{
    ck_assert_uint_eq(rdmsr_value(0xC0000103), 0);
    ck_assert(wrmsr(0xC0000103, 0x1234567890));
    ck_assert_uint_eq(rdmsr_value(0xC0000103), 0x34567890);
}
END_TEST

/* ---- MMIO ---- */

START_TEST(mmio)
{
    const struct mmio_device device = {.gpa = 0xFED00000, .size_bytes = 16};
    const struct mmio_device fixed = {.gpa = 0xFED00010, .size_bytes = 8, .read_only = true};
    const struct mmio_device over = {.gpa = 0xFED00008, .size_bytes = 16};

    ck_assert(mmio_add(&bench.config.mmio, &device, "\x11\x22\x33\x44", 4));
    ck_assert(mmio_add(&bench.config.mmio, &fixed, "fixed", 5));
    ck_assert(!mmio_add(&bench.config.mmio, &over, "", 0));
    hypervisor_close(&bench.hypervisor);
    ck_assert(hypervisor_open(&bench.hypervisor));
    bench_msr(&bench, BENCH_GHCB | 0x012);

    bench_put(&bench, FIELD_SCRATCH, BENCH_BUFFER);
    bench_exit(&bench, NAE_MMIO_READ, 0xFED00000, 8);
    ck_assert_mem_eq(bench_page(&bench, GHCB_SHARED_BUFFER), "\x11\x22\x33\x44\0\0\0\0", 8);

    memcpy(bench_at(&bench, BENCH_SHARED(1)), "ABCD", 4);
    bench_put(&bench, FIELD_SCRATCH, BENCH_SHARED(1));
    bench_exit(&bench, NAE_MMIO_WRITE, 0xFED00002, 4);
    bench_put(&bench, FIELD_SCRATCH, BENCH_SHARED(1) + 8);
    bench_exit(&bench, NAE_MMIO_READ, 0xFED00000, 8);
    ck_assert_mem_eq(bench_at(&bench, BENCH_SHARED(1) + 8),
                     "\x11\x22"
                     "ABCD\0\0",
                     8);
    /* Read-only registers keep what they have. */
    bench_put(&bench, FIELD_SCRATCH, BENCH_SHARED(1));
    ck_assert_int_eq(bench_exit(&bench, NAE_MMIO_WRITE, 0xFED00010, 4), REPLY_RESUME);
    bench_put(&bench, FIELD_SCRATCH, BENCH_SHARED(1) + 8);
    bench_exit(&bench, NAE_MMIO_READ, 0xFED00010, 5);
    ck_assert_mem_eq(bench_at(&bench, BENCH_SHARED(1) + 8), "fixed", 5);
    /* Across the end of a device, and of the address space. */
    bench_put(&bench, FIELD_SCRATCH, BENCH_SHARED(1));
    ck_assert_int_eq(bench_exit(&bench, NAE_MMIO_READ, 0xFED0000C, 8), REPLY_UNMODELLED);
    bench_put(&bench, FIELD_SCRATCH, BENCH_SHARED(1));
    ck_assert_int_eq(bench_exit(&bench, NAE_MMIO_READ, ~0ULL - 3, 8), REPLY_UNMODELLED);
}
END_TEST

/* ---- memory of the hypervisor ---- */

START_TEST(jump_table_is_kept)
{
    bench_exit(&bench, NAE_AP_JUMP_TABLE, AP_JUMP_TABLE_SET, 0x123456000);
    bench_exit(&bench, NAE_AP_JUMP_TABLE, AP_JUMP_TABLE_GET, 0);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO2), 0x123456000);
}
END_TEST

static uint64_t doorbell(void)
{
    bench_exit(&bench, NAE_HV_DOORBELL, DOORBELL_QUERY, 0);
    return bench_get(&bench, FIELD_INFO2);
}

START_TEST(doorbell_is_kept)
{
    bench_exit(&bench, NAE_HV_DOORBELL, DOORBELL_SET, BENCH_SHARED(2));
    ck_assert_uint_eq(doorbell(), BENCH_SHARED(2));
    bench_exit(&bench, NAE_HV_DOORBELL, DOORBELL_GET_PREFERRED, 0);
    ck_assert_uint_eq(doorbell(), BENCH_SHARED(2));
    bench_exit(&bench, NAE_HV_DOORBELL, DOORBELL_SET, 8); /* a refusal takes the old one away */
    ck_assert_uint_eq(doorbell(), DOORBELL_NONE);
    bench_exit(&bench, NAE_HV_DOORBELL, DOORBELL_SET, BENCH_SHARED(2));
    bench_exit(&bench, NAE_HV_DOORBELL, DOORBELL_CLEAR, 0);
    ck_assert_uint_eq(doorbell(), DOORBELL_NONE);
    bench_exit(&bench, NAE_HV_DOORBELL, DOORBELL_SET, BENCH_SHARED(2));
    bench_exit(&bench, NAE_HV_DOORBELL, 77, 0);
    ck_assert_uint_eq(doorbell(), DOORBELL_NONE);
}
END_TEST

static const struct {
    const char *name;
    uint64_t icr;
    enum reply_resume resume;
    uint64_t want1;
} ipi_rows[] = {
    {"to nobody", 9ULL << 32 | 0x30, REPLY_RESUME, 0},
    {"to another vCPU", 2ULL << 32 | 0x30, REPLY_UNMODELLED, 0},
    {"to itself", 0x30, REPLY_RESUME, 0},
    {"to itself, by the shorthand", 9ULL << 32 | 1 << 18 | 0x30, REPLY_RESUME, 0},
    {"NMI to itself", 0x400, REPLY_RESUME, 0},
    {"INIT to itself", 0x500, REPLY_UNMODELLED, 0},
    {"to itself by its logical address", 1ULL << 32 | 1 << 11 | 0x30, REPLY_UNMODELLED, 0},
    {"to all", 9ULL << 32 | 2 << 18 | 0x30, REPLY_UNMODELLED, 0},
    {"broadcast", 0xFFFFFFFFULL << 32 | 0x30, REPLY_UNMODELLED, 0},
    {"reserved bit 13", 9ULL << 32 | 1 << 13 | 0x30, REPLY_RESUME, MALFORMED},
    {"reserved bit 16", 9ULL << 32 | 1 << 16 | 0x30, REPLY_RESUME, MALFORMED},
    {"reserved bit 20", 9ULL << 32 | 1 << 20 | 0x30, REPLY_RESUME, MALFORMED},
};

START_TEST(ipi)
{
    ck_assert(wrmsr(APIC_MSR_BASE, BASE_X2APIC));
    ck_assert(wrmsr(X2APIC_SPIV, 0x1FF));
    ck_assert_msg(bench_exit(&bench, NAE_HV_IPI, ipi_rows[_i].icr, 0) == ipi_rows[_i].resume, "%s",
                  ipi_rows[_i].name);
    if (bench.reply.resume == REPLY_RESUME) {
        ck_assert_msg(bench_get(&bench, FIELD_INFO1) == ipi_rows[_i].want1, "%s",
                      ipi_rows[_i].name);
    }
}
END_TEST

START_TEST(vmsa_is_recorded)
{
    bench_put(&bench, FIELD_RAX, 1);
    bench_exit(&bench, NAE_AP_CREATION, SELF | VMPL(1), BENCH_PRIVATE);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO1), 0);
    ck_assert_int_eq(bench_exit(&bench, NAE_RUN_VMPL, 1, 0), REPLY_RESUME);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO1), 0);
    ck_assert_uint_eq(vcpus_current(&bench.hypervisor.vcpus)->vmpl, 1);
    /* The first VMSA of a VMPL says which features all of that VMPL have. */
    bench_put(&bench, FIELD_RAX, 9);
    bench_exit(&bench, NAE_AP_CREATION, SELF | VMPL(1), BENCH_PRIVATE);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO2), GHCB_ERR_INVALID_INPUT);
    bench_put(&bench, FIELD_RAX, 9);
    bench_exit(&bench, NAE_AP_CREATION, SELF | VMPL(2), BENCH_PRIVATE);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO1), 0);
    bench_exit(&bench, NAE_AP_CREATION, SELF | VMPL(1) | AP_DESTROY, 0);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO1), 0);
    ck_assert_int_eq(bench_exit(&bench, NAE_RUN_VMPL, 1, 0), REPLY_RESUME);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO1), MALFORMED);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO2), 0);
}
END_TEST

/* ---- page state change ---- */

struct psc_row {
    const char *name;
    uint16_t cur, end;
    uint64_t entry[3];
    uint64_t info2;
    uint16_t cur_after;
    int assigned[3]; /* of the three regions' first pages: 1, 0, -1 for not looked at */
};

#define R1 GUEST_REGION(1)
#define R2 GUEST_REGION(2)
#define R3 GUEST_REGION(3)
#define PRIVATE (PSC_OP_PRIVATE << PSC_OP_SHIFT)
#define SHARED (PSC_OP_SHARED << PSC_OP_SHIFT)
#define OP(n) ((uint64_t)(n) << PSC_OP_SHIFT)

static const struct psc_row psc_rows[] = {
    {"one", 0, 0, {R1 | PRIVATE}, 0, 1, {1, 0, 0}},
    {"three", 0, 2, {R1 | PRIVATE, R2 | PRIVATE, R3 | PRIVATE}, 0, 3, {1, 1, 1}},
    {"from the second", 1, 2, {R1 | PRIVATE, R2 | PRIVATE, R3 | PRIVATE}, 0, 3, {0, 1, 1}},
    {"large", 0, 0, {R1 | PRIVATE | PSC_PAGE_SIZE_2M}, 0, 1, {1, 0, 0}},
    {"large, unaligned",
     0,
     0,
     {(R1 + PAGE_SIZE) | PRIVATE | PSC_PAGE_SIZE_2M},
     PSC_INFO2_INVALID_ENTRY,
     0,
     {0, 0, 0}},
    {"stops at the bad one",
     0,
     2,
     {R1 | PRIVATE, R2 | OP(5), R3 | PRIVATE},
     PSC_INFO2_INVALID_ENTRY,
     1,
     {1, 0, 0}},
    {"operation 0", 0, 0, {R1}, PSC_INFO2_INVALID_ENTRY, 0, {0, 0, 0}},
    {"hints do nothing", 0, 1, {R1 | OP(3), R2 | OP(4)}, 0, 2, {0, 0, 0}},
    {"done already", 0, 0, {R1 | PRIVATE | 1}, 0, 1, {0, 0, 0}},
    {"done more than once", 0, 0, {R1 | PRIVATE | 2}, PSC_INFO2_INVALID_ENTRY, 0, {0, 0, 0}},
    {"outside memory", 0, 0, {BENCH_NOWHERE | PRIVATE}, PSC_INFO2_GENERIC, 0, {0, 0, 0}},
    {"empty list", 1, 0, {R1 | PRIVATE}, 0, 1, {0, 0, 0}},
    {"header: end 253", 0, 253, {R1 | PRIVATE}, PSC_INFO2_INVALID_HEADER, 0, {0, 0, 0}},
    {"header: end 65535", 0, 65535, {R1 | PRIVATE}, PSC_INFO2_INVALID_HEADER, 0, {0, 0, 0}},
    {"cur beyond all", 65535, 0, {R1 | PRIVATE}, 0, 65535, {0, 0, 0}},
};

static void put_list(uint64_t gpa, uint16_t cur, uint16_t end, const uint64_t *entry, size_t count)
{
    memcpy(bench_at(&bench, gpa), &cur, 2);
    memcpy(bench_at(&bench, gpa + 2), &end, 2);
    memcpy(bench_at(&bench, gpa + PSC_HEADER_SIZE), entry, count * sizeof(*entry));
}

START_TEST(page_states)
{
    const struct psc_row *row = &psc_rows[_i];
    static const uint64_t regions[3] = {R1, R2, R3};
    uint16_t cur;

    put_list(BENCH_BUFFER, row->cur, row->end, row->entry, 3);
    bench_put(&bench, FIELD_SCRATCH, BENCH_BUFFER);
    ck_assert_int_eq(bench_exit(&bench, NAE_PAGE_STATE_CHANGE, 0, 0), REPLY_RESUME);
    memcpy(&cur, bench_at(&bench, BENCH_BUFFER), 2);
    ck_assert_msg(bench_get(&bench, FIELD_INFO1) == 0 &&
                      bench_get(&bench, FIELD_INFO2) == row->info2 && cur == row->cur_after,
                  "%s: 0x%llx, cur %u", row->name,
                  (unsigned long long)bench_get(&bench, FIELD_INFO2), cur);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_msg(((guest_rmp(&bench.guest, regions[i])->flags & RMP_ASSIGNED) != 0) ==
                          row->assigned[i],
                      "%s: region %zu", row->name, i + 1);
    }
}
END_TEST

/* The rest of a large page goes by 4 KiB, what was done stays as it is. */
START_TEST(page_state_partial)
{
    const uint64_t entry = R1 | PRIVATE | PSC_PAGE_SIZE_2M | 510;

    put_list(BENCH_BUFFER, 0, 0, &entry, 1);
    bench_put(&bench, FIELD_SCRATCH, BENCH_BUFFER);
    bench_exit(&bench, NAE_PAGE_STATE_CHANGE, 0, 0);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO2), 0);
    ck_assert_int_eq(guest_rmp(&bench.guest, R1)->flags & RMP_ASSIGNED, 0);
    ck_assert_int_eq(guest_rmp(&bench.guest, R1 + 509 * PAGE_SIZE)->flags & RMP_ASSIGNED, 0);
    ck_assert_int_eq(guest_rmp(&bench.guest, R1 + 510 * PAGE_SIZE)->flags, RMP_ASSIGNED);
    ck_assert_int_eq(guest_rmp(&bench.guest, R1 + 511 * PAGE_SIZE)->flags, RMP_ASSIGNED);
}
END_TEST

static const struct {
    const char *name;
    uint64_t scratch, info2;
    enum reply_resume resume;
    uint64_t want1, want2;
} list_rows[] = {
    {"at 0", 0, 0, RESUME(SCRATCH_REFUSED)},
    {"before the buffer", BENCH_BUFFER - 8, 0, RESUME(SCRATCH_REFUSED)},
    {"a length that is too much", BENCH_BUFFER, 0x7F1, RESUME(SCRATCH_REFUSED)},
    {"a length that fits", BENCH_BUFFER, 0x7F0, RESUME(0, PSC_INFO2_INVALID_ENTRY)},
    {"other shared memory", BENCH_SHARED(1), 0, RESUME(0, PSC_INFO2_INVALID_ENTRY)},
    {"private memory, no length", BENCH_PRIVATE, 0, RESUME(SCRATCH_REFUSED)},
    {"private memory", BENCH_PRIVATE, 16, REPLY_FAIL, 0, 0},
    {"header at the buffer's end", BENCH_BUFFER + 0x7EC, 0, RESUME(SCRATCH_REFUSED)},
    {"entries beyond the buffer's end", BENCH_BUFFER + 0x7E8, 0,
     RESUME(0, PSC_INFO2_INVALID_HEADER)},
};

START_TEST(page_state_lists)
{
    bench_put(&bench, FIELD_SCRATCH, list_rows[_i].scratch);
    memset(bench_at(&bench, BENCH_SHARED(1)), 0, PAGE_SIZE);
    ck_assert_msg(bench_exit(&bench, NAE_PAGE_STATE_CHANGE, 0, list_rows[_i].info2) ==
                      list_rows[_i].resume,
                  "%s: %s", list_rows[_i].name, bench.reply.reason);
    if (bench.reply.resume == REPLY_RESUME) {
        ck_assert_msg(bench_get(&bench, FIELD_INFO1) == list_rows[_i].want1 &&
                          bench_get(&bench, FIELD_INFO2) == list_rows[_i].want2,
                      "%s: 0x%llx/0x%llx", list_rows[_i].name,
                      (unsigned long long)bench_get(&bench, FIELD_INFO1),
                      (unsigned long long)bench_get(&bench, FIELD_INFO2));
    }
}
END_TEST

/* More changes than one answer carries end the run, and do not end the emulator. */
START_TEST(page_state_too_much)
{
    uint64_t entry[PSC_ENTRY_MAX];

    for (size_t i = 0; i < PSC_ENTRY_MAX; i++) {
        entry[i] = R1 | PRIVATE | PSC_PAGE_SIZE_2M | 1;
    }
    put_list(BENCH_BUFFER, 0, PSC_ENTRY_MAX - 1, entry, PSC_ENTRY_MAX);
    bench_put(&bench, FIELD_SCRATCH, BENCH_BUFFER);
    ck_assert_int_eq(bench_exit(&bench, NAE_PAGE_STATE_CHANGE, 0, 0), REPLY_UNMODELLED);
    for (size_t i = 0; i < PSC_ENTRY_MAX; i++) {
        entry[i] = (R1 + i * PAGE_SIZE) | PRIVATE;
    }
    put_list(BENCH_BUFFER, 0, PSC_ENTRY_MAX - 1, entry, PSC_ENTRY_MAX);
    bench_put(&bench, FIELD_SCRATCH, BENCH_BUFFER);
    ck_assert_int_eq(bench_exit(&bench, NAE_PAGE_STATE_CHANGE, 0, 0), REPLY_RESUME);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO2), 0);
}
END_TEST

/* A larger area does not make a longer list. */
START_TEST(page_state_list_of_254)
{
    const uint64_t entry = R1 | PRIVATE;

    put_list(BENCH_SHARED(1), 0, PSC_ENTRY_MAX, &entry, 1);
    bench_put(&bench, FIELD_SCRATCH, BENCH_SHARED(1));
    ck_assert_int_eq(bench_exit(&bench, NAE_PAGE_STATE_CHANGE, 0, PAGE_SIZE), REPLY_RESUME);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO2), PSC_INFO2_INVALID_HEADER);
    ck_assert_int_eq(guest_rmp(&bench.guest, R1)->flags & RMP_ASSIGNED, 0);
}
END_TEST

/* ---- the list of APIC IDs ---- */

static const struct {
    const char *name;
    uint64_t lent, gpa, want1, want2, rax;
} list_id_rows[] = {
    {"how many pages?", 0, 0, 0, 0, 1},
    {"one page", 1, BENCH_SHARED(1), 0, 0, 1},
    {"more than needed", 5, BENCH_SHARED(1), 0, 0, 5},
    {"unaligned", 1, BENCH_SHARED(1) + 4, INVALID, 1},
    {"private", 1, BENCH_PRIVATE, INVALID, 1},
    {"no memory", 1, BENCH_NOWHERE, INVALID, 1},
    {"bit 52", 1, 1ULL << 52, INVALID, 1},
};

START_TEST(apic_id_list)
{
    static const uint32_t want[5] = {4, 0, 1, 2, 3};

    bench_put(&bench, FIELD_RAX, list_id_rows[_i].lent);
    bench_exit(&bench, NAE_APIC_ID_LIST, list_id_rows[_i].gpa, 0);
    ck_assert_msg(bench_get(&bench, FIELD_INFO1) == list_id_rows[_i].want1 &&
                      bench_get(&bench, FIELD_INFO2) == list_id_rows[_i].want2 &&
                      bench_get(&bench, FIELD_RAX) == list_id_rows[_i].rax,
                  "%s", list_id_rows[_i].name);
    if (list_id_rows[_i].lent && list_id_rows[_i].want1 == 0) {
        ck_assert_mem_eq(bench_at(&bench, BENCH_SHARED(1)), want, sizeof(want));
    }
}
END_TEST

/* ---- anything at all ---- */

#define HOSTILE_EXITS 4000

/* A number of a kind that hurts. */
static uint64_t hostile(uint64_t *random)
{
    static const uint64_t bases[] = {0,
                                     1,
                                     BENCH_GHCB,
                                     BENCH_BUFFER,
                                     BENCH_BUFFER + GHCB_SHARED_BUFFER_SIZE,
                                     BENCH_SHARED(1),
                                     BENCH_SHARED(15),
                                     BENCH_PRIVATE,
                                     BENCH_NOWHERE,
                                     R1,
                                     0x05180040,
                                     0x05110015,
                                     0x80000000,
                                     0x10000,
                                     1ULL << 32,
                                     1ULL << 52,
                                     ~0ULL};

    *random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
    return bases[(*random >> 33) % COUNT(bases)] + ((*random >> 40) % 17) - 8 * (*random >> 63);
}

/* No exit ends in anything but an answer, whatever stands in the page and in shared memory. */
START_TEST(hostile_exits)
{
    uint64_t random = 1;

    for (unsigned i = 0; i < HOSTILE_EXITS; i++) {
        size_t row = (size_t)(hostile(&random) % (exit_nae_row_count + 1));
        uint64_t code = row < exit_nae_row_count ? exit_nae_rows[row].code : hostile(&random);

        for (unsigned at = 0; at < 64; at += 8) {
            uint64_t value = hostile(&random);

            memcpy(bench_page(&bench, GHCB_SHARED_BUFFER + at), &value, 8);
            memcpy(bench_at(&bench, BENCH_SHARED(1) + at), &value, 8);
        }
        for (enum ghcb_field field = 0; field < FIELD_COUNT; field++) {
            bench_put(&bench, field, hostile(&random));
            bench_mark(&bench, field, hostile(&random) & 3);
        }
        if (guest_rmp(&bench.guest, BENCH_GHCB)->flags & RMP_ASSIGNED) {
            machine_unassign(&bench.guest.machine, guest_page(&bench.guest, BENCH_GHCB));
        }
        memset(bench_page(&bench, GHCB_USAGE), 0, 4);
        bench_exit(&bench, code, hostile(&random), hostile(&random));
        ck_assert_uint_le(bench.reply.action_count, REPLY_ACTION_MAX);
    }
}
END_TEST

/* ---- termination, strictness, the table ---- */

START_TEST(termination)
{
    uint8_t set, code;

    bench_exit(&bench, NAE_TERMINATE, 0xF << 0 | 0xA3 << 4, 0);
    ck_assert(exit_termination(&bench.exit, &set, &code));
    ck_assert_uint_eq(set, 0xF);
    ck_assert_uint_eq(code, 0xA3);
    bench_mark(&bench, FIELD_CODE, true);
    bench_mark(&bench, FIELD_INFO1, false);
    bench_go(&bench);
    ck_assert(!exit_termination(&bench.exit, &set, &code));
}
END_TEST

START_TEST(strict)
{
    bench.hypervisor.strict = true;
    bench_put(&bench, FIELD_RCX, 0);
    ck_assert_int_eq(bench_exit(&bench, NAE_RDPMC, 0, 0), REPLY_UNMODELLED);
    ck_assert_ptr_nonnull(strstr(bench.reply.reason, "rdpmc"));
    bench_mark(&bench, FIELD_RCX, false); /* a refusal that is known */
    ck_assert_int_eq(bench_exit(&bench, NAE_RDPMC, 0, 0), REPLY_RESUME);
    bench_put(&bench, FIELD_RAX, 0);
    ck_assert_int_eq(bench_exit(&bench, NAE_IOIO, 0x03F80000, 0), REPLY_UNMODELLED);
    ck_assert_ptr_nonnull(strstr(bench.reply.reason, "operand size"));
    ck_assert_int_eq(bench_exit(&bench, NAE_WBINVD, 0, 0), REPLY_RESUME);
}
END_TEST

START_TEST(table)
{
    for (size_t i = 0; i < exit_nae_row_count; i++) {
        const struct exit_row *row = &exit_nae_rows[i];
        char text[160] = "";

        ck_assert_ptr_eq(exit_row_by_code(EXIT_PAGE, row->code), row);
        ck_assert_ptr_eq(exit_row_by_name(row->name), row);
        ck_assert_int_eq(row->protocol, EXIT_PAGE);
        ck_assert_ptr_nonnull(row->source);
        ck_assert(row->answer || row->flags & (EXIT_TERMINATES | EXIT_UNMODELLED));
        ck_assert(row->say != exit_say_words || row->words);
        bench_clear(&bench);
        bench_exit(&bench, row->code, ~0ULL, ~0ULL);
        row->say(&bench.exit, text, sizeof(text));
        ck_assert_msg(text[0], "%s says nothing", row->name);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nae");
    TCase *tests = tcase_create("events");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, event, 0, COUNT(rows));
    tcase_add_loop_test(tests, required_inputs, 0, (int)exit_nae_row_count);
    tcase_add_test(tests, answer_marks);
    tcase_add_loop_test(tests, marks_of_every_exit, 0, COUNT(mark_rows));
    tcase_add_test(tests, usage);
    tcase_add_loop_test(tests, version, 0, COUNT(version_rows));
    tcase_add_test(tests, time_stamp);
    tcase_add_loop_test(tests, hypercall, 0, COUNT(hypercall_rows));
    tcase_add_test(tests, apic_modes);
    tcase_add_test(tests, x2apic_registers);
    tcase_add_loop_test(tests, interrupts_are_not_modelled, 0, COUNT(interrupt_registers));
    tcase_add_test(tests, interrupts_to_itself);
    tcase_add_test(tests, tsc_aux);
    tcase_add_test(tests, mmio);
    tcase_add_test(tests, jump_table_is_kept);
    tcase_add_test(tests, doorbell_is_kept);
    tcase_add_loop_test(tests, ipi, 0, COUNT(ipi_rows));
    tcase_add_test(tests, vmsa_is_recorded);
    tcase_add_loop_test(tests, page_states, 0, COUNT(psc_rows));
    tcase_add_test(tests, page_state_partial);
    tcase_add_loop_test(tests, page_state_lists, 0, COUNT(list_rows));
    tcase_add_test(tests, page_state_too_much);
    tcase_add_test(tests, page_state_list_of_254);
    tcase_add_test(tests, hostile_exits);
    tcase_add_loop_test(tests, apic_id_list, 0, COUNT(list_id_rows));
    tcase_add_test(tests, termination);
    tcase_add_test(tests, strict);
    tcase_add_test(tests, table);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
