/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where gdb connects to: a TCP socket that listens, on the loopback interface unless the user names
 * another address. One client at a time.
 */
#ifndef SNPEMU_GDB_LINK_H
#define SNPEMU_GDB_LINK_H

#include "error.h"
#include "gdb/gdb.h"

#define GDB_LINK_PORT 1234

struct gdb_listener; /* opaque */

/*
 * Listen at `place`: "PORT", "HOST:PORT", "[IPV6]:PORT", or NULL for the default; port 0 is any
 * free one. Says on standard error where it is. 0, SNPEMU_ERR_INPUT or SNPEMU_ERR_IO.
 */
int gdb_listener_open(struct gdb_listener **listener, const char *place, struct error *error);
void gdb_listener_close(struct gdb_listener *listener); /* takes NULL */
struct gdb_link gdb_listener_link(struct gdb_listener *listener);

#endif
