/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * svsm/core_pvalidate.c: the PVALIDATE call, against memory that the guest may change at any moment
 * and instructions that answer as told.
 */
#include "svsm_host.h"

#include "../svsm/core_pvalidate.c"

#define LIST 0x6000u
#define WINDOW 0x7000000000000000u
#define MAX_CALLS 4096

/* What the instructions were asked, in order. */
struct done {
    char what; /* v validate, r rescind, g grant, x revoke, z zero, f flush */
    u64 gpa;
    u64 size;
};

static u8 page[PAGE_SIZE]; /* at LIST */
static struct done done[MAX_CALLS];
static u32 done_count;
static u64 mapped[2];
static u32 pvalidate_status, revoke_status, grant_status;
static u32 readable; /* reads of the list that still succeed */
static void (*on_read)(void);

static void note(char what, u64 gpa, u64 size)
{
    ck_assert_uint_lt(done_count, MAX_CALLS);
    done[done_count++] = (struct done){what, gpa, size};
}

u64 window_map(enum window window, u64 gpa)
{
    mapped[window == WINDOW_LARGE_PAGE] = gpa;
    return WINDOW + gpa;
}

void window_unmap(enum window window)
{
    mapped[window == WINDOW_LARGE_PAGE] = 0;
}

bool guest_read(u64 gpa, void *to, u64 size_bytes)
{
    if (readable == 0 || gpa < LIST || gpa + size_bytes > LIST + PAGE_SIZE) {
        return false;
    }
    readable--;
    for (u64 i = 0; i < size_bytes; i++) {
        ((u8 *)to)[i] = page[gpa - LIST + i];
    }
    if (on_read != NULL) {
        on_read();
    }
    return true;
}

bool guest_write(u64 gpa, const void *from, u64 size_bytes)
{
    ck_assert(gpa >= LIST && gpa + size_bytes <= LIST + PAGE_SIZE);
    for (u64 i = 0; i < size_bytes; i++) {
        page[gpa - LIST + i] = ((const u8 *)from)[i];
    }
    return true;
}

bool guest_zero(void *to, u64 size_bytes)
{
    note('z', (u64)to - WINDOW, size_bytes);
    return true;
}

u32 guest_rmpadjust(u64 va, u32 size, u64 attributes)
{
    ck_assert_uint_eq(attributes, 0xF01);
    note('g', va - WINDOW, size);
    return grant_status;
}

u32 pvalidate(u64 va, u32 size, u32 validate)
{
    note(validate ? 'v' : 'r', va - WINDOW, size);
    return pvalidate_status;
}

u32 core_revoke(u64 va, u32 size)
{
    note('x', va - WINDOW, size);
    return revoke_status;
}

void core_flush(void)
{
    note('f', 0, 0);
}

/* Everything but [1 MiB * 0x100, + 1 MiB) is the guest's. */
bool core_range_valid(u64 gpa, u64 size_bytes)
{
    return gpa + size_bytes <= 0x10000000 || gpa >= 0x10100000;
}

static void begin(u16 count, u16 next)
{
    for (u32 i = 0; i < PAGE_SIZE; i++) {
        page[i] = 0;
    }
    *(u16 *)page = count;
    *(u16 *)(page + 2) = next;
    done_count = 0;
    pvalidate_status = revoke_status = grant_status = 0;
    readable = UINT32_MAX;
    on_read = NULL;
}

static void entry_set(u32 index, u64 entry)
{
    *(u64 *)(page + 8 + 8 * index) = entry;
}

static u64 call_at(u64 gpa)
{
    static struct vmsa vmsa;

    vmsa.rcx = gpa;
    return core_pvalidate(&vmsa);
}

static u16 next_entry(void)
{
    return *(u16 *)(page + 2);
}

static void expect_done(const char *what)
{
    ck_assert_uint_eq(done_count, strlen(what));
    for (u32 i = 0; i < done_count; i++) {
        ck_assert_int_eq(done[i].what, what[i]);
    }
}

START_TEST(test_validate_and_rescind)
{
    begin(2, 0);
    entry_set(0, 0x9000 | ENTRY_VALIDATE);
    entry_set(1, 0xA000);
    ck_assert_uint_eq(call_at(LIST), CALL_SUCCESS);
    ck_assert_uint_eq(next_entry(), 2);
    expect_done("vzgxrf");
    ck_assert_uint_eq(done[1].gpa, 0x9000);
    ck_assert_uint_eq(done[1].size, PAGE_SIZE);
    ck_assert_uint_eq(done[4].gpa, 0xA000);
    ck_assert_uint_eq(mapped[0] | mapped[1], 0);
}
END_TEST

START_TEST(test_resumed)
{
    begin(3, 2);
    entry_set(0, 0x9000);
    entry_set(1, 0x9000);
    entry_set(2, 0xB000);
    ck_assert_uint_eq(call_at(LIST), CALL_SUCCESS);
    ck_assert_uint_eq(next_entry(), 3);
    expect_done("xrf");
    ck_assert_uint_eq(done[0].gpa, 0xB000);
}
END_TEST

static const struct {
    u64 gpa;
    u16 count, next;
} refused[] = {
    {LIST + 4, 1, 0},     {0x10000000, 1, 0},    {0x100FFFF8, 1, 0},       {LIST, 0, 0},
    {LIST, 1, 2},         {LIST, 0xFFFF, 0},     {LIST, 512, 0},           {LIST, 1, 1},
    {LIST + 0xFF8, 1, 0}, {LIST - 0x1000, 1, 0}, {LIST + PAGE_SIZE, 1, 0}, {LIST, 0, 0xFFFF},
};

START_TEST(test_list_refused)
{
    begin(refused[_i].count, refused[_i].next);
    *(u16 *)(page + 0xFF8) = 1;
    ck_assert_uint_eq(call_at(refused[_i].gpa), CALL_INVALID_PARAMETER);
    expect_done("");
}
END_TEST

START_TEST(test_list_full)
{
    begin(511, 0);
    for (u32 i = 0; i < 511; i++) {
        entry_set(i, 0x100000 + i * PAGE_SIZE);
    }
    ck_assert_uint_eq(call_at(LIST), CALL_SUCCESS);
    ck_assert_uint_eq(next_entry(), 511);
    ck_assert_uint_eq(done_count, 2 * 511 + 1);
}
END_TEST

static const u64 bad_entries[] = {
    0x10000000 | ENTRY_VALIDATE,
    0x100FF000,
    0x10000000 | 1,
    0x9000 | 1,
    0x9000 | 2,
    0x9000 | 3,
    0x0FF00000 | 1,
};

START_TEST(test_entry_refused)
{
    begin(2, 0);
    entry_set(0, 0x9000);
    entry_set(1, bad_entries[_i]);
    ck_assert_uint_eq(call_at(LIST), CALL_INVALID_ADDRESS);
    ck_assert_uint_eq(next_entry(), 1);
    expect_done("xrf");
}
END_TEST

static const struct {
    u64 entry;
    u32 pvalidate, revoke, grant;
    u64 result;
    const char *done;
} statuses[] = {
    {ENTRY_VALIDATE, RMP_FAIL_SIZEMISMATCH, 0, 0, 0x80001006, "v"},
    {ENTRY_VALIDATE, RMP_FAIL_INPUT, 0, 0, 0x80001001, "v"},
    {ENTRY_VALIDATE, PVALIDATE_UNCHANGED, 0, 0, 0x80001010, "v"},
    {ENTRY_VALIDATE, PVALIDATE_BAD_RESULT, 0, 0, 0x80001011, "v"},
    {ENTRY_VALIDATE | ENTRY_IGNORE_UNCHANGED, PVALIDATE_UNCHANGED, 0, 0, 0, "vzg"},
    {ENTRY_VALIDATE | ENTRY_IGNORE_UNCHANGED, RMP_FAIL_INPUT, 0, 0, 0x80001001, "v"},
    {ENTRY_VALIDATE, 0, 0, RMP_FAIL_PERMISSION, 0x80001002, "vzg"},
    {0, PVALIDATE_UNCHANGED, 0, 0, 0x80001010, "xrf"},
    {0, PVALIDATE_UNCHANGED, RMPADJUST_FAULTED, 0, 0x80001010, "xrf"},
    {ENTRY_IGNORE_UNCHANGED, PVALIDATE_UNCHANGED, RMPADJUST_FAULTED, 0, 0, "xrf"},
    {0, 0, RMP_FAIL_SIZEMISMATCH, 0, 0x80001006, "xf"},
};

START_TEST(test_status)
{
    begin(1, 0);
    entry_set(0, 0x9000 | statuses[_i].entry);
    pvalidate_status = statuses[_i].pvalidate;
    revoke_status = statuses[_i].revoke;
    grant_status = statuses[_i].grant;
    ck_assert_uint_eq(call_at(LIST), statuses[_i].result);
    ck_assert_uint_eq(next_entry(), statuses[_i].result == 0 ? 1 : 0);
    expect_done(statuses[_i].done);
}
END_TEST

/* The ROMs are left alone: 0xC0000 to 0xFFFFF. */
START_TEST(test_zero)
{
    begin(5, 0);
    entry_set(0, 0xBF000 | ENTRY_VALIDATE);
    entry_set(1, 0xC0000 | ENTRY_VALIDATE);
    entry_set(2, 0xFF000 | ENTRY_VALIDATE);
    entry_set(3, 0x100000 | ENTRY_VALIDATE);
    entry_set(4, 0 | RMP_SIZE_2M | ENTRY_VALIDATE);
    ck_assert_uint_eq(call_at(LIST), CALL_SUCCESS);
    expect_done("vzgvgvgvzgvzzg");
    ck_assert_uint_eq(done[1].gpa, 0xBF000);
    ck_assert_uint_eq(done[8].gpa, 0x100000);
    ck_assert_uint_eq(done[11].gpa, 0);
    ck_assert_uint_eq(done[11].size, 0xC0000);
    ck_assert_uint_eq(done[12].gpa, 0x100000);
    ck_assert_uint_eq(done[12].size, 0x100000);
}
END_TEST

/* The list goes away between two entries, as it does when an entry rescinds its page. */
START_TEST(test_list_vanishes)
{
    begin(2, 0);
    entry_set(0, 0x9000);
    entry_set(1, 0xA000);
    readable = 2; /* header, first entry */
    ck_assert_uint_eq(call_at(LIST), CALL_INVALID_PARAMETER);
    expect_done("xrf");
}
END_TEST

static void grow(void)
{
    *(u16 *)page = 0xFFFF;
    *(u16 *)(page + 2) = 0;
}

/* Another vCPU makes it longer, and starts it over, all the time. */
START_TEST(test_list_grows)
{
    begin(2, 0);
    entry_set(0, 0x9000);
    entry_set(1, 0xA000);
    on_read = grow;
    ck_assert_uint_eq(call_at(LIST), CALL_SUCCESS);
    expect_done("xrxrf");
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof((rows)[0])))

int main(void)
{
    Suite *suite = suite_create("svsm pvalidate");
    TCase *tcase = tcase_create("call");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tcase, test_validate_and_rescind);
    tcase_add_test(tcase, test_resumed);
    tcase_add_loop_test(tcase, test_list_refused, 0, COUNT(refused));
    tcase_add_test(tcase, test_list_full);
    tcase_add_loop_test(tcase, test_entry_refused, 0, COUNT(bad_entries));
    tcase_add_loop_test(tcase, test_status, 0, COUNT(statuses));
    tcase_add_test(tcase, test_zero);
    tcase_add_test(tcase, test_list_vanishes);
    tcase_add_test(tcase, test_list_grows);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
