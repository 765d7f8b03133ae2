/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hypervisor that is a function of a program: it is called for each exit.
 */
#ifndef SNPEMU_HOST_CALLBACK_H
#define SNPEMU_HOST_CALLBACK_H

#include <stdbool.h>

#include "host/host.h"

/* One exit, while the function answers it. */
struct callback {
    struct hypervisor *hypervisor;
    const struct exit *exit;
    struct reply *reply;
    bool answered, touched;   /* honestly; with anything at all */
    struct reply_delay delay; /* of the actions that are added */
    struct error error;       /* the first mistake; its text is empty when there is none */
};

typedef void callback_function(void *context, struct callback *callback);

/*
 * A function that does nothing to the reply leaves the honest answer. A mistake that it notes ends
 * the run with SNPEMU_ERR_INPUT, which names the exit. Freed with host->free. NULL when out of
 * memory.
 */
struct host *callback_host_new(callback_function *function, void *context);

/* Answer as the honest host does; what comes after it changes that. */
void callback_honest(struct callback *callback);
/* Note a mistake. */
void callback_fail(struct callback *callback, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
