/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host that reads bytes: honest, but where its input says otherwise. An input is a list of
 * records of BYTES_RECORD_SIZE bytes; each is a deviation from one honest answer: which exit, what
 * there, which value. No bytes left means honest. Every input is valid; what an exit has no use for
 * is passed over.
 */
#ifndef SNPEMU_HOST_BYTES_H
#define SNPEMU_HOST_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"
#include "host/host.h"

#define BYTES_RECORD_SIZE 16
#define BYTES_RECORD_MAX 64 /* what an input has beyond that is not looked at */
#define BYTES_INPUT_MAX (BYTES_RECORD_SIZE * BYTES_RECORD_MAX)
#define BYTES_FEATURE_MAX 256

/* The host; freed with host->free. NULL when out of memory. */
struct host *host_bytes_new(void);

/*
 * Make it ready for one run. The input is copied. `first_exit` is the number (struct exit) of the
 * exit that a record's exit 0 means: the one that a snapshot stands at.
 */
void host_bytes_set(struct host *host, const uint8_t *input, size_t size_bytes,
                    uint64_t first_exit);

/* Of the run since then: bit n: record n changed something. */
uint64_t host_bytes_done(const struct host *host);

/* Exits met and kinds of answers given since then, as numbers for coverage; how many. */
size_t host_bytes_features(const struct host *host, uint32_t *feature, size_t max);

/* What was done in that run, in Lua: `  on = { ... },` of a scenario, with a comment a deviation in
 * plain words. Nothing when nothing was done. */
void host_bytes_print(const struct host *host, FILE *file);

#endif
