/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the files of a stage:
 *
 *   stage_open.c  from a subject to machines at the snapshot
 *   stage.c       playing inputs from there
 */
#ifndef SNPEMU_FUZZ_STAGE_INTERNAL_H
#define SNPEMU_FUZZ_STAGE_INTERNAL_H

#include "fuzz/stage.h"

struct stage {
    struct subject *subject;
    struct stage_options options;
    struct place place;       /* of the snapshot */
    struct host *honest_host; /* up to the snapshot */
    struct host *host;
    struct run *fast;     /* for inputs that change no memory at an access; */
    struct run *watched;  /* for those that do, made when it is first needed, */
    struct run *exact;    /* and so is this */
    struct run *counting; /* and this, */
    struct blocks *ran;   /* which counts here */
    struct run *last;     /* of the last stage_play */
    uint64_t first_exit;
    uint64_t snapshot_instructions;
    struct outcome honest;
    struct run_hit honest_hit[RUN_HIT_MAX]; /* with `exact` */
    size_t honest_hit_count;
    struct stage_box *box; /* NULL: none */
    bool map_clear;        /* nothing to be cleared before the next run */
    uint8_t *map;          /* own_map, or somebody else's */
    uint8_t own_map[STAGE_MAP_SIZE];
};

enum stage_speed { STAGE_FAST, STAGE_WATCHED, STAGE_EXACT, STAGE_COUNTING };

/* A machine that has gone from launch to where the snapshot is to be, and has taken it. The caller
 * frees the run, also after a failure. */
int stage_open_run(struct stage *stage, struct run **run, enum stage_speed speed,
                   struct error *error);

#endif
