/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The inputs that are worth being changed, in memory and as files DIR/corpus/NAME, whose name is
 * the fingerprint of what they hold. Each file appears whole or not at all, so several processes,
 * and other fuzzers, may share the directory. A name that begins with a dot, or has ".tmp." in it,
 * is no input.
 */
#ifndef SNPEMU_FUZZ_CORPUS_H
#define SNPEMU_FUZZ_CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define CORPUS_ENTRIES_MAX 65536
#define CORPUS_FILES_MAX 262144 /* of a directory; what it has beyond is not read */

struct corpus_entry {
    uint8_t *input;
    size_t size_bytes;
    uint64_t cost;   /* instructions of its run */
    uint32_t chosen; /* how often */
    uint32_t led_on; /* how often it was changed into an entry of its own */
};

struct corpus; /* opaque */

/* `dir` is made if it is missing, and so is DIR/corpus; both must be writable. */
int corpus_open(struct corpus **corpus, const char *dir, struct error *error);
void corpus_close(struct corpus *corpus); /* takes NULL */

size_t corpus_count(const struct corpus *corpus);

/*
 * Show `each` the files that are new since the last call, smallest first; what is longer than an
 * input can be is cut. Returns the first status that is not 0.
 */
int corpus_read(struct corpus *corpus,
                int (*each)(void *context, const uint8_t *input, size_t size_bytes,
                            struct error *error),
                void *context, struct error *error);

/* A new entry; with `file` also on disk. What is too many is only written. */
int corpus_add(struct corpus *corpus, const uint8_t *input, size_t size_bytes, uint64_t cost,
               bool file, struct error *error);

/* The number of one of the entries, of which there must be some: rather of a small, quick one,
 * seldom chosen. */
size_t corpus_choose(struct corpus *corpus, uint64_t *random);
/* Good until the next corpus_add or corpus_read. */
const struct corpus_entry *corpus_entry(const struct corpus *corpus, size_t number);
/* It was changed into an entry of its own. */
void corpus_led_on(struct corpus *corpus, size_t number);

#endif
