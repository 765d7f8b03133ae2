/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event: one line of the trace. It is built where something happens and handed to sinks, which
 * only read it.
 *
 * Fields marked full_only (counts, instruction pointers, values that depend on the compiler of the
 * guest) appear in the full form of a trace, which is compared from run to run, and not in the
 * golden form, which is kept under git.
 */
#ifndef SNPEMU_TRACE_EVENT_H
#define SNPEMU_TRACE_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/place.h"

#define EVENT_FIELD_MAX 24
#define EVENT_TEXT_MAX 1024

enum event_value {
    EVENT_HEX,
    EVENT_DEC,
    EVENT_TEXT,
};

struct event_field {
    const char *key; /* static */
    enum event_value kind;
    bool full_only;
    uint64_t number;
    uint16_t text; /* EVENT_TEXT: offset into event->text */
};

struct event {
    const char *name;  /* static: "exit", "reply", "pvalidate", "fault", "outcome", ... */
    const char *topic; /* static; second word of the line, such as the exit's name; NULL: none */
    uint32_t vcpu;
    uint8_t vmpl;
    uint64_t instructions; /* virtual time; full form */
    uint64_t rip;          /* full form */
    const char *symbol;    /* function at rip, without offset; NULL: none */
    bool placed;           /* somebody wanted to know more of rip: */
    struct image_place place;
    bool full_only; /* the golden form leaves all of it out */
    struct event_field field[EVENT_FIELD_MAX];
    size_t field_count;
    char text[EVENT_TEXT_MAX];
    size_t text_used;
    char words[160]; /* the same in plain words, for the ladder; empty: not shown there */
};

void event_begin(struct event *event, const char *name, const char *topic);
void event_hex(struct event *event, const char *key, uint64_t value);
void event_dec(struct event *event, const char *key, uint64_t value);
void event_string(struct event *event, const char *key, const char *value); /* cut to fit */
void event_full_only(struct event *event); /* applies to the field added last */

/* One reader of events. */
struct trace_sink {
    void (*emit)(struct trace_sink *sink, const struct event *event);
};

#define TRACE_SINK_MAX 8
struct trace {
    struct trace_sink *sink[TRACE_SINK_MAX]; /* not owned */
    size_t sink_count;
    bool places; /* events are to have more of their address than the symbol */
};

bool trace_active(const struct trace *trace); /* false: nobody listens, do not build events */
void trace_emit(const struct trace *trace, const struct event *event);

#endif
