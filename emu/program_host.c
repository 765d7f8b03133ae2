/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor of a program: the public form of an exit and of an answer.
 */
#include "program_host.h"

#include <inttypes.h>
#include <string.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/table.h"
#include "host/callback.h"

/* The public numbers are the private ones. */
_Static_assert((int)SNPEMU_CPL == FIELD_CPL && (int)SNPEMU_RAX == FIELD_RAX &&
                   (int)SNPEMU_CODE == FIELD_CODE && (int)SNPEMU_XCR0 == FIELD_XCR0 &&
                   (int)SNPEMU_FIELD_COUNT == FIELD_COUNT,
               "field");
_Static_assert((int)SNPEMU_EXCEPTION == REPLY_EVENT_EXCEPTION &&
                   (int)SNPEMU_INTERRUPT == REPLY_EVENT_INTERRUPT &&
                   (int)SNPEMU_NMI == REPLY_EVENT_NMI,
               "event");
_Static_assert(SNPEMU_LENT_MAX == EXIT_BUFFER_MAX, "lent");

#define GPA_LIMIT (1ULL << 52)
#define VECTOR_NMI 2

/* What a reply is inside. */
struct snpemu_reply {
    struct callback callback;
};

static void fill_exit(const struct callback *callback, struct snpemu_exit *out)
{
    const struct exit *exit = callback->exit;
    struct exit_buffer buffer[EXIT_BUFFER_MAX];

    *out = (struct snpemu_exit){
        .name = exit->name,
        .number = exit->number,
        .nth = exit->nth,
        .time = exit->time,
        .vcpu = exit->vcpu,
        .apic_id = exit->apic_id,
        .vmpl = exit->vmpl,
        .has_page = exit->protocol == EXIT_PAGE,
        .msr = exit->msr,
    };
    if (!out->has_page) {
        return;
    }
    out->ghcb_gpa = exit->ghcb_gpa;
    out->version = exit->version;
    out->usage = exit->usage;
    out->marked = exit->marked;
    memcpy(out->field, exit->field, sizeof(out->field));
    out->scratch = exit->scratch;
    out->scratch_size = exit->scratch_size_bytes;
    out->scratch_gpa = exit->scratch_gpa;
    out->lent_count = exit_buffers(callback->hypervisor, exit, buffer);
    for (size_t i = 0; i < out->lent_count; i++) {
        out->lent[i].gpa = buffer[i].gpa;
        out->lent[i].size = buffer[i].size_bytes;
    }
}

static void ask_program(void *context, struct callback *callback)
{
    struct program_host *program = context;
    struct snpemu_exit exit;

    fill_exit(callback, &exit);
    program->answer(program->context, &exit, (struct snpemu_reply *)callback);
}

int program_host_new(struct host **host, struct program_host *program, struct error *error)
{
    *host = callback_host_new(ask_program, program);
    return *host ? SNPEMU_OK : error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
}

/* ---- what an answer must not be ---- */

static struct callback *touch(struct snpemu_reply *reply)
{
    reply->callback.touched = true;
    return &reply->callback;
}

static bool has_page(struct callback *callback, const char *what)
{
    if (callback->exit->protocol != EXIT_PAGE) {
        callback_fail(callback, "%s: this exit has no GHCB page; its answer is the MSR", what);
    }
    return callback->exit->protocol == EXIT_PAGE;
}

static bool is_field(struct callback *callback, const char *what, enum snpemu_field field)
{
    bool known = (unsigned)field < SNPEMU_FIELD_COUNT;

    if (!known) {
        callback_fail(callback, "%s: there is no field %u", what, (unsigned)field);
    }
    return known && has_page(callback, what);
}

static bool is_range(struct callback *callback, const char *what, uint64_t gpa, uint64_t size)
{
    bool inside = gpa < GPA_LIMIT && size <= GPA_LIMIT - gpa;

    if (!inside) {
        callback_fail(callback, "%s: gpa 0x%" PRIx64 ", 0x%" PRIx64 " bytes: above 52 bits", what,
                      gpa, size);
    }
    return inside;
}

static bool is_page(struct callback *callback, const char *what, uint64_t gpa, uint64_t size)
{
    if ((size != PAGE_SIZE && size != LARGE_PAGE_SIZE) || gpa & (size - 1)) {
        callback_fail(callback,
                      "%s: gpa 0x%" PRIx64 ", 0x%" PRIx64 " bytes: no page of 4 KiB or 2 MiB", what,
                      gpa, size);
        return false;
    }
    return is_range(callback, what, gpa, size);
}

static bool is_vcpu(struct callback *callback, const char *what, uint32_t vcpu)
{
    uint32_t count = callback->hypervisor->vcpus.count;

    if (vcpu >= count) {
        callback_fail(callback, "%s: there is no vCPU %" PRIu32 ": they are 0 to %" PRIu32, what,
                      vcpu, count - 1);
    }
    return vcpu < count;
}

/* The actions since there were `first` of them wait as long as the program says. */
static void added(struct callback *callback, size_t first)
{
    if (callback->delay.instructions) {
        reply_defer(callback->reply, first, &callback->delay);
    }
}

/* ---- GHCB page and MSR ---- */

void snpemu_reply_honest(struct snpemu_reply *reply)
{
    callback_honest(&reply->callback);
}

void snpemu_reply_set(struct snpemu_reply *reply, enum snpemu_field field, uint64_t value)
{
    struct callback *callback = touch(reply);

    if (!is_field(callback, "set", field)) {
        return;
    }
    if (ghcb_field_rows[field].size_bytes == 1 && value > UINT8_MAX) {
        callback_fail(callback, "set: %s has one byte, 0x%" PRIx64 " does not fit",
                      ghcb_field_rows[field].name, value);
        return;
    }
    reply_set(callback->reply, (enum ghcb_field)field, value);
}

void snpemu_reply_mark(struct snpemu_reply *reply, enum snpemu_field field)
{
    struct callback *callback = touch(reply);

    if (is_field(callback, "mark", field)) {
        callback->reply->marked |= FIELD_BIT(field);
    }
}

void snpemu_reply_leave(struct snpemu_reply *reply, enum snpemu_field field)
{
    struct callback *callback = touch(reply);

    if (is_field(callback, "leave", field)) {
        reply_leave(callback->reply, (enum ghcb_field)field);
    }
}

void snpemu_reply_keep_marks(struct snpemu_reply *reply)
{
    struct callback *callback = touch(reply);

    if (has_page(callback, "keep_marks")) {
        callback->reply->keep_marks = true;
    }
}

void snpemu_reply_set_msr(struct snpemu_reply *reply, uint64_t value)
{
    reply_set_msr(touch(reply)->reply, value);
}

bool snpemu_reply_field(const struct snpemu_reply *reply, enum snpemu_field field, uint64_t *value)
{
    const struct reply *inside = reply->callback.reply;

    if ((unsigned)field >= SNPEMU_FIELD_COUNT || !(inside->written & FIELD_BIT(field))) {
        return false;
    }
    *value = inside->field[field];
    return true;
}

bool snpemu_reply_msr(const struct snpemu_reply *reply, uint64_t *value)
{
    if (reply->callback.reply->msr_written) {
        *value = reply->callback.reply->msr;
    }
    return reply->callback.reply->msr_written;
}

void snpemu_reply_repeat(struct snpemu_reply *reply)
{
    struct callback *callback = touch(reply);

    reply_repeat(callback->reply, callback->exit->protocol == EXIT_PAGE,
                 &vcpus_current_level(&callback->hypervisor->vcpus)->answer);
}

void snpemu_reply_refuse(struct snpemu_reply *reply, const char *reason)
{
    reply_refuse(touch(reply)->reply, reason);
}

void snpemu_reply_exception(struct snpemu_reply *reply, uint8_t vector)
{
    struct callback *callback = touch(reply);

    if (has_page(callback, "exception")) {
        reply_exception(callback->reply, vector, false, 0);
    }
}

void snpemu_reply_apic_ids(struct snpemu_reply *reply, uint32_t count, const uint32_t *id,
                           size_t id_count)
{
    struct callback *callback = touch(reply);
    const struct exit *exit = callback->exit;
    uint64_t gpa = exit_field(exit, FIELD_INFO1);
    size_t first;

    if (exit->protocol != EXIT_PAGE || exit->row->code != NAE_APIC_ID_LIST || gpa == 0) {
        callback_fail(callback, "apic_ids: the guest lends no list in this exit");
        return;
    }
    if (id_count > HYPERVISOR_APIC_ID_MAX) {
        callback_fail(callback, "apic_ids: more than %d IDs", HYPERVISOR_APIC_ID_MAX);
        return;
    }
    if (!is_range(callback, "apic_ids", gpa, APIC_ID_LIST_HEADER_SIZE + id_count * sizeof(*id))) {
        return;
    }
    reply_drop_writes(callback->reply, gpa);
    reply_drop_writes(callback->reply, gpa + APIC_ID_LIST_HEADER_SIZE);
    first = callback->reply->action_count;
    reply_write(callback->reply, gpa, &count, sizeof(count));
    reply_write(callback->reply, gpa + APIC_ID_LIST_HEADER_SIZE, id, id_count * sizeof(*id));
    added(callback, first);
}

/* ---- memory, RMP, vCPUs ---- */

void snpemu_reply_write(struct snpemu_reply *reply, uint64_t gpa, const void *bytes, size_t size)
{
    struct callback *callback = touch(reply);
    size_t first = callback->reply->action_count;

    if (is_range(callback, "write", gpa, size)) {
        reply_write(callback->reply, gpa, bytes, size);
        added(callback, first);
    }
}

static void page_action(struct snpemu_reply *reply, const char *name, uint64_t gpa, uint64_t size,
                        bool (*act)(struct reply *reply, uint64_t gpa, uint64_t size_bytes))
{
    struct callback *callback = touch(reply);
    size_t first = callback->reply->action_count;

    if (is_page(callback, name, gpa, size)) {
        act(callback->reply, gpa, size);
        added(callback, first);
    }
}

void snpemu_reply_assign(struct snpemu_reply *reply, uint64_t gpa, uint64_t size)
{
    page_action(reply, "assign", gpa, size, reply_assign);
}

void snpemu_reply_unassign(struct snpemu_reply *reply, uint64_t gpa, uint64_t size)
{
    page_action(reply, "unassign", gpa, size, reply_unassign);
}

void snpemu_reply_psmash(struct snpemu_reply *reply, uint64_t gpa)
{
    struct callback *callback = touch(reply);
    size_t first = callback->reply->action_count;

    if (is_page(callback, "psmash", gpa, PAGE_SIZE)) {
        reply_psmash(callback->reply, gpa);
        added(callback, first);
    }
}

static void pair_action(struct snpemu_reply *reply, const char *name, uint64_t gpa,
                        uint64_t other_gpa,
                        bool (*act)(struct reply *reply, uint64_t gpa, uint64_t other_gpa))
{
    struct callback *callback = touch(reply);
    size_t first = callback->reply->action_count;

    if (is_page(callback, name, gpa, PAGE_SIZE) && is_page(callback, name, other_gpa, PAGE_SIZE)) {
        act(callback->reply, gpa, other_gpa);
        added(callback, first);
    }
}

void snpemu_reply_remap(struct snpemu_reply *reply, uint64_t gpa, uint64_t to_gpa)
{
    pair_action(reply, "remap", gpa, to_gpa, reply_remap);
}

void snpemu_reply_swap(struct snpemu_reply *reply, uint64_t gpa, uint64_t with_gpa)
{
    pair_action(reply, "swap", gpa, with_gpa, reply_swap);
}

static bool is_watch(struct callback *callback, const struct snpemu_watch *watch)
{
    bool sized = watch->size == 1 || watch->size == 2 || watch->size == 4 || watch->size == 8;

    if (!sized || (watch->gpa & PAGE_MASK) + watch->size > PAGE_SIZE) {
        callback_fail(callback,
                      "watch: gpa 0x%" PRIx64 ", %" PRIu32
                      " bytes: must be 1, 2, 4 or 8, and not cross a page",
                      watch->gpa, watch->size);
        return false;
    }
    if (watch->size < 8 && watch->value >> (8 * watch->size)) {
        callback_fail(callback, "watch: 0x%" PRIx64 " does not fit in %" PRIu32 " bytes",
                      watch->value, watch->size);
        return false;
    }
    if (watch->nth == 0) {
        callback_fail(callback, "watch: accesses are counted from 1");
        return false;
    }
    return is_range(callback, "watch", watch->gpa, watch->size);
}

void snpemu_reply_watch(struct snpemu_reply *reply, const struct snpemu_watch *watch)
{
    struct callback *callback = touch(reply);
    size_t first = callback->reply->action_count;

    if (is_watch(callback, watch)) {
        reply_watch_add(callback->reply, &(struct reply_watch){
                                             .on_write = watch->on_write,
                                             .gpa = watch->gpa,
                                             .size_bytes = watch->size,
                                             .nth = watch->nth,
                                             .value = watch->value,
                                             .sticky = watch->sticky,
                                         });
        added(callback, first);
    }
}

void snpemu_reply_inject(struct snpemu_reply *reply, enum snpemu_event event, uint8_t vector)
{
    struct callback *callback = touch(reply);
    size_t first = callback->reply->action_count;

    if ((unsigned)event > SNPEMU_NMI || (event == SNPEMU_NMI && vector != VECTOR_NMI)) {
        callback_fail(callback,
                      "inject: event %u with vector %u: no such event, or an NMI whose "
                      "vector is not 2",
                      (unsigned)event, vector);
        return;
    }
    reply_inject(callback->reply,
                 &(struct reply_event){.type = (enum reply_event_type)event, .vector = vector});
    added(callback, first);
}

static void vcpu_action(struct snpemu_reply *reply, const char *name, uint32_t vcpu,
                        bool (*act)(struct reply *reply, uint32_t number))
{
    struct callback *callback = touch(reply);
    size_t first = callback->reply->action_count;

    if (is_vcpu(callback, name, vcpu)) {
        act(callback->reply, vcpu);
        added(callback, first);
    }
}

void snpemu_reply_run_vcpu(struct snpemu_reply *reply, uint32_t vcpu)
{
    vcpu_action(reply, "run_vcpu", vcpu, reply_run_vcpu);
}

void snpemu_reply_stop_vcpu(struct snpemu_reply *reply, uint32_t vcpu)
{
    vcpu_action(reply, "stop_vcpu", vcpu, reply_stop_vcpu);
}

void snpemu_reply_after(struct snpemu_reply *reply, uint64_t instructions)
{
    if (instructions > INT64_MAX) {
        callback_fail(&reply->callback, "after: more than 2^63 - 1 instructions");
        return;
    }
    reply->callback.delay.instructions = instructions;
}

const char *snpemu_field_name(enum snpemu_field field)
{
    return (unsigned)field < SNPEMU_FIELD_COUNT ? ghcb_field_rows[field].name : "?";
}
