/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The GHCB room, from VMGEXIT to the resumed guest: what the hypervisor takes from the page and
 * the MSR, what it answers, and what it may not do.
 *
 * Source of the expectations: Linux arch/x86/kvm/svm/sev.c (sev_es_validate_vmgexit,
 * sev_es_sync_from_ghcb, sev_es_sync_to_ghcb, setup_vmgexit_scratch, snp_begin_psc,
 * sev_handle_vmgexit_msr_protocol); for the list of APIC IDs LKML
 * 20260608144252.351443-57-joro@8bytes.org; AMD APM Vol 2 (24593) 15.35.7.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ghcb.h"
#include "abi/msr.h"
#include "abi/nae.h"
#include "ghcb/answer.h"
#include "ghcb/page.h"
#include "ghcb/table.h"
#include "guest_builder.h"

#define GHCB GUEST_SHARED /* the page's virtual address */
#define GHCB_GPA (GUEST_GPA + GHCB)
#define BUFFER (GHCB_GPA + GHCB_SHARED_BUFFER)
#define OTHER (GUEST_SHARED + 0x1000) /* shared pages besides, up to GUEST_SHARED + 0xF000 */
#define OTHER_GPA (GUEST_GPA + OTHER)
#define PRIVATE_GPA (GUEST_GPA + GUEST_DATA)
#define ABSENT_GPA 0x70000000ULL

#define F(field) FIELD_BIT(FIELD_##field)
#define COMMON (F(CODE) | F(INFO1) | F(INFO2))

static struct guest guest;
static struct hypervisor_config config;
static struct hypervisor hypervisor;
static struct exit exit_;
static struct reply reply;
static unsigned watches;  /* that were armed */
static char events[4096]; /* names and topics, one after the other */

static void note_event(struct trace_sink *sink, const struct event *event)
{
    (void)sink;
    strncat(events, event->name, sizeof(events) - strlen(events) - 1);
    strncat(events, event->topic ? " " : "", sizeof(events) - strlen(events) - 1);
    strncat(events, event->topic ? event->topic : "", sizeof(events) - strlen(events) - 1);
    strncat(events, ";", sizeof(events) - strlen(events) - 1);
}

static struct trace_sink sink = {.emit = note_event};
static const struct trace trace = {.sink = {&sink}, .sink_count = 1};

static void setup(void)
{
    guest_open(&guest);
    guest.trap.trace = &trace;
    hypervisor_config_init(&config, 4);
    hypervisor = (struct hypervisor){
        .config = &config, .memory = &guest.machine.memory, .rmp = &guest.machine.rmp};
    ck_assert(hypervisor_open(&hypervisor));
    vcpus_current_level(&hypervisor.vcpus)->registered = true;
    vcpus_current_level(&hypervisor.vcpus)->registered_gpa = GHCB_GPA;
    guest.machine.state.ghcb_msr = GHCB_GPA;
    for (uint64_t page = 0; page < 16; page++) {
        memset(guest_at(&guest, GUEST_SHARED + page * PAGE_SIZE), 0, PAGE_SIZE);
    }
    *guest_at(&guest, GHCB + GHCB_VERSION) = 2;
    watches = 0;
    events[0] = '\0';
}

static void teardown(void)
{
    reply_release(&reply);
    hypervisor_close(&hypervisor);
    guest_close(&guest);
}

/* ---- one exchange ---- */

static void put(enum ghcb_field field, uint64_t value, bool mark)
{
    const struct ghcb_field_row *row = &ghcb_field_rows[field];
    unsigned bit = GHCB_VALID_BIT(row->offset);

    memcpy(guest_at(&guest, GHCB + row->offset), &value, row->size_bytes);
    if (mark) {
        *guest_at(&guest, GHCB + GHCB_VALID_BITMAP + bit / 8) |= (uint8_t)(1u << bit % 8);
    }
}

static uint64_t got(enum ghcb_field field)
{
    uint64_t value = 0;

    memcpy(&value, guest_at(&guest, GHCB + ghcb_field_rows[field].offset),
           ghcb_field_rows[field].size_bytes);
    return value;
}

static bool marked(enum ghcb_field field)
{
    unsigned bit = GHCB_VALID_BIT(ghcb_field_rows[field].offset);

    return *guest_at(&guest, GHCB + GHCB_VALID_BITMAP + bit / 8) & (1u << bit % 8);
}

static void request(uint64_t code, uint64_t info1, uint64_t info2)
{
    memset(guest_at(&guest, GHCB + GHCB_VALID_BITMAP), 0, GHCB_VALID_BITMAP_SIZE);
    put(FIELD_CODE, code, true);
    put(FIELD_INFO1, info1, true);
    put(FIELD_INFO2, info2, true);
}

static void on_console(void *context, const uint8_t *bytes, size_t size)
{
    (void)context;
    (void)bytes;
    (void)size;
}

static int on_watch(void *context, const struct reply_watch *watch, struct error *error)
{
    (void)context;
    (void)watch;
    (void)error;
    watches++;
    return 0;
}

static void carry_out(void)
{
    const struct answer_ops answer_ops = {.console = on_console, .watch = on_watch};

    ck_assert_int_eq(
        ghcb_answer(&guest.trap, &hypervisor, &exit_, &reply, &answer_ops, &guest.error), 0);
}

static void take(void)
{
    char why[96];

    ck_assert_msg(ghcb_take_exit(&guest.machine, &hypervisor, &exit_, why, sizeof(why)), "%s", why);
    reply_reset(&reply);
}

/* What the honest host does, from the exit to the page. */
static void exchange(void)
{
    take();
    hypervisor_answer(&hypervisor, &exit_, &reply);
    if (reply.resume == REPLY_RESUME) {
        carry_out();
    }
}

static void check_info(const char *name, uint64_t info1, uint64_t info2)
{
    ck_assert_msg(reply.resume == REPLY_RESUME, "%s: %s", name, reply.reason);
    ck_assert_msg(got(FIELD_INFO1) == info1 && got(FIELD_INFO2) == info2,
                  "%s: info1 0x%llx, info2 0x%llx", name, (unsigned long long)got(FIELD_INFO1),
                  (unsigned long long)got(FIELD_INFO2));
    ck_assert_msg(marked(FIELD_INFO1) && marked(FIELD_INFO2), "%s: marks", name);
}

/* ---- VMGEXIT itself ---- */

START_TEST(vmgexit)
{
    uint64_t before[VCPU_REGISTER_COUNT];

    GUEST_CODE_BYTES(&guest, 0xF3, 0x0F, 0x01, 0xD9, 0xF4);
    for (enum vcpu_register reg = VCPU_RAX; reg <= VCPU_R15; reg++) {
        if (reg != VCPU_RSP) {
            guest_set(&guest, reg, 0x1111111111111111ULL * (reg + 1));
        }
    }
    for (enum vcpu_register reg = 0; reg < VCPU_REGISTER_COUNT; reg++) {
        before[reg] = guest_get(&guest, reg);
    }
    before[VCPU_RIP] += 4;
    ck_assert_int_eq(guest_run(&guest), TRAP_EXIT);
    for (enum vcpu_register reg = 0; reg < VCPU_REGISTER_COUNT; reg++) {
        ck_assert_uint_eq(guest_get(&guest, reg), before[reg]);
    }
    ck_assert_uint_eq(vcpu_retired(guest.machine.vcpu), 1);
}
END_TEST

/* ---- the valid bitmap, into the hypervisor ---- */

START_TEST(fields_are_copied)
{
    for (enum ghcb_field field = 0; field < FIELD_COUNT; field++) {
        memset(guest_at(&guest, GHCB + GHCB_VALID_BITMAP), 0, GHCB_VALID_BITMAP_SIZE);
        put(field, 0x42, true);
        take();
        ck_assert_msg(exit_.marked == FIELD_BIT(field), "%s: marked 0x%x",
                      ghcb_field_rows[field].name, exit_.marked);
        ck_assert_uint_eq(exit_.field[field], 0x42);
        ck_assert_uint_eq(exit_field(&exit_, field), 0x42);
    }
    /* The last one again, without its mark: it is seen, and counts as zero. */
    memset(guest_at(&guest, GHCB + GHCB_VALID_BITMAP), 0, GHCB_VALID_BITMAP_SIZE);
    take();
    ck_assert_uint_eq(exit_.marked, 0);
    ck_assert_uint_eq(exit_.field[FIELD_XCR0], 0x42);
    ck_assert_uint_eq(exit_field(&exit_, FIELD_XCR0), 0);
}
END_TEST

static const struct {
    const char *name;
    uint64_t code;
    uint32_t marked;
    uint32_t usage;
    uint64_t rax;
    uint64_t info1, info2; /* of the answer */
} mark_rows[] = {
    {"all there", NAE_CPUID, COMMON | F(RAX) | F(RCX), 0, 0, 0, 0},
    {"more than needed", NAE_CPUID, COMMON | F(RAX) | F(RCX) | F(R8) | F(XCR0), 0, 0, 0, 0},
    {"code not marked", NAE_CPUID, F(INFO1) | F(INFO2) | F(RAX) | F(RCX), 0, 0, 2, 4},
    {"info1 not marked", NAE_CPUID, F(CODE) | F(INFO2) | F(RAX) | F(RCX), 0, 0, 2, 4},
    {"info2 not marked", NAE_CPUID, F(CODE) | F(INFO1) | F(RAX) | F(RCX), 0, 0, 2, 4},
    {"nothing marked", NAE_CPUID, 0, 0, 0, 2, 4},
    {"cpuid without RAX", NAE_CPUID, COMMON | F(RCX), 0, 0, 2, 4},
    {"cpuid without RCX", NAE_CPUID, COMMON | F(RAX), 0, 0, 2, 4},
    {"cpuid leaf 0xD without XCR0", NAE_CPUID, COMMON | F(RAX) | F(RCX), 0, 0xD, 2, 4},
    {"cpuid leaf 0xD with XCR0", NAE_CPUID, COMMON | F(RAX) | F(RCX) | F(XCR0), 0, 0xD, 0, 0},
    {"page state change without scratch", NAE_PAGE_STATE_CHANGE, COMMON, 0, 0, 2, 4},
    {"APIC ID list without RAX", NAE_APIC_ID_LIST, COMMON, 0, 0, 2, 4},
    {"APIC ID list with RAX", NAE_APIC_ID_LIST, COMMON | F(RAX), 0, 0, 0, 0},
    {"usage 1", NAE_CPUID, COMMON | F(RAX) | F(RCX), 1, 0, 2, 2},
    {"usage all ones", NAE_CPUID, COMMON | F(RAX) | F(RCX), 0xFFFFFFFF, 0, 2, 2},
    {"usage before marks", NAE_CPUID, 0, 1, 0, 2, 2},
    {"an event that does not exist", 0x8000FFF0, COMMON, 0, 0, 2, 6},
};

START_TEST(mark_table)
{
    const char *name = mark_rows[_i].name;
    uint32_t usage = mark_rows[_i].usage;

    memset(guest_at(&guest, GHCB + GHCB_VALID_BITMAP), 0, GHCB_VALID_BITMAP_SIZE);
    memcpy(guest_at(&guest, GHCB + GHCB_USAGE), &usage, 4);
    for (enum ghcb_field field = 0; field < FIELD_COUNT; field++) {
        put(field, field == FIELD_CODE ? mark_rows[_i].code : 0,
            mark_rows[_i].marked & FIELD_BIT(field));
    }
    put(FIELD_RAX, mark_rows[_i].rax, false);
    exchange();
    check_info(name, mark_rows[_i].info1, mark_rows[_i].info2);
}
END_TEST

/* ---- and back ---- */

/* RAX to RDX, INFO1, INFO2: 7 = 0x80, 12 = 0x0E, 14 = 0x18, the rest clear. */
static const uint8_t answer_marks[GHCB_VALID_BITMAP_SIZE] = {[7] = 0x80, [12] = 0x0E, [14] = 0x18};

START_TEST(answer_marks_six_fields)
{
    request(NAE_APIC_ID_LIST, 0, 0);
    put(FIELD_RAX, 0, true);
    put(FIELD_RBX, 0xB, true);
    put(FIELD_RCX, 0xC, false); /* not marked: it comes back as zero */
    put(FIELD_RDX, 0xD, true);
    put(FIELD_R8, 0x8, true);
    put(FIELD_SCRATCH, BUFFER, true);
    exchange();
    check_info("list", 0, 0);
    ck_assert_mem_eq(guest_at(&guest, GHCB + GHCB_VALID_BITMAP), answer_marks,
                     sizeof(answer_marks));
    ck_assert_uint_eq(got(FIELD_RAX), 1);
    ck_assert_uint_eq(got(FIELD_RBX), 0xB);
    ck_assert_uint_eq(got(FIELD_RCX), 0);
    ck_assert_uint_eq(got(FIELD_RDX), 0xD);
    /* What is not answered stays as the guest left it. */
    ck_assert_uint_eq(got(FIELD_R8), 0x8);
    ck_assert_uint_eq(got(FIELD_SCRATCH), BUFFER);
    ck_assert_uint_eq(got(FIELD_CODE), NAE_APIC_ID_LIST);
}
END_TEST

START_TEST(a_refusal_is_marked_alike)
{
    request(NAE_CPUID, 0, 0);
    exchange();
    check_info("cpuid", 2, 4);
    ck_assert_mem_eq(guest_at(&guest, GHCB + GHCB_VALID_BITMAP), answer_marks,
                     sizeof(answer_marks));
}
END_TEST

START_TEST(a_host_may_keep_marks_or_leave_fields)
{
    request(NAE_CPUID, 0, 0);
    put(FIELD_RAX, 0x80000000, true);
    put(FIELD_RCX, 0, true);
    put(FIELD_SCRATCH, 5, true);
    take();
    hypervisor_answer(&hypervisor, &exit_, &reply);
    reply.keep_marks = true;
    reply_leave(&reply, FIELD_RBX);  /* neither written nor marked */
    reply_unmark(&reply, FIELD_RCX); /* written, not marked: but the guest's own mark is there */
    reply_unmark(&reply, FIELD_INFO2);
    put(FIELD_RBX, 0x77, false);
    carry_out();
    ck_assert(marked(FIELD_RAX) && marked(FIELD_SCRATCH) && marked(FIELD_CODE));
    ck_assert(marked(FIELD_RCX) && marked(FIELD_INFO2)); /* kept from the guest */
    ck_assert(!marked(FIELD_RBX) && got(FIELD_RBX) == 0x77);
    ck_assert_uint_eq(got(FIELD_RCX), 0x444D4163);
}
END_TEST

/* ---- the scratch area ---- */

static const struct {
    const char *name;
    uint64_t scratch, info2;
    bool good;       /* 0/0 and the header updated, else 2/3 */
    bool host_fails; /* the host's own run ends */
} scratch_rows[] = {
    {"the start of the buffer", BUFFER, 16, true, false},
    {"no length given", BUFFER, 0, true, false},
    {"the whole buffer", BUFFER, GHCB_SHARED_BUFFER_SIZE, true, false},
    {"one byte more than the buffer", BUFFER, GHCB_SHARED_BUFFER_SIZE + 1, false, false},
    {"up to the buffer's end", BUFFER + GHCB_SHARED_BUFFER_SIZE - 16, 16, true, false},
    {"across the buffer's end", BUFFER + GHCB_SHARED_BUFFER_SIZE - 8, 16, false, false},
    {"behind the buffer", BUFFER + GHCB_SHARED_BUFFER_SIZE, 16, false, false},
    {"before the buffer, into it", BUFFER - 8, 16, false, false},
    {"the save area", GHCB_GPA, 16, false, false},
    {"zero", 0, 16, false, false},
    {"wraps", ~0ULL - 7, 16, false, false},
    {"another shared page", OTHER_GPA, 16, true, false},
    {"across two shared pages", OTHER_GPA + PAGE_SIZE - 8, 16, true, false},
    {"outside, as long as may be", OTHER_GPA, 0xF000, true, false},
    {"outside, too long", OTHER_GPA, 0x10001, false, false},
    {"a private page", PRIVATE_GPA, 16, false, true},
    {"across into what is not shared", OTHER_GPA + 0xF000 - 8, 16, false, true},
    {"no memory", ABSENT_GPA, 16, false, true},
};

static void host_store(uint64_t gpa, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint32_t page = memory_page(&guest.machine.memory, gpa + i);

        if (page != MEMORY_NO_PAGE) {
            memory_bytes_for_write(&guest.machine.memory, page)[(gpa + i) & PAGE_MASK] =
                ((const uint8_t *)bytes)[i];
        }
    }
}

static uint64_t host_load(uint64_t gpa, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++) {
        uint32_t page = guest_page(&guest, gpa + i);

        value |= (uint64_t)memory_bytes(&guest.machine.memory, page)[(gpa + i) & PAGE_MASK]
                 << 8 * i;
    }
    return value;
}

static uint64_t psc_raw(uint64_t gpa, uint64_t op, bool large)
{
    return gpa | op << PSC_OP_SHIFT | (large ? PSC_PAGE_SIZE_2M : 0);
}

START_TEST(scratch_table)
{
    const char *name = scratch_rows[_i].name;
    uint64_t scratch = scratch_rows[_i].scratch;
    uint64_t list[2] = {0, psc_raw(GUEST_REGION(1), PSC_OP_PRIVATE, false)};

    machine_launch_page(&guest.machine, guest_page(&guest, OTHER_GPA + 0xF000));
    /* Wherever it may be read from, the same good list, so that only the place decides. */
    if (scratch != 0 && scratch != GHCB_GPA && scratch != ~0ULL - 7) {
        host_store(scratch, list, sizeof(list));
    }
    memcpy(guest_at(&guest, GHCB + GHCB_VERSION), "\x02\0\0\0\0\0", 6); /* and usage */
    request(NAE_PAGE_STATE_CHANGE, 0, scratch_rows[_i].info2);
    put(FIELD_SCRATCH, scratch, true);
    exchange();
    if (scratch_rows[_i].host_fails) {
        ck_assert_msg(reply.resume == REPLY_FAIL, "%s: goes on", name);
        return;
    }
    check_info(name, scratch_rows[_i].good ? 0 : 2, scratch_rows[_i].good ? 0 : 3);
    ck_assert_msg(guest_rmp(&guest, GUEST_REGION(1))->flags ==
                      (scratch_rows[_i].good ? RMP_ASSIGNED : 0),
                  "%s: the page", name);
    if (scratch_rows[_i].good) {
        ck_assert_msg(host_load(scratch, 2) == 1, "%s: cur_entry", name);
    }
}
END_TEST

/* ---- page state changes ---- */

#define PAGE(n) (GUEST_REGION(1) + (n)*PAGE_SIZE)
#define PSC_MAX 4

/* What the pages of region 1 are before, and region 2. */
#define VALID_PAGE 5 /* private and validated */
#define SHARED_PAGE 6
#define LARGE_REGION GUEST_REGION(2) /* one private, validated 2 MiB entry */

static const struct {
    const char *name;
    uint16_t cur, end;
    uint64_t entry[PSC_MAX];
    uint64_t info2;
    uint16_t cur_after;
    uint64_t gpa; /* a page to look at afterwards */
    uint8_t flags;
} psc_rows[] = {
    {"one page private", 0, 0, {PAGE(0) | 1ULL << 52}, 0, 1, PAGE(0), RMP_ASSIGNED},
    {"one page shared", 0, 0, {PAGE(VALID_PAGE) | 2ULL << 52}, 0, 1, PAGE(VALID_PAGE), 0},
    {"private already: stays validated",
     0,
     0,
     {PAGE(VALID_PAGE) | 1ULL << 52},
     0,
     1,
     PAGE(VALID_PAGE),
     RMP_ASSIGNED | RMP_VALIDATED},
    {"shared already", 0, 0, {PAGE(SHARED_PAGE) | 2ULL << 52}, 0, 1, PAGE(SHARED_PAGE), 0},
    {"2 MiB private",
     0,
     0,
     {GUEST_REGION(3) | 1ULL << 52 | PSC_PAGE_SIZE_2M},
     0,
     1,
     GUEST_REGION(3) + 0x1FF000,
     RMP_ASSIGNED | RMP_LARGE},
    {"2 MiB shared",
     0,
     0,
     {LARGE_REGION | 2ULL << 52 | PSC_PAGE_SIZE_2M},
     0,
     1,
     LARGE_REGION + 0x1FF000,
     0},
    {"a part of a 2 MiB entry: it is split",
     0,
     0,
     {(LARGE_REGION + 0x3000) | 2ULL << 52},
     0,
     1,
     LARGE_REGION + 0x4000,
     RMP_ASSIGNED | RMP_VALIDATED},
    {"three entries",
     0,
     2,
     {PAGE(0) | 1ULL << 52, PAGE(1) | 1ULL << 52, PAGE(2) | 1ULL << 52},
     0,
     3,
     PAGE(2),
     RMP_ASSIGNED},
    {"from the second on",
     1,
     2,
     {PAGE(0) | 1ULL << 52, PAGE(1) | 1ULL << 52, PAGE(2) | 1ULL << 52},
     0,
     3,
     PAGE(0),
     0},
    {"nothing left to do", 1, 0, {PAGE(0) | 1ULL << 52}, 0, 1, PAGE(0), 0},
    {"the hint to split", 0, 0, {PAGE(0) | 3ULL << 52}, 0, 1, PAGE(0), 0},
    {"the hint to join",
     0,
     0,
     {PAGE(VALID_PAGE) | 4ULL << 52},
     0,
     1,
     PAGE(VALID_PAGE),
     RMP_ASSIGNED | RMP_VALIDATED},
    {"done already, says cur_page", 0, 0, {PAGE(0) | 1ULL << 52 | 1}, 0, 1, PAGE(0), 0},
    {"the rest of a large page",
     0,
     0,
     {GUEST_REGION(3) | 1ULL << 52 | PSC_PAGE_SIZE_2M | 0x100},
     0,
     1,
     GUEST_REGION(3) + 0x100000,
     RMP_ASSIGNED},
    /* Refused */
    {"253 is one entry too many",
     0,
     253,
     {PAGE(0) | 1ULL << 52},
     0x0000000100000001,
     0,
     PAGE(0),
     0},
    {"65535 entries", 0, 0xFFFF, {PAGE(0) | 1ULL << 52}, 0x0000000100000001, 0, PAGE(0), 0},
    {"operation 0", 0, 0, {PAGE(0)}, 0x0000000100000002, 0, PAGE(0), 0},
    {"operation 5", 0, 0, {PAGE(0) | 5ULL << 52}, 0x0000000100000002, 0, PAGE(0), 0},
    {"operation 15", 0, 0, {PAGE(0) | 15ULL << 52}, 0x0000000100000002, 0, PAGE(0), 0},
    {"2 MiB, not so aligned",
     0,
     0,
     {PAGE(1) | 1ULL << 52 | PSC_PAGE_SIZE_2M},
     0x0000000100000002,
     0,
     PAGE(1),
     0},
    {"cur_page beyond a page", 0, 0, {PAGE(0) | 1ULL << 52 | 2}, 0x0000000100000002, 0, PAGE(0), 0},
    {"cur_page beyond a large page",
     0,
     0,
     {GUEST_REGION(3) | 1ULL << 52 | PSC_PAGE_SIZE_2M | 0x201},
     0x0000000100000002,
     0,
     GUEST_REGION(3),
     0},
    {"the second of three is bad: the first is done",
     0,
     2,
     {PAGE(0) | 1ULL << 52, PAGE(1), PAGE(2) | 1ULL << 52},
     0x0000000100000002,
     1,
     PAGE(0),
     RMP_ASSIGNED},
    {"... and the third is not",
     0,
     2,
     {PAGE(0) | 1ULL << 52, PAGE(1), PAGE(2) | 1ULL << 52},
     0x0000000100000002,
     1,
     PAGE(2),
     0},
    {"no memory there", 0, 0, {ABSENT_GPA | 1ULL << 52}, 0x0000010000000000, 0, PAGE(0), 0},
};

START_TEST(psc_table)
{
    const char *name = psc_rows[_i].name;
    uint16_t header[4] = {psc_rows[_i].cur, psc_rows[_i].end, 0, 0};
    unsigned status;
    bool unchanged;

    machine_launch_page(&guest.machine, guest_page(&guest, PAGE(VALID_PAGE)));
    machine_assign(&guest.machine, guest_page(&guest, LARGE_REGION), true);
    rmp_validate(&guest.machine.rmp, guest_page(&guest, LARGE_REGION), true, true, &status,
                 &unchanged);
    host_store(BUFFER, header, sizeof(header));
    host_store(BUFFER + 8, psc_rows[_i].entry, sizeof(psc_rows[_i].entry));
    request(NAE_PAGE_STATE_CHANGE, 0, 0);
    put(FIELD_SCRATCH, BUFFER, true);
    exchange();
    check_info(name, 0, psc_rows[_i].info2);
    ck_assert_msg(host_load(BUFFER, 2) == psc_rows[_i].cur_after, "%s: cur_entry %llu", name,
                  (unsigned long long)host_load(BUFFER, 2));
    ck_assert_msg(guest_rmp(&guest, psc_rows[_i].gpa)->flags == psc_rows[_i].flags,
                  "%s: flags 0x%x", name, guest_rmp(&guest, psc_rows[_i].gpa)->flags);
    /* The rest of the list is left alone. */
    ck_assert_uint_eq(host_load(BUFFER + 2, 2), psc_rows[_i].end);
    for (size_t i = 0; i < PSC_MAX; i++) {
        ck_assert_uint_eq(host_load(BUFFER + 8 + i * 8, 8), psc_rows[_i].entry[i]);
    }
}
END_TEST

/* The longest list there is, in one exit. */
START_TEST(psc_full_list)
{
    const uint16_t header[4] = {0, PSC_ENTRY_MAX - 1, 0, 0};

    host_store(BUFFER, header, sizeof(header));
    for (uint64_t i = 0; i < PSC_ENTRY_MAX; i++) {
        uint64_t raw = psc_raw(PAGE(i), PSC_OP_PRIVATE, false);

        host_store(BUFFER + 8 + i * 8, &raw, 8);
    }
    request(NAE_PAGE_STATE_CHANGE, 0, 0);
    put(FIELD_SCRATCH, BUFFER, true);
    exchange();
    check_info("full", 0, 0);
    ck_assert_uint_eq(host_load(BUFFER, 2), PSC_ENTRY_MAX);
    for (uint64_t i = 0; i <= PSC_ENTRY_MAX; i++) {
        ck_assert_uint_eq(guest_rmp(&guest, PAGE(i))->flags, i < PSC_ENTRY_MAX ? RMP_ASSIGNED : 0);
    }
}
END_TEST

/* ---- the list of APIC IDs ---- */

#define LIST_PAGES 5

static const struct {
    const char *name;
    uint32_t cpus;
    uint64_t lent, gpa; /* RAX and SW_EXITINFO1 */
    uint64_t rax, info1, info2;
    bool listed;
} list_rows[] = {
    {"how many for 1 CPU", 1, 0, 0, 1, 0, 0, false},
    {"how many for 1023", 1023, 0, 0, 1, 0, 0, false},
    {"how many for 1024", 1024, 0, 0, 2, 0, 0, false},
    {"how many for 2047", 2047, 0, 0, 2, 0, 0, false},
    {"how many for 2048", 2048, 0, 0, 3, 0, 0, false},
    {"how many for 3071", 3071, 0, 0, 3, 0, 0, false},
    {"how many for 3072", 3072, 0, 0, 4, 0, 0, false},
    {"how many for 4095", 4095, 0, 0, 4, 0, 0, false},
    {"how many for 4096", 4096, 0, 0, 5, 0, 0, false},
    {"the list of 1", 1, 1, OTHER_GPA, 1, 0, 0, true},
    {"the list of 1023", 1023, 1, OTHER_GPA, 1, 0, 0, true},
    {"the list of 1024 into 1 page", 1024, 1, OTHER_GPA, 2, 0, 0, false},
    {"the list of 1024 into 2", 1024, 2, OTHER_GPA, 2, 0, 0, true},
    {"the list of 4096 into 5", 4096, 5, OTHER_GPA, 5, 0, 0, true},
    {"more pages than needed, RAX stays", 4, 7, OTHER_GPA, 7, 0, 0, true},
    {"2^52 pages", 4, 1ULL << 52, OTHER_GPA, 1ULL << 52, 0, 0, true},
    {"too few: the buffer is not looked at", 1024, 1, 0x123, 2, 0, 0, false},
    {"not aligned", 4, 1, OTHER_GPA + 4, 1, 2, 5, false},
    {"bit 52 of the address", 4, 1, OTHER_GPA | 1ULL << 52, 1, 2, 5, false},
    {"no memory", 4, 1, ABSENT_GPA, 1, 2, 5, false},
    {"a private page", 4, 1, PRIVATE_GPA, 1, 2, 5, false},
    {"the second page is private", 1024, 2, GUEST_GPA + GUEST_SHARED + 0xF000, 2, 2, 5, false},
    {"address zero", 4, 1, 0, 1, 2, 5, false},
};

START_TEST(list_table)
{
    const char *name = list_rows[_i].name;
    uint32_t cpus = list_rows[_i].cpus;

    hypervisor_config_init(&config, cpus);
    machine_launch_page(&guest.machine, guest_page(&guest, GUEST_GPA + GUEST_UNMAPPED - 0x10000));
    memset(guest_at(&guest, OTHER), 0xEE, PAGE_SIZE);
    request(NAE_APIC_ID_LIST, list_rows[_i].gpa, 0);
    put(FIELD_RAX, list_rows[_i].lent, true);
    exchange();
    check_info(name, list_rows[_i].info1, list_rows[_i].info2);
    ck_assert_msg(got(FIELD_RAX) == list_rows[_i].rax && marked(FIELD_RAX), "%s: RAX 0x%llx", name,
                  (unsigned long long)got(FIELD_RAX));
    /* Written to as well, with zero. */
    ck_assert(marked(FIELD_RBX) && marked(FIELD_RCX) && marked(FIELD_RDX));
    if (!list_rows[_i].listed) {
        ck_assert_msg(host_load(OTHER_GPA, 4) == 0xEEEEEEEE, "%s: written", name);
        return;
    }
    ck_assert_msg(host_load(OTHER_GPA, 4) == cpus, "%s: count", name);
    for (uint64_t id = 0; id < cpus; id++) {
        ck_assert_uint_eq(host_load(OTHER_GPA + 4 + 4 * id, 4), id);
    }
    if (cpus <= 1023) {
        ck_assert_uint_eq(host_load(OTHER_GPA + 4 + 4 * cpus, 1), cpus == 1023 ? 0 : 0xEE);
    }
}
END_TEST

/* ---- what a host may not do ---- */

START_TEST(writes_to_private_memory_are_denied)
{
    static const uint8_t bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    uint64_t last_shared = GUEST_GPA + GUEST_SHARED + 0xF000; /* private memory follows below */
    uint64_t before;

    machine_launch_page(&guest.machine, guest_page(&guest, OTHER_GPA + PAGE_SIZE));
    host_store(OTHER_GPA + PAGE_SIZE, "\x55\x55\x55\x55\x55\x55\x55\x55", 8);
    before = host_load(PRIVATE_GPA, 8);
    request(NAE_CPUID, 0, 0);
    take();
    events[0] = '\0';
    reply_write(&reply, PRIVATE_GPA, bytes, 8);
    reply_write(&reply, ABSENT_GPA, bytes, 8);
    reply_write(&reply, OTHER_GPA + PAGE_SIZE - 4, bytes, 8); /* half of it is allowed */
    reply_write(&reply, last_shared, bytes, 8);               /* all of it is */
    carry_out();
    ck_assert_uint_eq(host_load(PRIVATE_GPA, 8), before);
    ck_assert_uint_eq(host_load(OTHER_GPA + PAGE_SIZE - 4, 4), 0x04030201);
    ck_assert_uint_eq(host_load(OTHER_GPA + PAGE_SIZE, 8), 0x5555555555555555);
    ck_assert_uint_eq(host_load(last_shared, 8), 0x0807060504030201);
    ck_assert_str_eq(events, "denied write;denied write;denied write;");
}
END_TEST

START_TEST(watches_on_private_memory_are_denied)
{
    struct reply_watch watch = {.gpa = PRIVATE_GPA, .size_bytes = 4, .nth = 1};

    request(NAE_CPUID, 0, 0);
    take();
    events[0] = '\0';
    reply_watch_add(&reply, &watch);
    watch.gpa = ABSENT_GPA;
    reply_watch_add(&reply, &watch);
    watch.gpa = OTHER_GPA;
    reply_watch_add(&reply, &watch);
    carry_out();
    ck_assert_str_eq(events, "denied watch;denied watch;");
    ck_assert_uint_eq(watches, 1);
}
END_TEST

/* Which vCPU and VMPL, as far as there are save areas. */
START_TEST(who_runs)
{
    const struct vcpu_slot *slot = hypervisor.vcpus.slot;

    request(NAE_CPUID, 0, 0);
    take();
    events[0] = '\0';
    reply_run_vcpu(&reply, hypervisor.vcpus.count);
    reply_stop_vcpu(&reply, hypervisor.vcpus.count);
    reply_run_vcpu(&reply, 1);
    reply_run_vmpl(&reply, 1, true);
    reply_run_vmpl(&reply, VMPL_COUNT, true);
    reply_run_vmpl(&reply, 0, true);
    carry_out();
    ck_assert_str_eq(events, "denied run_vcpu;denied stop_vcpu;denied run_vcpu;denied run_vmpl;"
                             "denied run_vmpl;run_vmpl;");
    ck_assert(!hypervisor.vcpus.chosen);
    take();
    events[0] = '\0';
    reply_vcpu_start(&reply, &(struct reply_vcpu){.apic_id = slot[1].apic_id, .now = true},
                     PRIVATE_GPA);
    reply_run_vcpu(&reply, 1);
    reply_stop_vcpu(&reply, 1);
    reply_run_vcpu(&reply, 1);
    reply_vcpu_start(&reply, &(struct reply_vcpu){.apic_id = slot[1].apic_id, .now = true},
                     PRIVATE_GPA);
    carry_out();
    ck_assert_str_eq(events, "run_vcpu;stop_vcpu;denied run_vcpu;");
    ck_assert(hypervisor.vcpus.chosen && hypervisor.vcpus.choice == 1);
    ck_assert_int_eq(slot[1].activity, VCPU_STOPPED); /* for ever */
    ck_assert_uint_eq(hypervisor.vcpus.runnable, 1);
}
END_TEST

static const struct reply_action *kept_action;

static int on_later(void *context, const struct reply_action *action, const uint8_t *data,
                    struct error *error)
{
    (void)context;
    (void)data;
    (void)error;
    kept_action = action;
    return 0;
}

/* An action with a delay is handed on, and judged when it is carried out: nobody asked for it. */
START_TEST(what_comes_later)
{
    const struct answer_ops ops = {.later = on_later};
    uint32_t page = memory_page(&guest.machine.memory, OTHER_GPA);

    request(NAE_CPUID, 0, 0);
    take();
    events[0] = '\0';
    reply_assign(&reply, OTHER_GPA, PAGE_SIZE);
    reply_defer(&reply, 0, &(struct reply_delay){.instructions = 5});
    ck_assert_uint_eq(reply_drop_page_state(&reply, OTHER_GPA, PAGE_SIZE), 0);
    ck_assert_int_eq(ghcb_answer(&guest.trap, &hypervisor, &exit_, &reply, &ops, &guest.error), 0);
    ck_assert_ptr_eq(kept_action, &reply.action[0]);
    ck_assert_str_eq(events, "");
    ck_assert(hypervisor_shares(&hypervisor, OTHER_GPA));
    reply_reset(&reply);
    reply_assign(&reply, OTHER_GPA, PAGE_SIZE);
    ck_assert_int_eq(ghcb_act(&guest.trap, &hypervisor, NULL, &reply, &ops, &guest.error), 0);
    ck_assert_str_eq(events, "after assign;rmpupdate assign;");
    ck_assert(!hypervisor_shares(&hypervisor, OTHER_GPA));
    ck_assert(guest.machine.memory.flags[page] & MEMORY_HOST_FAULT);
}
END_TEST

/* At an exit whose vCPU is not resumed. */
START_TEST(no_event_for_who_waits)
{
    const struct answer_ops ops = {.later = on_later};

    request(NAE_AP_RESET_HOLD, 0, 0);
    take();
    events[0] = '\0';
    reply_inject(&reply, &(struct reply_event){.vector = VECTOR_HV});
    ck_assert_int_eq(ghcb_act(&guest.trap, &hypervisor, &exit_, &reply, &ops, &guest.error), 0);
    ck_assert_str_eq(events, "denied inject;");
}
END_TEST

START_TEST(page_states_that_cannot_be)
{
    request(NAE_CPUID, 0, 0);
    take();
    events[0] = '\0';
    reply_assign(&reply, ABSENT_GPA, PAGE_SIZE);
    reply_assign(&reply, PAGE(1), LARGE_PAGE_SIZE);
    reply_unassign(&reply, PAGE(0) + 0x10, PAGE_SIZE);
    reply_assign(&reply, ~PAGE_MASK, PAGE_SIZE);
    carry_out();
    ck_assert_ptr_nonnull(strstr(events, "denied page state;denied page state;denied page state;"
                                         "denied page state;"));
    ck_assert_uint_eq(guest_rmp(&guest, PAGE(0))->flags | guest_rmp(&guest, PAGE(1))->flags, 0);
}
END_TEST

/* One row, one RMPUPDATE; the page of `gpa` is the guest's and validated, 4 KiB. */
static const struct {
    const char *name;
    struct reply_rmpupdate operand;
    uint64_t gpa, size_bytes;
    const char *events;
} update_rows[] = {
    {"another guest", {true, false, 2, PAGE(0)}, PAGE(0), PAGE_SIZE, "rmpupdate set;"},
    {"another address", {true, false, 1, PAGE(1)}, PAGE(0), PAGE_SIZE, "rmpupdate set;"},
    {"immutable", {true, true, 1, PAGE(0)}, PAGE(0), PAGE_SIZE, "rmpupdate set;"},
    {"the AMD-SP", {true, true, 0, PAGE(0)}, PAGE(0), PAGE_SIZE, "rmpupdate set;"},
    {"nobody", {true, false, 0, PAGE(0)}, PAGE(0), PAGE_SIZE, "denied rmpupdate;"},
    {"nobody's guest", {false, false, 2, PAGE(0)}, PAGE(0), PAGE_SIZE, "denied rmpupdate;"},
    {"large over small", {true, false, 1, PAGE(0)}, PAGE(0), LARGE_PAGE_SIZE, "denied rmpupdate;"},
    {"large, not aligned",
     {true, false, 1, PAGE(0)},
     PAGE(1),
     LARGE_PAGE_SIZE,
     "denied rmpupdate;"},
    {"large at a small address",
     {true, false, 1, PAGE(1)},
     PAGE(0),
     LARGE_PAGE_SIZE,
     "denied rmpupdate;"},
    {"inside a page", {true, false, 1, PAGE(0)}, PAGE(0) + 8, PAGE_SIZE, "denied rmpupdate;"},
    {"absent", {true, false, 1, PAGE(0)}, ABSENT_GPA, PAGE_SIZE, "denied rmpupdate;"},
    {"absent address", {true, false, 1, ABSENT_GPA}, PAGE(0), PAGE_SIZE, "denied rmpupdate;"},
    {"top of all", {true, false, 1, ~PAGE_MASK}, ~PAGE_MASK, PAGE_SIZE, "denied rmpupdate;"},
};

START_TEST(rmpupdate_table)
{
    const uint32_t page = guest_page(&guest, PAGE(0));
    bool denied = strstr(update_rows[_i].events, "denied") != NULL;

    machine_launch_page(&guest.machine, page);
    request(NAE_CPUID, 0, 0);
    take();
    events[0] = '\0';
    reply_rmpupdate(&reply, update_rows[_i].gpa, update_rows[_i].size_bytes,
                    &update_rows[_i].operand);
    carry_out();
    ck_assert_msg(strcmp(events, update_rows[_i].events) == 0, "%s: %s", update_rows[_i].name,
                  events);
    ck_assert_msg(!(guest_rmp(&guest, PAGE(0))->flags & RMP_VALIDATED) == !denied, "%s: validated",
                  update_rows[_i].name);
    ck_assert_msg(!(guest.machine.memory.flags[page] & MEMORY_HOST_FAULT) == denied, "%s: blame",
                  update_rows[_i].name);
    if (!denied) {
        ck_assert_uint_eq(rmp_asid(&guest.machine.rmp, page), update_rows[_i].operand.asid);
        ck_assert_uint_eq(rmp_guest_page(&guest.machine.rmp, page),
                          guest_page(&guest, update_rows[_i].operand.at_gpa));
    }
}
END_TEST

START_TEST(nested_map_is_the_hosts)
{
    request(NAE_CPUID, 0, 0);
    take();
    events[0] = '\0';
    reply_swap(&reply, PAGE(0), PAGE(1));
    reply_remap(&reply, PAGE(2), PAGE(0));
    reply_remap(&reply, PAGE(2), ABSENT_GPA);
    reply_swap(&reply, ABSENT_GPA, PAGE(0));
    reply_swap(&reply, PAGE(0) + 1, PAGE(1));
    reply_psmash(&reply, PAGE(0));
    reply_psmash(&reply, ABSENT_GPA);
    carry_out();
    ck_assert_str_eq(events, "nested_map swap;nested_map remap;denied remap;denied swap;"
                             "denied swap;denied psmash;denied psmash;");
    ck_assert_uint_eq(memory_page(&guest.machine.memory, PAGE(2)),
                      memory_guest_page(&guest.machine.memory, PAGE(1)));
}
END_TEST

/* An immutable page stays what it is; the others of the same change do not mind. */
START_TEST(immutable_pages_do_not_change_hands)
{
    const struct reply_rmpupdate frozen = {.immutable = true, .at_gpa = PAGE(1)};

    request(NAE_CPUID, 0, 0);
    take();
    events[0] = '\0';
    reply_rmpupdate(&reply, PAGE(1), PAGE_SIZE, &frozen);
    reply_assign(&reply, PAGE(1), PAGE_SIZE);
    reply_assign(&reply, PAGE(2), PAGE_SIZE);
    reply_unassign(&reply, PAGE(1), PAGE_SIZE); /* it is the host's already */
    carry_out();
    ck_assert_ptr_nonnull(strstr(events, "rmpupdate set;denied page state;rmpupdate assign;"));
    ck_assert_uint_eq(guest_rmp(&guest, PAGE(1))->flags, RMP_IMMUTABLE);
    ck_assert_uint_eq(guest_rmp(&guest, PAGE(2))->flags, RMP_ASSIGNED);
}
END_TEST

/* The host takes the GHCB away in the same reply: there is nothing to answer into. */
START_TEST(the_page_itself_becomes_private)
{
    request(NAE_CPUID, 0, 0);
    put(FIELD_RAX, 0, true);
    put(FIELD_RCX, 0, true);
    take();
    events[0] = '\0';
    hypervisor_answer(&hypervisor, &exit_, &reply);
    reply_assign(&reply, GHCB_GPA, PAGE_SIZE);
    carry_out();
    ck_assert_ptr_nonnull(strstr(events, "denied answer;"));
    ck_assert_ptr_nonnull(strstr(events, "rmpupdate assign;"));
    ck_assert_uint_eq(guest_rmp(&guest, GHCB_GPA)->flags, RMP_ASSIGNED);
}
END_TEST

/*
 * A list whose header the guest spoiled asks for nothing: the host does nothing, a page that it
 * gives all the same is unasked, and what it did not give is not its fault.
 */
static const struct {
    const char *name;
    uint16_t cur, end;
    uint32_t at; /* in the buffer */
    uint64_t info2;
    bool asks; /* for both pages */
} bound_rows[] = {
    {"two entries", 0, 1, 0, PSC_INFO2_GENERIC, true},
    {"the last entry that is one", 0, 252, 0, PSC_INFO2_GENERIC, true},
    {"one too many", 0, 253, 0, PSC_INFO2_INVALID_HEADER, false},
    {"65536 entries", 0, 0xFFFF, 0, PSC_INFO2_INVALID_HEADER, false},
    {"the first is too high", 253, 253, 0, PSC_INFO2_INVALID_HEADER, false},
    {"both are as high as can be", 0xFFFF, 0xFFFF, 0, PSC_INFO2_INVALID_HEADER, false},
    {"the first after the last", 1, 0, 0, 0, false},
    {"the first after all that can be", 0xFFFF, 252, 0, 0, false},
    {"as high as can be, and none", 0xFFFF, 0, 0, 0, false},
    {"room for the first alone", 0, 1, GHCB_SHARED_BUFFER_SIZE - 16, PSC_INFO2_INVALID_HEADER,
     false},
};

START_TEST(lists_out_of_bounds)
{
    const char *name = bound_rows[_i].name;
    const uint16_t header[4] = {bound_rows[_i].cur, bound_rows[_i].end, 0, 0};
    const uint64_t entry[2] = {psc_raw(ABSENT_GPA, PSC_OP_PRIVATE, false),
                               psc_raw(PAGE(1), PSC_OP_PRIVATE, false)};
    bool asks = bound_rows[_i].asks;
    bool fits = bound_rows[_i].at == 0;

    host_store(BUFFER + bound_rows[_i].at, header, sizeof(header));
    host_store(BUFFER + bound_rows[_i].at + 8, entry, fits ? 16 : 8);
    request(NAE_PAGE_STATE_CHANGE, 0, 0);
    put(FIELD_SCRATCH, BUFFER + bound_rows[_i].at, true);
    take();
    hypervisor_answer(&hypervisor, &exit_, &reply);
    events[0] = '\0';
    carry_out();
    check_info(name, 0, bound_rows[_i].info2);
    ck_assert_msg(guest_rmp(&guest, PAGE(1))->flags == 0, "%s: given", name);
    ck_assert_msg(!(guest.machine.memory.flags[guest_page(&guest, PAGE(1))] & MEMORY_HOST_FAULT) ==
                      !asks,
                  "%s: blame", name);
    reply_reset(&reply);
    reply_assign(&reply, PAGE(1), PAGE_SIZE);
    carry_out();
    ck_assert_msg(!strstr(events, "rmpupdate assign") == asks, "%s: %s", name, events);
}
END_TEST

/* Whose fault is a nested page fault? The host's, for pages it did not treat as asked. */
static const struct {
    const char *name;
    bool asked, done, uninvited;
    bool blamed;
} blame_rows[] = {
    {"asked for and done", true, true, false, false},
    {"asked for and not done", true, false, false, true},
    {"neither", false, false, false, false},
    {"not asked for and done", false, false, true, true},
};

START_TEST(blame_table)
{
    uint64_t list[2] = {0, psc_raw(PAGE(0), PSC_OP_PRIVATE, false)};

    if (!blame_rows[_i].asked) {
        list[1] = psc_raw(PAGE(1), PSC_OP_PRIVATE, false);
    }
    host_store(BUFFER, list, sizeof(list));
    request(NAE_PAGE_STATE_CHANGE, 0, 0);
    put(FIELD_SCRATCH, BUFFER, true);
    take();
    hypervisor_answer(&hypervisor, &exit_, &reply);
    if (blame_rows[_i].asked && !blame_rows[_i].done) {
        ck_assert_uint_eq(reply_drop_page_state(&reply, PAGE(0), PAGE_SIZE), 1);
    }
    if (blame_rows[_i].uninvited) {
        reply_assign(&reply, PAGE(0), PAGE_SIZE);
    }
    carry_out();
    ck_assert_msg(!(guest.machine.memory.flags[guest_page(&guest, PAGE(0))] & MEMORY_HOST_FAULT) ==
                      !blame_rows[_i].blamed,
                  "%s", blame_rows[_i].name);
}
END_TEST

/* ---- which page is the GHCB ---- */

static const struct {
    const char *name;
    bool registered;
    uint64_t registered_gpa, msr;
    bool private_page;
    const char *why; /* NULL: taken */
} place_rows[] = {
    {"registered", true, GHCB_GPA, GHCB_GPA, false, NULL},
    {"never registered", false, 0, GHCB_GPA, false, "is not registered"},
    {"another was registered", true, OTHER_GPA, GHCB_GPA, false, "is not registered"},
    {"address zero", true, GHCB_GPA, 0, false, "is not registered"},
    {"zero, never registered", false, 0, 0, false, "is not registered"},
    {"registered, private since", true, GHCB_GPA, GHCB_GPA, true, "is not a shared page"},
    {"registered, no memory", true, ABSENT_GPA, ABSENT_GPA, false, "is not a shared page"},
};

START_TEST(place_table)
{
    char why[96] = "";
    bool taken;

    vcpus_current_level(&hypervisor.vcpus)->registered = place_rows[_i].registered;
    vcpus_current_level(&hypervisor.vcpus)->registered_gpa = place_rows[_i].registered_gpa;
    guest.machine.state.ghcb_msr = place_rows[_i].msr;
    if (place_rows[_i].private_page) {
        machine_assign(&guest.machine, guest_page(&guest, GHCB_GPA), false);
    }
    taken = ghcb_take_exit(&guest.machine, &hypervisor, &exit_, why, sizeof(why));
    ck_assert_msg(taken == (place_rows[_i].why == NULL), "%s: %s", place_rows[_i].name, why);
    ck_assert_msg(taken || strstr(why, place_rows[_i].why), "%s: %s", place_rows[_i].name, why);
}
END_TEST

/* ---- the MSR protocol ---- */

static const struct {
    const char *name;
    uint64_t request, response;
} msr_rows[] = {
    {"versions 1 to 2, C-bit 51", 0x002, 2ULL << 48 | 1ULL << 32 | 51ULL << 24 | 0x001},
    {"features 0x37", 0x080, 0x37ULL << 12 | 0x081},
    {"preferred address: none", 0x010, 0xFFFFFFFFFFFFF000 | 0x011},
    {"register", OTHER_GPA | 0x012, OTHER_GPA | 0x013},
    {"private", PAGE(0) | 1ULL << 52 | 0x014, 0x015},
    {"shared", PAGE(VALID_PAGE) | 2ULL << 52 | 0x014, 0x015},
    {"CPUID 0x8000001F, EBX", 0x8000001FULL << 32 | 1ULL << 30 | 0x004,
     0x00004033ULL << 32 | 1ULL << 30 | 0x005},
};

START_TEST(msr_table)
{
    const char *name = msr_rows[_i].name;

    machine_launch_page(&guest.machine, guest_page(&guest, PAGE(VALID_PAGE)));
    guest.machine.state.ghcb_msr = msr_rows[_i].request;
    exchange();
    ck_assert_msg(guest.machine.state.ghcb_msr == msr_rows[_i].response, "%s: 0x%llx", name,
                  (unsigned long long)guest.machine.state.ghcb_msr);
    ck_assert_int_eq(exit_.protocol, EXIT_MSR);
    /* What the requests of this table did. */
    ck_assert_uint_eq(guest_rmp(&guest, PAGE(0))->flags,
                      strcmp(name, "private") == 0 ? RMP_ASSIGNED : 0);
    ck_assert_uint_eq(guest_rmp(&guest, PAGE(VALID_PAGE))->flags,
                      strcmp(name, "shared") == 0 ? 0 : RMP_ASSIGNED | RMP_VALIDATED);
    ck_assert_uint_eq(vcpus_current_level(&hypervisor.vcpus)->registered_gpa,
                      strcmp(name, "register") == 0 ? OTHER_GPA : GHCB_GPA);
}
END_TEST

static const uint64_t msr_psc_errors[] = {
    PAGE(0) | 0x014,              /* operation 0 */
    PAGE(0) | 3ULL << 52 | 0x014, /* an operation that this form does not have */
    ABSENT_GPA | 1ULL << 52 | 0x014,
};

START_TEST(msr_page_state_errors)
{
    guest.machine.state.ghcb_msr = msr_psc_errors[_i];
    exchange();
    ck_assert_uint_eq(guest.machine.state.ghcb_msr & GHCB_MSR_INFO_MASK, 0x015);
    ck_assert_uint_ne(guest.machine.state.ghcb_msr >> 32, 0);
    ck_assert_uint_eq(guest_rmp(&guest, PAGE(0))->flags, 0);
}
END_TEST

/* A host that does not echo the address has not registered it. */
START_TEST(registration_needs_the_echo)
{
    vcpus_current_level(&hypervisor.vcpus)->registered = false;
    guest.machine.state.ghcb_msr = OTHER_GPA | GHCB_MSR_REGISTER_REQ;
    take();
    reply_set_msr(&reply, (OTHER_GPA + PAGE_SIZE) | GHCB_MSR_REGISTER_RESP);
    carry_out();
    ck_assert(!vcpus_current_level(&hypervisor.vcpus)->registered);
    guest.machine.state.ghcb_msr = OTHER_GPA | GHCB_MSR_REGISTER_REQ;
    take();
    reply_set_msr(&reply, OTHER_GPA | GHCB_MSR_REGISTER_RESP);
    carry_out();
    ck_assert(vcpus_current_level(&hypervisor.vcpus)->registered);
    ck_assert_uint_eq(vcpus_current_level(&hypervisor.vcpus)->registered_gpa, OTHER_GPA);
}
END_TEST

static const struct {
    const char *name;
    uint64_t msr;
    uint8_t set, code;
} termination_rows[] = {
    {"general, unspecified", 0x100, 0, 0},
    {"0xf:0x6", 0x06F100, 0xF, 6},
    {"0x1:0xff", 0xFF1100, 1, 0xFF},
};

START_TEST(termination_table)
{
    uint8_t set = 0xAA, code = 0xAA;

    guest.machine.state.ghcb_msr = termination_rows[_i].msr;
    take();
    ck_assert_str_eq(exit_.name, "msr_terminate");
    ck_assert(exit_termination(&exit_, &set, &code));
    ck_assert_msg(set == termination_rows[_i].set && code == termination_rows[_i].code, "%s",
                  termination_rows[_i].name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exit");
    TCase *page = tcase_create("page");
    TCase *msr = tcase_create("msr");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, page);
    tcase_add_checked_fixture(page, setup, teardown);
    tcase_add_test(page, vmgexit);
    tcase_add_test(page, fields_are_copied);
    tcase_add_loop_test(page, mark_table, 0, COUNT(mark_rows));
    tcase_add_test(page, answer_marks_six_fields);
    tcase_add_test(page, a_refusal_is_marked_alike);
    tcase_add_test(page, a_host_may_keep_marks_or_leave_fields);
    tcase_add_loop_test(page, scratch_table, 0, COUNT(scratch_rows));
    tcase_add_loop_test(page, psc_table, 0, COUNT(psc_rows));
    tcase_add_test(page, psc_full_list);
    tcase_add_loop_test(page, list_table, 0, COUNT(list_rows));
    tcase_add_test(page, writes_to_private_memory_are_denied);
    tcase_add_test(page, watches_on_private_memory_are_denied);
    tcase_add_test(page, who_runs);
    tcase_add_test(page, what_comes_later);
    tcase_add_test(page, no_event_for_who_waits);
    tcase_add_test(page, page_states_that_cannot_be);
    tcase_add_loop_test(page, rmpupdate_table, 0, sizeof(update_rows) / sizeof(update_rows[0]));
    tcase_add_test(page, nested_map_is_the_hosts);
    tcase_add_test(page, immutable_pages_do_not_change_hands);
    tcase_add_loop_test(page, lists_out_of_bounds, 0, sizeof(bound_rows) / sizeof(bound_rows[0]));
    tcase_add_test(page, the_page_itself_becomes_private);
    tcase_add_loop_test(page, blame_table, 0, COUNT(blame_rows));
    tcase_add_loop_test(page, place_table, 0, COUNT(place_rows));

    suite_add_tcase(suite, msr);
    tcase_add_checked_fixture(msr, setup, teardown);
    tcase_add_loop_test(msr, msr_table, 0, COUNT(msr_rows));
    tcase_add_loop_test(msr, msr_page_state_errors, 0, COUNT(msr_psc_errors));
    tcase_add_test(msr, registration_needs_the_echo);
    tcase_add_loop_test(msr, termination_table, 0, COUNT(termination_rows));

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
