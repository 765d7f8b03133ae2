/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ghcb/later.c: actions that wait for retired instructions; and ghcb/history.c: answers that are
 * kept. Both are bounded, and both are copied by a snapshot.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ghcb/history.h"
#include "ghcb/later.h"
#include "ghcb/table.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GPA 0x40000000ULL

static struct later later, copy;
static struct history history, kept;
static struct reply reply;
static struct error error;

static void setup(void)
{
    memset(&later, 0, sizeof(later));
    memset(&copy, 0, sizeof(copy));
    memset(&history, 0, sizeof(history));
    memset(&kept, 0, sizeof(kept));
    memset(&reply, 0, sizeof(reply));
}

static void teardown(void)
{
    history_release(&history);
    history_release(&kept);
    reply_release(&reply);
}

/* ---- later ---- */

static int add(uint64_t gpa, uint64_t instructions, int vcpu, uint64_t now)
{
    const struct reply_action action = {
        .kind = REPLY_PSMASH,
        .gpa = gpa,
        .delay = {.instructions = instructions,
                  .one_vcpu = vcpu >= 0,
                  .vcpu = (uint32_t)(vcpu >= 0 ? vcpu : 0)},
    };

    return later_add(&later, &action, NULL, now, &error);
}

static int add_write(uint64_t gpa, const void *bytes, size_t size, uint64_t instructions)
{
    const struct reply_action action = {
        .kind = REPLY_WRITE,
        .gpa = gpa,
        .size_bytes = size,
        .delay = {.instructions = instructions},
    };

    return later_add(&later, &action, bytes, 0, &error);
}

static size_t take(uint32_t vcpu)
{
    reply_reset(&reply);
    return later_take(&later, vcpu, &reply);
}

/* Each counts its own vCPU's instructions, or all. */
START_TEST(who_counts)
{
    ck_assert_int_eq(add(1, 100, -1, 1000), 0);
    ck_assert_int_eq(add(2, 50, 0, 1000), 0);
    ck_assert_int_eq(add(3, 50, 1, 1000), 0);
    ck_assert_uint_eq(later_left(&later, 0), 50);
    ck_assert_uint_eq(later_left(&later, 2), 100);
    later_count(&later, 1040, 0);
    ck_assert_uint_eq(later_left(&later, 0), 10);
    ck_assert_uint_eq(later_left(&later, 1), 50);
    ck_assert_uint_eq(later_left(&later, 2), 60);
    later_count(&later, 1090, 1);
    ck_assert_uint_eq(take(0), 0); /* the third is due, but another vCPU runs */
    ck_assert_uint_eq(later_left(&later, 0), 10);
    ck_assert_uint_eq(take(1), 1);
    ck_assert_uint_eq(reply.action[0].gpa, 3);
    ck_assert_uint_eq(reply.action[0].delay.instructions, 0);
    later_count(&later, 1100, 0);
    ck_assert_uint_eq(take(0), 2);
    ck_assert_uint_eq(reply.action[0].gpa, 1);
    ck_assert_uint_eq(reply.action[1].gpa, 2);
    ck_assert_uint_eq(later.count, 0);
    ck_assert_uint_eq(later_left(&later, 0), UINT64_MAX);
}
END_TEST

/* The bytes stay with their action when others go. */
START_TEST(bytes_stay)
{
    ck_assert_int_eq(add_write(1, "one", 3, 10), 0);
    ck_assert_int_eq(add_write(2, "three", 5, 30), 0);
    ck_assert_int_eq(add_write(3, "two", 3, 20), 0);
    later_copy(&copy, &later);
    later_count(&later, 10, 0);
    ck_assert_uint_eq(take(0), 1);
    ck_assert_mem_eq(reply.data + reply.action[0].data_offset, "one", 3);
    later_count(&later, 20, 0);
    ck_assert_uint_eq(take(0), 1);
    ck_assert_mem_eq(reply.data + reply.action[0].data_offset, "two", 3);
    later_count(&later, 30, 0);
    ck_assert_uint_eq(take(0), 1);
    ck_assert_mem_eq(reply.data + reply.action[0].data_offset, "three", 5);
    ck_assert_uint_eq(later.data_size_bytes, 0);
    later_copy(&later, &copy);
    later_count(&later, 30, 0);
    ck_assert_uint_eq(take(0), 3);
    ck_assert_mem_eq(reply.data + reply.action[1].data_offset, "three", 5);
}
END_TEST

START_TEST(later_is_bounded)
{
    static uint8_t bytes[LATER_DATA_MAX];

    ck_assert_int_eq(add_write(1, bytes, sizeof(bytes), 1), 0);
    ck_assert_int_eq(add_write(1, bytes, 1, 1), SNPEMU_ERR_INPUT);
    for (unsigned i = 1; i < LATER_MAX; i++) {
        ck_assert_int_eq(add(i, 1, -1, 0), 0);
    }
    ck_assert_int_eq(add(0, 1, -1, 0), SNPEMU_ERR_INPUT);
}
END_TEST

/* ---- history ---- */

static struct exit asked;

static void keep(const char *name, uint64_t nth, uint64_t rax, const void *bytes, size_t size)
{
    memset(&asked, 0, sizeof(asked));
    asked.row = exit_row_by_name(name);
    asked.name = name;
    asked.protocol = asked.row->protocol;
    asked.nth = nth;
    reply_reset(&reply);
    reply_set(&reply, FIELD_RAX, rax);
    if (size) {
        reply_write(&reply, GPA, bytes, size);
    }
    ck_assert(history_keep(&history, &asked, &reply));
}

static uint64_t rax_of(const char *name, uint64_t nth)
{
    const struct history_answer *answer = history_find(&history, exit_row_by_name(name), nth);

    return answer ? answer->bytes.field[FIELD_RAX] : 0;
}

START_TEST(the_rarer_stay)
{
    keep("cpuid", 1, 11, NULL, 0);
    keep("apic_id_list", 1, 21, "list", 4);
    for (uint64_t i = 1; i <= 200; i++) {
        keep("port_io", i, 1000 + i, NULL, 0);
    }
    ck_assert_uint_eq(history.count, HISTORY_MAX);
    ck_assert_uint_eq(rax_of("cpuid", 1), 11);
    ck_assert_uint_eq(rax_of("apic_id_list", 0), 21);
    ck_assert_uint_eq(rax_of("port_io", 200), 1200);
    ck_assert_uint_eq(rax_of("port_io", 0), 1200);
    ck_assert_uint_eq(rax_of("port_io", 200 - HISTORY_MAX + 3), 1200 - HISTORY_MAX + 3);
    ck_assert_uint_eq(rax_of("port_io", 200 - HISTORY_MAX + 2), 0);
    ck_assert_uint_eq(rax_of("rdtsc", 0), 0);
}
END_TEST

START_TEST(bytes_are_bounded)
{
    size_t size = HISTORY_DATA_MAX / 2;
    uint8_t *bytes = calloc(1, size);

    ck_assert_ptr_nonnull(bytes);
    keep("cpuid", 1, 11, NULL, 0);
    for (uint64_t i = 1; i <= 3; i++) {
        keep("apic_id_list", i, 20 + i, bytes, size);
    }
    ck_assert_uint_le(history.size_bytes, HISTORY_DATA_MAX);
    ck_assert_uint_eq(rax_of("apic_id_list", 1), 0);
    ck_assert_uint_eq(rax_of("apic_id_list", 2), 22);
    ck_assert_uint_eq(rax_of("cpuid", 1), 11);
    free(bytes);
}
END_TEST

START_TEST(copies)
{
    keep("apic_id_list", 1, 21, "list", 4);
    ck_assert(history_copy(&kept, &history));
    keep("apic_id_list", 2, 22, "more", 4);
    ck_assert(history_copy(&history, &kept));
    ck_assert_uint_eq(history.count, 1);
    ck_assert_uint_eq(rax_of("apic_id_list", 0), 21);
    reply_reset(&reply);
    reply_write(&reply, GPA + 0x1000, "gone", 4);
    reply_psmash(&reply, GPA);
    ck_assert(history_replay(history_find(&history, asked.row, 1), &asked, false, &reply));
    ck_assert_uint_eq(reply.action_count, 2);
    ck_assert_int_eq(reply.action[0].kind, REPLY_PSMASH);
    ck_assert_mem_eq(reply.data + reply_find_write(&reply, GPA)->data_offset, "list", 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("later");
    TCase *tcase = tcase_create("later");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, who_counts);
    tcase_add_test(tcase, bytes_stay);
    tcase_add_test(tcase, later_is_bounded);
    tcase_add_test(tcase, the_rarer_stay);
    tcase_add_test(tcase, bytes_are_bounded);
    tcase_add_test(tcase, copies);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
