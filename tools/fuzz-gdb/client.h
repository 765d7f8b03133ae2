/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A debugger's client in the same process, and a run that it is let loose on. A session after
 * another on one machine, each from launch.
 */
#ifndef SNPEMU_FUZZ_GDB_CLIENT_H
#define SNPEMU_FUZZ_GDB_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gdb/gdb.h"
#include "gdb/packet.h"
#include "subject.h"

#define CLIENT_BYTES_MAX (1u << 16)
#define PLACES_MAX 1024
#define CLIENT_TEXT_MAX (1u << 15)

struct client {
    /* Asked for more when all that was said has been read: says it by client_say or client_bytes.
       False: it vanishes. */
    bool (*next)(struct client *client);
    void *context;

    uint8_t bytes[CLIENT_BYTES_MAX]; /* to be read */
    size_t at, size;
    struct gdb_framer framer;   /* of what comes back */
    char text[CLIENT_TEXT_MAX]; /* of O packets since the last client_say */
    size_t text_size;
    const char *reply; /* the last packet but those */
    bool accepted;
};

struct places {
    uint64_t gva[PLACES_MAX];
    size_t count;
};

/* The machine, and how a run by itself ends. */
struct table {
    struct subject subject;
    struct gdb *gdb;
    struct run *run;
    struct host *host;
    struct client client;
    char digest[2 * RUN_DIGEST_SIZE + 1], phrase[64]; /* of the end */
    struct places comes_by, traps; /* of code; the second are few, and seldom come by */
    struct run_debugger scout;     /* that has found them */
    struct trace_sink sink;
};

/* Bytes as they are; a packet around text. */
void client_bytes(struct client *client, const void *bytes, size_t size);
void client_say(struct client *client, const char *text, size_t size);
/* A line for `monitor`. */
void client_monitor(struct client *client, const char *line);

/* Ends the program with a message when it cannot be done. */
void table_open(struct table *table, const char *path, uint64_t budget);
void table_close(struct table *table);
/* From launch until the client has gone, or the run is over. */
void table_session(struct table *table, bool (*next)(struct client *), void *context);
/* After any session a run from launch ends as it always does. False, with a message, if not. */
bool table_in_order(struct table *table);

#endif
