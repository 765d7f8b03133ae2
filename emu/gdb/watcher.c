/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events and console of a run that goes back now and then: what comes again, the same, is shown
 * once. The last events are kept for `monitor exits`.
 */
#include <string.h>

#include "gdb/internal.h"

static void watcher_emit(struct trace_sink *sink, const struct event *event)
{
    struct gdb *gdb = (struct gdb *)((char *)sink - offsetof(struct gdb, sink));
    struct gdb_event *kept = &gdb->event[gdb->events++ % GDB_EVENT_MAX];

    if (event->words[0]) {
        snprintf(kept->text, sizeof(kept->text), "%s", event->words);
    } else {
        snprintf(kept->text, sizeof(kept->text), "%s%s%s", event->name, event->topic ? " " : "",
                 event->topic ? event->topic : "");
    }
    kept->retired = event->instructions;
    kept->vcpu = event->vcpu;
    kept->vmpl = event->vmpl;
    if (gdb->events > gdb->events_shown) {
        gdb->events_shown = gdb->events;
        if (gdb->shown_trace) {
            trace_emit(gdb->shown_trace, event);
        }
    }
}

static void watcher_console(void *context, const uint8_t *bytes, size_t size_bytes)
{
    struct gdb *gdb = context;
    uint64_t known = gdb->console_shown - gdb->console;

    gdb->console += size_bytes;
    if (known >= size_bytes) {
        return;
    }
    gdb->console_shown = gdb->console;
    if (gdb->shown_console) {
        gdb->shown_console(gdb->shown_context, bytes + known, size_bytes - known);
    }
}

static bool watcher_cancelled(void *context)
{
    const struct gdb *gdb = context;

    return gdb->cancelled && gdb->cancelled(gdb->shown_context);
}

void gdb_watch_events(struct gdb *gdb, struct run_options *options)
{
    gdb->sink.emit = watcher_emit;
    gdb->trace.sink[0] = &gdb->sink;
    gdb->trace.sink_count = 1;
    gdb->shown_trace = options->trace;
    gdb->shown_console = options->console;
    gdb->shown_context = options->context;
    gdb->cancelled = options->cancelled;
    options->trace = &gdb->trace;
    options->console = watcher_console;
    options->cancelled = watcher_cancelled;
    options->context = gdb;
}

void gdb_watcher_rewind(struct gdb *gdb)
{
    gdb->events = 0;
    gdb->console = 0;
}

void gdb_watcher_branch(struct gdb *gdb)
{
    gdb->events_shown = gdb->events;
    gdb->console_shown = gdb->console;
}
