/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The handlers of a scenario at run time: what they see, what their reply holds, what is an error,
 * and what counts as used.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/nae.h"
#include "ghcb/history.h"
#include "ghcb/table.h"
#include "host/scenario.h"
#include "machine/memory.h"
#include "machine/rmp.h"
#include "script_file.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Nothing is assigned at first: all pages are shared. */
#define MEMORY_GPA 0x8000000000ULL
#define MEMORY_PAGES 1024
#define GHCB_GPA (MEMORY_GPA + 0x1000)
#define LIST_GPA (MEMORY_GPA + 0x2000)
#define PAGE_GPA (MEMORY_GPA + 0x3000)
#define LARGE_GPA (MEMORY_GPA + 0x200000)

/* A host model from a script's text, and what it needs to answer. */
struct bench {
    struct script_file file;
    struct scenario *scenario;
    struct host *host;
    struct memory memory;
    struct rmp rmp;
    struct hypervisor hypervisor;
    struct exit exit;
    struct reply reply;
    struct error error;
};

/* `on` is the text between on = { and }; `before` stands in front of the return. */
static void bench_open(struct bench *bench, const char *before, const char *on)
{
    const struct memory_slot slot = {.gpa = MEMORY_GPA, .page_count = MEMORY_PAGES};
    char text[4096];

    memset(bench, 0, sizeof(*bench));
    snprintf(text, sizeof(text), "%s\nreturn { image = 'x', cpus = 4, on = { %s } }", before, on);
    script_file_write(&bench->file, text, strlen(text));
    ck_assert_msg(scenario_load(&bench->scenario, bench->file.path, &bench->error) == 0, "%s",
                  bench->error.text);
    script_file_remove(&bench->file); /* each host model starts from the bytes that were read */
    ck_assert(bench->scenario->scripted);
    ck_assert_int_eq(scenario_host(bench->scenario, &bench->host, &bench->error), 0);
    ck_assert_int_eq(memory_init(&bench->memory, &slot, 1, 1, &bench->error), 0);
    ck_assert_int_eq(rmp_init(&bench->rmp, MEMORY_PAGES, &bench->error), 0);
    bench->hypervisor.config = &bench->scenario->host;
    bench->hypervisor.memory = &bench->memory;
    bench->hypervisor.rmp = &bench->rmp;
    ck_assert(hypervisor_same_vcpus(&bench->hypervisor, &bench->hypervisor.vcpus));
}

static void bench_close(struct bench *bench)
{
    reply_release(&bench->reply);
    vcpus_release(&bench->hypervisor.vcpus);
    bench->host->free(bench->host);
    scenario_free(bench->scenario);
    memory_release(&bench->memory);
    rmp_release(&bench->rmp);
}

/* The next exit of that name, as far as it is the same each time. */
static void bench_exit(struct bench *bench, const char *name)
{
    struct exit *exit = &bench->exit;
    uint64_t number = exit->number;
    uint64_t nth = exit->name && strcmp(exit->name, name) == 0 ? exit->nth : 0;

    memset(exit, 0, sizeof(*exit));
    exit->row = exit_row_by_name(name);
    ck_assert_ptr_nonnull(exit->row);
    exit->name = exit->row->name;
    exit->protocol = exit->row->protocol;
    exit->number = number + 1;
    exit->nth = nth + 1;
    exit->apic_id = 6;
    if (exit->protocol == EXIT_MSR) {
        exit->msr = exit->row->code;
        return;
    }
    exit->msr = exit->ghcb_gpa = GHCB_GPA;
    exit->version = 1;
    exit->field[FIELD_CODE] = exit->row->code;
    exit->marked = FIELD_BIT(FIELD_CODE) | FIELD_BIT(FIELD_INFO1) | FIELD_BIT(FIELD_INFO2) |
                   FIELD_BIT(FIELD_RAX) | FIELD_BIT(FIELD_RCX);
    exit->field[FIELD_RBX] = UINT64_MAX;
}

/* The second call for the list: one page lent. */
static void bench_list(struct bench *bench)
{
    bench_exit(bench, "apic_id_list");
    bench->exit.field[FIELD_RAX] = 1;
    bench->exit.field[FIELD_INFO1] = LIST_GPA;
}

/* Two entries: a small page to private, a large one to shared. */
static void bench_psc(struct bench *bench)
{
    const uint16_t header[4] = {0, 1, 0, 0};
    const uint64_t entry[2] = {PAGE_GPA | PSC_OP_PRIVATE << PSC_OP_SHIFT,
                               LARGE_GPA | PSC_OP_SHARED << PSC_OP_SHIFT | PSC_PAGE_SIZE_2M};

    bench_exit(bench, "page_state_change");
    bench->exit.marked |= FIELD_BIT(FIELD_SCRATCH);
    bench->exit.scratch_gpa = GHCB_GPA + GHCB_SHARED_BUFFER;
    bench->exit.field[FIELD_SCRATCH] = bench->exit.scratch_gpa;
    bench->exit.scratch_size_bytes = GHCB_SHARED_BUFFER_SIZE;
    memcpy(bench->exit.scratch, header, sizeof(header));
    memcpy(bench->exit.scratch + sizeof(header), entry, sizeof(entry));
}

static int bench_answer(struct bench *bench)
{
    reply_reset(&bench->reply);
    return bench->host->answer(bench->host, &bench->hypervisor, &bench->exit, &bench->reply,
                               &bench->error);
}

static void bench_answer_well(struct bench *bench)
{
    int status = bench_answer(bench);

    ck_assert_msg(status == SNPEMU_OK, "%s", bench->error.text);
}

static void bench_finish_well(struct bench *bench)
{
    int status = bench->host->finish(bench->host, &bench->error);

    ck_assert_msg(status == SNPEMU_OK, "%s", bench->error.text);
}

/* ---- the exit ---- */

START_TEST(exit_fields)
{
    struct bench bench;

    bench_open(&bench, "",
               "page_state_change = function(exit, reply)\n"
               "  assert(exit.name == 'page_state_change' and exit.nth == 1 and exit.number == 1)\n"
               "  assert(exit.vcpu == 0 and exit.apic_id == 6 and exit.vmpl == 0)\n"
               "  assert(exit.ghcb_gpa == 0x8000001000 and exit.msr == exit.ghcb_gpa)\n"
               "  assert(exit.version == 1 and exit.usage == 0 and exit.code == 0x80000010)\n"
               "  assert(exit.rbx == -1 and not exit.marked.rbx and exit.marked.info1)\n"
               "  assert(exit.scratch == 0x8000001800 and #exit.buffer == 2032)\n"
               "  assert(exit.cur_entry == 0 and exit.end_entry == 1 and #exit.entries == 2)\n"
               "  local a, b = exit.entries[1], exit.entries[2]\n"
               "  assert(a.gpa == 0x8000003000 and a.op == 'private' and a.size == '4k')\n"
               "  assert(b.gpa == 0x8000200000 and b.op == 'shared' and b.size == '2m')\n"
               "  assert(a.cur_page == 0 and a.value == 0x10008000003000)\n"
               "  assert(not pcall(function() return exit.raxx end))\n"
               "  reply.rax = exit.nth\n"
               "end, msr_version = function(exit, reply)\n"
               "  assert(exit.msr == 2 and not pcall(function() return exit.rax end))\n"
               "  reply.msr = '0xFFFFFFFFFFFFFFFF'\n"
               "end");
    bench_psc(&bench);
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.written, FIELD_BIT(FIELD_RAX));
    bench_exit(&bench, "msr_version");
    bench_answer_well(&bench);
    ck_assert(bench.reply.msr_written && bench.reply.msr == UINT64_MAX);
    bench_finish_well(&bench);
    bench_close(&bench);
}
END_TEST

/* ---- the reply ---- */

START_TEST(reply_starts_from_nothing)
{
    struct bench bench;

    bench_open(&bench, "", "cpuid = function() end");
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.written, 0);
    ck_assert_uint_eq(bench.reply.marked, 0);
    ck_assert_int_eq(bench.reply.resume, REPLY_RESUME);
    bench_close(&bench);
}
END_TEST

START_TEST(reply_fields)
{
    struct bench bench;

    bench_open(&bench, "",
               "cpuid = function(exit, reply)\n"
               "  reply:honest()\n"
               "  reply.rax = 2^52 + 1\n"
               "  reply.info2 = -1\n"
               "  reply.cpl = 3.0\n"
               "  assert(reply.rax == 2^52 + 1 and reply.info2 == -1 and reply.r8 == nil)\n"
               "  reply:unmark('rbx', 'rcx')\n"
               "  reply:leave('rdx')\n"
               "  reply:mark('rdx')\n"
               "  reply:keep_marks()\n"
               "end");
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.field[FIELD_RAX], (1ULL << 52) + 1);
    ck_assert_uint_eq(bench.reply.field[FIELD_INFO2], UINT64_MAX);
    ck_assert(bench.reply.written & FIELD_BIT(FIELD_RBX));
    ck_assert(!(bench.reply.marked & FIELD_BIT(FIELD_RBX)));
    ck_assert(!(bench.reply.marked & FIELD_BIT(FIELD_RCX)));
    ck_assert(!(bench.reply.written & FIELD_BIT(FIELD_RDX)));
    ck_assert(bench.reply.marked & FIELD_BIT(FIELD_RDX));
    ck_assert(bench.reply.keep_marks);
    bench_close(&bench);
}
END_TEST

START_TEST(reply_actions)
{
    struct bench bench;
    const struct reply_action *action;

    bench_open(&bench, "",
               "apic_id_list = function(exit, reply)\n"
               "  reply:write{ region = 'list', offset = 4, u32 = 0xFFFFFFFF }\n"
               "  reply:write{ region = 'ghcb', offset = 0x800, bytes = 'a\\0b' }\n"
               "  reply:assign{ gpa = 0x8000200000, size = '2m' }\n"
               "  reply:unassign{ gpa = exit.info1 }\n"
               "  reply:on_read{ region = 'list', nth = 4, value = 4097, sticky = false }\n"
               "  assert(reply:skip_page{ gpa = 0x8000201000 } == 1)\n"
               "  assert(reply:skip_page{ gpa = 0x8000201000 } == 0)\n"
               "end");
    bench_list(&bench);
    bench_answer_well(&bench);
    action = bench.reply.action;
    ck_assert_uint_eq(bench.reply.action_count, 4);
    ck_assert_int_eq(action[0].kind, REPLY_WRITE);
    ck_assert_uint_eq(action[0].gpa, LIST_GPA + 4);
    ck_assert_uint_eq(action[0].size_bytes, 4);
    ck_assert_uint_eq(action[1].gpa, GHCB_GPA + 0x800);
    ck_assert_mem_eq(bench.reply.data + action[1].data_offset, "a\0b", 3);
    ck_assert_int_eq(action[2].kind, REPLY_UNASSIGN);
    ck_assert_uint_eq(action[2].gpa, LIST_GPA);
    ck_assert_uint_eq(action[2].size_bytes, 4096);
    ck_assert_uint_eq(action[3].watch.gpa, LIST_GPA);
    ck_assert_uint_eq(action[3].watch.nth, 4);
    ck_assert_uint_eq(action[3].watch.value, 4097);
    ck_assert_uint_eq(action[3].watch.size_bytes, 4);
    ck_assert(!action[3].watch.sticky);
    ck_assert_ptr_nonnull(action[3].watch.owner);
    bench_close(&bench);
}
END_TEST

/* In a function, then the same in a plain table. */
static const char *const hostile_texts[] = {
    "cpuid = function(exit, reply)\n"
    "  reply:rmpupdate{ gpa = 0x1000, asid = 2 }\n"
    "  reply:rmpupdate{ gpa = 0x200000, at = 0x400000, size = '2m', immutable = true }\n"
    "  reply:rmpupdate{ gpa = 0x3000, assigned = false }\n"
    "  reply:psmash{ gpa = 0x5000 }\n"
    "  reply:remap{ gpa = 0x6000, to = 0x7000 }\n"
    "  reply:swap{ gpa = 0x8000, with = 0x9000 }\n"
    "  reply:inject{ vector = 29, error_code = 0x72 }\n"
    "  reply:inject{ type = 'nmi' }\n"
    "  reply:doorbell{ vector = 0x31, no_eoi = true, mc = true }\n"
    "end",
    "cpuid = { honest = false, rmpupdate = { { gpa = 0x1000, asid = 2 },\n"
    "    { gpa = 0x200000, at = 0x400000, size = '2m', immutable = true },\n"
    "    { gpa = 0x3000, assigned = false } },\n"
    "  psmash = { gpa = 0x5000 }, remap = { gpa = 0x6000, to = 0x7000 },\n"
    "  swap = { gpa = 0x8000, with = 0x9000 },\n"
    "  inject = { { vector = 29, error_code = 0x72 }, { type = 'nmi' } },\n"
    "  doorbell = { vector = 0x31, no_eoi = true, mc = true } }",
};

START_TEST(hostile_actions)
{
    struct bench bench;
    const struct reply_action *action;

    bench_open(&bench, "", hostile_texts[_i]);
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    action = bench.reply.action;
    ck_assert_uint_eq(bench.reply.action_count, 9);
    ck_assert_int_eq(action[0].kind, REPLY_RMPUPDATE);
    ck_assert(action[0].rmpupdate.assigned && !action[0].rmpupdate.immutable);
    ck_assert_uint_eq(action[0].rmpupdate.asid, 2);
    ck_assert_uint_eq(action[0].rmpupdate.at_gpa, 0x1000);
    ck_assert_uint_eq(action[0].size_bytes, 0x1000);
    ck_assert(action[1].rmpupdate.assigned && action[1].rmpupdate.immutable);
    ck_assert_uint_eq(action[1].rmpupdate.asid, REPLY_ASID_GUEST);
    ck_assert_uint_eq(action[1].rmpupdate.at_gpa, 0x400000);
    ck_assert_uint_eq(action[1].size_bytes, 0x200000);
    ck_assert(!action[2].rmpupdate.assigned);
    ck_assert_uint_eq(action[2].rmpupdate.asid, 0);
    ck_assert_int_eq(action[3].kind, REPLY_PSMASH);
    ck_assert_uint_eq(action[3].gpa, 0x5000);
    ck_assert_int_eq(action[4].kind, REPLY_REMAP);
    ck_assert_uint_eq(action[4].other_gpa, 0x7000);
    ck_assert_int_eq(action[5].kind, REPLY_SWAP);
    ck_assert_uint_eq(action[5].gpa, 0x8000);
    ck_assert_uint_eq(action[5].other_gpa, 0x9000);
    ck_assert_int_eq(action[6].kind, REPLY_INJECT);
    ck_assert_int_eq(action[6].event.type, REPLY_EVENT_EXCEPTION);
    ck_assert_uint_eq(action[6].event.vector, 29);
    ck_assert(action[6].event.has_error_code);
    ck_assert_uint_eq(action[6].event.error_code, 0x72);
    ck_assert_int_eq(action[7].event.type, REPLY_EVENT_NMI);
    ck_assert_uint_eq(action[7].event.vector, 2);
    ck_assert(!action[7].event.has_error_code);
    ck_assert_int_eq(action[8].kind, REPLY_DOORBELL);
    ck_assert_uint_eq(action[8].doorbell.vector, 0x31);
    ck_assert(action[8].doorbell.no_eoi && action[8].doorbell.mc && !action[8].doorbell.nmi);
    bench_close(&bench);
}
END_TEST

/* The actions that wait, or say who runs: in a function, then in a plain table. */
static const char *const waiting_texts[] = {
    "apic_id_list = function(exit, reply)\n"
    "  reply:on_write{ region = 'list', offset = 8, size = 8, nth = 2, value = -1 }\n"
    "  reply:on_read{ gpa = 0x8000003000, vcpu = 3, value = 1, unused_ok = true }\n"
    "  reply:after{ instructions = 7, write = { region = 'list', bytes = ('ab'):rep(30) } }\n"
    "  reply:after{ instructions = 8, vcpu = 2, unused_ok = true,\n"
    "    unassign = { gpa = 0x8000200000, size = '2m' } }\n"
    "  reply:after{ instructions = 9, on_write = { gpa = 0x8000003000, value = 1 } }\n"
    "  reply:run_vcpu{ vcpu = 1 }\n"
    "  reply:stop_vcpu{ vcpu = 2 }\n"
    "  reply:run_vmpl{ vmpl = 3 }\n"
    "  assert(reply:skip_page{ gpa = 0x8000200000 } == 0)\n"
    "end",
    "apic_id_list = { honest = false,\n"
    "  on_write = { region = 'list', offset = 8, size = 8, nth = 2, value = -1 },\n"
    "  on_read = { gpa = 0x8000003000, vcpu = 3, value = 1, unused_ok = true },\n"
    "  after = {\n"
    "    { instructions = 7, write = { region = 'list', bytes = ('ab'):rep(30) } },\n"
    "    { instructions = 8, vcpu = 2, unused_ok = true,\n"
    "      unassign = { gpa = 0x8000200000, size = '2m' } },\n"
    "    { instructions = 9, on_write = { gpa = 0x8000003000, value = 1 } } },\n"
    "  run_vcpu = { vcpu = 1 }, stop_vcpu = { vcpu = 2 }, run_vmpl = { vmpl = 3 } }",
};

/* Of that kind, from 0. */
static const struct reply_action *action_of(const struct bench *bench, enum reply_action_kind kind,
                                            bool later, size_t nth)
{
    for (size_t i = 0; i < bench->reply.action_count; i++) {
        const struct reply_action *action = &bench->reply.action[i];

        if (action->kind == kind && (action->delay.instructions != 0) == later && nth-- == 0) {
            return action;
        }
    }
    ck_abort_msg("no such action: kind %d", kind);
}

START_TEST(waiting_actions)
{
    const struct reply_action *action;
    struct bench bench;

    bench_open(&bench, "", waiting_texts[_i]);
    bench_list(&bench);
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.action_count, 8);
    action = action_of(&bench, REPLY_WATCH, false, _i == 0 ? 0 : 1);
    ck_assert(action->watch.on_write && !action->watch.one_vcpu && action->watch.sticky);
    ck_assert_uint_eq(action->watch.gpa, LIST_GPA + 8);
    ck_assert_uint_eq(action->watch.nth, 2);
    ck_assert_uint_eq(action->watch.value, UINT64_MAX);
    action = action_of(&bench, REPLY_WATCH, false, _i == 0 ? 1 : 0);
    ck_assert(!action->watch.on_write && action->watch.one_vcpu);
    ck_assert_uint_eq(action->watch.vcpu, 3);
    action = action_of(&bench, REPLY_WRITE, true, 0);
    ck_assert_uint_eq(action->gpa, LIST_GPA);
    ck_assert_uint_eq(action->size_bytes, 60);
    ck_assert_mem_eq(bench.reply.data + action->data_offset, "abababab", 8);
    ck_assert_uint_eq(action->delay.instructions, 7);
    ck_assert(!action->delay.one_vcpu && action->delay.owner);
    action = action_of(&bench, REPLY_UNASSIGN, true, 0);
    ck_assert_uint_eq(action->size_bytes, 0x200000);
    ck_assert_uint_eq(action->delay.instructions, 8);
    ck_assert(action->delay.one_vcpu && !action->delay.owner);
    ck_assert_uint_eq(action->delay.vcpu, 2);
    action = action_of(&bench, REPLY_WATCH, true, 0);
    ck_assert(action->watch.owner && action->delay.owner);
    ck_assert_ptr_ne(action->watch.owner, action->delay.owner);
    ck_assert_uint_eq(action_of(&bench, REPLY_RUN_VCPU, false, 0)->vcpu.number, 1);
    ck_assert_uint_eq(action_of(&bench, REPLY_STOP_VCPU, false, 0)->vcpu.number, 2);
    action = action_of(&bench, REPLY_RUN_VMPL, false, 0);
    ck_assert(action->vcpu.vmpl == 3 && action->vcpu.now);
    bench_close(&bench);
}
END_TEST

/* What ghcb/answer.c does with each answer. */
static void bench_remember(struct bench *bench, struct history *history)
{
    ck_assert(history_keep(history, &bench->exit, &bench->reply));
}

START_TEST(answers_are_replayed)
{
    static struct history history;
    struct bench bench;

    bench_open(&bench, "",
               "apic_id_list = { nth = 2, honest = false, rdx = 9, replay = { nth = 1 } },\n"
               "cpuid = { honest = false, replay = { event = 'apic_id_list', nth = 1 } },\n"
               "msr_version = function(exit, reply) reply.msr = 7 end,\n"
               "rdtsc = function(exit, reply) reply:replay{ event = 'msr_version' } end");
    bench.hypervisor.history = &history;
    bench_list(&bench);
    bench_answer_well(&bench);
    reply_write(&bench.reply, LIST_GPA, "list", 4);
    reply_set(&bench.reply, FIELD_RAX, 5);
    bench_remember(&bench, &history);
    bench_list(&bench);
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.field[FIELD_RAX], 5);
    ck_assert_uint_eq(bench.reply.field[FIELD_RDX], 9); /* on top */
    ck_assert_mem_eq(bench.reply.data + reply_find_write(&bench.reply, LIST_GPA)->data_offset,
                     "list", 4);
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.field[FIELD_RAX], 5);
    ck_assert_ptr_nonnull(reply_find_write(&bench.reply, LIST_GPA));
    bench_exit(&bench, "msr_version");
    bench_answer_well(&bench);
    bench_remember(&bench, &history);
    bench_exit(&bench, "rdtsc");
    bench_answer_well(&bench);
    ck_assert(bench.reply.msr_written && bench.reply.msr == 7);
    ck_assert(bench.reply.keep_marks && !bench.reply.written);
    history_release(&history);
    bench_close(&bench);
}
END_TEST

static const struct {
    const char *event, *replay, *message;
} not_replayed[] = {
    {"cpuid", "{}", "no answer to cpuid is kept: it was never answered"},
    {"cpuid", "{ nth = 3 }", "no answer to cpuid, number 3, is kept"},
    {"msr_version", "{ event = 'apic_id_list' }", "was answered in a GHCB page"},
    {"cpuid", "{ event = 'apic_id_list', here = true }", "here goes with an answer to cpuid"},
};

START_TEST(what_cannot_be_replayed)
{
    static struct history history;
    struct bench bench;
    char on[256];

    snprintf(on, sizeof(on), "%s = function(exit, reply) reply:replay%s end",
             not_replayed[_i].event, not_replayed[_i].replay);
    bench_open(&bench, "", on);
    bench.hypervisor.history = &history;
    bench_list(&bench);
    bench_answer_well(&bench);
    bench_remember(&bench, &history);
    bench_exit(&bench, not_replayed[_i].event);
    ck_assert_int_eq(bench_answer(&bench), SNPEMU_ERR_INPUT);
    ck_assert_msg(strstr(bench.error.text, not_replayed[_i].message), "%s", bench.error.text);
    history_release(&history);
    bench_close(&bench);
}
END_TEST

START_TEST(reply_refuse_and_msr)
{
    struct bench bench;

    bench_open(&bench, "", "msr_features = function(e, r) r:honest(); r:refuse('no more') end");
    bench_exit(&bench, "msr_features");
    bench_answer_well(&bench);
    ck_assert(bench.reply.msr_written);
    ck_assert_int_eq(bench.reply.resume, REPLY_REFUSE);
    ck_assert_str_eq(bench.reply.reason, "no more");
    bench_close(&bench);
}
END_TEST

START_TEST(reply_exceptions)
{
    struct bench bench;

    bench_open(&bench, "",
               "cpuid = function(exit, reply)\n"
               "  reply:honest()\n"
               "  if exit.nth == 1 then reply:exception{ vector = 6 }\n"
               "  else reply:exception{ vector = 13, error_code = 0x18 } end\n"
               "end");
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.field[FIELD_INFO1], 1);
    ck_assert_uint_eq(bench.reply.field[FIELD_INFO2], 0x80000306);
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.field[FIELD_INFO2], 0x0000001880000B0D);
    ck_assert(bench.reply.marked & FIELD_BIT(FIELD_INFO2));
    bench_close(&bench);
}
END_TEST

/* An honest answer that ends the run can be made one that does not by starting from nothing. */
START_TEST(reply_instead_of_an_end)
{
    struct bench bench;

    bench_open(&bench, "",
               "ap_reset_hold = { { nth = 1, rax = 1 },\n"
               "  { nth = 2, honest = false, info1 = 0, info2 = 1 } }");
    bench_exit(&bench, "ap_reset_hold");
    bench_answer_well(&bench);
    ck_assert_int_eq(bench.reply.resume, REPLY_HOLD);
    bench_exit(&bench, "ap_reset_hold");
    bench_answer_well(&bench);
    ck_assert_int_eq(bench.reply.resume, REPLY_RESUME);
    ck_assert_uint_eq(bench.reply.field[FIELD_INFO2], 1);
    bench_close(&bench);
}
END_TEST

START_TEST(others_are_answered_honestly)
{
    struct bench bench;

    bench_open(&bench, "", "cpuid = function() end");
    bench_exit(&bench, "msr_features");
    ck_assert(!bench.host->handles(bench.host, &bench.exit));
    bench_answer_well(&bench);
    ck_assert(bench.reply.msr_written);
    bench_exit(&bench, "cpuid");
    ck_assert(bench.host->handles(bench.host, &bench.exit));
    bench_close(&bench);
}
END_TEST

/* A response can be read, kept, replaced and dropped, and its page written to besides. */
START_TEST(response)
{
    struct bench bench;

    bench_open(&bench, "",
               "ext_guest_request = function(exit, reply)\n"
               "  assert(reply.response == nil and exit.request == ('r'):rep(4096))\n"
               "  reply.response = 'first'\n"
               "  reply.response = reply.response .. '!'\n"
               "  reply:write{ region = 'request', u8 = 1 }\n"
               "  reply:write{ region = 'certificates', offset = 4, u8 = 2 }\n"
               "  reply:write{ region = 'response', offset = 1, u8 = 3 }\n"
               "  if exit.nth == 2 then reply.response = nil; assert(not reply.response) end\n"
               "end");
    for (unsigned nth = 1; nth <= 2; nth++) {
        bench_exit(&bench, "ext_guest_request");
        bench.exit.field[FIELD_INFO1] = PAGE_GPA;
        bench.exit.field[FIELD_INFO2] = PAGE_GPA + 0x1000;
        bench.exit.field[FIELD_RAX] = PAGE_GPA + 0x2000;
        bench.exit.request_size_bytes = EXIT_REQUEST_SIZE;
        memset(bench.exit.request, 'r', EXIT_REQUEST_SIZE);
        bench_answer_well(&bench);
        ck_assert_uint_eq(bench.reply.action_count, nth == 1 ? 4 : 3);
        if (nth == 1) {
            ck_assert_uint_eq(bench.reply.action[0].gpa, PAGE_GPA + 0x1000);
            ck_assert_uint_eq(bench.reply.action[0].size_bytes, 6);
            ck_assert_mem_eq(bench.reply.data + bench.reply.action[0].data_offset, "first!", 6);
        }
        ck_assert_uint_eq(bench.reply.action[nth == 1 ? 1 : 0].gpa, PAGE_GPA);
        ck_assert_uint_eq(bench.reply.action[nth == 1 ? 2 : 1].gpa, PAGE_GPA + 0x2004);
        ck_assert_uint_eq(bench.reply.action[nth == 1 ? 3 : 2].gpa, PAGE_GPA + 0x1001);
    }
    bench_finish_well(&bench);
    bench_close(&bench);
}
END_TEST

/* ---- plain tables ---- */

START_TEST(override_by_nth)
{
    struct bench bench;

    bench_open(&bench, "",
               "apic_id_list = { { nth = 2, rax = 5, write = { region = 'list', u32 = 9 } },\n"
               "                 { nth = 1, unmark = 'rax' }, { nth = 1, leave = { 'rbx' } } }");
    bench_exit(&bench, "apic_id_list");
    ck_assert(bench.host->handles(bench.host, &bench.exit));
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.field[FIELD_RAX], 1);
    ck_assert(!(bench.reply.marked & FIELD_BIT(FIELD_RAX)));
    ck_assert(!(bench.reply.written & FIELD_BIT(FIELD_RBX)));

    bench_list(&bench);
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.field[FIELD_RAX], 5);
    ck_assert(bench.reply.marked & FIELD_BIT(FIELD_RAX));
    ck_assert_uint_eq(bench.reply.action_count, 3); /* count and ids, honestly; then ours */
    ck_assert_uint_eq(bench.reply.action[2].gpa, LIST_GPA);

    bench_list(&bench);
    ck_assert(!bench.host->handles(bench.host, &bench.exit));
    bench_finish_well(&bench);
    bench_close(&bench);
}
END_TEST

START_TEST(override_of_entries)
{
    struct bench bench;

    bench_open(
        &bench, "",
        "page_state_change = { skip_page = { entry = 1 }, unassign = { entry = 2 },\n"
        "  write = { { region = 'scratch', u16 = 0 }, { gpa = 0x8000002000, bytes = 'xy' } },\n"
        "  info1 = 1, mark = 'r8', keep_marks = true }");
    bench_psc(&bench);
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.action_count, 5);
    ck_assert_int_eq(bench.reply.action[0].kind, REPLY_UNASSIGN); /* honest, of entry 2 */
    ck_assert_int_eq(bench.reply.action[1].kind, REPLY_WRITE);    /* honest, of cur_entry */
    ck_assert_uint_eq(bench.reply.action[2].gpa, GHCB_GPA + GHCB_SHARED_BUFFER);
    ck_assert_mem_eq(bench.reply.data + bench.reply.action[3].data_offset, "xy", 2);
    ck_assert_int_eq(bench.reply.action[4].kind, REPLY_UNASSIGN);
    ck_assert_uint_eq(bench.reply.action[4].size_bytes, 0x200000);
    ck_assert_uint_eq(bench.reply.field[FIELD_INFO1], 1);
    ck_assert(bench.reply.marked & FIELD_BIT(FIELD_R8));
    bench_finish_well(&bench);
    bench_close(&bench);
}
END_TEST

START_TEST(override_from_nothing)
{
    struct bench bench;

    bench_open(&bench, "", "run_vmpl = { honest = false }, msr_version = { msr = 3 }");
    bench_exit(&bench, "run_vmpl");
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.written, 0);
    bench_exit(&bench, "msr_version");
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.msr, 3);
    bench_close(&bench);
}
END_TEST

/* ---- any exit, and answers given again ---- */

START_TEST(any_where_nothing_else_answers)
{
    struct bench bench;

    bench_open(&bench, "",
               "any = function(exit, reply) reply:honest(); reply:keep_marks() end,\n"
               "cpuid = { { nth = 2, rax = 7 } }");
    bench_exit(&bench, "cpuid"); /* not the second */
    ck_assert(bench.host->handles(bench.host, &bench.exit));
    bench_answer_well(&bench);
    ck_assert(bench.reply.keep_marks);
    ck_assert(bench.reply.written & FIELD_BIT(FIELD_RAX));
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    ck_assert(!bench.reply.keep_marks);
    ck_assert_uint_eq(bench.reply.field[FIELD_RAX], 7);
    bench_exit(&bench, "msr_version"); /* it has no marks to keep */
    bench_answer_well(&bench);
    ck_assert(bench.reply.msr_written && !bench.reply.keep_marks);
    bench_exit(&bench, "hv_timer"); /* without an honest answer: what the host does then */
    bench_answer_well(&bench);
    ck_assert_int_eq(bench.reply.resume, REPLY_UNMODELLED);
    bench_finish_well(&bench);
    bench_close(&bench);
}
END_TEST

START_TEST(any_by_number)
{
    struct bench bench;

    bench_open(&bench, "", "any = { { nth = 2, honest = false, keep_marks = true } }");
    bench_exit(&bench, "cpuid");
    ck_assert(!bench.host->handles(bench.host, &bench.exit));
    bench_answer_well(&bench);
    ck_assert(!bench.reply.keep_marks);
    ck_assert_int_eq(bench.host->finish(bench.host, &bench.error), SNPEMU_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(bench.error.text, "on.any[1] never applied"));
    bench_exit(&bench, "apic_id_list"); /* the first of its name, the second of all */
    bench_answer_well(&bench);
    ck_assert(bench.reply.keep_marks && !bench.reply.written && !bench.reply.marked);
    bench_finish_well(&bench);
    bench_close(&bench);
}
END_TEST

/* What the machine would remember of the last reply. */
static void bench_keep(struct bench *bench)
{
    reply_keep(&bench->reply, bench->exit.protocol == EXIT_PAGE,
               &vcpus_current_level(&bench->hypervisor.vcpus)->answer);
}

START_TEST(answers_are_repeated)
{
    struct bench bench;

    bench_open(&bench, "",
               "cpuid = { honest = false, rax = 5, unmark = 'rax', mark = 'r8' },\n"
               "msr_version = { honest = false, msr = 77 },\n"
               "msr_features = { repeat_answer = true },\n"
               "page_state_change = { repeat_answer = true },\n"
               "apic_id_list = function(exit, reply)\n"
               "  reply.rcx = 1\n"
               "  assert(reply:repeat_answer() and reply.rcx == nil and reply.rax == 5)\n"
               "  reply.info1 = 9\n"
               "end");
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    bench_keep(&bench);
    bench_exit(&bench, "msr_version");
    bench_answer_well(&bench);
    bench_keep(&bench);

    bench_psc(&bench); /* the page's, not the MSR's; the work of this exit is done */
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.written, FIELD_BIT(FIELD_RAX));
    ck_assert_uint_eq(bench.reply.field[FIELD_RAX], 5);
    ck_assert_uint_eq(bench.reply.marked, FIELD_BIT(FIELD_R8));
    ck_assert(!bench.reply.keep_marks && !bench.reply.msr_written);
    ck_assert_uint_eq(bench.reply.action_count, 3);

    bench_exit(&bench, "msr_features"); /* the MSR's, not the page's */
    bench_answer_well(&bench);
    ck_assert(bench.reply.msr_written && bench.reply.msr == 77 && !bench.reply.written);

    bench_list(&bench); /* what is written afterwards comes on top */
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.written, FIELD_BIT(FIELD_RAX) | FIELD_BIT(FIELD_INFO1));
    ck_assert_uint_eq(bench.reply.action_count, 0);
    bench_close(&bench);
}
END_TEST

START_TEST(nothing_to_repeat)
{
    struct bench bench;

    bench_open(&bench, "",
               "cpuid = function(exit, reply) assert(not reply:repeat_answer()) end,\n"
               "msr_version = { repeat_answer = true }");
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    ck_assert(bench.reply.keep_marks && !bench.reply.written && !bench.reply.marked);
    bench_keep(&bench); /* it wrote nothing: still nothing to repeat */
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    bench_exit(&bench, "msr_version");
    bench_answer_well(&bench);
    ck_assert(!bench.reply.msr_written);
    bench_close(&bench);
}
END_TEST

/* ---- state and use ---- */

START_TEST(no_run_sees_another)
{
    const char *on = "cpuid = function(exit, reply) calls = calls + 1; reply.rax = calls end";
    struct bench bench;
    struct host *again;

    bench_open(&bench, "calls = 0", on);
    for (unsigned i = 1; i <= 3; i++) {
        bench_exit(&bench, "cpuid");
        bench_answer_well(&bench);
        ck_assert_uint_eq(bench.reply.field[FIELD_RAX], i);
    }
    ck_assert_int_eq(scenario_host(bench.scenario, &again, &bench.error), 0);
    bench.host->free(bench.host);
    bench.host = again;
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    ck_assert_uint_eq(bench.reply.field[FIELD_RAX], 1);
    bench_close(&bench);
}
END_TEST

START_TEST(watch_must_fire)
{
    struct bench bench;

    bench_open(&bench, "",
               "apic_id_list = function(exit, reply)\n"
               "  reply:on_read{ region = 'list', value = exit.nth }\n"
               "  reply:on_read{ region = 'list', value = 2, unused_ok = true }\n"
               "end");
    bench_list(&bench);
    bench_answer_well(&bench);
    ck_assert_ptr_null(bench.reply.action[1].watch.owner);
    ck_assert_int_eq(bench.host->finish(bench.host, &bench.error), SNPEMU_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(bench.error.text, "case.lua:3: reply:on_read never fired"));
    bench_list(&bench);
    bench_answer_well(&bench);
    bench.host->watch_fired(bench.host, bench.reply.action[0].watch.owner);
    bench.host->watch_fired(bench.host, bench.reply.action[1].watch.owner);
    bench_finish_well(&bench); /* the same line, in another exit, did fire */
    bench_close(&bench);
}
END_TEST

static const struct {
    const char *on;
    const char *message; /* of finish after one honest-looking cpuid exit; NULL: none */
} unused_rows[] = {
    {"cpuid = function() end", NULL},
    {"port_io = function() end", "case.lua: on.port_io never ran"},
    {"port_io = { rax = 1 }", "case.lua: on.port_io never applied"},
    {"port_io = { rax = 1, unused_ok = true }", NULL},
    {"cpuid = { { rax = 1 }, { nth = 2, rax = 1 } }", "case.lua: on.cpuid[2] never applied"},
    {"cpuid = { { rax = 1 }, { nth = 2, rax = 1, unused_ok = true } }", NULL},
    {"cpuid = { skip_page = { gpa = 0x8000003000 } }", "case.lua: on.cpuid never applied"},
    {"cpuid = { on_read = { gpa = 0x8000003000, value = 1 } }",
     "case.lua: on.cpuid.on_read never fired"},
    {"cpuid = { on_read = { gpa = 0x8000003000, value = 1, unused_ok = true } }", NULL},
    {"cpuid = { on_write = { gpa = 0x8000003000, value = 1 } }",
     "on.cpuid.on_write never fired: the guest did not write it so often"},
    {"cpuid = { after = { instructions = 5, unassign = { gpa = 0x8000003000 } } }",
     "on.cpuid.after.instructions never came due: the guest did not run so far"},
    {"cpuid = { after = { instructions = 5, unused_ok = true, psmash = { gpa = 0x8000003000 } } }",
     NULL},
    {"port_io = { rax = 1 } }, unused_ok = true, host = {", NULL},
};

START_TEST(unused)
{
    struct bench bench;
    int status;

    bench_open(&bench, "", unused_rows[_i].on);
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    status = bench.host->finish(bench.host, &bench.error);
    if (unused_rows[_i].message) {
        ck_assert_int_eq(status, SNPEMU_ERR_INPUT);
        ck_assert_msg(strstr(bench.error.text, unused_rows[_i].message) != NULL, "%s",
                      bench.error.text);
    } else {
        ck_assert_msg(status == SNPEMU_OK, "%s", bench.error.text);
    }
    bench_close(&bench);
}
END_TEST

/* Handler bodies that fail; `event` is the exit it answers. */
static const struct {
    const char *event, *body, *message;
} bad_rows[] = {
    {"cpuid", "error('mine')", "case.lua:2: mine"},
    {"cpuid", "error()", "raised an error that is a nil, not a text"},
    {"cpuid", "return 5", "case.lua:2: on.cpuid must return nothing, not a number"},
    {"cpuid", "return reply", "must return nothing, not a userdata"},
    {"cpuid", "while true do end", "case.lua:2: the script runs too long"},
    {"cpuid", "while true do pcall(function() while true do end end) end", "runs too long"},
    {"cpuid", "local t = {} while true do t[#t + 1] = {} end", "too"},
    {"cpuid", "reply.raxx = 1",
     "case.lua:2: reply: unknown field 'raxx'; the nearest known is 'rax'"},
    {"cpuid", "return reply.hones", "the nearest known is 'honest'"},
    {"cpuid", "reply:honst()", "the nearest known is 'honest'"},
    {"cpuid", "reply[1] = 1", "case.lua:2: reply: must be a text, not 1"},
    {"cpuid", "reply.rax = nil", "reply.rax: must be an integer"},
    {"cpuid", "reply.rax = {}", "reply.rax: must be an integer from 0 to 0xffffffffffffffff"},
    {"cpuid", "reply.rax = 0.5", "reply.rax: must be an integer"},
    {"cpuid", "reply.rax = 0/0", "reply.rax: must be an integer"},
    {"cpuid", "reply.rax = 2^64", "reply.rax: must be an integer"},
    {"cpuid", "reply.rax = '18446744073709551616'", "reply.rax: must be an integer"},
    {"cpuid", "reply.rax = 'x'", "reply.rax: must be an integer"},
    {"cpuid", "reply.cpl = 256", "reply.cpl: must be an integer from 0 to 255, not 256"},
    {"cpuid", "reply.honest = 1", "unknown field 'honest'"},
    {"cpuid", "reply:exception{}", "reply:exception: must say which vector"},
    {"cpuid", "reply:exception{ vector = 256 }", "vector: must be an integer from 0 to 255"},
    {"cpuid", "reply:exception{ vector = 6, code = 1 }", "unknown field 'code'"},
    {"cpuid", "reply:exception(6)", "must be a table"},
    {"msr_version", "reply:exception{ vector = 6 }", "msr_version has no GHCB page"},
    {"cpuid", "reply.rax = 1; reply:honest()", "reply:honest() must come first, and once"},
    {"cpuid", "reply:honest(); reply:honest()", "reply:honest() must come first, and once"},
    {"cpuid", "reply.honest()", "reply expected, got no value"},
    {"cpuid", "reply.honest({})", "reply expected, got table"},
    {"cpuid", "reply:unmark()", "reply:unmark: must name a field"},
    {"cpuid", "reply:unmark('rbp')", "reply:unmark: unknown field 'rbp'"},
    {"cpuid", "reply:leave(5)", "reply:leave: must be a text, not 5"},
    {"cpuid", "reply:refuse(('x'):rep(500))", "reply:refuse: must not be longer than 127 bytes"},
    {"cpuid", "reply:write(5)", "reply:write: must be a table, not 5"},
    {"cpuid", "reply:write{ gpa = 0 }", "must give one of bytes, u8"},
    {"cpuid", "reply:write{ gpa = 2^52 - 2, u32 = 1 }", "lies above 52-bit addresses"},
    {"cpuid", "reply:write{ gpa = -1, u32 = 1 }", "reply:write.gpa: must be an integer"},
    {"cpuid", "reply:write{ gpa = 0, offset = 2^52 - 1, u16 = 1 }", "lies above 52-bit addresses"},
    {"cpuid", "reply:write{ region = 'list', u8 = 1 }", "exists in an apic_id_list exit only"},
    {"cpuid", "reply:write{ region = 'scratch', u8 = 1 }", "the guest marked no scratch area"},
    {"cpuid", "for i = 1, 9000 do reply:write{ gpa = 0, u8 = 1 } end", "the reply is full"},
    {"cpuid", "local s = ('x'):rep(250000) for i = 1, 5 do reply:write{ gpa = 0, bytes = s } end",
     "the reply is full"},
    {"cpuid", "reply:assign{ gpa = 0x1001 }", "0x1001 is not aligned to its page size"},
    {"cpuid", "reply:assign{ gpa = 0x1000, size = '2m' }", "not aligned"},
    {"cpuid", "reply:assign{ entry = 1 }", "no page state change entry 1"},
    {"any", "reply.msr = exit.nth; return 1", "on.any must return nothing"},
    {"cpuid", "reply:repeat_answer(); reply:honest()", "must come first"},
    {"cpuid", "reply:skip_page{}", "must say where: gpa or entry"},
    {"cpuid", "reply:rmpupdate{ gpa = 0 }", "must say what the entry becomes"},
    {"cpuid", "reply:rmpupdate{ asid = 2 }", "must say where: gpa or entry"},
    {"cpuid", "reply:rmpupdate{ gpa = 0, asid = 1024 }", "asid: must be an integer from 0 to 1023"},
    {"cpuid", "reply:rmpupdate{ gpa = 0, at = 0x10 }", "at: must be the address of a page"},
    {"cpuid", "reply:rmpupdate{ gpa = 0x1000, size = '2m', asid = 2 }", "not aligned"},
    {"cpuid", "reply:rmpupdate{ gpa = 0, assigned = false, at = 0 }", "no address to be at"},
    {"cpuid", "reply:psmash{}", "must say where: gpa or entry"},
    {"cpuid", "reply:remap{ gpa = 0 }", "reply:remap: must say to where"},
    {"cpuid", "reply:swap{ gpa = 0 }", "reply:swap: must say with which page"},
    {"cpuid", "reply:swap{ gpa = 0, with = 2^52 }", "reply:swap.with: must be an integer"},
    {"cpuid", "reply:inject{}", "reply:inject: must say which vector"},
    {"cpuid", "reply:inject{ vector = 3, type = 'nmi' }", "an NMI's vector is 2"},
    {"cpuid", "reply:inject{ vector = 256 }", "vector: must be an integer from 0 to 255"},
    {"cpuid", "reply:inject{ vector = 3, type = 'trap' }", "unknown type 'trap'"},
    {"cpuid", "reply:inject{ vector = 50, type = 'interrupt', error_code = 0 }",
     "only an exception has an error code"},
    {"cpuid", "reply:doorbell{}", "must say what happened"},
    {"cpuid", "reply:doorbell{ vector = 0 }", "vector: must be an integer from 1 to 255"},
    {"cpuid", "reply:doorbell{ nmi = true, no_eoi = true }", "no_eoi goes with a vector"},
    {"cpuid", "reply:on_read{ gpa = 0xFFE, value = 1 }", "0xffe, 4 bytes: must not cross a page"},
    {"cpuid", "reply:on_read{ gpa = 0, value = 2^32 }", "does not fit in 4 bytes"},
    {"cpuid", "reply:on_read{ gpa = 0, value = 1, nth = 0 }", "nth: must be an integer from 1"},
    {"cpuid", "reply:on_read{ gpa = 0, value = 1, sticky = 0 }", "sticky: must be true or false"},
    {"cpuid", "reply:on_read{ gpa = 0, region = 'ghcb', value = 1 }", "one of the two"},
    {"cpuid", "return exit.nht", "case.lua:2: exit has no field 'nht'"},
    {"cpuid", "return exit.marked.eax", "exit.marked has no field 'eax'"},
    {"cpuid", "return exit[{}]", "exit has names for keys, not a table"},
    {"apic_id_list", "reply:on_read{ region = 'list', value = 1 }", "the guest lends no list"},
    {"msr_version", "reply.rax = 1", "msr_version has no GHCB page; its answer is reply.msr"},
    {"msr_version", "reply:keep_marks()", "msr_version has no GHCB page"},
    {"msr_version", "reply:write{ region = 'ghcb', u8 = 1 }", "msr_version has no GHCB page"},
    {"cpuid", "return reply.response", "cpuid has no response from the AMD-SP"},
    {"cpuid", "reply.response = 'x'", "cpuid has no response from the AMD-SP"},
    {"cpuid", "return exit.request", "exit has no field 'request'"},
    {"msr_version", "reply.response = 'x'", "msr_version has no response from the AMD-SP"},
    {"guest_request", "reply.response = 5", "reply.response: must be a text of the bytes, or nil"},
    {"guest_request", "reply.response = ''", "reply.response: must have 1 to 4096 bytes"},
    {"guest_request", "reply.response = ('x'):rep(4097)", "must have 1 to 4096 bytes"},
    {"guest_request", "reply.respons = 'x'", "the nearest known is 'response'"},
    {"cpuid", "reply:write{ region = 'response', u8 = 1 }", "guest_request and ext_guest_request"},
    {"cpuid", "reply:write{ region = 'request', u8 = 1 }", "guest_request and ext_guest_request"},
    {"guest_request", "reply:write{ region = 'certificates', u8 = 1 }", "lends no pages for cert"},
    {"hv_timer", "reply:honest()", "hv_timer: no honest answer is modelled"},
    {"cpuid", "reply:on_write{ gpa = 0 }", "reply:on_write: must give the value"},
    {"cpuid", "reply:on_write{ gpa = 0, value = 1, cpu = 1 }", "the nearest known is 'vcpu'"},
    {"cpuid", "reply:on_write{ gpa = 0, value = 1, vcpu = 4 }",
     "there is no vCPU 4: they are numbered from 0 to 3"},
    {"cpuid", "reply:stop_vcpu{}", "reply:stop_vcpu: must say which vcpu"},
    {"cpuid", "reply:stop_vcpu{ vcpu = 9 }", "there is no vCPU 9"},
    {"cpuid", "reply:run_vcpu{ vcpu = -1 }", "reply:run_vcpu.vcpu: must be an integer"},
    {"cpuid", "reply:run_vmpl{}", "reply:run_vmpl: must say which vmpl"},
    {"cpuid", "reply:run_vmpl{ vmpl = 4 }", "vmpl: must be an integer from 0 to 3"},
    {"cpuid", "reply:run_vpml{ vmpl = 1 }", "the nearest known is 'run_vmpl'"},
    {"cpuid", "reply:after{ write = { gpa = 0, u8 = 1 } }", "after how many instructions"},
    {"cpuid", "reply:after{ instructions = 0, psmash = { gpa = 0 } }", "must be an integer from 1"},
    {"cpuid", "reply:after{ instructions = 1 }", "must say one thing to be done then"},
    {"cpuid", "reply:after{ instructions = 1, psmash = { gpa = 0 }, assign = { gpa = 0 } }",
     "must say one thing to be done then"},
    {"cpuid", "reply:after{ instructions = 1, psmash = { { gpa = 0 } } }",
     "reply:after.psmash: must be the table of one action"},
    {"cpuid", "reply:after{ instructions = 1, psmash = { gap = 0 } }",
     "reply:after.psmash: unknown field 'gap'; the nearest known is 'gpa'"},
    {"cpuid", "reply:after{ instructions = 1, smash = { gpa = 0 } }",
     "the nearest known is 'psmash'"},
    {"cpuid", "reply:after{ instructions = 1, replay = {} }", "unknown field 'replay'"},
    {"cpuid", "reply:after{ instructions = 1, vcpu = 7, psmash = { gpa = 0 } }",
     "reply:after: there is no vCPU 7"},
    {"cpuid", "reply:replay{ event = 'cupid' }", "the nearest known is 'cpuid'"},
    {"cpuid", "reply:replay{}", "no answer to cpuid is kept"},
};

START_TEST(bad)
{
    char on[512];
    struct bench bench;

    snprintf(on, sizeof(on), "%s = function(exit, reply) %s end", bad_rows[_i].event,
             bad_rows[_i].body);
    bench_open(&bench, "", on);
    bench_exit(&bench, strcmp(bad_rows[_i].event, "any") == 0 ? "cpuid" : bad_rows[_i].event);
    ck_assert_msg(bench_answer(&bench) == SNPEMU_ERR_INPUT, "%s: no error", bad_rows[_i].body);
    ck_assert_msg(strstr(bench.error.text, bad_rows[_i].message) != NULL, "\"%s\" lacks \"%s\"",
                  bench.error.text, bad_rows[_i].message);
    ck_assert_msg(strstr(bench.error.text, "/case.lua:") != NULL, "\"%s\"", bench.error.text);
    bench_close(&bench);
}
END_TEST

START_TEST(reply_after_its_time)
{
    struct bench bench;

    bench_open(
        &bench, "",
        "cpuid = function(exit, reply) kept = reply end,\n"
        "port_io = { { nth = 1, rax = 1 } },\n"
        "msr_version = function() kept.rax = 1 end,\n"
        "apic_id_list = function() kept = setmetatable({}, { __index = kept }); kept.x() end");
    bench_exit(&bench, "cpuid");
    bench_answer_well(&bench);
    bench_exit(&bench, "msr_version"); /* the object is the same; it speaks of this exit now */
    ck_assert_int_eq(bench_answer(&bench), SNPEMU_ERR_INPUT);
    ck_assert_ptr_nonnull(strstr(bench.error.text, "has no GHCB page"));
    bench_exit(&bench, "apic_id_list");
    ck_assert_int_eq(bench_answer(&bench), SNPEMU_ERR_INPUT);
    bench_close(&bench);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("script");
    TCase *tcase = tcase_create("script");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, exit_fields);
    tcase_add_test(tcase, reply_starts_from_nothing);
    tcase_add_test(tcase, reply_fields);
    tcase_add_test(tcase, reply_actions);
    tcase_add_loop_test(tcase, hostile_actions, 0,
                        sizeof(hostile_texts) / sizeof(hostile_texts[0]));
    tcase_add_loop_test(tcase, waiting_actions, 0, COUNT(waiting_texts));
    tcase_add_test(tcase, answers_are_replayed);
    tcase_add_loop_test(tcase, what_cannot_be_replayed, 0, COUNT(not_replayed));
    tcase_add_test(tcase, reply_refuse_and_msr);
    tcase_add_test(tcase, reply_exceptions);
    tcase_add_test(tcase, reply_instead_of_an_end);
    tcase_add_test(tcase, others_are_answered_honestly);
    tcase_add_test(tcase, response);
    tcase_add_test(tcase, override_by_nth);
    tcase_add_test(tcase, override_of_entries);
    tcase_add_test(tcase, override_from_nothing);
    tcase_add_test(tcase, any_where_nothing_else_answers);
    tcase_add_test(tcase, any_by_number);
    tcase_add_test(tcase, answers_are_repeated);
    tcase_add_test(tcase, nothing_to_repeat);
    tcase_add_test(tcase, no_run_sees_another);
    tcase_add_test(tcase, watch_must_fire);
    tcase_add_loop_test(tcase, unused, 0, COUNT(unused_rows));
    tcase_add_loop_test(tcase, bad, 0, COUNT(bad_rows));
    tcase_add_test(tcase, reply_after_its_time);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
