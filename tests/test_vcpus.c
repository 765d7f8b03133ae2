/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ghcb/vcpus.c: the hypervisor's table of vCPUs: who is there, who may run, and in which turn.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "abi/nae.h"
#include "ghcb/vcpus.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LAUNCH 0xFFFFFFFFF000ULL
#define RESET_MSR 0x2000133000001ULL
#define CPUS_MAX 4096

static struct vcpus vcpus;

static void setup(void)
{
    static const uint32_t ids[] = {0, 1, 2, 3};

    ck_assert(vcpus_init(&vcpus, 0, ids, COUNT(ids), LAUNCH, RESET_MSR));
}

static void teardown(void)
{
    vcpus_release(&vcpus);
}

static void init(uint32_t bsp, const uint32_t *ids, size_t count)
{
    vcpus_release(&vcpus);
    ck_assert(vcpus_init(&vcpus, bsp, ids, count, LAUNCH, RESET_MSR));
}

/* ---- power-on ---- */

START_TEST(power_on)
{
    ck_assert_uint_eq(vcpus.count, 4);
    ck_assert_uint_eq(vcpus.runnable, 1);
    ck_assert_uint_eq(vcpus.started, 1);
    ck_assert_ptr_eq(vcpus_current(&vcpus), &vcpus.slot[0]);
    ck_assert_uint_eq(vcpus.current_vmpl, 0);
    ck_assert_uint_eq(vcpus.current_vmsa_gpa, LAUNCH);
    for (uint32_t i = 0; i < 4; i++) {
        const struct vcpu_slot *slot = &vcpus.slot[i];

        ck_assert_uint_eq(slot->apic_id, i);
        ck_assert_int_eq(slot->activity, i == 0 ? VCPU_RUNNABLE : VCPU_ABSENT);
        for (unsigned vmpl = 0; vmpl < VMPL_COUNT; vmpl++) {
            ck_assert_int_eq(slot->level[vmpl].known, i == 0 && vmpl == 0);
            ck_assert_uint_eq(slot->level[vmpl].ghcb_msr, RESET_MSR);
            ck_assert_uint_eq(slot->level[vmpl].doorbell_gpa, DOORBELL_NONE);
            ck_assert(!slot->level[vmpl].registered && !slot->level[vmpl].resuming);
        }
    }
}
END_TEST

static const struct {
    const char *name;
    uint32_t bsp;
    uint32_t ids[6];
    size_t count;
    uint32_t want[6];
    size_t want_count;
} lists[] = {
    {"ascending", 0, {0, 1, 2}, 3, {0, 1, 2}, 3},
    {"descending", 5, {5, 3, 1}, 3, {5, 3, 1}, 3},
    {"the BSP last", 2, {0, 1, 2}, 3, {2, 0, 1}, 3},
    {"the BSP missing", 9, {0, 1}, 2, {9, 0, 1}, 3},
    {"the BSP twice", 0, {0, 1, 0}, 3, {0, 1}, 2},
    {"another twice", 0, {0, 4, 2, 4, 2}, 5, {0, 4, 2}, 3},
    {"all the same", 7, {7, 7, 7, 7}, 4, {7}, 1},
    {"none", 3, {0}, 0, {3}, 1},
    {"the highest number", 0xFFFFFFFF, {0xFFFFFFFF, 0, 0xFFFFFFFF}, 3, {0xFFFFFFFF, 0}, 2},
};

START_TEST(apic_ids)
{
    init(lists[_i].bsp, lists[_i].ids, lists[_i].count);
    ck_assert_msg(vcpus.count == lists[_i].want_count, "%s: %u", lists[_i].name, vcpus.count);
    for (uint32_t i = 0; i < vcpus.count; i++) {
        ck_assert_uint_eq(vcpus.slot[i].apic_id, lists[_i].want[i]);
        ck_assert_ptr_eq(vcpus_find(&vcpus, lists[_i].want[i]), &vcpus.slot[i]);
    }
    ck_assert_ptr_null(vcpus_find(&vcpus, 0x12345));
}
END_TEST

/* ---- who runs ---- */

START_TEST(start_and_stop)
{
    struct vcpu_slot *slot = vcpus_find(&vcpus, 2);

    vcpus_start(&vcpus, slot, 0, 0x1000, true);
    ck_assert_uint_eq(vcpus.runnable, 2);
    ck_assert_uint_eq(vcpus.started, 3);
    ck_assert(slot->level[0].known && slot->level[0].vmsa_gpa == 0x1000 && slot->vmpl == 0);
    vcpus_stop(&vcpus, slot, 0);
    ck_assert_uint_eq(vcpus.runnable, 1);
    ck_assert(!slot->level[0].known && slot->level[0].vmsa_gpa == 0);
    ck_assert_int_eq(slot->activity, VCPU_ABSENT);
    vcpus_stop(&vcpus, slot, 0); /* again: nothing more happens */
    ck_assert_uint_eq(vcpus.runnable, 1);
}
END_TEST

/* A save area that is made for later, and one that takes the place of another. */
START_TEST(start_later_and_again)
{
    struct vcpu_slot *slot = &vcpus.slot[1];

    vcpus_start(&vcpus, slot, 1, 0x1000, false);
    ck_assert_uint_eq(vcpus.runnable, 1);
    ck_assert(slot->level[1].known && slot->activity == VCPU_ABSENT);
    vcpus_start(&vcpus, slot, 1, 0x2000, true);
    ck_assert_uint_eq(vcpus.runnable, 2);
    ck_assert_uint_eq(slot->vmpl, 1);
    slot->level[1].resuming = true;
    vcpus_start(&vcpus, slot, 1, 0x3000, true);
    ck_assert_uint_eq(vcpus.runnable, 2);
    ck_assert(slot->level[1].vmsa_gpa == 0x3000 && !slot->level[1].resuming);
    vcpus_stop(&vcpus, slot, 0); /* another VMPL than the one it runs at */
    ck_assert_uint_eq(vcpus.runnable, 2);
    ck_assert_int_eq(slot->activity, VCPU_RUNNABLE);
    vcpus_stop(&vcpus, slot, 1);
    ck_assert_uint_eq(vcpus.runnable, 1);
}
END_TEST

/* What waits can be started again. */
START_TEST(start_what_waits)
{
    static const enum vcpu_activity waits[] = {VCPU_HALTED, VCPU_HELD, VCPU_SPINS};

    for (size_t i = 0; i < COUNT(waits); i++) {
        vcpus_start(&vcpus, &vcpus.slot[3], 0, 0x1000, true);
        vcpus_set_activity(&vcpus, &vcpus.slot[3], waits[i]);
        ck_assert_uint_eq(vcpus.runnable, 1);
        ck_assert_ptr_eq(vcpus_find_activity(&vcpus, waits[i]), &vcpus.slot[3]);
        vcpus_start(&vcpus, &vcpus.slot[3], 0, 0x1000, true);
        ck_assert_uint_eq(vcpus.runnable, 2);
        ck_assert_ptr_null(vcpus_find_activity(&vcpus, waits[i]));
    }
}
END_TEST

START_TEST(next_in_turn)
{
    ck_assert_uint_eq(vcpus_next(&vcpus, 0), 0); /* alone */
    vcpus_start(&vcpus, &vcpus.slot[1], 0, 0x1000, true);
    vcpus_start(&vcpus, &vcpus.slot[3], 0, 0x3000, true);
    ck_assert_uint_eq(vcpus_next(&vcpus, 0), 1);
    ck_assert_uint_eq(vcpus_next(&vcpus, 1), 3);
    ck_assert_uint_eq(vcpus_next(&vcpus, 2), 3);
    ck_assert_uint_eq(vcpus_next(&vcpus, 3), 0);
    vcpus_set_activity(&vcpus, &vcpus.slot[0], VCPU_HALTED);
    ck_assert_uint_eq(vcpus_next(&vcpus, 3), 1);
    vcpus_set_activity(&vcpus, &vcpus.slot[1], VCPU_SPINS);
    ck_assert_uint_eq(vcpus_next(&vcpus, 3), 3);
    vcpus_set_activity(&vcpus, &vcpus.slot[3], VCPU_HELD);
    ck_assert_uint_eq(vcpus_next(&vcpus, 3), vcpus.count);
    ck_assert_uint_eq(vcpus.runnable, 0);
    ck_assert_ptr_eq(vcpus_find_activity(&vcpus, VCPU_HALTED), &vcpus.slot[0]);
    ck_assert_ptr_null(vcpus_find_activity(&vcpus, VCPU_RUNNABLE));
}
END_TEST

/* ---- copies ---- */

static size_t bytes_of(const struct vcpus *of, uint8_t *bytes, size_t max)
{
    size_t size = vcpus_bytes_size(of);

    ck_assert_uint_le(size, max);
    memset(bytes, 0xA5, max);
    vcpus_bytes(of, bytes);
    for (size_t i = size; i < max; i++) {
        ck_assert_uint_eq(bytes[i], 0xA5);
    }
    return size;
}

/* Whatever happened to either side before, they are equal afterwards. */
START_TEST(copy)
{
    static const uint32_t ids[] = {0, 1, 2, 3};
    uint8_t one[8192], other[8192];
    struct vcpus kept;

    ck_assert(vcpus_init(&kept, 0, ids, COUNT(ids), LAUNCH, RESET_MSR));
    for (uint32_t mine = 0; mine < 4; mine++) {
        for (uint32_t theirs = 0; theirs < 4; theirs++) {
            struct vcpu_slot *slots = kept.slot;

            vcpus_start(&vcpus, &vcpus.slot[mine], 1, 0x1000 * mine, true);
            vcpus_start(&kept, &kept.slot[theirs], 2, 0x2000, true);
            kept.slot[theirs].level[2].ghcb_msr = 0x77;
            vcpus_copy(&kept, &vcpus);
            ck_assert_ptr_eq(kept.slot, slots);
            ck_assert_uint_eq(bytes_of(&kept, one, sizeof(one)),
                              bytes_of(&vcpus, other, sizeof(other)));
            ck_assert_mem_eq(one, other, sizeof(one));
            for (uint32_t i = 0; i < 4; i++) {
                ck_assert_int_eq(kept.slot[i].activity, vcpus.slot[i].activity);
                ck_assert_int_eq(kept.slot[i].level[2].known, vcpus.slot[i].level[2].known);
            }
            ck_assert_uint_eq(kept.runnable, vcpus.runnable);
        }
    }
    vcpus_release(&kept);
}
END_TEST

static struct vcpu_level *level(void)
{
    return &vcpus.slot[1].level[1];
}

static void change(unsigned which)
{
    static const uint64_t value = 0x1000;

    switch (which) {
    case 0:
        level()->known = true;
        break;
    case 1:
        level()->vmsa_gpa = value;
        break;
    case 2:
        level()->ghcb_msr = value;
        break;
    case 3:
        level()->registered = true;
        break;
    case 4:
        level()->registered_gpa = value;
        break;
    case 5:
        level()->resuming = true;
        break;
    case 6:
        level()->doorbell_gpa = value;
        break;
    case 7:
        level()->doorbell.nmi = true;
        break;
    case 8:
        level()->doorbell.mc = true;
        break;
    case 9:
        level()->doorbell.vector[0] ^= 1;
        break;
    case 10:
        level()->doorbell.no_eoi[0] ^= 1;
        break;
    case 11:
        vcpus.slot[1].vmpl = 3;
        break;
    case 12:
        vcpus.slot[1].apic.tpr ^= 1;
        break;
    case 13:
        vcpus.slot[1].apic.base ^= 1;
        break;
    case 14:
        vcpus.slot[1].apic.spiv ^= 1;
        break;
    case 15:
        vcpus_set_activity(&vcpus, &vcpus.slot[1], VCPU_HALTED);
        break;
    case 16:
        vcpus.current = 1;
        break;
    case 17:
        vcpus.current_vmpl = 1;
        break;
    }
}

#define CHANGES 18

START_TEST(bytes_see_each_member)
{
    uint8_t before[4096], after[4096];
    size_t size;

    vcpus_start(&vcpus, &vcpus.slot[1], 0, 0x5000, true);
    size = bytes_of(&vcpus, before, sizeof(before));
    change((unsigned)_i);
    ck_assert_uint_eq(bytes_of(&vcpus, after, sizeof(after)), size);
    ck_assert_mem_ne(after, before, size);
}
END_TEST

/* ---- many ---- */

START_TEST(many)
{
    static uint32_t ids[CPUS_MAX];
    uint8_t *bytes;

    for (uint32_t i = 0; i < CPUS_MAX; i++) {
        ids[i] = (CPUS_MAX - 1 - i) * 3; /* none of it ascends */
    }
    init(ids[0], ids, CPUS_MAX);
    ck_assert_uint_eq(vcpus.count, CPUS_MAX);
    ck_assert_uint_eq(vcpus_bytes_size(&vcpus), VCPUS_SLOT_BYTES + 8);
    for (uint32_t i = 0; i < CPUS_MAX; i++) {
        vcpus_start(&vcpus, &vcpus.slot[i], 0, 0x1000 * (uint64_t)i, true);
    }
    ck_assert_uint_eq(vcpus.runnable, CPUS_MAX);
    for (uint32_t i = 0; i < CPUS_MAX; i++) {
        ck_assert_uint_eq(vcpus_next(&vcpus, i), (i + 1) % CPUS_MAX);
    }
    bytes = malloc(vcpus_bytes_size(&vcpus));
    ck_assert_ptr_nonnull(bytes);
    vcpus_bytes(&vcpus, bytes);
    free(bytes);
}
END_TEST

START_TEST(release_takes_nothing)
{
    struct vcpus none = {0};

    vcpus_release(&none);
    ck_assert_ptr_null(none.slot);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vcpus");
    TCase *tcase = tcase_create("vcpus");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, power_on);
    tcase_add_loop_test(tcase, apic_ids, 0, COUNT(lists));
    tcase_add_test(tcase, start_and_stop);
    tcase_add_test(tcase, start_later_and_again);
    tcase_add_test(tcase, start_what_waits);
    tcase_add_test(tcase, next_in_turn);
    tcase_add_test(tcase, copy);
    tcase_add_loop_test(tcase, bytes_see_each_member, 0, CHANGES);
    tcase_add_test(tcase, many);
    tcase_add_test(tcase, release_takes_nothing);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
