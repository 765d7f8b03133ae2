/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ghcb/reply.c and ghcb/field.c: what a host model puts together.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ghcb.h"
#include "ghcb/reply.h"

#define GPA 0x8000001000ULL
#define SIZE_4K 0x1000ULL
#define SIZE_2M 0x200000ULL

START_TEST(fields)
{
    struct reply reply = {0};

    reply_set(&reply, FIELD_RAX, 5);
    ck_assert_uint_eq(reply.written, FIELD_BIT(FIELD_RAX));
    ck_assert_uint_eq(reply.marked, FIELD_BIT(FIELD_RAX));
    ck_assert_uint_eq(reply.field[FIELD_RAX], 5);

    reply_unmark(&reply, FIELD_RAX);
    ck_assert_uint_eq(reply.written, FIELD_BIT(FIELD_RAX));
    ck_assert_uint_eq(reply.marked, 0);

    reply_set(&reply, FIELD_XCR0, UINT64_MAX);
    reply_leave(&reply, FIELD_RAX);
    ck_assert_uint_eq(reply.written, FIELD_BIT(FIELD_XCR0));
    ck_assert_uint_eq(reply.marked, FIELD_BIT(FIELD_XCR0));

    reply_set_msr(&reply, 0);
    ck_assert(reply.msr_written);
    reply_release(&reply);
}
END_TEST

START_TEST(field_names)
{
    for (int field = 0; field < FIELD_COUNT; field++) {
        ck_assert_ptr_nonnull(ghcb_field_rows[field].name);
        ck_assert_int_eq(ghcb_field_named(ghcb_field_rows[field].name), field);
        ck_assert_uint_lt(ghcb_field_rows[field].offset, GHCB_VALID_BITMAP);
    }
    ck_assert_int_eq(ghcb_field_named("rip"), FIELD_COUNT);
    ck_assert_int_eq(ghcb_field_named(""), FIELD_COUNT);
    ck_assert_uint_eq(ghcb_field_rows[FIELD_CPL].size_bytes, 1);
    ck_assert_uint_eq(ghcb_field_rows[FIELD_INFO1].offset, GHCB_SW_EXITINFO1);
}
END_TEST

START_TEST(reason_is_cut)
{
    struct reply reply = {0};
    char reason[1000];

    memset(reason, 'x', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    reply_refuse(&reply, reason);
    ck_assert_int_eq(reply.resume, REPLY_REFUSE);
    ck_assert_uint_eq(strlen(reply.reason), sizeof(reply.reason) - 1);
    reply_release(&reply);
}
END_TEST

START_TEST(actions_keep_their_order_and_bytes)
{
    struct reply reply = {0};
    const struct reply_watch watch = {.gpa = GPA, .size_bytes = 4, .nth = 2, .value = 7};

    ck_assert(reply_write(&reply, GPA, "abc", 3));
    ck_assert(reply_assign(&reply, GPA, SIZE_4K));
    ck_assert(reply_console(&reply, "de", 2));
    ck_assert(reply_unassign(&reply, SIZE_2M, SIZE_2M));
    ck_assert(reply_watch_add(&reply, &watch));
    ck_assert(reply_write(&reply, GPA, "", 0)); /* nothing to do, nothing added */

    ck_assert_uint_eq(reply.action_count, 5);
    ck_assert_int_eq(reply.action[0].kind, REPLY_WRITE);
    ck_assert_mem_eq(reply.data + reply.action[0].data_offset, "abc", 3);
    ck_assert_int_eq(reply.action[1].kind, REPLY_ASSIGN);
    ck_assert_int_eq(reply.action[2].kind, REPLY_CONSOLE);
    ck_assert_mem_eq(reply.data + reply.action[2].data_offset, "de", 2);
    ck_assert_uint_eq(reply.action[3].size_bytes, SIZE_2M);
    ck_assert_uint_eq(reply.action[4].watch.nth, 2);
    ck_assert_uint_eq(reply.action[4].gpa, GPA);
    ck_assert(!reply.overflow);
    reply_release(&reply);
    ck_assert_ptr_null(reply.action);
    reply_release(NULL);
}
END_TEST

START_TEST(reset_empties_and_keeps_buffers)
{
    struct reply reply = {0};
    const struct reply_action *action;

    reply_write(&reply, GPA, "abc", 3);
    reply_set(&reply, FIELD_RAX, 1);
    reply_refuse(&reply, "no");
    reply.keep_marks = true;
    action = reply.action;
    reply_reset(&reply);
    ck_assert_uint_eq(reply.action_count, 0);
    ck_assert_uint_eq(reply.data_size_bytes, 0);
    ck_assert_uint_eq(reply.written, 0);
    ck_assert_int_eq(reply.resume, REPLY_RESUME);
    ck_assert(!reply.keep_marks);
    ck_assert_ptr_eq(reply.action, action);
    reply_release(&reply);
}
END_TEST

START_TEST(too_many_actions)
{
    struct reply reply = {0};

    for (unsigned i = 0; i < REPLY_ACTION_MAX; i++) {
        ck_assert(reply_assign(&reply, GPA, SIZE_4K));
    }
    ck_assert(!reply.overflow);
    ck_assert(!reply_assign(&reply, GPA, SIZE_4K));
    ck_assert(reply.overflow);
    ck_assert_uint_eq(reply.action_count, REPLY_ACTION_MAX);
    reply_release(&reply);
}
END_TEST

START_TEST(too_many_bytes)
{
    struct reply reply = {0};
    char *bytes = calloc(1, REPLY_DATA_MAX + 1);

    ck_assert_ptr_nonnull(bytes);
    ck_assert(!reply_write(&reply, GPA, bytes, REPLY_DATA_MAX + 1));
    ck_assert(reply.overflow);
    ck_assert_uint_eq(reply.action_count, 0);
    reply_reset(&reply);
    ck_assert(reply_write(&reply, GPA, bytes, REPLY_DATA_MAX));
    ck_assert(!reply_write(&reply, GPA, bytes, 1));
    ck_assert(!reply_write(&reply, GPA, bytes, SIZE_MAX));
    ck_assert_uint_eq(reply.action_count, 1);
    reply_release(&reply);
    free(bytes);
}
END_TEST

static const struct {
    const char *name;
    uint64_t gpa, size_bytes;
    size_t dropped;
} drop_rows[] = {
    {"the page itself", GPA, SIZE_4K, 1},
    {"a byte at its end", GPA + SIZE_4K - 1, 1, 1},
    {"just below", GPA - SIZE_4K, SIZE_4K, 0},
    {"just above", GPA + SIZE_4K, SIZE_4K, 0},
    {"a large page around it", 0x8000000000, SIZE_2M, 1},
    {"a part of the large page", 0x8000400000 + 5 * SIZE_4K, SIZE_4K, 1},
    {"both", 0x8000000000, 3 * SIZE_2M, 2},
    {"up to the top of the address space", 0, UINT64_MAX, 2},
    {"the top page", UINT64_MAX - SIZE_4K + 1, SIZE_4K, 0},
};

START_TEST(drop_page_state)
{
    struct reply reply = {0};

    reply_assign(&reply, GPA, SIZE_4K);
    reply_write(&reply, GPA, "abc", 3);
    reply_unassign(&reply, 0x8000400000, SIZE_2M);
    ck_assert_msg(reply_drop_page_state(&reply, drop_rows[_i].gpa, drop_rows[_i].size_bytes) ==
                      drop_rows[_i].dropped,
                  "%s", drop_rows[_i].name);
    ck_assert_uint_eq(reply.action_count, 3 - drop_rows[_i].dropped);
    reply_release(&reply);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reply");
    TCase *tcase = tcase_create("reply");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, fields);
    tcase_add_test(tcase, field_names);
    tcase_add_test(tcase, reason_is_cut);
    tcase_add_test(tcase, actions_keep_their_order_and_bytes);
    tcase_add_test(tcase, reset_empties_and_keeps_buffers);
    tcase_add_test(tcase, too_many_actions);
    tcase_add_test(tcase, too_many_bytes);
    tcase_add_loop_test(tcase, drop_page_state, 0, sizeof(drop_rows) / sizeof(drop_rows[0]));
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
