/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine/rmp_log.c: from what the log keeps, the RMP of each moment can be made again.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "guest_builder.h"
#include "machine/rmp_log.h"

static struct guest guest;
static struct rmp_log *rmp_log;

static void setup(void)
{
    guest_open(&guest);
    rmp_log = rmp_log_new();
    ck_assert_ptr_nonnull(rmp_log);
    ck_assert_int_eq(rmp_log_open(rmp_log, &guest.machine, &guest.error), 0);
}

static void teardown(void)
{
    rmp_log_free(rmp_log);
    guest_close(&guest);
}

static void emit(const char *name, uint64_t instructions)
{
    struct trace_sink *sink = rmp_log_sink(rmp_log);
    struct event event;

    event_begin(&event, name, NULL);
    event.instructions = instructions;
    sink->emit(sink, &event);
}

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((random_state >> 33) % n);
}

/* Anything that anybody can do to an entry, refused or not. */
static void change_something(struct rmp *rmp)
{
    uint32_t page = random_below(rmp->page_count), large = page & ~(PAGES_PER_LARGE_PAGE - 1);
    struct rmp_state state = {.assigned = random_below(4) != 0,
                              .large = random_below(8) == 0,
                              .immutable = random_below(64) == 0,
                              .asid = (uint16_t)random_below(3),
                              .guest_page = random_below(4) ? page : random_below(GUEST_PAGES)};
    bool unchanged;
    unsigned status;

    switch (random_below(9)) {
    case 0:
        rmp_assign(rmp, page, false);
        break;
    case 1:
        rmp_assign(rmp, large, true);
        break;
    case 2:
        rmp_unassign(rmp, page);
        break;
    case 3:
        rmp_psmash(rmp, page);
        break;
    case 4:
        rmp_update(rmp, state.large ? large : page, &state);
        break;
    case 5:
        rmp_validate(rmp, large, true, random_below(2), &status, &unchanged);
        break;
    case 6:
        rmp_adjust(rmp, page, false, 0,
                   1 | (uint64_t)random_below(32) << RMPADJUST_PERM_SHIFT |
                       (random_below(8) ? 0 : RMPADJUST_VMSA),
                   &status);
        break;
    case 7:
        rmp_reclaim(rmp, page);
        break;
    default:
        rmp_validate(rmp, page, false, random_below(2), &status, &unchanged);
        break;
    }
}

START_TEST(log_replays)
{
    struct rmp *rmp = &guest.machine.rmp;
    struct rmp_log_state *replayed = calloc(rmp->page_count, sizeof(*replayed));
    uint32_t next = 0;

    ck_assert_ptr_nonnull(replayed);
    for (int i = 0; i < 20000; i++) {
        change_something(rmp);
        if (random_below(3) == 0) {
            emit("pvalidate", 0);
        }
    }
    ck_assert_int_eq(rmp_log_close(rmp_log, &guest.error), 0);
    ck_assert_uint_eq(rmp_log->lost, 0);
    ck_assert_uint_gt(rmp_log->change_count, 5000);
    for (size_t i = 0; i < rmp_log->start_count; i++) {
        ck_assert_uint_eq(rmp_log->start[i].page, next);
        for (uint32_t page = 0; page < rmp_log->start[i].count; page++) {
            replayed[next++] = rmp_log->state[rmp_log->start[i].state];
        }
    }
    ck_assert_uint_eq(next, rmp->page_count);
    for (size_t i = 0; i < rmp_log->change_count; i++) {
        const struct rmp_log_change *change = &rmp_log->change[i];

        ck_assert_uint_le(change->page + change->count, rmp->page_count);
        for (uint32_t page = change->page; page < change->page + change->count; page++) {
            replayed[page] = rmp_log->state[change->state];
        }
    }
    for (uint32_t page = 0; page < rmp->page_count; page++) {
        ck_assert_uint_eq(replayed[page].flags, rmp->entry[page].flags);
        ck_assert_uint_eq(replayed[page].asid, rmp_asid(rmp, page));
        ck_assert_int_eq(memcmp(replayed[page].perm, rmp->entry[page].perm, VMPL_COUNT), 0);
    }
    free(replayed);
}
END_TEST

START_TEST(log_counts_runs)
{
    struct rmp *rmp = &guest.machine.rmp;
    const uint32_t first = 1024;

    emit("exit", 0);
    emit("reply", 0);
    for (uint32_t page = first; page < first + 300; page++) {
        rmp_unassign(rmp, page); /* nothing changes: the region is free */
        rmp_assign(rmp, page, false);
    }
    ck_assert_int_eq(rmp_log_close(rmp_log, &guest.error), 0);
    ck_assert_uint_eq(rmp_log->change_count, 1);
    ck_assert_uint_eq(rmp_log->change[0].page, first);
    ck_assert_uint_eq(rmp_log->change[0].count, 300);
    ck_assert_uint_eq(rmp_log->change[0].event, 1);
    ck_assert_int_eq(rmp_log_kind(&rmp_log->state[rmp_log->change[0].state]),
                     RMP_KIND_NOT_VALIDATED);
}
END_TEST

/* A change before the first event; one whose own event comes after it; none after the end. */
START_TEST(log_finds_events)
{
    struct rmp *rmp = &guest.machine.rmp;
    bool unchanged;
    unsigned status;

    rmp_assign(rmp, 1024, false);
    emit("exit", 0);
    rmp_validate(rmp, 1024, false, true, &status, &unchanged);
    emit("pvalidate", 0);
    ck_assert_int_eq(rmp_log_close(rmp_log, &guest.error), 0);
    rmp_unassign(rmp, 1024);
    ck_assert_uint_eq(rmp_log->change_count, 2);
    ck_assert_uint_eq(rmp_log->change[0].event, RMP_LOG_LAUNCH);
    ck_assert_uint_eq(rmp_log->change[1].event, 1);
}
END_TEST

static const struct {
    struct rmp_log_state state;
    enum rmp_kind kind;
} kinds[] = {
    {{.flags = 0}, RMP_KIND_HYPERVISOR},
    {{.flags = RMP_IMMUTABLE}, RMP_KIND_IMMUTABLE},
    {{.flags = RMP_ASSIGNED, .asid = 1}, RMP_KIND_NOT_VALIDATED},
    {{.flags = RMP_ASSIGNED | RMP_VALIDATED, .asid = 1, .perm = {31}}, RMP_KIND_VMPL0},
    {{.flags = RMP_ASSIGNED | RMP_VALIDATED | RMP_LARGE, .asid = 1}, RMP_KIND_VMPL0},
    {{.flags = RMP_ASSIGNED | RMP_VALIDATED, .asid = 1, .perm = {31, 0, 0, 1}}, RMP_KIND_VMPLS},
    {{.flags = RMP_ASSIGNED | RMP_VALIDATED | RMP_VMSA, .asid = 1}, RMP_KIND_VMSA},
    {{.flags = RMP_ASSIGNED | RMP_VALIDATED | RMP_IMMUTABLE, .asid = 1}, RMP_KIND_IMMUTABLE},
    {{.flags = RMP_ASSIGNED | RMP_IMMUTABLE | RMP_AWAY, .asid = 0}, RMP_KIND_SP},
    {{.flags = RMP_ASSIGNED | RMP_AWAY, .asid = 1}, RMP_KIND_AWAY},
    {{.flags = RMP_ASSIGNED | RMP_AWAY, .asid = 7}, RMP_KIND_AWAY},
};

START_TEST(log_kinds)
{
    ck_assert_int_eq(rmp_log_kind(&kinds[_i].state), kinds[_i].kind);
    ck_assert_uint_gt(strlen(rmp_kind_name(kinds[_i].kind)), 0);
    ck_assert_uint_gt(strlen(rmp_kind_meaning(kinds[_i].kind)), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rmp_log");
    TCase *tcase = tcase_create("rmp_log");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, log_replays);
    tcase_add_test(tcase, log_counts_runs);
    tcase_add_test(tcase, log_finds_events);
    tcase_add_loop_test(tcase, log_kinds, 0, COUNT(kinds));
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
