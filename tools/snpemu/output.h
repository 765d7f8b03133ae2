/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a person reads: colour, the guest's console, the per-CPU table, the outcome.
 */
#ifndef SNPEMU_OUTPUT_H
#define SNPEMU_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "check/outcome.h"
#include "run.h"

enum output_colour {
    COLOUR_NONE,
    COLOUR_GOOD,
    COLOUR_BAD,
    COLOUR_DIM,
    COLOUR_BOLD,
};

/* A terminal that is not "dumb", and no NO_COLOR in the environment (https://no-color.org). */
bool output_has_colour(FILE *file);
/* The escape sequence, or "" without `on`. */
const char *output_escape(bool on, enum output_colour colour);

/* Bytes of the guest's console. On a terminal control characters become '?'. */
void output_console(FILE *file, const uint8_t *bytes, size_t size_bytes);

/* A paragraph, broken at spaces, each line after `indent` spaces. */
void output_words(FILE *file, int indent, const char *words);

/* A text at most `lines` lines long, and how many there are besides; diffs get colours. */
void output_diff(FILE *file, const char *text, size_t lines, bool colour);

/* The per-CPU areas whole, a line each; false when the guest has none yet, or no such symbols. */
bool output_percpu_dump(FILE *file, struct run *run);
void output_percpu(FILE *file, struct run *run, bool colour);
/* The last instructions that ran, at most count; a line where another function goes on. */
void output_insns(FILE *file, struct run *run, size_t count);

/* The end of this run, with the calls that led there unless it is a good one. */
void output_outcome(FILE *file, const struct run *run, const struct outcome *outcome,
                    enum verdict verdict, bool colour);

#endif
