/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hypervisor model: it sees exits and fills in replies. It never touches the machine.
 */
#ifndef SNPEMU_HOST_H
#define SNPEMU_HOST_H

#include "error.h"
#include "ghcb/exit.h"
#include "ghcb/hypervisor.h"
#include "ghcb/reply.h"

struct host {
    /*
     * Fill `reply`, which arrives reset. Returns 0, or SNPEMU_ERR_INPUT with file and line when a
     * script fails. `hypervisor` gives the honest answer on request (hypervisor_answer).
     */
    int (*answer)(struct host *host, struct hypervisor *hypervisor, const struct exit *exit,
                  struct reply *reply, struct error *error);
    /* A watch of this host's (reply_watch.owner) fired. May be NULL. */
    void (*watch_fired)(struct host *host, void *owner);
    /* True when this exit is, or would be, answered by more than the honest host; NULL: never. */
    bool (*handles)(struct host *host, const struct exit *exit);
    /* The end of the run: 0, or SNPEMU_ERR_INPUT naming a handler or watch that never fired. */
    int (*finish)(struct host *host, struct error *error);
    void (*free)(struct host *host);
    bool replays; /* it may give answers again: they are kept */
};

/* The honest model. Freed with host->free. NULL when out of memory. */
struct host *host_honest_new(void);

#endif
