/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three things to do to a run under the debugger's protocol:
 *
 *   bytes  hostile input. The first byte says what the rest is: a stream of bytes (even), or lines
 *          that are each put into a packet (odd).
 *   walk   random steps, forward and back, with breakpoints and watchpoints, of a client that means
 *          well: each position has one state, however it was come to.
 *
 *   through many breakpoints at once, each stopped at: the run ends as it does without.
 *
 * After them the machine must be in order: a run from launch ends as it always does.
 */
#ifndef SNPEMU_FUZZ_GDB_H
#define SNPEMU_FUZZ_GDB_H

#include "client.h"

#define FUZZ_GDB_INPUT_MAX 4096

/* All end the program when something is wrong. */
void fuzz_gdb_bytes(struct table *table, const uint8_t *data, size_t size);
void fuzz_gdb_walk(struct table *table, uint64_t seed, unsigned moves);

void fuzz_gdb_through(struct table *table, uint64_t seed);

/* A hostile input, made of packets that mean something, more or less. */
size_t fuzz_gdb_generate(uint64_t *random, uint8_t data[FUZZ_GDB_INPUT_MAX]);
uint64_t fuzz_gdb_random(uint64_t *state);

#endif
