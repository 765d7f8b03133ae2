/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/reply.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ghcb.h"

#define FIRST_ACTIONS 16
#define FIRST_DATA_BYTES 256

void reply_reset(struct reply *reply)
{
    struct reply_action *action = reply->action;
    size_t action_capacity = reply->action_capacity;
    uint8_t *data = reply->data;
    size_t data_capacity = reply->data_capacity;

    memset(reply, 0, sizeof(*reply));
    reply->action = action;
    reply->action_capacity = action_capacity;
    reply->data = data;
    reply->data_capacity = data_capacity;
}

void reply_release(struct reply *reply)
{
    if (!reply) {
        return;
    }
    free(reply->action);
    free(reply->data);
    memset(reply, 0, sizeof(*reply));
}

void reply_set(struct reply *reply, enum ghcb_field field, uint64_t value)
{
    assert(field < FIELD_COUNT);
    reply->field[field] = value;
    reply->written |= FIELD_BIT(field);
    reply->marked |= FIELD_BIT(field);
}

void reply_unmark(struct reply *reply, enum ghcb_field field)
{
    assert(field < FIELD_COUNT);
    reply->marked &= ~FIELD_BIT(field);
}

void reply_leave(struct reply *reply, enum ghcb_field field)
{
    assert(field < FIELD_COUNT);
    reply->field[field] = 0;
    reply->written &= ~FIELD_BIT(field);
    reply->marked &= ~FIELD_BIT(field);
}

void reply_set_msr(struct reply *reply, uint64_t value)
{
    reply->msr = value;
    reply->msr_written = true;
}

void reply_refuse(struct reply *reply, const char *reason)
{
    reply->resume = REPLY_REFUSE;
    snprintf(reply->reason, sizeof(reply->reason), "%s", reason);
}

void reply_unmodelled(struct reply *reply, const char *format, ...)
{
    va_list arguments;

    reply->resume = REPLY_UNMODELLED;
    va_start(arguments, format);
    vsnprintf(reply->reason, sizeof(reply->reason), format, arguments);
    va_end(arguments);
}

void reply_fail(struct reply *reply, const char *format, ...)
{
    va_list arguments;

    reply->resume = REPLY_FAIL;
    va_start(arguments, format);
    vsnprintf(reply->reason, sizeof(reply->reason), format, arguments);
    va_end(arguments);
}

void reply_hold(struct reply *reply, const char *reason)
{
    reply->resume = REPLY_HOLD;
    snprintf(reply->reason, sizeof(reply->reason), "%s", reason);
}

void reply_malformed(struct reply *reply, uint64_t reason)
{
    reply_set(reply, FIELD_INFO1, GHCB_INFO1_MALFORMED);
    reply_set(reply, FIELD_INFO2, reason);
}

void reply_exception(struct reply *reply, uint8_t vector, bool has_error_code, uint32_t error_code)
{
    uint64_t event = GHCB_EVENT_VALID | GHCB_EVENT_TYPE_EXCEPTION | vector;

    if (has_error_code) {
        event |= GHCB_EVENT_HAS_ERROR_CODE | (uint64_t)error_code << GHCB_EVENT_ERROR_CODE_SHIFT;
    }
    reply_set(reply, FIELD_INFO1, GHCB_INFO1_EXCEPTION);
    reply_set(reply, FIELD_INFO2, event);
}

void reply_keep(const struct reply *reply, bool page, struct reply_bytes *bytes)
{
    if (page && (reply->written || reply->marked || !reply->keep_marks)) {
        bytes->page_given = true;
        bytes->keep_marks = reply->keep_marks;
        bytes->has_time = reply->has_time;
        bytes->written = reply->written;
        bytes->marked = reply->marked;
        memcpy(bytes->field, reply->field, sizeof(bytes->field));
    }
    if (!page && reply->msr_written) {
        bytes->msr_given = true;
        bytes->msr = reply->msr;
    }
}

bool reply_repeat(struct reply *reply, bool page, const struct reply_bytes *bytes)
{
    reply->msr_written = !page && bytes->msr_given;
    reply->msr = reply->msr_written ? bytes->msr : 0;
    if (!page) {
        return bytes->msr_given;
    }
    reply->keep_marks = bytes->page_given ? bytes->keep_marks : true;
    reply->has_time = bytes->has_time;
    reply->written = bytes->page_given ? bytes->written : 0;
    reply->marked = bytes->page_given ? bytes->marked : 0;
    memcpy(reply->field, bytes->field, sizeof(reply->field));
    return bytes->page_given;
}

/* Double the capacity of a buffer of `item_size` items until it holds `need`; false at `max`. */
static bool grow(void **buffer, size_t *capacity, size_t need, size_t first, size_t max,
                 size_t item_size)
{
    size_t larger = *capacity ? *capacity : first;
    void *moved;

    if (need > max) {
        return false;
    }
    if (need <= *capacity) {
        return true;
    }
    while (larger < need) {
        larger *= 2;
    }
    moved = realloc(*buffer, larger * item_size);
    if (!moved) {
        return false;
    }
    *buffer = moved;
    *capacity = larger;
    return true;
}

static bool add_action(struct reply *reply, const struct reply_action *action)
{
    void *buffer = reply->action;

    if (!grow(&buffer, &reply->action_capacity, reply->action_count + 1, FIRST_ACTIONS,
              REPLY_ACTION_MAX, sizeof(*reply->action))) {
        reply->overflow = true;
        return false;
    }
    reply->action = buffer;
    reply->action[reply->action_count++] = *action;
    return true;
}

static bool add_with_data(struct reply *reply, enum reply_action_kind kind, uint64_t gpa,
                          const void *bytes, size_t size_bytes)
{
    struct reply_action action = {
        .kind = kind,
        .gpa = gpa,
        .size_bytes = size_bytes,
        .data_offset = reply->data_size_bytes,
    };
    void *buffer = reply->data;

    if (size_bytes == 0) {
        return true;
    }
    if (size_bytes > REPLY_DATA_MAX ||
        !grow(&buffer, &reply->data_capacity, reply->data_size_bytes + size_bytes, FIRST_DATA_BYTES,
              REPLY_DATA_MAX, 1)) {
        reply->overflow = true;
        return false;
    }
    reply->data = buffer;
    if (!add_action(reply, &action)) {
        return false;
    }
    memcpy(reply->data + reply->data_size_bytes, bytes, size_bytes);
    reply->data_size_bytes += size_bytes;
    return true;
}

bool reply_write(struct reply *reply, uint64_t gpa, const void *bytes, size_t size_bytes)
{
    return add_with_data(reply, REPLY_WRITE, gpa, bytes, size_bytes);
}

/* Bytes that follow each other make one action. */
bool reply_console(struct reply *reply, const void *bytes, size_t size_bytes)
{
    struct reply_action *last;
    size_t count = reply->action_count;

    if (!add_with_data(reply, REPLY_CONSOLE, 0, bytes, size_bytes)) {
        return false;
    }
    last = count ? &reply->action[count - 1] : NULL;
    if (last && reply->action_count > count && last->kind == REPLY_CONSOLE &&
        last->data_offset + last->size_bytes == reply->action[count].data_offset) {
        last->size_bytes += size_bytes;
        reply->action_count = count;
    }
    return true;
}

bool reply_assign(struct reply *reply, uint64_t gpa, uint64_t size_bytes)
{
    struct reply_action action = {.kind = REPLY_ASSIGN, .gpa = gpa, .size_bytes = size_bytes};

    return add_action(reply, &action);
}

bool reply_unassign(struct reply *reply, uint64_t gpa, uint64_t size_bytes)
{
    struct reply_action action = {.kind = REPLY_UNASSIGN, .gpa = gpa, .size_bytes = size_bytes};

    return add_action(reply, &action);
}

bool reply_watch_add(struct reply *reply, const struct reply_watch *watch)
{
    struct reply_action action = {
        .kind = REPLY_WATCH,
        .gpa = watch->gpa,
        .size_bytes = watch->size_bytes,
        .watch = *watch,
    };

    return add_action(reply, &action);
}

bool reply_vcpu_start(struct reply *reply, const struct reply_vcpu *vcpu, uint64_t vmsa_gpa)
{
    return add_action(
        reply, &(struct reply_action){.kind = REPLY_VCPU_START, .gpa = vmsa_gpa, .vcpu = *vcpu});
}

bool reply_vcpu_stop(struct reply *reply, const struct reply_vcpu *vcpu)
{
    return add_action(reply, &(struct reply_action){.kind = REPLY_VCPU_STOP, .vcpu = *vcpu});
}

bool reply_run_vmpl(struct reply *reply, unsigned vmpl)
{
    return add_action(reply,
                      &(struct reply_action){.kind = REPLY_RUN_VMPL, .vcpu.vmpl = (uint8_t)vmpl});
}

bool reply_rmpupdate(struct reply *reply, uint64_t gpa, uint64_t size_bytes,
                     const struct reply_rmpupdate *operand)
{
    struct reply_action action = {
        .kind = REPLY_RMPUPDATE,
        .gpa = gpa,
        .size_bytes = size_bytes,
        .rmpupdate = *operand,
    };

    return add_action(reply, &action);
}

bool reply_psmash(struct reply *reply, uint64_t gpa)
{
    struct reply_action action = {.kind = REPLY_PSMASH, .gpa = gpa};

    return add_action(reply, &action);
}

bool reply_remap(struct reply *reply, uint64_t gpa, uint64_t other_gpa)
{
    struct reply_action action = {.kind = REPLY_REMAP, .gpa = gpa, .other_gpa = other_gpa};

    return add_action(reply, &action);
}

bool reply_swap(struct reply *reply, uint64_t gpa, uint64_t other_gpa)
{
    struct reply_action action = {.kind = REPLY_SWAP, .gpa = gpa, .other_gpa = other_gpa};

    return add_action(reply, &action);
}

bool reply_inject(struct reply *reply, const struct reply_event *event)
{
    struct reply_action action = {.kind = REPLY_INJECT, .event = *event};

    return add_action(reply, &action);
}

bool reply_doorbell(struct reply *reply, const struct reply_doorbell *doorbell)
{
    struct reply_action action = {.kind = REPLY_DOORBELL, .doorbell = *doorbell};

    return add_action(reply, &action);
}

/* Whether two (start, length) ranges share a byte, without overflow at the top of the space. */
static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b ? b - a < a_size : a - b < b_size;
}

size_t reply_drop_page_state(struct reply *reply, uint64_t gpa, uint64_t size_bytes)
{
    size_t kept = 0;
    size_t dropped = 0;

    for (size_t i = 0; i < reply->action_count; i++) {
        const struct reply_action *action = &reply->action[i];
        bool page_state = action->kind == REPLY_ASSIGN || action->kind == REPLY_UNASSIGN;

        if (page_state && overlap(action->gpa, action->size_bytes, gpa, size_bytes)) {
            dropped++;
        } else {
            reply->action[kept++] = *action;
        }
    }
    reply->action_count = kept;
    return dropped;
}

const struct reply_action *reply_find_write(const struct reply *reply, uint64_t gpa)
{
    const struct reply_action *found = NULL;

    for (size_t i = 0; i < reply->action_count; i++) {
        if (reply->action[i].kind == REPLY_WRITE && reply->action[i].gpa == gpa) {
            found = &reply->action[i];
        }
    }
    return found;
}

void reply_drop_writes(struct reply *reply, uint64_t gpa)
{
    size_t kept = 0;

    for (size_t i = 0; i < reply->action_count; i++) {
        const struct reply_action *action = &reply->action[i];

        if (action->kind != REPLY_WRITE || action->gpa != gpa) {
            reply->action[kept++] = *action;
        }
    }
    reply->action_count = kept;
}
