/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to this room:
 *
 *   packet.c    framing, and the parts of packets
 *   cpu.c       a vCPU as a thread
 *   register.c  its registers, and the target description
 *   memory.c    memory by guest virtual address
 *   point.c     breakpoints and watchpoints
 *   edit.c      what the debugger has changed, to be done again
 *   motion.c    going forward and back
 *   watcher.c   events and console of a run that goes back now and then
 *   monitor.c   the commands of `monitor`
 *   command.c   packets: a table of them
 *   gdb.c       the session
 */
#ifndef SNPEMU_GDB_INTERNAL_H
#define SNPEMU_GDB_INTERNAL_H

#include <stdio.h>

#include "gdb/cpu.h"
#include "gdb/gdb.h"
#include "gdb/packet.h"
#include "machine/machine.h"
#include "trace/event.h"

#define GDB_POINT_MAX 128
#define GDB_WATCH_BYTES_MAX 64
#define GDB_EDIT_MAX 1024
#define GDB_TRAIL_MAX 2048
#define GDB_EVENT_MAX 64
#define GDB_LEAVE 1 /* a status: the run is to be left, and brought elsewhere */

/* gdb's own numbers of signals, which stop replies use. Debugging with GDB, E.1; gdb/signals.def.
 */
enum gdb_signal {
    GDB_SIGNAL_INT = 2,
    GDB_SIGNAL_ILL = 4,
    GDB_SIGNAL_TRAP = 5,
    GDB_SIGNAL_ABRT = 6,
    GDB_SIGNAL_SEGV = 11,
    GDB_SIGNAL_XCPU = 24,
};

/* As in Z and z packets. */
enum gdb_point_kind {
    GDB_POINT_SOFTWARE,
    GDB_POINT_HARDWARE,
    GDB_POINT_WRITE,
    GDB_POINT_READ,
    GDB_POINT_ACCESS,
    GDB_POINT_KINDS,
};

/* A part of what is watched, in one page. */
struct gdb_piece {
    uint32_t page, offset, size_bytes;
    size_t probe;
};

struct gdb_point {
    bool wanted, armed;
    enum gdb_point_kind kind;
    uint64_t gva, size_bytes;
    struct gdb *gdb;
    size_t probe; /* of code */
    struct gdb_piece piece[2];
    size_t piece_count;
    uint8_t seen[GDB_WATCH_BYTES_MAX]; /* what stood there when the run was last looked at */
    bool touched; /* it was shown an access of the guest's, which has not settled */
};

struct gdb_edit {
    struct run_position at;
    bool memory;
    uint32_t vcpu;
    uint64_t gva; /* or the register's number */
    size_t size_bytes;
    uint8_t *bytes; /* owned */
};

enum gdb_phase {
    GDB_STOPPED,
    GDB_FORWARD, /* to the next thing worth a stop */
    GDB_SEEK,    /* to `goal`, whatever is on the way */
    GDB_SCAN,    /* to `goal`, noting the last hit */
    GDB_TRAIL,   /* to `goal`, noting each step of the last of them */
    GDB_NARROW,  /* to where a watched place has changed at the latest, looking when it did */
};

/* Why the run stands. */
struct gdb_stop {
    enum gdb_signal signal;
    bool hit, begin, end;
    enum gdb_point_kind kind; /* of `hit` */
    uint64_t gva;             /* of a watchpoint */
};

struct gdb_hit {
    bool there;
    struct run_position at; /* before the instruction */
    enum gdb_point_kind kind;
    uint64_t gva;
};

/* A watched place changed between two looks at the run, and no store of the guest's was shown. */
struct gdb_change {
    bool there;
    struct run_position from, to;
    const struct gdb_point *point;
};

struct gdb_event {
    char text[200];
    uint64_t retired;
    uint32_t vcpu;
    uint8_t vmpl;
};

struct gdb {
    struct gdb_options options;
    struct run *run;
    struct host **host;
    struct run_debugger debugger;

    /* The client. */
    bool connected, no_ack, detached, killed;
    bool finished;              /* it was told that the run is over, and wants no more */
    bool reply_due;             /* it waits for a stop reply */
    bool says_break;            /* it knows swbreak and hwbreak */
    uint32_t general, stepping; /* vCPUs that H packets have chosen */
    struct gdb_framer framer;
    struct gdb_reply reply;
    char frame[GDB_FRAME_MAX];
    size_t frame_size; /* the last one, to be sent again */
    char *target_xml, *threads_xml;
    unsigned polls;  /* stops since the client was asked */
    uint64_t polled; /* and when that was */

    /* motion.c */
    enum gdb_phase phase;
    struct gdb_stop stop;
    struct gdb_hit hit;
    struct gdb_change change, closer; /* to be narrowed down, and as far as that has come */
    bool back;
    uint64_t stride; /* instructions between two looks; 0: one look before the last instruction */
    struct run_position start, goal, before; /* `before`: where the run was last looked at */
    bool before_known;
    bool step, step_ran;
    uint32_t step_vcpu, last_vcpu;
    uint64_t trail_from;
    bool turn_known; /* the last turn of `step_vcpu` was seen, and ended at: */
    struct run_position turn_end;
    struct {
        struct run_position at;
        uint32_t vcpu;
    } trail[GDB_TRAIL_MAX];
    size_t trail_count;
    bool seen_known;

    struct gdb_point point[GDB_POINT_MAX];
    struct gdb_edit edit[GDB_EDIT_MAX];
    size_t edit_count, edit_next; /* those before `edit_next` are done */

    /* watcher.c */
    struct trace_sink sink;
    struct trace trace;
    const struct trace *shown_trace;
    void (*shown_console)(void *context, const uint8_t *bytes, size_t size_bytes);
    void *shown_context;
    bool (*cancelled)(void *context);
    uint64_t events, events_shown, console, console_shown;
    struct gdb_event event[GDB_EVENT_MAX];
};

/* gdb.c: to the client. False: it is gone. */
bool gdb_send(struct gdb *gdb);
bool gdb_say(struct gdb *gdb, const char *text); /* an O packet, of a client that waits */
void gdb_client_reset(struct gdb *gdb);
/* Read packets until the run shall go on. 0, GDB_LEAVE, or a negative status. */
int gdb_listen(struct gdb *gdb, struct error *error);
/* Ctrl-C, or the client has gone. */
bool gdb_interrupted(struct gdb *gdb);

/* command.c: one packet. True: the run shall go on, or is over. */
bool gdb_command(struct gdb *gdb, const char *data, size_t size);
void gdb_put_stop(struct gdb *gdb);

/* memory.c: how many bytes; whether they were written. */
size_t gdb_memory_read(struct run *run, uint32_t vcpu, uint64_t gva, void *bytes, size_t size);
bool gdb_memory_write(struct run *run, uint32_t vcpu, uint64_t gva, const void *bytes, size_t size);

/* point.c */
bool gdb_point_add(struct gdb *gdb, enum gdb_point_kind kind, uint64_t gva, uint64_t size);
void gdb_point_remove(struct gdb *gdb, enum gdb_point_kind kind, uint64_t gva, uint64_t size);
void gdb_point_remove_all(struct gdb *gdb);
/* Those that are wanted, and no others, from now on. */
int gdb_points_arm(struct gdb *gdb, struct error *error);
/* The guest has run: what it stored is known from here on. */
void gdb_points_settle(struct gdb *gdb);
/* A watched place that holds something else than when this was last asked, though no store of the
 * guest's was shown: the host, or an instruction that is emulated. NULL: none. `only`: ask for that
 * one alone; or NULL. */
const struct gdb_point *gdb_points_look(struct gdb *gdb, const struct gdb_point *only);

/* edit.c */
bool gdb_edit_memory(struct gdb *gdb, uint32_t vcpu, uint64_t gva, const void *bytes, size_t size);
bool gdb_edit_register(struct gdb *gdb, uint32_t vcpu, size_t number, const uint8_t *bytes);
void gdb_edits_redo(struct gdb *gdb, struct run_position now);
/* Where the next one is due, in retired instructions; UINT64_MAX: nowhere. */
uint64_t gdb_edits_due(const struct gdb *gdb);
void gdb_edits_free(struct gdb *gdb);

/* motion.c: what the client asks for. */
void gdb_go(struct gdb *gdb, bool step, uint32_t vcpu);
void gdb_go_back(struct gdb *gdb, bool step, uint32_t vcpu);
bool gdb_shown(struct gdb *gdb, const struct gdb_point *point, const struct vcpu_probed *probed);
int gdb_before(void *context, struct error *error);
void gdb_after(void *context);
/* The run has ended. 0: the debugger is done with it. GDB_LEAVE: it goes back. */
int gdb_at_end(struct gdb *gdb, struct error *error);
/* After GDB_LEAVE: bring the run to where the phase begins. */
int gdb_travel(struct gdb *gdb, struct error *error);

/* watcher.c */
void gdb_watch_events(struct gdb *gdb, struct run_options *options);
void gdb_watcher_rewind(struct gdb *gdb); /* the run begins again */
void gdb_watcher_branch(struct gdb *gdb); /* what comes now is new */

/* monitor.c: carry out one line, and print. */
void gdb_monitor(struct gdb *gdb, const char *line, FILE *out);

#endif
