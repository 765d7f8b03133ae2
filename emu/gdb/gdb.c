/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The session: a client comes, its packets are read, and the run goes on as they say. */
#include "gdb/gdb.h"

#include <stdlib.h>
#include <string.h>

#include "gdb/internal.h"

/* The client is asked for a Ctrl-C after so many stops of the vCPU, or instructions. */
#define POLL_STOPS 256
#define POLL_INSTRUCTIONS (1u << 22)
#define SAY_MAX 4096 /* bytes of text in a packet */

int gdb_new(struct gdb **out, const struct gdb_options *options, struct error *error)
{
    struct gdb *gdb = calloc(1, sizeof(*gdb));

    if (!gdb) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a debugger's session");
    }
    gdb->options = *options;
    gdb->debugger = (struct run_debugger){
        .before = gdb_before,
        .after = gdb_after,
        .context = gdb,
        .limit = UINT64_MAX,
    };
    *out = gdb;
    return 0;
}

void gdb_free(struct gdb *gdb)
{
    if (gdb) {
        gdb_edits_free(gdb);
        free(gdb->target_xml);
        free(gdb->threads_xml);
        free(gdb);
    }
}

void gdb_prepare(struct gdb *gdb, struct run_options *options)
{
    gdb_watch_events(gdb, options);
    options->debugger = &gdb->debugger;
}

/* ---- the client ---- */

void gdb_client_reset(struct gdb *gdb)
{
    gdb->options.link.drop(gdb->options.link.context);
    memset(&gdb->framer, 0, sizeof(gdb->framer));
    gdb->connected = false;
    gdb->no_ack = false;
    gdb->reply_due = false;
    gdb->says_break = false;
    gdb->frame_size = 0;
    gdb_point_remove_all(gdb);
}

static bool client_write(struct gdb *gdb, const void *bytes, size_t size)
{
    const struct gdb_link *link = &gdb->options.link;

    if (gdb->connected && !link->write(link->context, bytes, size)) {
        gdb_client_reset(gdb);
    }
    return gdb->connected;
}

bool gdb_send(struct gdb *gdb)
{
    gdb->frame_size = gdb_frame(gdb->reply.data, gdb->reply.size, gdb->frame);
    return client_write(gdb, gdb->frame, gdb->frame_size);
}

bool gdb_say(struct gdb *gdb, const char *text)
{
    size_t left = strlen(text);

    while (gdb->connected && left > 0) {
        size_t some = left < SAY_MAX ? left : SAY_MAX;

        gdb_reply_start(&gdb->reply);
        gdb_put(&gdb->reply, "O");
        gdb_put_hex(&gdb->reply, text, some);
        gdb_send(gdb);
        text += some;
        left -= some;
    }
    return gdb->connected;
}

/* Whether the run shall go on. */
static bool client_input(struct gdb *gdb, uint8_t byte)
{
    switch (gdb_framer_put(&gdb->framer, byte)) {
    case GDB_INPUT_PACKET:
        return (gdb->no_ack || client_write(gdb, "+", 1)) &&
               gdb_command(gdb, gdb->framer.data, gdb->framer.size);
    case GDB_INPUT_BAD:
        if (!gdb->no_ack) {
            client_write(gdb, "-", 1);
        }
        return false;
    case GDB_INPUT_NAK:
        if (!gdb->no_ack) {
            client_write(gdb, gdb->frame, gdb->frame_size);
        }
        return false;
    case GDB_INPUT_NONE:
    case GDB_INPUT_ACK:
    case GDB_INPUT_INTERRUPT: /* it stands already */
        return false;
    }
    return false;
}

static int client_accept(struct gdb *gdb, struct error *error)
{
    int status = gdb->options.link.accept(gdb->options.link.context, error);

    gdb->connected = status == 0;
    gdb->general = gdb->stepping = gdb_cpu_current(gdb->run);
    return status;
}

int gdb_listen(struct gdb *gdb, struct error *error)
{
    const struct gdb_link *link = &gdb->options.link;
    bool goes_on = false;

    gdb->general = gdb->stepping = gdb_cpu_current(gdb->run);
    if (gdb->reply_due) {
        gdb->reply_due = false;
        gdb_put_stop(gdb);
        gdb_send(gdb);
    }
    while (!goes_on) {
        uint8_t byte;

        if (!gdb->connected) {
            int status = client_accept(gdb, error);

            if (status != 0) {
                return status;
            }
        }
        /* Byte by byte, the link has them: what follows a packet that lets the run go on waits. */
        if (link->read(link->context, &byte, 1, true) <= 0) {
            gdb_client_reset(gdb);
        } else {
            goes_on = client_input(gdb, byte);
        }
    }
    return gdb->killed || (gdb->phase != GDB_FORWARD && !gdb->detached && !gdb->finished)
               ? GDB_LEAVE
               : 0;
}

bool gdb_interrupted(struct gdb *gdb)
{
    const struct gdb_link *link = &gdb->options.link;
    uint64_t now = run_instructions(gdb->run);
    uint8_t byte;
    long got;

    if (++gdb->polls < POLL_STOPS && now - gdb->polled < POLL_INSTRUCTIONS) {
        return false;
    }
    gdb->polls = 0;
    gdb->polled = now;
    while ((got = link->read(link->context, &byte, 1, false)) > 0) {
        if (gdb_framer_put(&gdb->framer, byte) == GDB_INPUT_INTERRUPT) {
            return true;
        }
    }
    if (got < 0) {
        gdb_client_reset(gdb);
    }
    return got < 0;
}

/* ---- the run ---- */

static int serve(struct gdb *gdb, struct outcome *outcome, enum gdb_end *end, struct error *error)
{
    for (;;) {
        int status = run_to_end(gdb->run, outcome, error);

        if (status == 0) {
            status = gdb_at_end(gdb, error);
        }
        if (gdb->killed) {
            *end = GDB_END_KILLED;
            return 0;
        }
        if (status == GDB_LEAVE) {
            status = gdb_travel(gdb, error);
        } else if (status == 0 && (gdb->detached || gdb->finished)) {
            *end = GDB_END_OUTCOME;
            return 0;
        }
        if (status != 0) {
            return status;
        }
    }
}

/* Nothing of an earlier one counts. */
static void session_start(struct gdb *gdb)
{
    gdb_client_reset(gdb);
    gdb_edits_free(gdb);
    gdb_watcher_rewind(gdb);
    gdb_watcher_branch(gdb);
    gdb->detached = gdb->killed = gdb->finished = false;
    gdb->phase = GDB_STOPPED;
    gdb->stop = (struct gdb_stop){.signal = GDB_SIGNAL_TRAP};
    gdb->hit.there = false;
    gdb->edit_next = 0;
    gdb->trail_count = 0;
    gdb->seen_known = gdb->before_known = false;
    gdb->polls = 0;
    gdb->polled = 0;
}

int gdb_serve(struct gdb *gdb, struct run *run, struct host **host, struct outcome *outcome,
              enum gdb_end *end, struct error *error)
{
    int status;

    gdb->run = run;
    gdb->host = host;
    session_start(gdb);
    status = run_snapshot(run, error);
    if (status == 0) {
        status = serve(gdb, outcome, end, error);
    }
    if (status != 0 && gdb->connected) {
        gdb_say(gdb, error->text);
        gdb_say(gdb, "\n");
        gdb_reply_start(&gdb->reply);
        gdb_put(&gdb->reply, "W03");
        gdb_send(gdb);
    }
    gdb->options.link.drop(gdb->options.link.context);
    return status;
}
