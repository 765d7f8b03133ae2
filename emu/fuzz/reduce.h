/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simplest input that still shows a finding: fewest deviations from the honest answer, smallest
 * values.
 */
#ifndef SNPEMU_FUZZ_REDUCE_H
#define SNPEMU_FUZZ_REDUCE_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "fuzz/finding.h"
#include "fuzz/stage.h"

/*
 * Change `input`, a buffer of BYTES_INPUT_MAX bytes whose first *size_bytes do what `key` says, in
 * place. When *runs runs have been made, fast and exact ones alike, nothing more is tried (fewer,
 * when they take long); *runs becomes how many there were.
 * The same input, key and number give the same result.
 */
int reduce(struct stage *stage, const struct finding_key *key, uint8_t *input, size_t *size_bytes,
           uint64_t *runs, struct error *error);

#endif
