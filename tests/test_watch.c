/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ghcb/watch.c: memory that the host changes just before the n-th instruction that reads it, or
 * just after the n-th that writes it. What counts as reading, what stands there afterwards, and
 * what the guest sees, are those of ghcb/reply.h, struct reply_watch.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ghcb/watch.h"
#include "guest_builder.h"

#define OTHER (GUEST_SHARED + 0x1000)
#define WATCHED (OTHER + 0x800)
#define WATCHED_GPA (GUEST_GPA + WATCHED)
#define BYTES(...)                                                                                 \
    sizeof((uint8_t[]){__VA_ARGS__}),                                                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/*
 * RSI: the watched place, which holds 0x1111...; RDI: private memory; the value is 0xAABBCCDD. The
 * code ends by hlt; `rax` and `rbx` are what it leaves there.
 */
static const struct watch_row {
    const char *name;
    uint8_t size;
    uint8_t code[28];
    uint32_t watch_size;
    uint64_t nth;
    bool sticky;
    bool fires;
    uint64_t rax, rbx;
    uint64_t after; /* what stands there at the end */
} watch_rows[] = {
    {"two reads, the second", BYTES(0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 2, true, true, 0x11111111,
     0xAABBCCDD, 0x11111111AABBCCDD},
    {"two reads, the first, sticky", BYTES(0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, true, true,
     0xAABBCCDD, 0xAABBCCDD, 0x11111111AABBCCDD},
    {"two reads, the first, not sticky", BYTES(0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, false, true,
     0xAABBCCDD, 0x11111111, 0x1111111111111111},
    {"not sticky, back at the end", BYTES(0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 2, false, true,
     0x11111111, 0xAABBCCDD, 0x1111111111111111},
    {"two reads, the third", BYTES(0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 3, true, false, 0x11111111,
     0x11111111, 0x1111111111111111},
    /* Widths */
    {"byte reads", BYTES(0x0F, 0xB6, 0x06, 0x0F, 0xB6, 0x1E, 0xF4), 4, 2, true, true, 0x11, 0xDD,
     0x11111111AABBCCDD},
    {"its last byte", BYTES(0x0F, 0xB6, 0x46, 0x03, 0x0F, 0xB6, 0x5E, 0x03, 0xF4), 4, 2, true, true,
     0x11, 0xAA, 0x11111111AABBCCDD},
    {"the byte behind does not count", BYTES(0x0F, 0xB6, 0x46, 0x04, 0x0F, 0xB6, 0x1E, 0xF4), 4, 1,
     true, true, 0x11, 0xDD, 0x11111111AABBCCDD},
    {"the byte before does not count", BYTES(0x0F, 0xB6, 0x46, 0xFF, 0x0F, 0xB6, 0x1E, 0xF4), 4, 1,
     true, true, 0, 0xDD, 0x11111111AABBCCDD},
    {"2-byte reads", BYTES(0x0F, 0xB7, 0x06, 0x0F, 0xB7, 0x1E, 0xF4), 4, 2, true, true, 0x1111,
     0xCCDD, 0x11111111AABBCCDD},
    {"8-byte reads", BYTES(0x48, 0x8B, 0x06, 0x48, 0x8B, 0x1E, 0xF4), 4, 2, true, true,
     0x1111111111111111, 0x11111111AABBCCDD, 0x11111111AABBCCDD},
    {"a watch of 1 byte", BYTES(0x8B, 0x06, 0x8B, 0x1E, 0xF4), 1, 2, true, true, 0x11111111,
     0x111111DD, 0x11111111111111DD},
    {"a watch of 2 bytes", BYTES(0x8B, 0x06, 0x8B, 0x1E, 0xF4), 2, 2, true, true, 0x11111111,
     0x1111CCDD, 0x111111111111CCDD},
    {"a watch of 8 bytes", BYTES(0x8B, 0x06, 0x48, 0x8B, 0x1E, 0xF4), 8, 2, true, true, 0x11111111,
     0xAABBCCDD, 0xAABBCCDD},
    {"a 16-byte read",
     BYTES(0x0F, 0x10, 0x46, 0xF8, 0x0F, 0x10, 0x46, 0xF8, 0x0F, 0x11, 0x07, 0x48, 0x8B, 0x5F, 0x08,
           0x31, 0xC0, 0xF4),
     4, 2, true, true, 0, 0x11111111AABBCCDD, 0x11111111AABBCCDD},
    /* Not aligned */
    {"into its first byte", BYTES(0x8B, 0x46, 0xFD, 0x8B, 0x5E, 0xFD, 0xF4), 4, 2, true, true,
     0x11000000, 0xDD000000, 0x11111111AABBCCDD},
    {"just up to it does not count", BYTES(0x8B, 0x46, 0xFC, 0x8B, 0x1E, 0xF4), 4, 1, true, true, 0,
     0xAABBCCDD, 0x11111111AABBCCDD},
    {"from its last byte on", BYTES(0x8B, 0x46, 0x03, 0x8B, 0x5E, 0x03, 0xF4), 4, 2, true, true,
     0x11111111, 0x111111AA, 0x11111111AABBCCDD},
    /* Other instructions that read */
    {"cmp counts", BYTES(0x39, 0x06, 0x8B, 0x1E, 0x31, 0xC0, 0xF4), 4, 2, true, true, 0, 0xAABBCCDD,
     0x11111111AABBCCDD},
    {"add to memory reads once, writes the sum",
     BYTES(0x31, 0xC0, 0xFF, 0xC0, 0x01, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, true, true, 1, 0xAABBCCDE,
     0x11111111AABBCCDE},
    {"xchg counts", BYTES(0x31, 0xC0, 0x87, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, true, true, 0xAABBCCDD,
     0, 0x1111111100000000},
    {"lock xadd counts", BYTES(0x31, 0xC0, 0xF0, 0x0F, 0xC1, 0x06, 0x8B, 0x1E, 0xF4), 4, 2, true,
     true, 0x11111111, 0xAABBCCDD, 0x11111111AABBCCDD},
    {"push counts", BYTES(0xFF, 0x36, 0x58, 0x8B, 0x1E, 0xF4), 4, 2, true, true, 0x1111111111111111,
     0xAABBCCDD, 0x11111111AABBCCDD},
    {"a store does not", BYTES(0x31, 0xC0, 0x89, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, true, true, 0,
     0xAABBCCDD, 0x11111111AABBCCDD},
    {"what the guest stores meanwhile stays",
     BYTES(0x8B, 0x06, 0xC7, 0x06, 5, 0, 0, 0, 0x8B, 0x1E, 0xF4), 4, 1, false, true, 0xAABBCCDD, 5,
     0x1111111100000005},
    {"movsd reads here", BYTES(0xA5, 0x8B, 0x47, 0xFC, 0x8B, 0x5E, 0xFC, 0xF4), 4, 1, true, true,
     0xAABBCCDD, 0xAABBCCDD, 0x11111111AABBCCDD},
    {"two reads by one instruction are one",
     BYTES(0x56, 0x5F, 0xA7, 0x8B, 0x46, 0xFC, 0x8B, 0x5E, 0xFC, 0xF4), 4, 3, true, true,
     0x11111111, 0xAABBCCDD, 0x11111111AABBCCDD},
    /* Each iteration of a REP is an instruction */
    {"rep movsb, the third byte",
     BYTES(0xB9, 4, 0, 0, 0, 0xF3, 0xA4, 0x8B, 0x47, 0xFC, 0x31, 0xDB, 0xF4), 4, 3, true, true,
     0xAABB1111, 0, 0x11111111AABBCCDD},
    {"rep movsd, one iteration reads it",
     BYTES(0xB9, 2, 0, 0, 0, 0xF3, 0xA5, 0x8B, 0x47, 0xF8, 0x8B, 0x1E, 0xF4), 4, 2, true, false,
     0x11111111, 0x11111111, 0x1111111111111111},
    {"a loop, the third time",
     BYTES(0xB9, 3, 0, 0, 0, 0x31, 0xC0, 0x03, 0x06, 0xFF, 0xC9, 0x75, 0xFA, 0x31, 0xDB, 0xF4), 4,
     3, true, true, 0xCCDDEEFF, 0, 0x11111111AABBCCDD},
};

/* The same of writes. EDX is 0x12345678. */
static const struct watch_row write_rows[] = {
    {"a store, read back", BYTES(0x89, 0x16, 0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, true, true,
     0xAABBCCDD, 0xAABBCCDD, 0x11111111AABBCCDD},
    {"a store that nobody reads back", BYTES(0x89, 0x16, 0x31, 0xC0, 0xF4), 4, 1, true, true, 0, 0,
     0x11111111AABBCCDD},
    {"the second of two", BYTES(0x89, 0x16, 0x8B, 0x06, 0x89, 0x16, 0x8B, 0x1E, 0xF4), 4, 2, true,
     true, 0x12345678, 0xAABBCCDD, 0x11111111AABBCCDD},
    {"the third of two", BYTES(0x89, 0x16, 0x8B, 0x06, 0x89, 0x16, 0x8B, 0x1E, 0xF4), 4, 3, true,
     false, 0x12345678, 0x12345678, 0x1111111112345678},
    {"a read does not count", BYTES(0x8B, 0x06, 0x89, 0x16, 0x8B, 0x1E, 0xF4), 4, 1, true, true,
     0x11111111, 0xAABBCCDD, 0x11111111AABBCCDD},
    {"the next store comes after the value", BYTES(0x89, 0x16, 0x88, 0x16, 0x8B, 0x06, 0xF4), 4, 1,
     true, true, 0xAABBCC78, 0, 0x11111111AABBCC78},
    {"not sticky: read back once", BYTES(0x89, 0x16, 0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, false,
     true, 0xAABBCCDD, 0x12345678, 0x1111111112345678},
    {"not sticky: back at the end", BYTES(0x89, 0x16, 0x8B, 0x06, 0x31, 0xC0, 0xF4), 4, 1, false,
     true, 0, 0, 0x1111111112345678},
    {"not sticky: until it is read", BYTES(0x89, 0x16, 0x31, 0xC0, 0xF4), 4, 1, false, true, 0, 0,
     0x11111111AABBCCDD},
    {"not sticky: what the guest stores meanwhile stays",
     BYTES(0x89, 0x16, 0xC7, 0x06, 5, 0, 0, 0, 0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, false, true, 5,
     5, 0x1111111100000005},
    /* Widths and places */
    {"a byte", BYTES(0x88, 0x16, 0x8B, 0x06, 0x8B, 0x1E, 0xF4), 1, 1, true, true, 0x111111DD,
     0x111111DD, 0x11111111111111DD},
    {"its last byte", BYTES(0x88, 0x56, 0x03, 0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, true, true,
     0xAABBCCDD, 0xAABBCCDD, 0x11111111AABBCCDD},
    {"the byte behind does not count", BYTES(0x88, 0x56, 0x04, 0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 1,
     true, false, 0x11111111, 0x11111111, 0x1111117811111111},
    {"the byte before does not count", BYTES(0x88, 0x56, 0xFF, 0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 1,
     true, false, 0x11111111, 0x11111111, 0x1111111111111111},
    {"into its first byte", BYTES(0x89, 0x56, 0xFD, 0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, true, true,
     0xAABBCCDD, 0xAABBCCDD, 0x11111111AABBCCDD},
    {"16 bytes", BYTES(0x0F, 0x11, 0x46, 0xF8, 0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, true, true,
     0xAABBCCDD, 0xAABBCCDD, 0x00000000AABBCCDD},
    {"16 bytes count once",
     BYTES(0x0F, 0x11, 0x46, 0xFC, 0x8B, 0x06, 0x0F, 0x11, 0x46, 0xFC, 0x8B, 0x1E, 0xF4), 8, 2,
     true, true, 0, 0xAABBCCDD, 0xAABBCCDD},
    /* Other instructions that write */
    {"add to memory", BYTES(0x01, 0x16, 0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, true, true, 0xAABBCCDD,
     0xAABBCCDD, 0x11111111AABBCCDD},
    {"xchg reads what was there", BYTES(0x87, 0x16, 0x89, 0xD0, 0x8B, 0x1E, 0xF4), 4, 1, true, true,
     0x11111111, 0xAABBCCDD, 0x11111111AABBCCDD},
    {"lock xadd, the second",
     BYTES(0xF0, 0x0F, 0xC1, 0x16, 0xF0, 0x0F, 0xC1, 0x16, 0x89, 0xD0, 0x8B, 0x1E, 0xF4), 4, 2,
     true, true, 0x23456789, 0xAABBCCDD, 0x11111111AABBCCDD},
    {"xchg finds the value", BYTES(0x89, 0x16, 0x87, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, true, true,
     0xAABBCCDD, 0, 0x1111111100000000},
    {"pop", BYTES(0x52, 0x8F, 0x06, 0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 1, true, true, 0xAABBCCDD,
     0xAABBCCDD, 0x00000000AABBCCDD},
    /* Each iteration of a REP is an instruction */
    {"rep stosb, the third byte",
     BYTES(0x56, 0x5F, 0xB9, 4, 0, 0, 0, 0xF3, 0xAA, 0x8B, 0x06, 0x8B, 0x1E, 0xF4), 4, 3, true,
     true, 0x00BBCCDD, 0x00BBCCDD, 0x1111111100BBCCDD},
    {"a loop, the second time",
     BYTES(0xB9, 3, 0, 0, 0, 0x01, 0x16, 0x03, 0x06, 0xFF, 0xC9, 0x75, 0xF8, 0x8B, 0x1E, 0xF4), 4,
     2, true, true, 0x23456789 + 0xAABBCCDD + 0xBCF02355, 0xBCF02355, 0x11111111BCF02355},
};

static struct guest guest;
static struct watch_list watches;
static unsigned fired;
static unsigned events;     /* named on_read or on_write */
static struct event latest; /* of them */

static void note_event(struct trace_sink *sink, const struct event *event)
{
    (void)sink;
    if (strcmp(event->name, "on_read") == 0 || strcmp(event->name, "on_write") == 0) {
        events++;
        latest = *event;
    }
}

static struct trace_sink sink = {.emit = note_event};
static const struct trace trace = {.sink = {&sink}, .sink_count = 1};

static void note_fired(void *context, void *owner)
{
    (void)context;
    ck_assert_ptr_eq(owner, &fired);
    fired++;
}

static void setup(void)
{
    guest_open(&guest);
    guest.trap.trace = &trace;
    watches = (struct watch_list){.trap = &guest.trap, .fired = note_fired};
    fired = 0;
    events = 0;
}

static void teardown(void)
{
    guest_close(&guest);
}

static void watch_start(const uint8_t *code, size_t size)
{
    guest_code(&guest, code, size);
    guest_set(&guest, VCPU_RAX, 0);
    guest_set(&guest, VCPU_RBX, 0);
    guest_set(&guest, VCPU_RSI, WATCHED);
    guest_set(&guest, VCPU_RDI, GUEST_DATA);
    guest_store(&guest, WATCHED - 8, 0);
    guest_store(&guest, WATCHED, 0x1111111111111111);
    guest_store(&guest, WATCHED + 8, 0x1111111111111111);
}

static void arm(uint64_t gpa, uint32_t size, uint64_t nth, bool sticky)
{
    const struct reply_watch watch = {.gpa = gpa,
                                      .size_bytes = size,
                                      .nth = nth,
                                      .value = 0xAABBCCDD,
                                      .sticky = sticky,
                                      .owner = &fired};

    ck_assert_int_eq(watch_list_add(&watches, &watch, &guest.error), 0);
}

/* Runs what is armed, and looks at what it leaves. */
static void check_left(const struct watch_row *row)
{
    guest_run(&guest);
    watch_list_settle(&watches);
    ck_assert_int_eq(guest.outcome.kind, OUTCOME_HALTED);
    ck_assert_msg(fired == (row->fires ? 1 : 0), "%s: fired %u times", row->name, fired);
    ck_assert_msg(guest_get(&guest, VCPU_RAX) == row->rax, "%s: RAX 0x%llx", row->name,
                  (unsigned long long)guest_get(&guest, VCPU_RAX));
    ck_assert_msg(guest_get(&guest, VCPU_RBX) == row->rbx, "%s: RBX 0x%llx", row->name,
                  (unsigned long long)guest_get(&guest, VCPU_RBX));
    ck_assert_msg(guest_load(&guest, WATCHED) == row->after, "%s: left 0x%llx", row->name,
                  (unsigned long long)guest_load(&guest, WATCHED));
    ck_assert_uint_eq(events, fired);
}

static void check_row(size_t i)
{
    arm(WATCHED_GPA, watch_rows[i].watch_size, watch_rows[i].nth, watch_rows[i].sticky);
    check_left(&watch_rows[i]);
}

START_TEST(watch_table)
{
    watch_start(watch_rows[_i].code, watch_rows[_i].size);
    check_row((size_t)_i);
}
END_TEST

/* Code that was translated while nothing was watched sees what is watched from now on. */
START_TEST(watch_often_table)
{
    watch_start(watch_rows[_i].code, watch_rows[_i].size);
    ck_assert_int_eq(machine_save(&guest.machine, &guest.error), 0);
    ck_assert_int_eq(vcpu_watch_often(guest.machine.vcpu, &guest.error), 0);
    for (unsigned round = 0; round < 2; round++) {
        guest_run(&guest);
        ck_assert_uint_eq(fired, 0);
        ck_assert_int_eq(machine_restore(&guest.machine, &guest.error), 0);
        check_row((size_t)_i);
        ck_assert_int_eq(machine_restore(&guest.machine, &guest.error), 0);
        watches.count = 0;
        ck_assert_int_eq(watch_list_rearm(&watches, &guest.error), 0);
        fired = 0;
        events = 0;
    }
}
END_TEST

START_TEST(write_table)
{
    const struct reply_watch watch = {.on_write = true,
                                      .gpa = WATCHED_GPA,
                                      .size_bytes = write_rows[_i].watch_size,
                                      .nth = write_rows[_i].nth,
                                      .value = write_rows[_i].watch_size == 1 ? 0xDD : 0xAABBCCDD,
                                      .sticky = write_rows[_i].sticky,
                                      .owner = &fired};

    watch_start(write_rows[_i].code, write_rows[_i].size);
    guest_set(&guest, VCPU_RDX, 0x12345678);
    ck_assert_int_eq(watch_list_add(&watches, &watch, &guest.error), 0);
    check_left(&write_rows[_i]);
}
END_TEST

/* The event is that of the storing instruction, whenever the value was put. */
START_TEST(the_event_of_a_write)
{
    static const uint8_t code[] = {0x89, 0x16, 0x90, 0x90, 0x90, 0x8B, 0x06, 0xF4};
    const struct reply_watch watch = {.on_write = true,
                                      .gpa = WATCHED_GPA,
                                      .size_bytes = 4,
                                      .nth = 1,
                                      .value = 7,
                                      .sticky = true,
                                      .owner = &fired};

    watch_start(code, sizeof(code));
    ck_assert_int_eq(watch_list_add(&watches, &watch, &guest.error), 0);
    guest_run(&guest);
    ck_assert_uint_eq(events, 1);
    ck_assert_str_eq(latest.name, "on_write");
    ck_assert_uint_eq(latest.rip, GUEST_CODE);
    ck_assert_uint_eq(latest.instructions, 1);
}
END_TEST

/* Only the accesses of one vCPU count. */
START_TEST(one_vcpu)
{
    static const uint8_t code[] = {0x8B, 0x06, 0x89, 0x16, 0xF4};
    struct reply_watch watch = {.one_vcpu = true,
                                .vcpu = 1,
                                .gpa = WATCHED_GPA,
                                .size_bytes = 4,
                                .nth = 1,
                                .value = 7,
                                .sticky = true,
                                .owner = &fired};

    watch_start(code, sizeof(code));
    ck_assert_int_eq(watch_list_add(&watches, &watch, &guest.error), 0);
    watch.on_write = true;
    ck_assert_int_eq(watch_list_add(&watches, &watch, &guest.error), 0);
    guest_run(&guest);
    watch_list_settle(&watches);
    ck_assert_uint_eq(fired, 0);
    guest.trap.vcpu = 1;
    watch_start(code, sizeof(code));
    guest_run(&guest);
    watch_list_settle(&watches);
    ck_assert_uint_eq(fired, 2);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 7);
    ck_assert_uint_eq(latest.vcpu, 1);
}
END_TEST

/* A store whose second page cannot be written is seen twice, and is one write. */
START_TEST(a_store_that_faults)
{
    static const uint8_t code[] = {0x89, 0x16, 0xF4};
    uint64_t page = OTHER + PAGE_SIZE;
    const struct reply_watch watch = {.on_write = true,
                                      .gpa = GUEST_GPA + page - 2,
                                      .size_bytes = 2,
                                      .nth = 1,
                                      .value = 0xCCDD,
                                      .sticky = true,
                                      .owner = &fired};

    watch_start(code, sizeof(code));
    guest_set(&guest, VCPU_RSI, page - 2);
    guest_set(&guest, VCPU_RDX, 0x12345678);
    ck_assert_int_eq(watch_list_add(&watches, &watch, &guest.error), 0);
    guest_map(&guest, page, GUEST_GPA + page, PAGE_SIZE, PTE_PRESENT);
    vcpu_flush(guest.machine.vcpu);
    vcpu_set(guest.machine.vcpu, VCPU_CR0, vcpu_get(guest.machine.vcpu, VCPU_CR0) | CR0_WP);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_FAULT);
    watch_list_settle(&watches);
    ck_assert_uint_eq(fired, 0);
    guest_map(&guest, page, GUEST_GPA + page, PAGE_SIZE, GUEST_PUBLIC);
    vcpu_flush(guest.machine.vcpu);
    guest_run(&guest);
    watch_list_settle(&watches);
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(guest_load(&guest, page - 2) & UINT32_MAX, 0x1234CCDD);
}
END_TEST

/* The watched bytes begin a page, and the reading instruction begins on the page before. */
START_TEST(watch_across_pages)
{
    static const uint8_t code[] = {0x8B, 0x46, 0xFE, 0x8B, 0x5E, 0xFE, 0xF4};
    uint64_t page = OTHER + PAGE_SIZE;

    watch_start(code, sizeof(code));
    guest_store(&guest, page - 8, 0);
    guest_store(&guest, page, 0x1111111111111111);
    guest_set(&guest, VCPU_RSI, page);
    arm(GUEST_GPA + page, 4, 2, true);
    guest_run(&guest);
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 0x11110000);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RBX), 0xCCDD0000);
}
END_TEST

/* A host cannot change what has become the guest's, and does not see it read. */
START_TEST(watch_on_a_page_that_became_private)
{
    static const uint8_t code[] = {0x8B, 0x06, 0x8B, 0x1E, 0xF4};
    uint32_t page = guest_page(&guest, WATCHED_GPA);

    watch_start(code, sizeof(code));
    arm(WATCHED_GPA, 4, 1, true);
    machine_launch_page(&guest.machine, page);
    guest_map(&guest, WATCHED & ~PAGE_MASK, WATCHED_GPA & ~PAGE_MASK, PAGE_SIZE, GUEST_PRIVATE);
    vcpu_flush(guest.machine.vcpu);
    guest_store(&guest, WATCHED, 0x2222);
    guest_run(&guest);
    ck_assert_uint_eq(fired, 0);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 0x2222);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RBX), 0x2222);
}
END_TEST

/* Two at one place: each counts for itself; the second sees what the first has put there. */
START_TEST(two_watches)
{
    static const uint8_t code[] = {0x8B, 0x06, 0x8B, 0x1E, 0x8B, 0x0E, 0xF4};
    const struct reply_watch first = {.gpa = WATCHED_GPA,
                                      .size_bytes = 4,
                                      .nth = 2,
                                      .value = 22,
                                      .sticky = true,
                                      .owner = &fired};
    const struct reply_watch second = {.gpa = WATCHED_GPA,
                                       .size_bytes = 4,
                                       .nth = 3,
                                       .value = 33,
                                       .sticky = true,
                                       .owner = &fired};

    watch_start(code, sizeof(code));
    ck_assert_int_eq(watch_list_add(&watches, &second, &guest.error), 0);
    ck_assert_int_eq(watch_list_add(&watches, &first, &guest.error), 0);
    guest_run(&guest);
    ck_assert_uint_eq(fired, 2);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 0x11111111);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RBX), 22);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RCX), 33);
    watch_list_settle(&watches);
    ck_assert_uint_eq(watches.count, 0);
}
END_TEST

START_TEST(too_many_watches)
{
    const struct reply_watch watch = {.gpa = WATCHED_GPA, .size_bytes = 4, .nth = 1};
    struct error error;

    for (unsigned i = 0; i < VCPU_WATCH_MAX; i++) {
        ck_assert_int_eq(watch_list_add(&watches, &watch, &error), 0);
    }
    ck_assert_int_eq(watch_list_add(&watches, &watch, &error), SNPEMU_ERR_INPUT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watch");
    TCase *tcase = tcase_create("watch");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, watch_table, 0, COUNT(watch_rows));
    tcase_add_loop_test(tcase, write_table, 0, COUNT(write_rows));
    tcase_add_test(tcase, the_event_of_a_write);
    tcase_add_test(tcase, one_vcpu);
    tcase_add_test(tcase, a_store_that_faults);
    tcase_add_loop_test(tcase, watch_often_table, 0, COUNT(watch_rows));
    tcase_add_test(tcase, watch_across_pages);
    tcase_add_test(tcase, watch_on_a_page_that_became_private);
    tcase_add_test(tcase, two_watches);
    tcase_add_test(tcase, too_many_watches);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
