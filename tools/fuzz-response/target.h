/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The response path as a function that takes bytes, for the fuzzers that people have. The
 * environment says of what and how; docs/FUZZING.md lists it.
 */
#ifndef SNPEMU_TOOLS_FUZZ_RESPONSE_TARGET_H
#define SNPEMU_TOOLS_FUZZ_RESPONSE_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "fuzz/stage.h"

#define TARGET_NAME "fuzz-response"

/* Make it ready, or end the process with a line that says why not. */
void target_open(void);
struct stage *target_stage(void);
/* Play one input. Does not return from one that counts: it says what it is, and aborts. */
void target_play(const uint8_t *input, size_t size_bytes);

/* What libFuzzer and its like call. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max, unsigned seed);

#endif
