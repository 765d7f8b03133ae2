/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check/: the oracles without a guest. What they are told is made up here; what guests make of it
 * is in fixtures/guests/oracles and test_oracle_guests.c.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "check/oracle_internal.h"
#include "check/percpu.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BASE 0x40000000ULL
#define PAGE(n) (BASE + (uint64_t)(n)*PAGE_SIZE)
#define PAGES 8192
#define VCPUS 20
#define GHCB_PAGE(vcpu) (vcpu)
#define LIST 100   /* page of a list */
#define BEHIND 101 /* the page that is mapped behind it */
#define PRIVATE 6000
#define LIST_GVA 0x200000ULL

static struct {
    struct oracles *oracles;
    struct error error;
    struct oracle_hit hit;
    unsigned hits, flushes;
    uint64_t retired;
    uint8_t ghcb[PAGE_SIZE], page[PAGE_SIZE]; /* of the first vCPU, and all others */
    uint64_t one_line;                        /* instructions below it stand in one line */
} t;

static struct exit exit_now;
static struct reply reply_now;

static void on_hit(void *context, const struct oracle_hit *hit)
{
    (void)context;
    t.hit = *hit;
    t.hits++;
}

static uint8_t *bytes_at(uint64_t gpa)
{
    return (gpa & ~PAGE_MASK) == PAGE(GHCB_PAGE(0)) ? t.ghcb : t.page;
}

static const uint8_t *on_shared_page(void *context, uint64_t gpa)
{
    (void)context;
    return gpa >= BASE && gpa < PAGE(PRIVATE) ? bytes_at(gpa) : NULL;
}

static bool on_host_fault(void *context, uint64_t gpa)
{
    (void)context;
    (void)gpa;
    return false;
}

static void on_flush(void *context)
{
    (void)context;
    t.flushes++;
}

static void on_forget(void *context, uint64_t place)
{
    (void)context;
    (void)place;
    t.flushes++;
}

static bool on_same_line(void *context, uint64_t a_gva, uint64_t b_gva)
{
    (void)context;
    return a_gva < t.one_line && b_gva < t.one_line;
}

static void open_oracles(uint32_t enabled, bool exact)
{
    const struct oracle_ops ops = {
        .hit = on_hit,
        .shared_page = on_shared_page,
        .host_fault = on_host_fault,
        .same_line = on_same_line,
        .flush = on_flush,
        .forget_page = on_forget,
        .forget_address = on_forget,
    };

    memset(&t, 0, sizeof(t));
    ck_assert_int_eq(oracles_new(&t.oracles, enabled, exact, PAGES, VCPUS, &ops, &t.error), 0);
}

static void teardown(void)
{
    oracles_free(t.oracles);
    t.oracles = NULL;
}

/* ---- what a guest does ---- */

static void access_at(uint32_t vcpu, uint64_t gpa, uint32_t size, bool write, uint64_t value,
                      uint64_t code_gva)
{
    struct oracle_access access = {
        .vcpu = vcpu,
        .page = (uint32_t)((gpa - BASE) >> PAGE_SHIFT),
        .gpa = gpa,
        .size_bytes = size,
        .write = write,
        .shared = gpa < PAGE(PRIVATE),
        .value = value,
        .bytes = bytes_at(gpa) + (gpa & PAGE_MASK),
        .code_gva = code_gva,
        .retired = ++t.retired,
    };

    oracles_access(t.oracles, &access);
    if (write && access.shared) {
        memcpy(bytes_at(gpa) + (gpa & PAGE_MASK), &value, size);
    }
}

static void read_at(uint32_t vcpu, uint64_t gpa, uint32_t size, uint64_t code_gva)
{
    access_at(vcpu, gpa, size, false, 0, code_gva);
}

static void write_at(uint64_t gpa, uint32_t size, uint64_t value, uint64_t code_gva)
{
    access_at(0, gpa, size, true, value, code_gva);
}

static void ask(uint32_t vcpu, const char *name, const struct exit_buffer *buffer, size_t count)
{
    memset(&exit_now, 0, offsetof(struct exit, scratch));
    exit_now.row = exit_row_by_name(name);
    exit_now.row = exit_now.row ? exit_now.row : &exit_row_malformed;
    exit_now.name = name;
    exit_now.protocol = exit_now.row->protocol;
    exit_now.vcpu = vcpu;
    exit_now.time = t.retired;
    exit_now.ghcb_gpa = PAGE(GHCB_PAGE(vcpu));
    oracles_exit(t.oracles, &exit_now, buffer, count);
}

static void answer(uint32_t marked)
{
    memset(&reply_now, 0, sizeof(reply_now));
    reply_now.marked = marked;
    oracles_answer(t.oracles, &exit_now, &reply_now);
}

/* CPUID, answered as it should be. */
static void ask_cpuid(uint32_t vcpu)
{
    ask(vcpu, "cpuid", NULL, 0);
    answer(FIELD_BIT(FIELD_RBX) | FIELD_BIT(FIELD_INFO1) | FIELD_BIT(FIELD_INFO2));
}

static void ask_list(uint32_t vcpu, uint64_t pages)
{
    const struct exit_buffer buffer = {.gpa = PAGE(LIST + vcpu), .size_bytes = pages * PAGE_SIZE};

    ask(vcpu, "apic_id_list", &buffer, 1);
    answer(FIELD_BIT(FIELD_INFO1));
}

static bool hit(enum oracle_kind kind)
{
    return oracles_hits(t.oracles) & ORACLE_BIT(kind);
}

static void save(void)
{
    ck_assert_int_eq(oracles_save(t.oracles, &t.error), 0);
}

#define RBX (PAGE(GHCB_PAGE(0)) + GHCB_RBX)

/* ---- names ---- */

START_TEST(names)
{
    char text[256];

    for (int kind = 0; kind < ORACLE_COUNT; kind++) {
        ck_assert_int_eq(oracle_named(oracle_name((enum oracle_kind)kind)), kind);
        ck_assert(strlen(oracle_meaning((enum oracle_kind)kind)) > 0);
    }
    ck_assert_int_eq(oracle_named("double"), ORACLE_COUNT);
    oracle_list(0, text, sizeof(text));
    ck_assert_str_eq(text, "none");
    oracle_list(ORACLE_BIT(ORACLE_OVERRUN) | ORACLE_BIT(ORACLE_PERCPU), text, sizeof(text));
    ck_assert_str_eq(text, "overrun, percpu");
    oracle_list(ORACLES_ALL, text, 8);
    ck_assert_uint_lt(strlen(text), 8);
}
END_TEST

/* What is not enabled does not hit, whatever happens. */
START_TEST(not_enabled)
{
    open_oracles(ORACLES_ALL & ~ORACLE_BIT(ORACLE_DOUBLE_FETCH), true);
    ask_cpuid(0);
    read_at(0, RBX, 8, 1);
    read_at(0, RBX, 8, 2);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
}
END_TEST

/* ---- double-fetch: _i is whether the run is exact ---- */

START_TEST(fetched_twice)
{
    open_oracles(ORACLES_ALL, _i);
    ask_cpuid(0);
    read_at(0, RBX, 4, 1);
    read_at(0, RBX + 4, 4, 2);
    ask_cpuid(0);
    read_at(0, RBX, 8, 3);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    read_at(0, RBX + 7, 1, 4);
    ck_assert(hit(ORACLE_DOUBLE_FETCH));
    ck_assert_uint_eq(t.hits, _i);
    if (_i) {
        ck_assert_uint_eq(t.hit.code_gva, 4);
        ck_assert_uint_eq(t.hit.other_gva, 3);
        ck_assert_uint_eq(t.hit.gpa, RBX + 7);
        ck_assert_uint_eq(t.hit.size_bytes, 1);
    }
}
END_TEST

/* Before the first answer, and what is nobody's answer. */
START_TEST(fetched_no_answer)
{
    open_oracles(ORACLES_ALL & ~ORACLE_BIT(ORACLE_SILENT_HANG), _i);
    for (int i = 0; i < 3; i++) {
        read_at(0, RBX, 8, 1);
        read_at(0, PAGE(LIST), 8, 1);
    }
    ask_cpuid(0);
    for (int i = 0; i < 3; i++) {
        read_at(0, PAGE(LIST), 8, 1);
        read_at(0, PAGE(GHCB_PAGE(0)) + GHCB_VALID_BITMAP, 8, 1);
    }
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
}
END_TEST

/* Exact: one instruction that is told of in pieces. */
START_TEST(fetched_in_pieces)
{
    open_oracles(ORACLES_ALL, true);
    ask_cpuid(0);
    read_at(0, RBX, 8, 1);
    t.retired--;
    read_at(0, RBX, 8, 1);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
}
END_TEST

/* What was read before the snapshot is read again after it, each time that it is restored. */
START_TEST(fetched_before_snapshot)
{
    open_oracles(ORACLES_ALL, _i);
    ask_cpuid(0);
    read_at(0, RBX, 8, 1);
    save();
    for (int round = 0; round < 3; round++) {
        ck_assert_uint_eq(oracles_hits(t.oracles), 0);
        read_at(0, RBX, 8, 2);
        ck_assert(hit(ORACLE_DOUBLE_FETCH));
        /* Later answers make their own marks there. */
        for (int i = 0; i <= round; i++) {
            ask_cpuid(0);
            read_at(0, RBX, 8, 3);
        }
        oracles_restore(t.oracles);
    }
}
END_TEST

/* What is read after it was not read before, however often. */
START_TEST(fetched_after_snapshot)
{
    open_oracles(ORACLE_BIT(ORACLE_DOUBLE_FETCH), _i);
    ask_cpuid(0);
    save();
    for (int round = 0; round < 3; round++) {
        read_at(0, RBX, 8, 1);
        ask_list(0, 1);
        read_at(0, PAGE(LIST), 4, 1);
        read_at(0, RBX, 8, 1);
        ck_assert_uint_eq(oracles_hits(t.oracles), 0);
        oracles_restore(t.oracles);
    }
    /* A second snapshot within the answer. */
    read_at(0, RBX, 4, 1);
    save();
    read_at(0, RBX + 4, 4, 1);
    save();
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    read_at(0, RBX, 1, 1);
    ck_assert(hit(ORACLE_DOUBLE_FETCH));
    oracles_restore(t.oracles);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    read_at(0, RBX + 4, 1, 1);
    ck_assert(hit(ORACLE_DOUBLE_FETCH));
}
END_TEST

/* Each vCPU has answers of its own. */
START_TEST(fetched_by_two)
{
    open_oracles(ORACLES_ALL, _i);
    ask_cpuid(0);
    read_at(0, RBX, 8, 1);
    ask_cpuid(1);
    read_at(1, PAGE(GHCB_PAGE(1)) + GHCB_RBX, 8, 1);
    save();
    ask_cpuid(1);
    read_at(1, PAGE(GHCB_PAGE(1)) + GHCB_RBX, 8, 1);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    read_at(0, RBX, 8, 1);
    ck_assert(hit(ORACLE_DOUBLE_FETCH));
    oracles_restore(t.oracles);
    read_at(1, PAGE(GHCB_PAGE(1)) + GHCB_RBX, 8, 1);
    ck_assert(hit(ORACLE_DOUBLE_FETCH));
}
END_TEST

/* More pages than are remembered: the first ones still are. */
START_TEST(fetched_bound)
{
    open_oracles(ORACLE_BIT(ORACLE_DOUBLE_FETCH), false);
    ask_list(0, FETCHED_MAX + 8);
    for (int i = 0; i < FETCHED_MAX + 8; i++) {
        read_at(0, PAGE(LIST + i), 4, 1);
    }
    read_at(0, PAGE(LIST + FETCHED_MAX), 4, 1);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    read_at(0, PAGE(LIST), 4, 1);
    ck_assert(hit(ORACLE_DOUBLE_FETCH));
}
END_TEST

/* The oldest of many buffers is forgotten, the newest is not. */
START_TEST(lent_bound)
{
    open_oracles(ORACLE_BIT(ORACLE_DOUBLE_FETCH), _i);
    for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++) {
        ask_list(vcpu, 1);
    }
    for (int i = 0; i < 2; i++) {
        read_at(0, PAGE(LIST), 4, 1);
    }
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    for (int i = 0; i < 2; i++) {
        read_at(VCPUS - 1, PAGE(LIST + VCPUS - 1), 4, 1);
    }
    ck_assert(hit(ORACLE_DOUBLE_FETCH));
    ck_assert_uint_le(t.oracles->state.lent_count, LENT_MAX);
}
END_TEST

/* ---- overrun ---- */

/* The guest's tables: the list, and a private page behind it. */
static void view_list(void)
{
    oracles_view(t.oracles, 0, LIST_GVA, PAGE(LIST), true);
    oracles_view(t.oracles, 0, LIST_GVA + PAGE_SIZE, PAGE(PRIVATE), false);
}

START_TEST(overrun_loop)
{
    open_oracles(ORACLES_ALL, _i);
    ask_list(0, 1);
    ck_assert_uint_eq(t.flushes, 1); /* what is behind must be seen */
    view_list();
    ck_assert_uint_eq(t.flushes, 2);
    read_at(0, PAGE(LIST + 1) - 8, 4, 1);
    read_at(0, PAGE(LIST + 1) - 4, 4, 1);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    read_at(0, PAGE(PRIVATE) + 8, 4, 1);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    read_at(0, PAGE(PRIVATE), 4, 1);
    ck_assert(hit(ORACLE_OVERRUN));
}
END_TEST

/* Exact: another instruction is no part of the loop, unless it stands in the same line. */
START_TEST(overrun_line)
{
    open_oracles(ORACLES_ALL, true);
    ask_list(0, 1);
    view_list();
    read_at(0, PAGE(LIST + 1) - 4, 4, 1);
    read_at(0, PAGE(PRIVATE), 4, 2);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    t.one_line = 10;
    read_at(0, PAGE(PRIVATE), 4, 2);
    ck_assert(hit(ORACLE_OVERRUN));
}
END_TEST

/* The list was in use before it was lent, and its pages are not translated in order. */
START_TEST(overrun_order)
{
    open_oracles(ORACLES_ALL, _i);
    view_list();
    ask_list(0, 1);
    oracles_view(t.oracles, 0, LIST_GVA + PAGE_SIZE, PAGE(PRIVATE), false);
    ck_assert_uint_eq(t.flushes, 1);
    oracles_view(t.oracles, 0, LIST_GVA, PAGE(LIST), true);
    ck_assert_uint_eq(t.flushes, 2); /* so that the engine asks for the other one again */
    ck_assert_int_eq(oracles_view(t.oracles, 0, LIST_GVA + PAGE_SIZE, PAGE(PRIVATE), false),
                     ORACLE_VIEW_ALL);
    read_at(0, PAGE(LIST + 1) - 4, 4, 1);
    read_at(0, PAGE(PRIVATE), 4, 1);
    ck_assert(hit(ORACLE_OVERRUN));
}
END_TEST

/* A sweep over more than the buffer. */
START_TEST(overrun_sweep)
{
    const struct exit_buffer buffer = {.gpa = PAGE(0) + GHCB_SHARED_BUFFER,
                                       .size_bytes = GHCB_SHARED_BUFFER_SIZE};

    open_oracles(ORACLE_BIT(ORACLE_OVERRUN), true);
    ask(0, "page_state_change", &buffer, 1);
    answer(0);
    for (uint64_t at = 0; at < PAGE_SIZE; at += 8) {
        write_at(PAGE(0) + at, 8, 0, 1);
    }
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    for (uint64_t at = GHCB_SHARED_BUFFER; at < PAGE_SIZE; at += 8) {
        write_at(PAGE(0) + at, 8, 0, 1);
    }
    ck_assert(hit(ORACLE_OVERRUN));
}
END_TEST

/* ---- unmarked ---- */

START_TEST(unmarked_fields)
{
    open_oracles(ORACLES_ALL, _i);
    read_at(0, RBX, 8, 1);
    ask_cpuid(0);
    read_at(0, RBX, 8, 1);
    write_at(PAGE(0) + GHCB_RCX, 8, 0, 2);
    read_at(0, PAGE(0) + GHCB_RCX, 8, 3);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    read_at(0, PAGE(0) + GHCB_RDX + 4, 2, 4);
    ck_assert(hit(ORACLE_UNMARKED));
    ck_assert(!_i || strncmp(t.hit.what, "rdx ", 4) == 0);
}
END_TEST

/* ---- leak ---- */

static void copy_private(uint64_t to, uint64_t value, uint64_t code_gva)
{
    memcpy(t.page, &value, sizeof(value));
    read_at(0, PAGE(PRIVATE), 8, code_gva);
    memset(t.page, 0, sizeof(value));
    write_at(to, 8, value, code_gva + 1);
}

START_TEST(leak_registers)
{
    open_oracles(ORACLES_ALL, _i);
    /* More than are remembered. */
    for (uint64_t i = 0; i < STRAY_MAX + 4; i++) {
        write_at(PAGE(0) + 0x20 + 8 * i, 8, 7, 10 + i);
    }
    for (uint64_t i = 1; i < STRAY_MAX + 4; i++) {
        write_at(PAGE(0) + 0x20 + 8 * i, 8, 0, 10 + i);
    }
    /* No answer has told where the GHCB is. */
    ask_cpuid(0);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    for (uint64_t i = 0; i < STRAY_MAX + 4; i++) {
        write_at(PAGE(0) + 0x20 + 8 * i, 8, 7, 10 + i);
    }
    for (uint64_t i = 1; i < STRAY_MAX + 4; i++) {
        write_at(PAGE(0) + 0x20 + 8 * i, 8, 0, 10 + i);
    }
    ask_cpuid(0);
    ck_assert(hit(ORACLE_LEAK));
    ck_assert_uint_eq(t.hits, _i);
    ck_assert(!_i || t.hit.gpa == PAGE(0) + 0x20);
}
END_TEST

START_TEST(leak_gone)
{
    open_oracles(ORACLES_ALL, true);
    ask_cpuid(0);
    copy_private(PAGE(0) + GHCB_SHARED_BUFFER, 0x1234567890, 1);
    write_at(PAGE(0) + GHCB_SHARED_BUFFER, 8, 0, 3);
    ask_cpuid(0);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    copy_private(PAGE(0) + GHCB_SHARED_BUFFER, 0x1234567890, 1);
    ask_cpuid(0);
    ck_assert(hit(ORACLE_LEAK));
    ck_assert_uint_eq(t.hit.code_gva, 2);
    ck_assert_uint_eq(t.hit.other_gva, 1);
}
END_TEST

/* Stored long before it is lent, with more stores between than are remembered. */
static void register_ghcb(uint32_t vcpu, uint64_t gpa)
{
    ask(vcpu, "msr_register_ghcb", NULL, 0);
    exit_now.msr = gpa | GHCB_MSR_REGISTER_REQ;
    answer(0);
}

/* A fast run: stored before the page was a GHCB, when nobody saw it. */
START_TEST(leak_before_ghcb)
{
    open_oracles(ORACLE_BIT(ORACLE_LEAK), false);
    t.ghcb[GHCB_SHARED_BUFFER + GHCB_SHARED_BUFFER_SIZE - 1] = 1;
    register_ghcb(0, PAGE(GHCB_PAGE(0)));
    ask_cpuid(0);
    ck_assert(hit(ORACLE_LEAK));
    ck_assert_uint_eq(oracles_suspect_from(t.oracles), 0);
}
END_TEST

/* The same through events of which nobody knows what they pass; then it is over. */
START_TEST(leak_after_unknown)
{
    open_oracles(ORACLE_BIT(ORACLE_LEAK), false);
    register_ghcb(0, PAGE(GHCB_PAGE(0)));
    for (uint64_t number = 1; number < 6; number++) {
        ask(0, number < 3 ? "cpuid" : "malformed", NULL, 0);
        exit_now.number = number;
        answer(0);
        if (number == 3) {
            write_at(PAGE(0) + GHCB_SHARED_BUFFER, 8, 1, 1);
        }
    }
    save();
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    for (int round = 0; round < 2; round++) {
        ask_cpuid(0);
        ck_assert(hit(ORACLE_LEAK));
        ck_assert_uint_eq(oracles_suspect_from(t.oracles), 0);
        oracles_restore(t.oracles);
    }
}
END_TEST

/* By another vCPU than the one whose GHCB it is. */
START_TEST(leak_into_anothers)
{
    open_oracles(ORACLE_BIT(ORACLE_LEAK), false);
    register_ghcb(0, PAGE(GHCB_PAGE(0)));
    register_ghcb(1, PAGE(GHCB_PAGE(1)));
    ask_cpuid(0);
    ck_assert_int_eq(oracles_view(t.oracles, 0, 0x5000, PAGE(GHCB_PAGE(1)), true), ORACLE_VIEW_ALL);
    write_at(PAGE(GHCB_PAGE(1)) + GHCB_SHARED_BUFFER, 8, 1, 1);
    ask_cpuid(0);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    ask_cpuid(1);
    ck_assert(hit(ORACLE_LEAK));
}
END_TEST

/* A lent buffer that is not all shared may hold something behind that. */
START_TEST(leak_behind_private)
{
    const struct exit_buffer buffer = {.gpa = PAGE(PRIVATE - 1), .size_bytes = 1ULL << 62};

    open_oracles(ORACLE_BIT(ORACLE_LEAK), false);
    ask(0, "apic_id_list", &buffer, 1);
    ck_assert(hit(ORACLE_LEAK));
}
END_TEST

START_TEST(leak_bound)
{
    open_oracles(ORACLE_BIT(ORACLE_LEAK), true);
    ask_cpuid(0);
    for (uint64_t i = 0; i < 3 * STORE_MAX; i++) {
        copy_private(PAGE(200) + 8 * (i % 256), 0x1234567890 + i, 1);
    }
    ck_assert_uint_le(t.oracles->state.store_count, STORE_MAX);
    ask_cpuid(0);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    copy_private(PAGE(LIST) + 0x800, 0x9876543210, 1);
    ask_cpuid(0);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    ask_list(0, 1);
    ck_assert(hit(ORACLE_LEAK));
    ck_assert_uint_eq(t.hit.gpa, PAGE(LIST) + 0x800);
}
END_TEST

/* ---- stale-private ---- */

static void pvalidate_pages(uint64_t gpa, uint64_t pages, bool validate, bool unchanged)
{
    oracles_pvalidate(
        t.oracles, &(struct oracle_pvalidate){.guest_page = (uint32_t)((gpa - BASE) >> PAGE_SHIFT),
                                              .gpa = gpa,
                                              .size_bytes = pages * PAGE_SIZE,
                                              .validate = validate,
                                              .unchanged = unchanged,
                                              .code_gva = 9,
                                              .retired = ++t.retired});
}

static void pvalidate(uint64_t gpa, bool validate, bool unchanged)
{
    pvalidate_pages(gpa, 1, validate, unchanged);
}

static void around(uint64_t page)
{
    pvalidate(PAGE(page), false, false);
    pvalidate(PAGE(page), true, false);
}

/* The oldest page is forgotten. */
START_TEST(stale_bound)
{
    open_oracles(ORACLES_ALL, _i);
    for (uint64_t i = 0; i <= STALE_MAX; i++) {
        around(PRIVATE + i);
    }
    read_at(0, PAGE(PRIVATE), 8, 1);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    read_at(0, PAGE(PRIVATE + STALE_MAX), 8, 1);
    ck_assert(hit(ORACLE_STALE_PRIVATE));
}
END_TEST

/* However many were given up; the guest can do so for ever. */
START_TEST(given_many)
{
    const uint64_t large = LARGE_PAGE_SIZE / PAGE_SIZE;

    open_oracles(ORACLE_BIT(ORACLE_STALE_PRIVATE), _i);
    save();
    pvalidate_pages(PAGE(0), large, false, false);
    pvalidate_pages(PAGE(PAGES - large), large, false, false);
    pvalidate(PAGE(large), true, false);
    ck_assert_uint_eq(t.oracles->state.stale_count, 0);
    pvalidate(PAGE(large - 1), true, false);
    ck_assert_uint_eq(t.oracles->state.stale_count, 1);
    for (int i = 0; i < 4; i++) {
        pvalidate_pages(PAGE(PAGES - large), large, true, false);
        ck_assert_uint_eq(t.oracles->state.stale_count, STALE_MAX);
    }
    read_at(0, PAGE(PAGES - 1), 8, 1);
    ck_assert(hit(ORACLE_STALE_PRIVATE));
    oracles_restore(t.oracles);
    pvalidate(PAGE(0), true, false);
    ck_assert_uint_eq(t.oracles->state.stale_count, 0);
}
END_TEST

/* A machine that is kept, or brought back, has no translations left to forget. */
START_TEST(stale_flush_due)
{
    open_oracles(ORACLE_BIT(ORACLE_STALE_PRIVATE), _i);
    ask_cpuid(0);
    around(PRIVATE);
    save();
    for (int round = 0; round < 3; round++) {
        unsigned flushes = t.flushes;

        if (round == 2) {
            save();
            ask_cpuid(0);
            ck_assert_uint_eq(t.flushes, flushes);
        }
        for (uint64_t at = 0; at < PAGE_SIZE; at += 8) {
            write_at(PAGE(PRIVATE) + at, 8, 1, 1);
        }
        oracles_restore(t.oracles);
        ask_cpuid(0);
        ck_assert_uint_eq(t.flushes, flushes);
        oracles_restore(t.oracles);
    }
}
END_TEST

/* A snapshot keeps which bytes were written. */
START_TEST(stale_snapshot)
{
    open_oracles(ORACLES_ALL, _i);
    around(PRIVATE);
    write_at(PAGE(PRIVATE), 8, 0, 1);
    save();
    write_at(PAGE(PRIVATE) + 8, 8, 0, 1);
    read_at(0, PAGE(PRIVATE) + 8, 8, 1);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    oracles_restore(t.oracles);
    read_at(0, PAGE(PRIVATE), 8, 1);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    read_at(0, PAGE(PRIVATE) + 8, 8, 1);
    ck_assert(hit(ORACLE_STALE_PRIVATE));
}
END_TEST

/* The last byte makes it a page like any other. No flush from within an access. */
START_TEST(stale_written)
{
    unsigned before;

    open_oracles(ORACLES_ALL, _i);
    around(PRIVATE);
    before = t.flushes;
    for (uint64_t at = 0; at < PAGE_SIZE; at += 8) {
        write_at(PAGE(PRIVATE) + at, 8, 0, 1);
    }
    ck_assert_uint_eq(t.oracles->state.stale_count, 0);
    ck_assert_uint_eq(t.flushes, before);
    ask_cpuid(0);
    ck_assert_uint_eq(t.flushes, before + 1);
}
END_TEST

/* ---- validated-twice ---- */

START_TEST(validated_and_terminated)
{
    open_oracles(ORACLES_ALL, _i);
    pvalidate(PAGE(PRIVATE), true, true);
    ask(0, "port_io", NULL, 0);
    ask(0, "msr_terminate", NULL, 0);
    oracles_end(t.oracles, &(struct oracle_end){.went_on = false});
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    pvalidate(PAGE(PRIVATE), true, true);
    ask(0, "port_io", NULL, 0);
    ask(0, "cpuid", NULL, 0);
    ck_assert(hit(ORACLE_VALIDATED_TWICE));
}
END_TEST

START_TEST(validated_and_ended)
{
    open_oracles(ORACLES_ALL, _i);
    pvalidate(PAGE(PRIVATE), true, true);
    oracles_end(t.oracles, &(struct oracle_end){.went_on = true});
    ck_assert(hit(ORACLE_VALIDATED_TWICE));
    ck_assert(!_i || t.hit.code_gva == 9);
}
END_TEST

/* ---- silent-hang ---- */

/* So many places by turns, each of which is read up to the end. */
static bool polls(unsigned places)
{
    teardown();
    open_oracles(ORACLE_BIT(ORACLE_SILENT_HANG), true);
    for (unsigned i = 0; i < 2000 * places; i++) {
        read_at(0, PAGE(LIST) + i % places, 1, 1 + i % places);
    }
    oracles_end(t.oracles, &(struct oracle_end){.out_of_time = true, .retired = t.retired - 1});
    return hit(ORACLE_SILENT_HANG);
}

START_TEST(hang_places)
{
    ck_assert(polls(1));
    ck_assert_uint_eq(t.hit.size_bytes, 1);
    ck_assert(polls(POLL_MAX));
    ck_assert(!polls(POLL_MAX + 1));
    ck_assert(!polls(512));
}
END_TEST

/* An exit ends it, and so does time. */
START_TEST(hang_not)
{
    open_oracles(ORACLES_ALL, true);
    for (int i = 0; i < 5000; i++) {
        read_at(0, PAGE(LIST), 1, 1);
    }
    ask_cpuid(0);
    oracles_end(t.oracles, &(struct oracle_end){.out_of_time = true, .retired = t.retired});
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    for (int i = 0; i < 5000; i++) {
        read_at(0, PAGE(LIST), 1, 1);
    }
    oracles_end(t.oracles,
                &(struct oracle_end){.out_of_time = true, .retired = t.retired + (1u << 21)});
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
}
END_TEST

/* ---- percpu ---- */

static const struct percpu_row right[3] = {
    {.index = 0, .apic_id = 4, .ghcb = 1, .tss = 1, .caa = {0, 1}},
    {.index = 1, .apic_id = 0, .ghcb = 2, .tss = 2, .vmsa = {2}, .caa = {0, 2}},
    {.index = 2, .apic_id = 9, .ghcb = 3, .tss = 3, .vmsa = {3, 1}, .caa = {0, 3}},
};

static const char *table_says(const struct percpu_row *row, size_t count, size_t *at)
{
    static char why[112];

    return percpu_table_ok(row, count, 4, at, why, sizeof(why)) ? NULL : why;
}

START_TEST(percpu_table)
{
    struct percpu_row row[3];
    size_t at;

    ck_assert_ptr_null(table_says(right, 3, &at));
    ck_assert_ptr_null(table_says(right, 1, &at));
    ck_assert_ptr_null(table_says(right, 0, &at));
    memcpy(row, right, sizeof(row));
    row[0].apic_id = 5;
    ck_assert_str_eq(table_says(row, 3, &at), "CPU 0 has APIC ID 5, the boot CPU's is 4");
    memcpy(row, right, sizeof(row));
    row[2].apic_id = 0;
    ck_assert_str_eq(table_says(row, 3, &at), "CPUs 1 and 2 have one APIC ID");
    ck_assert_uint_eq(at, 2);
    memcpy(row, right, sizeof(row));
    row[2].index = 0;
    ck_assert_str_eq(table_says(row, 3, &at), "CPUs 0 and 2 have one index");
    row[2].index = 7;
    ck_assert_str_eq(table_says(row, 3, &at), "CPU 2 has index 7");
    memcpy(row, right, sizeof(row));
    row[1].ghcb = 1;
    ck_assert_str_eq(table_says(row, 3, &at), "CPUs 0 and 1 have one GHCB");
    memcpy(row, right, sizeof(row));
    row[1].tss = 3;
    ck_assert_str_eq(table_says(row, 3, &at), "CPUs 1 and 2 have one TSS");
    memcpy(row, right, sizeof(row));
    row[1].vmsa[1] = 1;
    ck_assert_str_eq(table_says(row, 3, &at), "CPUs 1 and 2 have one save area");
    memcpy(row, right, sizeof(row));
    row[1].caa[1] = 1;
    ck_assert_str_eq(table_says(row, 3, &at), "CPUs 0 and 1 have one calling area");
    memset(row, 0, sizeof(row));
    row[0].apic_id = 4;
    row[1].index = 1;
    ck_assert_ptr_null(table_says(row, 2, &at)); /* nobody has anything yet */
}
END_TEST

START_TEST(percpu_ghcb)
{
    open_oracles(ORACLES_ALL, _i);
    ask(0, "msr_register_ghcb", NULL, 0);
    teardown();
    open_oracles(ORACLES_ALL, _i);
    exit_now.row = exit_row_by_name("msr_register_ghcb");
    exit_now.protocol = EXIT_MSR;
    exit_now.msr = PAGE(5) | GHCB_MSR_REGISTER_REQ;
    oracles_exit(t.oracles, &exit_now, NULL, 0);
    ck_assert_uint_eq(oracles_hits(t.oracles), 0);
    exit_now.msr = PAGE(PRIVATE) | GHCB_MSR_REGISTER_REQ;
    oracles_exit(t.oracles, &exit_now, NULL, 0);
    ck_assert(hit(ORACLE_PERCPU));
}
END_TEST

/* ---- reports ---- */

/* Instructions each are told of once, and no more than there is room for; the mask is right. */
START_TEST(report_bound)
{
    open_oracles(ORACLES_ALL, true);
    ask_cpuid(0);
    read_at(0, RBX, 8, 1);
    for (uint64_t i = 0; i < REPORT_MAX + 50; i++) {
        read_at(0, RBX, 8, 2 + i);
        read_at(0, RBX, 8, 2 + i);
    }
    ck_assert_uint_eq(t.hits, REPORT_MAX);
    read_at(0, PAGE(0) + GHCB_RDX, 8, 1);
    ck_assert(hit(ORACLE_UNMARKED));
    ck_assert_uint_eq(t.hits, REPORT_MAX);
}
END_TEST

/* The same mistakes in another order, more often, or elsewhere in the list, are the same. */
START_TEST(signature)
{
    uint64_t none, one, both;

    open_oracles(ORACLES_CHEAP, false);
    none = oracles_signature(t.oracles);
    save();
    ask_cpuid(0);
    read_at(0, RBX, 8, 1);
    read_at(0, RBX, 8, 1);
    one = oracles_signature(t.oracles);
    ask_list(0, 1);
    for (int i = 0; i < 5; i++) {
        read_at(0, PAGE(LIST) + 64, 4, 1);
    }
    both = oracles_signature(t.oracles);
    ck_assert_uint_eq(none, 0);
    ck_assert_uint_ne(one, 0);
    ck_assert_uint_ne(both, 0);
    ck_assert_uint_ne(one, both);

    oracles_restore(t.oracles);
    ck_assert_uint_eq(oracles_signature(t.oracles), 0);
    ask_list(0, 1);
    read_at(0, PAGE(LIST) + 32, 4, 1);
    read_at(0, PAGE(LIST) + 32, 4, 1);
    ck_assert_uint_ne(oracles_signature(t.oracles), both);
    ask_cpuid(0);
    for (int i = 0; i < 5; i++) {
        read_at(0, RBX, 8, 1);
    }
    ck_assert_uint_eq(oracles_signature(t.oracles), both);

    /* After another exit it is another one. */
    oracles_restore(t.oracles);
    ask_list(0, 1);
    read_at(0, RBX, 8, 1);
    read_at(0, RBX, 8, 1);
    ck_assert_uint_ne(oracles_signature(t.oracles), one);
}
END_TEST

int main(void)
{
    const struct {
        const char *name;
        const TTest *test;
        int runs; /* 2: fast and exact */
    } tests[] = {
        {"names", names, 1},
        {"not enabled", not_enabled, 1},
        {"fetched twice", fetched_twice, 2},
        {"fetched, no answer", fetched_no_answer, 2},
        {"fetched in pieces", fetched_in_pieces, 1},
        {"fetched before a snapshot", fetched_before_snapshot, 2},
        {"fetched after a snapshot", fetched_after_snapshot, 2},
        {"fetched by two", fetched_by_two, 2},
        {"fetched bound", fetched_bound, 1},
        {"lent bound", lent_bound, 2},
        {"overrun loop", overrun_loop, 2},
        {"overrun line", overrun_line, 1},
        {"overrun order", overrun_order, 2},
        {"overrun sweep", overrun_sweep, 1},
        {"unmarked", unmarked_fields, 2},
        {"leak registers", leak_registers, 2},
        {"leak gone", leak_gone, 1},
        {"leak before the GHCB", leak_before_ghcb, 1},
        {"leak after unknown events", leak_after_unknown, 1},
        {"leak into another's GHCB", leak_into_anothers, 1},
        {"leak behind private memory", leak_behind_private, 1},
        {"leak bound", leak_bound, 1},
        {"stale bound", stale_bound, 2},
        {"given many", given_many, 2},
        {"stale flush due", stale_flush_due, 2},
        {"stale snapshot", stale_snapshot, 2},
        {"stale written", stale_written, 2},
        {"validated and terminated", validated_and_terminated, 2},
        {"validated and ended", validated_and_ended, 2},
        {"hang places", hang_places, 1},
        {"no hang", hang_not, 1},
        {"percpu table", percpu_table, 1},
        {"percpu GHCB", percpu_ghcb, 2},
        {"report bound", report_bound, 1},
        {"signature", signature, 1},
    };
    Suite *suite = suite_create("oracle");
    SRunner *runner = srunner_create(suite);
    int failed;

    for (size_t i = 0; i < COUNT(tests); i++) {
        TCase *tcase = tcase_create(tests[i].name);

        tcase_add_checked_fixture(tcase, NULL, teardown);
        tcase_add_loop_test(tcase, tests[i].test, 0, tests[i].runs);
        suite_add_tcase(suite, tcase);
    }
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
