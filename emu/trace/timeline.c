/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Field names and phases: "Trace Event Format" (Google, 2016), which Perfetto's importer follows.
 */
#include "trace/timeline.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "abi/rmp.h"
#include "ghcb/hypervisor.h"
#include "trace/json.h"

/* Numbers of processes and threads mean nothing to a reader, but must not meet each other. */
#define PID_MACHINE 1
#define PID_VCPU 2 /* and its number */
#define TID_MACHINE 9999
#define TID_VCPU 10000 /* and its number times ten, and the VMPL */
#define NS_PER_US 1000.0

struct track {
    uint32_t vcpu;
    uint8_t vmpl;
};

struct timeline {
    struct trace_writer writer; /* first: the sink is the timeline */
    FILE *file;
    bool begun;  /* something stands in the list */
    bool failed; /* no memory for an event */
    json_t *header;
    uint8_t named[HYPERVISOR_APIC_ID_MAX]; /* VMPLs whose names are written, a bit each */
    struct track runs;                     /* who has the processor */
    uint64_t now;
    struct {
        const char *topic; /* NULL: none waits for its reply */
        struct track track;
        uint64_t time;
        json_t *args;
    } exit;
};

static int track_pid(const struct track *track)
{
    return (int)(PID_VCPU + track->vcpu);
}

static int track_tid(const struct track *track)
{
    return (int)(TID_VCPU + 10 * track->vcpu + track->vmpl);
}

/* One instruction is one nanosecond; the format counts microseconds. */
static json_t *microseconds(uint64_t instructions)
{
    return json_real((double)instructions / NS_PER_US);
}

static void write_object(struct timeline *timeline, json_t *object)
{
    if (!object) {
        timeline->failed = true;
        return;
    }
    fputs(timeline->begun ? ",\n" : "\n", timeline->file);
    timeline->begun = true;
    json_write(timeline->file, object, false);
    json_decref(object);
}

/* Takes `args`. */
static void write_metadata(struct timeline *timeline, const char *name, int pid, int tid,
                           json_t *args)
{
    write_object(timeline, json_pack("{s:s,s:s,s:i,s:i,s:o}", "ph", "M", "name", name, "pid", pid,
                                     "tid", tid, "args", args));
}

static void write_names(struct timeline *timeline, int pid, int tid, const char *process,
                        const char *thread)
{
    write_metadata(timeline, "process_name", pid, tid, json_pack("{s:s}", "name", process));
    write_metadata(timeline, "process_sort_index", pid, tid, json_pack("{s:i}", "sort_index", pid));
    write_metadata(timeline, "thread_name", pid, tid, json_pack("{s:s}", "name", thread));
    write_metadata(timeline, "thread_sort_index", pid, tid, json_pack("{s:i}", "sort_index", tid));
}

static void name_track(struct timeline *timeline, const struct track *track)
{
    uint8_t bit = (uint8_t)(1u << track->vmpl);
    char process[32], thread[32];

    if (timeline->named[track->vcpu] & bit) {
        return;
    }
    timeline->named[track->vcpu] |= bit;
    snprintf(process, sizeof(process), "vCPU %u", track->vcpu);
    snprintf(thread, sizeof(thread), "VMPL%u", track->vmpl);
    write_names(timeline, track_pid(track), track_tid(track), process, thread);
}

/* A slice "runs" begins ("B") or ends ("E"). */
static void write_runs(struct timeline *timeline, const char *phase, json_t *args)
{
    name_track(timeline, &timeline->runs);
    write_object(timeline, json_pack("{s:s,s:s,s:s,s:o,s:i,s:i,s:o*}", "name", "runs", "cat", "run",
                                     "ph", phase, "ts", microseconds(timeline->now), "pid",
                                     track_pid(&timeline->runs), "tid", track_tid(&timeline->runs),
                                     "args", args));
}

/* The exit that waits, up to now; `reply`: its fields, taken; NULL: it got none. */
static void write_exit(struct timeline *timeline, json_t *reply)
{
    /* VMGEXIT has retired when the exit is told of. */
    uint64_t start = timeline->exit.time > 0 ? timeline->exit.time - 1 : 0;

    if (!timeline->exit.topic) {
        json_decref(reply);
        return;
    }
    if (reply && json_object_set_new(timeline->exit.args, "reply", reply) != 0) {
        timeline->failed = true;
    }
    write_object(timeline,
                 json_pack("{s:s,s:s,s:s,s:o,s:o,s:i,s:i,s:o}", "name", timeline->exit.topic, "cat",
                           "exit", "ph", "X", "ts", microseconds(start), "dur",
                           microseconds(timeline->now - start), "pid",
                           track_pid(&timeline->exit.track), "tid",
                           track_tid(&timeline->exit.track), "args", timeline->exit.args));
    timeline->exit.topic = NULL;
    timeline->exit.args = NULL;
}

/* The event as JSON, without what the slice or instant itself says. */
static json_t *event_args(const struct event *event)
{
    json_t *args = json_event(event, TEXT_FULL);

    for (size_t i = 0; args && i < 5; i++) {
        static const char *const said[] = {"time", "vcpu", "vmpl", "event", "topic"};

        json_object_del(args, said[i]);
    }
    return args;
}

static void write_instant(struct timeline *timeline, const struct track *track,
                          const struct event *event)
{
    char name[96];

    snprintf(name, sizeof(name), "%s%s%s", event->name, event->topic ? " " : "",
             event->topic ? event->topic : "");
    write_object(timeline,
                 json_pack("{s:s,s:s,s:s,s:s,s:o,s:i,s:i,s:o}", "name", name, "cat", event->name,
                           "ph", "i", "s", "t", "ts", microseconds(event->instructions), "pid",
                           track_pid(track), "tid", track_tid(track), "args", event_args(event)));
}

/* Another one has the processor: the event is already its own. */
static void timeline_switch(struct timeline *timeline, const struct track *track,
                            const struct event *event)
{
    write_runs(timeline, "E", NULL);
    timeline->runs = *track;
    write_runs(timeline, "B", event_args(event));
}

static void timeline_emit(struct trace_sink *sink, const struct event *event)
{
    struct timeline *timeline = (struct timeline *)sink;
    const struct track track = {event->vcpu, event->vmpl};

    assert(event->vcpu < HYPERVISOR_APIC_ID_MAX && event->vmpl < VMPL_COUNT);
    name_track(timeline, &track);
    /* What an oracle saw is told of afterwards. */
    timeline->now = event->instructions > timeline->now ? event->instructions : timeline->now;
    if (strcmp(event->name, "reply") == 0 && timeline->exit.topic) {
        write_exit(timeline, event_args(event));
        return;
    }
    write_exit(timeline, NULL);
    if (strcmp(event->name, "exit") == 0) {
        timeline->exit.topic = event->topic;
        timeline->exit.track = track;
        timeline->exit.time = event->instructions;
        timeline->exit.args = event_args(event);
        if (!timeline->exit.args) {
            timeline->failed = true;
            timeline->exit.topic = NULL;
        }
    } else if (strcmp(event->name, "run") == 0) {
        timeline_switch(timeline, &track, event);
    } else {
        write_instant(timeline, &track, event);
    }
}

void timeline_counts(struct trace_writer *writer, uint64_t instructions,
                     const struct timeline_count *count, size_t kinds)
{
    struct timeline *timeline = (struct timeline *)writer;
    json_t *args = json_object();

    for (size_t i = 0; args && i < kinds; i++) {
        if (json_object_set_new(args, count[i].name, json_decimal(count[i].pages)) != 0) {
            timeline->failed = true;
        }
    }
    write_object(timeline, json_pack("{s:s,s:s,s:s,s:o,s:i,s:i,s:o}", "name", "pages", "cat", "rmp",
                                     "ph", "C", "ts", microseconds(instructions), "pid",
                                     PID_MACHINE, "tid", TID_MACHINE, "args", args));
}

static void timeline_digest(struct trace_writer *writer, const uint8_t *digest, size_t size_bytes)
{
    struct timeline *timeline = (struct timeline *)writer;

    if (json_object_set_new(timeline->header, "digest", json_digest(digest, size_bytes)) != 0) {
        timeline->failed = true;
    }
}

static int timeline_finish(struct trace_writer *writer, struct error *error)
{
    struct timeline *timeline = (struct timeline *)writer;

    write_exit(timeline, NULL);
    write_runs(timeline, "E", NULL);
    fputs("\n],\"displayTimeUnit\":\"ns\",\"otherData\":", timeline->file);
    json_write(timeline->file, timeline->header, false);
    fputs("}\n", timeline->file);
    return timeline->failed ? error_set(error, SNPEMU_ERR_MEMORY, "out of memory")
                            : trace_writer_flush(timeline->file, error);
}

static void timeline_free(struct trace_writer *writer)
{
    struct timeline *timeline = (struct timeline *)writer;

    json_decref(timeline->header);
    json_decref(timeline->exit.args);
    free(timeline);
}

/* What the list begins with. */
static bool timeline_header(struct timeline *timeline, const struct text_header *header)
{
    timeline->header = json_header(header);
    return timeline->header &&
           json_object_set_new(timeline->header, "trace", json_string("snpemu")) == 0 &&
           json_object_set_new(timeline->header, "version", json_integer(JSON_TRACE_VERSION)) ==
               0 &&
           json_object_set_new(timeline->header, "time",
                               json_string("virtual: 1 retired instruction is 1 ns")) == 0;
}

struct trace_writer *timeline_new(enum text_form form, const struct text_header *header, FILE *file)
{
    struct timeline *timeline = calloc(1, sizeof(*timeline));

    (void)form;
    if (!timeline || !timeline_header(timeline, header)) {
        json_decref(timeline ? timeline->header : NULL);
        free(timeline);
        return NULL;
    }
    timeline->writer = (struct trace_writer){
        .sink.emit = timeline_emit,
        .digest = timeline_digest,
        .finish = timeline_finish,
        .free = timeline_free,
    };
    timeline->file = file;
    fputs("{\"traceEvents\":[", file);
    write_names(timeline, PID_MACHINE, TID_MACHINE, "machine", "memory");
    write_runs(timeline, "B", NULL); /* the launch: VMPL0 of the first vCPU */
    return &timeline->writer;
}
