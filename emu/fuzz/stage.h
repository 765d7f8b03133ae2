/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stage: a machine that stands at a snapshot, and plays on from there with one input of the host
 * that reads bytes after the other. Oracles watch fast; what they suspect is confirmed, on request,
 * by a second, exact machine.
 */
#ifndef SNPEMU_FUZZ_STAGE_H
#define SNPEMU_FUZZ_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/outcome.h"
#include "error.h"
#include "host/bytes.h"
#include "run.h"
#include "subject.h"

/* Coverage of one run: counters of the guest's edges, then of exits, answers and oracles. */
#define STAGE_EDGES RUN_EDGES_SIZE
#define STAGE_FEATURES 4096
#define STAGE_MAP_SIZE (STAGE_EDGES + STAGE_FEATURES)

/* What a run may have beyond the honest one before it is a hang, unless somebody says otherwise. */
#define STAGE_MARGIN_DEFAULT 10000000
#define STAGE_MARGIN_EXITS 1000

struct stage_options {
    const char *until; /* symbol that ends a run; NULL: as the scenario says */
    uint64_t margin_instructions, margin_exits;
};

struct stage_result {
    struct outcome outcome;
    enum verdict verdict;  /* in a fast run: `violation` is a suspicion */
    uint64_t suspicion;    /* which; equal for what is probably the same mistake. 0: none */
    uint64_t instructions; /* retired since the snapshot */
    const char *last_exit; /* name of the last exit; NULL: none since the snapshot */
    uint64_t done;         /* host_bytes_done */
    /* Of a confirmed run: which oracles hit where they do not in the honest run; the first such
       hit, else the first of all. */
    uint32_t fresh;
    bool has_hit;
    struct run_hit hit;
};

/* The input that is being played, kept where it outlives the process. */
struct stage_box {
    uint32_t size_bytes;
    uint8_t input[BYTES_INPUT_MAX];
};

struct stage; /* opaque */

/*
 * Open a subject for stages, as subject_open does. What neither the scenario nor `overrides` says
 * of oracles is: the cheap ones; of where runs end: stage_until_default. A scenario with handlers
 * is refused: inputs answer instead of them.
 */
int stage_subject_open(struct subject *subject, const char *path, const struct overrides *overrides,
                       struct error *error);

/*
 * The snapshot is taken where the scenario says; else before the first request for the list of APIC
 * IDs, if there is one; else before the first exit.
 * `subject` must outlive the stage; its budgets are set to the honest run's and the margins.
 */
int stage_open(struct stage **stage, struct subject *subject, const struct stage_options *options,
               struct error *error);
void stage_close(struct stage *stage); /* takes NULL */

/* From the snapshot with this input, fast. 0, or the emulator's own failure. */
int stage_play(struct stage *stage, const uint8_t *input, size_t size_bytes,
               struct stage_result *result, struct error *error);
/* The same on the exact machine: whose mistake it is, and where. Slow. Leaves the map alone. */
int stage_confirm(struct stage *stage, const uint8_t *input, size_t size_bytes,
                  struct stage_result *result, struct error *error);

/*
 * Play it once more on a machine that counts in `ran`, the same at each call, what code runs: the
 * way from launch to the snapshot once, and from there with each input. Oracles do not watch.
 */
int stage_count(struct stage *stage, const uint8_t *input, size_t size_bytes, struct blocks *ran,
                struct error *error);

/*
 * Make a run with this input from launch, to be gone on with by run_to_end: the same as from the
 * snapshot, as somebody sees it who has no snapshot. Of `options` trace and console are heeded. It
 * answers with the stage's host: until it is freed the stage must not play.
 */
int stage_launch(struct stage *stage, const struct run_options *options, bool exact,
                 const uint8_t *input, size_t size_bytes, struct run **run, struct error *error);
/* run_digest of where the last stage_play ended. Slow. */
int stage_digest(struct stage *stage, uint8_t digest[RUN_DIGEST_SIZE], struct error *error);

/* STAGE_MAP_SIZE counters of the last stage_play; cleared by the next one. */
uint8_t *stage_map(struct stage *stage);
/* They have been set to zero already: the next stage_play need not. */
void stage_map_cleared(struct stage *stage);
/* Count elsewhere from now on: in a map that another fuzzer looks at. Not owned; STAGE_MAP_SIZE. */
void stage_set_map(struct stage *stage, uint8_t *map);

/* Write each input there before it is played, fast or exactly. Not owned; NULL: nowhere. */
void stage_set_box(struct stage *stage, struct stage_box *box);

/* The host of the last run, for host_bytes_print. */
const struct host *stage_host(const struct stage *stage);
/* The number of the exit that the snapshot stands at: `first_exit` of host_bytes_set. */
uint64_t stage_first_exit(const struct stage *stage);
const struct subject *stage_subject(const struct stage *stage);
const char *stage_until(const struct stage *stage); /* NULL: none */
/* How the honest run ended. */
const struct outcome *stage_honest(const struct stage *stage);

/*
 * The symbol of the function that comes after percpu_init, if the image has one that we know.
 */
const char *stage_until_default(const struct image *image);

#endif
