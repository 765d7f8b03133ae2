/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/event.h"

#include <assert.h>
#include <string.h>

/* The last field of an event that had more fields than fit: how many are not there. */
#define EVENT_KEY_CUT "fields_cut"
#define EVENT_CUT_MARK "..."

void event_begin(struct event *event, const char *name, const char *topic)
{
    assert(name);
    event->name = name;
    event->topic = topic;
    event->vcpu = 0;
    event->vmpl = 0;
    event->instructions = 0;
    event->rip = 0;
    event->symbol = NULL;
    event->placed = false;
    event->full_only = false;
    event->field_count = 0;
    event->text_used = 0;
    event->words[0] = '\0';
}

static bool event_is_cut(const struct event *event)
{
    return event->field_count == EVENT_FIELD_MAX &&
           strcmp(event->field[EVENT_FIELD_MAX - 1].key, EVENT_KEY_CUT) == 0;
}

/* A new field, or NULL when the event is full: then its last field counts what is missing. */
static struct event_field *event_field_add(struct event *event, const char *key,
                                           enum event_value kind)
{
    struct event_field *field;

    if (event_is_cut(event)) {
        event->field[EVENT_FIELD_MAX - 1].number++;
        return NULL;
    }
    if (event->field_count == EVENT_FIELD_MAX) {
        event->field[EVENT_FIELD_MAX - 1] =
            (struct event_field){.key = EVENT_KEY_CUT, .kind = EVENT_DEC, .number = 2};
        return NULL;
    }
    field = &event->field[event->field_count++];
    *field = (struct event_field){.key = key, .kind = kind};
    return field;
}

void event_hex(struct event *event, const char *key, uint64_t value)
{
    struct event_field *field = event_field_add(event, key, EVENT_HEX);

    if (field) {
        field->number = value;
    }
}

void event_dec(struct event *event, const char *key, uint64_t value)
{
    struct event_field *field = event_field_add(event, key, EVENT_DEC);

    if (field) {
        field->number = value;
    }
}

void event_string(struct event *event, const char *key, const char *value)
{
    struct event_field *field = event_field_add(event, key, EVENT_TEXT);
    size_t room, length;
    char *start;

    if (!field) {
        return;
    }
    /* Once the buffer is full, its final NUL serves as an empty string. */
    if (event->text_used >= EVENT_TEXT_MAX) {
        field->text = EVENT_TEXT_MAX - 1;
        return;
    }
    field->text = (uint16_t)event->text_used;
    start = event->text + event->text_used;
    room = EVENT_TEXT_MAX - event->text_used - 1;
    length = strnlen(value, room + 1);
    if (length > room) {
        size_t mark = room < strlen(EVENT_CUT_MARK) ? room : strlen(EVENT_CUT_MARK);

        length = room;
        memcpy(start, value, length - mark);
        memcpy(start + length - mark, EVENT_CUT_MARK, mark);
    } else {
        memcpy(start, value, length);
    }
    start[length] = '\0';
    event->text_used += length + 1;
}

void event_full_only(struct event *event)
{
    if (event->field_count > 0 && !event_is_cut(event)) {
        event->field[event->field_count - 1].full_only = true;
    }
}

bool trace_active(const struct trace *trace)
{
    return trace && trace->sink_count > 0;
}

void trace_emit(const struct trace *trace, const struct event *event)
{
    if (!trace) {
        return;
    }
    for (size_t i = 0; i < trace->sink_count; i++) {
        trace->sink[i]->emit(trace->sink[i], event);
    }
}
