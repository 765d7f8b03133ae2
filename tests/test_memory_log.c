/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine/memory_log.c: which pages were written, by the guest or by anyone, and whether they hold
 * what they held.
 */
#include <check.h>
#include <stdlib.h>

#include "guest_builder.h"
#include "machine/memory_log.h"

static struct guest guest;
static struct memory *memory;

static void setup(void)
{
    guest_open(&guest);
    memory = &guest.machine.memory;
    /* mov [rdi], rax; hlt */
    GUEST_CODE_BYTES(&guest, 0x48, 0x89, 0x07, 0xF4);
}

static void teardown(void)
{
    guest_close(&guest);
}

static void start(void)
{
    memory_log_start(memory);
    vcpu_flush(guest.machine.vcpu);
}

static void guest_writes(uint64_t gva, uint64_t value)
{
    guest_set(&guest, VCPU_RIP, GUEST_CODE);
    guest_set(&guest, VCPU_RDI, gva);
    guest_set(&guest, VCPU_RAX, value);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
}

static uint32_t page_of(uint64_t gva)
{
    return guest_page(&guest, GUEST_GPA + gva);
}

START_TEST(a_write_is_seen)
{
    guest_writes(GUEST_DATA, 1); /* the page is writable in the engine from here on */
    start();
    ck_assert(memory_log_unchanged(memory));
    ck_assert(!memory_log_has(memory, page_of(GUEST_DATA)));
    guest_writes(GUEST_DATA, 2);
    ck_assert(!memory_log_unchanged(memory));
    ck_assert(memory_log_has(memory, page_of(GUEST_DATA)));
    ck_assert(!memory_log_has(memory, page_of(GUEST_DATA + PAGE_SIZE)));
}
END_TEST

/* What is written back is no change, but it was written. */
START_TEST(there_and_back)
{
    guest_writes(GUEST_DATA + 8, 5);
    start();
    guest_writes(GUEST_DATA + 8, 6);
    ck_assert(!memory_log_unchanged(memory));
    guest_writes(GUEST_DATA + 8, 5);
    ck_assert(memory_log_unchanged(memory));
    ck_assert(memory_log_has(memory, page_of(GUEST_DATA)));
}
END_TEST

/* A value that stands there already: a write without a change. */
START_TEST(same_value)
{
    guest_writes(GUEST_DATA + 8, 5);
    start();
    guest_writes(GUEST_DATA + 8, 5);
    ck_assert(memory_log_unchanged(memory));
    ck_assert(memory_log_has(memory, page_of(GUEST_DATA)));
}
END_TEST

START_TEST(writes_of_others)
{
    start();
    memory_bytes_for_write(memory, page_of(GUEST_SHARED))[3] ^= 1;
    ck_assert(memory_log_has(memory, page_of(GUEST_SHARED)));
    ck_assert(!memory_log_unchanged(memory));
}
END_TEST

START_TEST(stopped_and_started_again)
{
    start();
    guest_writes(GUEST_DATA, 2);
    memory_log_stop(memory);
    guest_writes(GUEST_DATA + PAGE_SIZE, 3);
    ck_assert(!memory_log_has(memory, page_of(GUEST_DATA + PAGE_SIZE)));
    start();
    ck_assert(memory_log_unchanged(memory));
    ck_assert(!memory_log_has(memory, page_of(GUEST_DATA)));
}
END_TEST

/* One page more than there is room for: it says that something changed. */
START_TEST(full)
{
    start();
    for (uint32_t i = 0; i < MEMORY_LOG_PAGES; i++) {
        memory_bytes_for_write(memory, page_of(GUEST_REGION(1) - GUEST_GPA) + i);
        ck_assert(memory_log_unchanged(memory));
    }
    memory_bytes_for_write(memory, page_of(GUEST_REGION(1) - GUEST_GPA)); /* known: still room */
    ck_assert(memory_log_unchanged(memory));
    memory_bytes_for_write(memory, page_of(GUEST_REGION(1) - GUEST_GPA) + MEMORY_LOG_PAGES);
    ck_assert(!memory_log_unchanged(memory));
    start();
    ck_assert(memory_log_unchanged(memory));
}
END_TEST

/* A page's first touch fills it with its pattern: the copy has the pattern. */
START_TEST(first_touch)
{
    uint32_t page = page_of(GUEST_REGION(2) - GUEST_GPA);
    uint8_t *bytes;

    start();
    bytes = memory_bytes_for_write(memory, page);
    ck_assert(memory_log_unchanged(memory));
    bytes[0] ^= 0xFF;
    ck_assert(!memory_log_unchanged(memory));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory_log");
    TCase *tcase = tcase_create("memory_log");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_write_is_seen);
    tcase_add_test(tcase, there_and_back);
    tcase_add_test(tcase, same_value);
    tcase_add_test(tcase, writes_of_others);
    tcase_add_test(tcase, stopped_and_started_again);
    tcase_add_test(tcase, full);
    tcase_add_test(tcase, first_touch);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
