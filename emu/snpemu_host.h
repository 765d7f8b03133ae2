/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to snpemu.c: a host that asks a program's function.
 */
#ifndef SNPEMU_SNPEMU_HOST_H
#define SNPEMU_SNPEMU_HOST_H

#include "host/host.h"
#include "snpemu.h"

struct snpemu_host {
    snpemu_answer *answer; /* NULL: none */
    void *context;
};

/* `program` must outlive it. 0, or SNPEMU_ERR_MEMORY. */
int snpemu_host_new(struct host **host, struct snpemu_host *program, struct error *error);

#endif
