/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/reply.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ghcb.h"

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
