/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The public interface with a hypervisor that is a function: what it sees and does is what a script
 * sees and does, and what it does wrong ends a run with one line.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "script_file.h"
#include "snpemu.h"

#define IMAGE SNPEMU_IMAGE_DIR "/svsm-percpu.elf"
#define CPUS 4

/* One answer to one exit, by number of its name. */
struct answer {
    const char *exit;
    uint64_t nth;
    void (*act)(const struct snpemu_exit *exit, struct snpemu_reply *reply);
    uint64_t calls, exits; /* how often it acted, and what it saw */
};

static void answer(void *context, const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    struct answer *answer = context;

    answer->exits++;
    ck_assert_uint_eq(exit->number, answer->exits);
    if (answer->act && strcmp(exit->name, answer->exit) == 0 && exit->nth == answer->nth) {
        answer->calls++;
        answer->act(exit, reply);
    }
}

/* Run an image with the function, or a scenario's text without any. */
static int run(struct answer *program, const char *lua, const char *oracles,
               struct snpemu_result *result, char *text)
{
    struct script_file file;
    struct snpemu *snpemu;
    int status;

    if (lua) {
        script_file_write(&file, lua, strlen(lua));
    }
    status = snpemu_open(&snpemu, lua ? file.path : IMAGE, text);
    ck_assert_msg(status == 0, "%s", text);
    ck_assert_int_eq(snpemu_set_cpus(snpemu, CPUS, text), 0);
    ck_assert_int_eq(snpemu_set_firmware(snpemu, NULL, text), 0);
    ck_assert_int_eq(snpemu_set_oracles(snpemu, oracles, text), 0);
    if (program) {
        snpemu_on_exit(snpemu, answer, program);
    }
    status = snpemu_run(snpemu, result, text);
    snpemu_close(snpemu);
    if (lua) {
        script_file_remove(&file);
    }
    return status;
}

static void same_as_script(struct answer *program, const char *handlers)
{
    struct snpemu_result mine, script;
    char text[SNPEMU_TEXT_MAX], lua[1024];

    snprintf(lua, sizeof(lua), "return { image = '%s', on = { %s } }", IMAGE, handlers);
    ck_assert_msg(run(program, NULL, "none", &mine, text) == 0, "%s", text);
    ck_assert_msg(run(NULL, handlers[0] ? lua : NULL, "none", &script, text) == 0, "%s", text);
    ck_assert_str_eq(mine.phrase, script.phrase);
    ck_assert_str_eq(mine.detail, script.detail);
    ck_assert_int_eq(mine.verdict, script.verdict);
    ck_assert_uint_eq(mine.instructions, script.instructions);
    ck_assert_mem_eq(mine.digest, script.digest, sizeof(mine.digest));
}

START_TEST(nothing_done_is_honest)
{
    struct answer program = {0};

    same_as_script(&program, "");
    ck_assert_uint_gt(program.exits, 100);
}
END_TEST

static void count_from_fourth_read(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    struct snpemu_watch watch = {.size = 4, .nth = 4, .value = 4097, .sticky = true};

    ck_assert_uint_eq(exit->lent_count, 1);
    ck_assert_uint_eq(exit->lent[0].size, 4096);
    watch.gpa = exit->lent[0].gpa;
    snpemu_reply_honest(reply);
    snpemu_reply_watch(reply, &watch);
}

static void more_pages(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    uint64_t value = 0;

    ck_assert(exit->has_page && exit->vcpu == 0 && exit->vmpl == 0 && exit->version >= 1);
    ck_assert_uint_eq(exit->field[SNPEMU_CODE], 0x80000017);
    snpemu_reply_honest(reply);
    ck_assert(snpemu_reply_field(reply, SNPEMU_RAX, &value));
    ck_assert_uint_eq(value, 1);
    snpemu_reply_set(reply, SNPEMU_RAX, 2);
}

static void other_list(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    static const uint32_t ids[] = {0, 5, 6, 7};

    (void)exit;
    snpemu_reply_honest(reply);
    snpemu_reply_apic_ids(reply, 4, ids, 4);
}

static void other_features(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    uint64_t value = 0;

    ck_assert(!exit->has_page);
    snpemu_reply_honest(reply);
    ck_assert(snpemu_reply_msr(reply, &value));
    snpemu_reply_set_msr(reply, value & ~(1ULL << 12));
}

static void page_taken_later(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    (void)exit;
    snpemu_reply_honest(reply);
    snpemu_reply_after(reply, 1000);
    snpemu_reply_unassign(reply, 0x8000200000, 0x200000);
}

static void refuse(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    (void)exit;
    snpemu_reply_refuse(reply, "not this one");
}

/* What a function does, and the same in a script. */
static const struct {
    struct answer answer;
    const char *handlers;
} same_cases[] = {
    {{"apic_id_list", 2, count_from_fourth_read, 0, 0},
     "apic_id_list = { nth = 2, on_read = { region = 'list', nth = 4, value = 4097 } }"},
    {{"apic_id_list", 1, more_pages, 0, 0}, "apic_id_list = { nth = 1, rax = 2 }"},
    {{"apic_id_list", 2, other_list, 0, 0},
     "apic_id_list = { nth = 2, write = { { region = 'list', u32 = 4 }, "
     "{ region = 'list', offset = 4, bytes = '\\0\\0\\0\\0\\5\\0\\0\\0\\6\\0\\0\\0\\7\\0\\0\\0' } "
     "} }"},
    {{"msr_features", 1, other_features, 0, 0}, "msr_features = { nth = 1, msr = 0x36081 }"},
    {{"apic_id_list", 1, page_taken_later, 0, 0},
     "apic_id_list = { nth = 1, after = { instructions = 1000, "
     "unassign = { gpa = 0x8000200000, size = '2m' } } }"},
    {{"msr_version", 1, refuse, 0, 0}, "msr_version = { nth = 1, refuse = 'not this one' }"},
};

START_TEST(same)
{
    struct answer program = same_cases[_i].answer;

    same_as_script(&program, same_cases[_i].handlers);
    ck_assert_uint_eq(program.calls, 1);
}
END_TEST

/* ---- mistakes ---- */

static void honest_late(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    (void)exit;
    snpemu_reply_set_msr(reply, 0);
    snpemu_reply_honest(reply);
}

static void field_without_page(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    (void)exit;
    snpemu_reply_set(reply, SNPEMU_RAX, 1);
}

static void no_such_field(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    (void)exit;
    snpemu_reply_set(reply, SNPEMU_FIELD_COUNT, 1);
}

static void long_byte(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    (void)exit;
    snpemu_reply_set(reply, SNPEMU_CPL, 256);
}

static void far_write(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    (void)exit;
    snpemu_reply_write(reply, UINT64_MAX, "x", 1);
}

static void odd_page(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    (void)exit;
    snpemu_reply_assign(reply, 0x8000001000, 0x200000);
}

static void crossing_watch(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    (void)exit;
    snpemu_reply_watch(reply, &(struct snpemu_watch){.gpa = 0xFFF, .size = 2, .nth = 1});
}

static void no_list(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    (void)exit;
    snpemu_reply_apic_ids(reply, 0, NULL, 0);
}

static void no_vcpu(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    (void)exit;
    snpemu_reply_run_vcpu(reply, CPUS);
}

static void too_much(const struct snpemu_exit *exit, struct snpemu_reply *reply)
{
    (void)exit;
    for (int i = 0; i < 10000; i++) {
        snpemu_reply_psmash(reply, 0x8000000000);
    }
}

static const struct {
    struct answer answer;
    const char *text;
} wrong_cases[] = {
    {{"msr_version", 1, honest_late, 0, 0}, "msr_version, number 1: the honest answer must come"},
    {{"msr_version", 1, field_without_page, 0, 0}, "this exit has no GHCB page"},
    {{"apic_id_list", 1, no_such_field, 0, 0}, "there is no field 14"},
    {{"apic_id_list", 1, long_byte, 0, 0}, "cpl has one byte, 0x100 does not fit"},
    {{"apic_id_list", 1, far_write, 0, 0}, "above 52 bits"},
    {{"apic_id_list", 1, odd_page, 0, 0}, "no page of 4 KiB or 2 MiB"},
    {{"apic_id_list", 1, crossing_watch, 0, 0}, "not cross a page"},
    {{"apic_id_list", 1, no_list, 0, 0}, "the guest lends no list"},
    {{"apic_id_list", 1, no_vcpu, 0, 0}, "there is no vCPU 4: they are 0 to 3"},
    {{"apic_id_list", 1, too_much, 0, 0}, "the reply is full (8192 actions"},
};

START_TEST(wrong)
{
    struct answer program = wrong_cases[_i].answer;
    char text[SNPEMU_TEXT_MAX];
    struct snpemu_result result;

    ck_assert_int_eq(run(&program, NULL, "none", &result, text), SNPEMU_BAD_INPUT);
    ck_assert_msg(strstr(text, wrong_cases[_i].text) != NULL, "%s", text);
}
END_TEST

/* ---- oracles ---- */

START_TEST(oracles_ask_once)
{
    struct answer program = {0}, plain = {0};
    struct snpemu_result result;
    char text[SNPEMU_TEXT_MAX];

    ck_assert_int_eq(run(&plain, NULL, "none", &result, text), 0);
    ck_assert_int_eq(result.verdict, SNPEMU_PASS);
    ck_assert_int_eq(run(&program, NULL, "double-fetch", &result, text), 0);
    ck_assert_int_eq(result.verdict, SNPEMU_VIOLATION);
    ck_assert_str_eq(result.oracles, "double-fetch");
    ck_assert_uint_eq(program.exits, plain.exits);
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof((rows)[0])))

int main(void)
{
    Suite *suite = suite_create("public");
    TCase *tcase = tcase_create("function");
    SRunner *runner;
    int failed;

    tcase_add_test(tcase, nothing_done_is_honest);
    tcase_add_loop_test(tcase, same, 0, COUNT(same_cases));
    tcase_add_loop_test(tcase, wrong, 0, COUNT(wrong_cases));
    tcase_add_test(tcase, oracles_ask_once);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
