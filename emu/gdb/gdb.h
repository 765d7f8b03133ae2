/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run under gdb: the remote serial protocol's server, apart from the sockets it is spoken over.
 *
 * Going back is running again: a run is the same each time, so the state at an earlier position is
 * that of a run from launch to there. What the person at the debugger changes is kept with the
 * position at which it was, and done again there.
 */
#ifndef SNPEMU_GDB_H
#define SNPEMU_GDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/outcome.h"
#include "error.h"
#include "host/scenario.h"
#include "image/image.h"
#include "run.h"

/* What carries bytes. One client at a time. */
struct gdb_link {
    void *context;
    /* Wait for a client. 0, or a negative status when none will come. */
    int (*accept)(void *context, struct error *error);
    /* Up to `size` bytes; 0: none are there, which with `wait` is not so; -1: the client is gone.
     */
    long (*read)(void *context, void *bytes, size_t size, bool wait);
    /* All of them; false: the client is gone. */
    bool (*write)(void *context, const void *bytes, size_t size);
    /* Let it go, if there is one. */
    void (*drop)(void *context);
};

struct gdb_options {
    const struct scenario *scenario;
    const struct image *image;
    struct gdb_link link;
};

enum gdb_end {
    GDB_END_OUTCOME, /* the run has come to its end */
    GDB_END_KILLED,  /* the debugger ended it */
};

struct gdb; /* opaque */

/* The options' strings and contexts must outlive it. */
int gdb_new(struct gdb **gdb, const struct gdb_options *options, struct error *error);
void gdb_free(struct gdb *gdb); /* takes NULL */

/*
 * A run that is to be made with these options shall be the debugger's. Events and console bytes go
 * on to where the options had them, each once, however often the run goes back.
 */
void gdb_prepare(struct gdb *gdb, struct run_options *options);

/*
 * From launch to the end, as the client says: waits for one first. Both are used, not owned; *host
 * is replaced by a fresh one whenever the run goes back. 0, or the emulator's own failure.
 */
int gdb_serve(struct gdb *gdb, struct run *run, struct host **host, struct outcome *outcome,
              enum gdb_end *end, struct error *error);

#endif
