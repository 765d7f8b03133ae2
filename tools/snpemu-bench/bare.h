/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bare CPU engine: what a run costs when nothing is emulated around it. Addresses are
 * translated by a look into the recording, nothing is counted, and each trap is answered from it,
 * switches to other vCPUs and VMPLs included. Page permissions are granted as the emulator grants
 * them, one kind of access at a time, because that decides how fast the engine's stores are.
 */
#ifndef SNPEMU_BENCH_BARE_H
#define SNPEMU_BENCH_BARE_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "recording.h"

struct bare; /* opaque */

enum bare_hook {
    BARE_HOOK_NONE,
    BARE_HOOK_BLOCK, /* an empty one at each block: the least that counting instructions costs */
    BARE_HOOK_INSN,  /* one that counts, at each instruction */
};

/* A fresh engine with the recording's start state. The recording must outlive it. */
int bare_open(struct bare **bare, const struct recording *recording, enum bare_hook hook,
              struct error *error);
void bare_close(struct bare *bare); /* takes NULL */

/* Go on until trap number `trap` is next to be answered, or to the end for UINT64_MAX. */
int bare_run(struct bare *bare, uint64_t trap, struct error *error);

/* Keep the state now; bring it back any number of times. */
int bare_save(struct bare *bare, struct error *error);
int bare_restore(struct bare *bare, struct error *error);

/* SNPEMU_ERR_INTERNAL when registers or memory are not what the recording ended with. */
int bare_check(const struct bare *bare, struct error *error);

/* The number of instructions of the recorded path, counted one by one with an engine of its own. */
int bare_count(const struct recording *recording, uint64_t *instructions, struct error *error);

#endif
