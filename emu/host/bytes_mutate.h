/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New inputs from old ones, keeping the structure of records: for our own fuzzer and, as a custom
 * mutator, for others.
 */
#ifndef SNPEMU_HOST_BYTES_MUTATE_H
#define SNPEMU_HOST_BYTES_MUTATE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Change `input` in place, a buffer of `max` bytes; returns its new size. Draws from *random, any
 * number. */
size_t bytes_mutate(uint8_t *input, size_t size_bytes, size_t max, uint64_t *random);
/* Records of both; returns the size. */
size_t bytes_cross(uint8_t *out, size_t max, const uint8_t *a, size_t a_size, const uint8_t *b,
                   size_t b_size, uint64_t *random);
/* In place, the records of the mask alone: those that host_bytes_done names, for one. Returns the
 * size. */
size_t bytes_keep(uint8_t *input, size_t size_bytes, uint64_t records);
/*
 * Candidates that are nearer to honest, best first: number `step` (from 0) of `input`, into `out`
 * (BYTES_INPUT_MAX); returns its size, or SIZE_MAX when there are no more.
 */
size_t bytes_simpler(const uint8_t *input, size_t size_bytes, size_t step, uint8_t *out);
/* Values worth trying, in the form that libFuzzer and AFL++ read. */
void bytes_print_dictionary(FILE *file);

#endif
