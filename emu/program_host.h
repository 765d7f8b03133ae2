/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to snpemu.c: a host that asks a program's function.
 */
#ifndef SNPEMU_PROGRAM_HOST_H
#define SNPEMU_PROGRAM_HOST_H

#include "host/host.h"
#include "snpemu.h"

struct program_host {
    snpemu_answer *answer; /* NULL: none */
    void *context;
};

/* `program` must outlive it. 0, or SNPEMU_ERR_MEMORY. */
int program_host_new(struct host **host, struct program_host *program, struct error *error);

#endif
