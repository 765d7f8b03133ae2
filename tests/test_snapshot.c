/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine/snapshot.c: what was kept comes back, all of it, and a restored machine goes on as one
 * that was never disturbed. The measure is the digest: registers, MSRs, time, pages, RMP.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "ghcb/watch.h"
#include "guest_builder.h"
#include "machine/digest.h"
#include "trap/msr.h"

static struct guest guest;

static void setup(void)
{
    guest_open(&guest);
}

static void teardown(void)
{
    guest_close(&guest);
}

static void save(void)
{
    ck_assert_int_eq(machine_save(&guest.machine, &guest.error), 0);
}

static void restore(void)
{
    ck_assert_int_eq(machine_restore(&guest.machine, &guest.error), 0);
}

struct digest {
    uint8_t bytes[DIGEST_SIZE];
};

static struct digest digest_of(struct guest *of)
{
    struct digest digest;

    ck_assert_int_eq(digest_machine(&of->machine, "", 0, digest.bytes, &of->error), 0);
    return digest;
}

static bool same(const struct digest *a, const struct digest *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- everything that can happen to a machine, at random ---- */

static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)((random_state >> 33) % n);
}

#define LARGE_GVA 0x40200000ULL /* 2 MiB pages that lead to regions 1 to 3 */
#define CODE_PAGE (GUEST_CODE + 0x3000)

static void prepare(struct guest *of)
{
    for (uint64_t region = 0; region < 3; region++) {
        guest_map(of, LARGE_GVA + region * LARGE_PAGE_SIZE, GUEST_REGION(region + 1),
                  LARGE_PAGE_SIZE, GUEST_PRIVATE);
    }
}

static uint32_t random_page(const struct guest *of)
{
    return guest_page(of, GUEST_REGION(1)) + random_below(3 * PAGES_PER_LARGE_PAGE);
}

static void op_run(struct guest *of)
{
    /* mov [rdi], rax; add rax, rcx; push rax; pop rcx; lock add [rdi+8], rcx; rdtsc; hlt */
    static const uint8_t code[] = {0x48, 0x89, 0x07, 0x48, 0x01, 0xC8, 0x50, 0x59,
                                   0xF0, 0x48, 0x01, 0x4F, 0x08, 0x0F, 0x31, 0xF4};

    guest_code(of, code, sizeof(code));
    guest_set(of, VCPU_RAX, random_below(UINT32_MAX));
    guest_set(of, VCPU_RDI, GUEST_DATA + random_below(60) * PAGE_SIZE + random_below(0xFF0));
    guest_run(of);
}

/* The guest writes code and runs it: mov word [page], AX; jmp page, where hlt waits behind. */
static void op_write_code(struct guest *of)
{
    static const uint8_t writer[] = {0x66, 0x89, 0x07, 0xFF, 0xE7};
    static const uint16_t insns[] = {0x9090, 0xC0FF, 0x310F, 0xC031, 0xF490};

    *guest_at(of, CODE_PAGE + 2) = 0xF4;
    guest_code(of, writer, sizeof(writer));
    guest_set(of, VCPU_RAX, insns[random_below(COUNT(insns))]);
    guest_set(of, VCPU_RDI, CODE_PAGE);
    guest_run(of);
}

static void op_pvalidate(struct guest *of)
{
    bool large = random_below(4) == 0;

    GUEST_CODE_BYTES(of, 0xF2, 0x0F, 0x01, 0xFF, 0xF4);
    guest_set(of, VCPU_RAX,
              LARGE_GVA + (large ? random_below(3) * LARGE_PAGE_SIZE
                                 : random_below(3 * PAGES_PER_LARGE_PAGE) * PAGE_SIZE));
    guest_set(of, VCPU_RCX, large);
    guest_set(of, VCPU_RDX, random_below(2));
    guest_run(of);
}

static void op_rmpadjust(struct guest *of)
{
    GUEST_CODE_BYTES(of, 0xF3, 0x0F, 0x01, 0xFE, 0xF4);
    guest_set(of, VCPU_RAX, GUEST_DATA + random_below(60) * PAGE_SIZE);
    guest_set(of, VCPU_RCX, 0);
    guest_set(of, VCPU_RDX, 1 + random_below(3) + (random_below(16) << 8));
    guest_run(of);
}

static void op_fault(struct guest *of)
{
    GUEST_CODE_BYTES(of, 0x0F, 0x0B);
    guest_run(of);
}

static void op_assign(struct guest *of)
{
    machine_assign(&of->machine, random_page(of), false);
}

static void op_assign_large(struct guest *of)
{
    machine_assign(&of->machine, guest_page(of, GUEST_REGION(1 + random_below(3))), true);
}

static void op_unassign(struct guest *of)
{
    machine_unassign(&of->machine, random_page(of));
}

static void op_touch(struct guest *of)
{
    memory_bytes(&of->machine.memory, random_page(of));
}

static void op_host_write(struct guest *of)
{
    uint32_t page = guest_page(of, GUEST_GPA + GUEST_SHARED) + random_below(16);

    memory_bytes_for_write(&of->machine.memory, page)[random_below(PAGE_SIZE)] ^= 0x5A;
}

static void op_registers(struct guest *of)
{
    static const enum vcpu_register registers[] = {VCPU_R8,      VCPU_R15, VCPU_CR2,
                                                   VCPU_FS_BASE, VCPU_DS,  VCPU_MXCSR};
    static const uint64_t values[] = {1, 0x123456, 0x8000, GUEST_DATA, GUEST_DS, 0x1F80};
    uint32_t i = random_below(COUNT(registers));

    guest_set(of, registers[i], values[i]);
}

static void op_msr(struct guest *of)
{
    static const uint32_t msrs[] = {MSR_STAR, MSR_LSTAR, MSR_KERNEL_GS_BASE, MSR_GHCB};

    msr_write(&of->machine, msrs[random_below(COUNT(msrs))], random_below(1u << 30));
}

static void op_random(struct guest *of)
{
    machine_random(&of->machine);
}

static void op_flag(struct guest *of)
{
    memory_set_flag(&of->machine.memory, random_page(of), MEMORY_HOST_FAULT);
}

typedef void machine_op(struct guest *of);

static machine_op *const ops[] = {
    op_run,      op_write_code, op_pvalidate,  op_rmpadjust, op_fault, op_assign, op_assign_large,
    op_unassign, op_touch,      op_host_write, op_registers, op_msr,   op_random, op_flag,
};

static void apply(struct guest *of, uint64_t seed, unsigned count)
{
    random_state = seed;
    for (unsigned i = 0; i < count; i++) {
        ops[random_below(COUNT(ops))](of);
    }
}

#define SEEDS 12
#define ROUNDS 6

/* before; save; (disturb; restore) several times; after: the same as before; after. */
START_TEST(restored_equals_fresh)
{
    uint64_t seed = 1000 * (uint64_t)(_i + 1);
    struct digest at_save, fresh, now;

    prepare(&guest);
    apply(&guest, seed, 40);
    apply(&guest, seed + 1, 60);
    fresh = digest_of(&guest);
    guest_close(&guest);

    guest_open(&guest);
    prepare(&guest);
    apply(&guest, seed, 40);
    save();
    at_save = digest_of(&guest);
    for (unsigned round = 0; round < ROUNDS; round++) {
        apply(&guest, seed + 2 + round, 10 + 20 * round);
        restore();
        now = digest_of(&guest);
        ck_assert_msg(same(&now, &at_save), "seed %llu, round %u", (unsigned long long)seed, round);
    }
    apply(&guest, seed + 1, 60);
    now = digest_of(&guest);
    ck_assert_msg(same(&now, &fresh), "seed %llu", (unsigned long long)seed);
}
END_TEST

/* Each kind of change by itself: it shows in the digest, or at least comes back. */
START_TEST(each_change_comes_back)
{
    struct digest before, after;

    prepare(&guest);
    apply(&guest, 7, 30);
    save();
    before = digest_of(&guest);
    for (unsigned time = 0; time < 8; time++) {
        random_state = (uint64_t)_i * 100 + time;
        ops[_i](&guest);
        restore();
        after = digest_of(&guest);
        ck_assert_msg(same(&before, &after), "operation %d, time %u", _i, time);
    }
}
END_TEST

/* ---- what the digest sees, so that the comparisons above mean something ---- */

START_TEST(digest_sees)
{
    struct digest before = digest_of(&guest), after;
    uint64_t kept = guest_get(&guest, VCPU_R9);

    guest_set(&guest, VCPU_R9, kept + 1);
    after = digest_of(&guest);
    ck_assert(!same(&before, &after));
    guest_set(&guest, VCPU_R9, kept);

    *guest_at(&guest, GUEST_DATA + 0x123) ^= 1;
    after = digest_of(&guest);
    ck_assert(!same(&before, &after));
    *guest_at(&guest, GUEST_DATA + 0x123) ^= 1;

    guest_rmp(&guest, GUEST_GPA + GUEST_DATA)->perm[3] ^= 1;
    after = digest_of(&guest);
    ck_assert(!same(&before, &after));
    guest_rmp(&guest, GUEST_GPA + GUEST_DATA)->perm[3] ^= 1;

    kept = guest.machine.state.ghcb_msr;
    guest.machine.state.ghcb_msr ^= 1;
    after = digest_of(&guest);
    ck_assert(!same(&before, &after));
    guest.machine.state.ghcb_msr = kept;

    after = digest_of(&guest);
    ck_assert(same(&before, &after));
    memory_bytes(&guest.machine.memory, guest_page(&guest, GUEST_REGION(3)));
    after = digest_of(&guest);
    ck_assert(!same(&before, &after));
}
END_TEST

/* The same steps with another seed: other patterns. */
START_TEST(digest_depends_on_the_seed)
{
    struct digest one, two;

    memory_bytes(&guest.machine.memory, guest_page(&guest, GUEST_REGION(3)));
    one = digest_of(&guest);
    guest_close(&guest);
    guest_open_seed(&guest, 2);
    memory_bytes(&guest.machine.memory, guest_page(&guest, GUEST_REGION(3)));
    two = digest_of(&guest);
    ck_assert(!same(&one, &two));
}
END_TEST

/* ---- particular things ---- */

/* A page that changed hands after the snapshot: its next contents are those of a first change. */
START_TEST(generations)
{
    uint32_t page = guest_page(&guest, GUEST_REGION(1));
    struct memory *memory = &guest.machine.memory;
    uint64_t untouched, assigned, again;

    memcpy(&untouched, memory_bytes(memory, page), 8);
    save();
    for (unsigned round = 0; round < 3; round++) {
        machine_assign(&guest.machine, page, false);
        memcpy(&assigned, memory_bytes(memory, page), 8);
        ck_assert_uint_ne(assigned, untouched);
        for (unsigned i = 0; i < round; i++) {
            machine_unassign(&guest.machine, page);
            machine_assign(&guest.machine, page, false);
        }
        restore();
        memcpy(&again, memory_bytes(memory, page), 8);
        ck_assert_uint_eq(again, untouched);
        machine_assign(&guest.machine, page, false);
        memcpy(&again, memory_bytes(memory, page), 8);
        ck_assert_uint_eq(again, assigned);
        restore();
    }
}
END_TEST

/* A page is touched for the first time after the snapshot, written, and forgotten again. */
START_TEST(first_touch_after_the_snapshot)
{
    uint32_t page = guest_page(&guest, GUEST_REGION(2));
    struct memory *memory = &guest.machine.memory;
    uint64_t first, again;

    save();
    memcpy(&first, memory_bytes(memory, page), 8);
    memset(memory_bytes_for_write(memory, page), 0, PAGE_SIZE);
    restore();
    ck_assert(!(memory->flags[page] & MEMORY_TOUCHED));
    memcpy(&again, memory_bytes(memory, page), 8);
    ck_assert_uint_eq(again, first);
}
END_TEST

/* A page that was writable in the engine when the snapshot was taken. */
START_TEST(writable_at_the_snapshot)
{
    GUEST_CODE_BYTES(&guest, 0x48, 0xFF, 0x07, 0xF4); /* inc qword [rdi]; hlt */
    guest_set(&guest, VCPU_RDI, GUEST_DATA);
    guest_run(&guest);
    save();
    for (unsigned round = 0; round < 3; round++) {
        guest_set(&guest, VCPU_RIP, GUEST_CODE);
        guest_run(&guest);
        ck_assert_uint_eq(guest_load(&guest, GUEST_DATA), 2);
        restore();
        ck_assert_uint_eq(guest_load(&guest, GUEST_DATA), 1);
    }
}
END_TEST

/* Time, and what is left until the limit. */
START_TEST(time_comes_back)
{
    uint64_t kept;

    GUEST_CODE_BYTES(&guest, 0x90, 0x90, 0x90, 0xF4);
    vcpu_set_limit(guest.machine.vcpu, vcpu_retired(guest.machine.vcpu) + 1);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_LIMIT);
    kept = vcpu_retired(guest.machine.vcpu);
    save();
    vcpu_set_limit(guest.machine.vcpu, kept + 100);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
    ck_assert_uint_eq(vcpu_retired(guest.machine.vcpu), kept + 3);
    restore();
    ck_assert_uint_eq(vcpu_retired(guest.machine.vcpu), kept);
    ck_assert_uint_eq(guest_get(&guest, VCPU_RIP), GUEST_CODE + 1);
    vcpu_set_limit(guest.machine.vcpu, kept + 2);
    ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_LIMIT);
    ck_assert_uint_eq(vcpu_retired(guest.machine.vcpu), kept + 2);
}
END_TEST

/* ---- code ---- */

static const struct {
    const char *name;
    uint8_t before[2], after[2];
    enum vcpu_stop_kind stop_before, stop_after;
} code_rows[] = {
    {"nops, then rdtsc", {0x90, 0x90}, {0x0F, 0x31}, VCPU_STOP_HALT, VCPU_STOP_SITE},
    {"rdtsc, then nops", {0x0F, 0x31}, {0x90, 0x90}, VCPU_STOP_SITE, VCPU_STOP_HALT},
    {"one instruction, then two", {0x89, 0xC0}, {0x90, 0x90}, VCPU_STOP_HALT, VCPU_STOP_HALT},
    {"nops, then a jump to itself", {0x90, 0x90}, {0xEB, 0xFE}, VCPU_STOP_HALT, VCPU_STOP_SPIN},
};

enum writer { BY_THE_GUEST, BY_THE_HOST, BY_DISCARD };

static uint64_t run_code_page(enum vcpu_stop_kind want, const char *name)
{
    uint64_t before = vcpu_retired(guest.machine.vcpu);

    guest_set(&guest, VCPU_RIP, CODE_PAGE);
    guest_stop(&guest);
    ck_assert_msg(guest.stop.kind == want, "%s: kind %d", name, guest.stop.kind);
    return vcpu_retired(guest.machine.vcpu) - before;
}

static void write_code_page(enum writer writer, const uint8_t bytes[2])
{
    if (writer == BY_THE_GUEST) {
        GUEST_CODE_BYTES(&guest, 0x66, 0x89, 0x07, 0xF4); /* mov [rdi], ax; hlt */
        guest_set(&guest, VCPU_RDI, CODE_PAGE);
        guest_set(&guest, VCPU_RAX, (uint64_t)(bytes[0] | bytes[1] << 8));
        ck_assert_int_eq(guest_stop(&guest), VCPU_STOP_HALT);
        return;
    }
    if (writer == BY_DISCARD) {
        uint32_t page = guest_page(&guest, GUEST_GPA + CODE_PAGE);

        machine_unassign(&guest.machine, page);
        machine_launch_page(&guest.machine, page);
        *guest_at(&guest, CODE_PAGE + 2) = 0xF4;
    }
    guest_copy(&guest, CODE_PAGE, bytes, 2);
}

START_TEST(code_comes_back)
{
    const char *name = code_rows[_i].name;
    uint64_t first;

    guest_copy(&guest, CODE_PAGE, code_rows[_i].before, 2);
    *guest_at(&guest, CODE_PAGE + 2) = 0xF4;
    first = run_code_page(code_rows[_i].stop_before, name);
    save();
    for (enum writer writer = BY_THE_GUEST; writer <= BY_DISCARD; writer++) {
        for (unsigned round = 0; round < 2; round++) {
            write_code_page(writer, code_rows[_i].after);
            run_code_page(code_rows[_i].stop_after, name);
            restore();
            ck_assert_msg(run_code_page(code_rows[_i].stop_before, name) == first, "%s: time",
                          name);
            restore();
        }
    }
}
END_TEST

/* The snapshot is taken before the code has ever run, and the run after it rewrites the code. */
START_TEST(code_that_had_not_run)
{
    guest_copy(&guest, CODE_PAGE, "\x90\x90\xF4", 3);
    save();
    for (unsigned round = 0; round < 3; round++) {
        ck_assert_uint_eq(run_code_page(VCPU_STOP_HALT, "first"), 3);
        write_code_page(BY_THE_GUEST, (const uint8_t[]){0x0F, 0x32});
        ck_assert_uint_eq(run_code_page(VCPU_STOP_SITE, "rewritten"), 0);
        restore();
    }
}
END_TEST

/* ---- snapshots of snapshots ---- */

START_TEST(second_snapshot_replaces_the_first)
{
    struct digest second, now;

    guest_store(&guest, GUEST_DATA, 1);
    save();
    guest_store(&guest, GUEST_DATA, 2);
    save();
    second = digest_of(&guest);
    guest_store(&guest, GUEST_DATA, 3);
    guest_store(&guest, GUEST_DATA + PAGE_SIZE, 3);
    restore();
    now = digest_of(&guest);
    ck_assert(same(&now, &second));
    ck_assert_uint_eq(guest_load(&guest, GUEST_DATA), 2);
}
END_TEST

START_TEST(many_restores)
{
    struct digest before, after;

    prepare(&guest);
    apply(&guest, 3, 20);
    save();
    before = digest_of(&guest);
    for (unsigned round = 0; round < 300; round++) {
        apply(&guest, round, 3);
        restore();
    }
    after = digest_of(&guest);
    ck_assert(same(&before, &after));
}
END_TEST

/* ---- watches that are armed ---- */

#define WATCHED (GUEST_SHARED + 0x100)

/* As a run does it: the list is copied beside the snapshot, and armed again after a restore. */
START_TEST(watches_come_back)
{
    struct watch_list list = {.trap = &guest.trap}, kept;
    const struct reply_watch request = {
        .gpa = GUEST_GPA + WATCHED, .size_bytes = 8, .nth = 3, .value = 77, .sticky = true};

    guest_store(&guest, WATCHED, 11);
    ck_assert_int_eq(watch_list_add(&list, &request, &guest.error), 0);
    /* mov rax, [rsi]; hlt */
    GUEST_CODE_BYTES(&guest, 0x48, 0x8B, 0x06, 0xF4);
    guest_set(&guest, VCPU_RSI, WATCHED);
    guest_run(&guest); /* the first read */
    ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), 11);
    save();
    kept = list;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned read = 2; read <= 4; read++) {
            guest_set(&guest, VCPU_RIP, GUEST_CODE);
            guest_run(&guest);
            watch_list_settle(&list);
            ck_assert_uint_eq(guest_get(&guest, VCPU_RAX), read < 3 ? 11 : 77);
        }
        restore();
        list = kept;
        ck_assert_int_eq(watch_list_rearm(&list, &guest.error), 0);
        ck_assert_uint_eq(guest_load(&guest, WATCHED), 11);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshot");
    TCase *tcase = tcase_create("snapshot");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, restored_equals_fresh, 0, SEEDS);
    tcase_add_loop_test(tcase, each_change_comes_back, 0, COUNT(ops));
    tcase_add_test(tcase, digest_sees);
    tcase_add_test(tcase, digest_depends_on_the_seed);
    tcase_add_test(tcase, generations);
    tcase_add_test(tcase, first_touch_after_the_snapshot);
    tcase_add_test(tcase, writable_at_the_snapshot);
    tcase_add_test(tcase, time_comes_back);
    tcase_add_loop_test(tcase, code_comes_back, 0, COUNT(code_rows));
    tcase_add_test(tcase, code_that_had_not_run);
    tcase_add_test(tcase, second_snapshot_replaces_the_first);
    tcase_add_test(tcase, many_restores);
    tcase_add_test(tcase, watches_come_back);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
