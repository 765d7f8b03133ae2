/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of one image against one host, from launch to outcome.
 */
#ifndef SNPEMU_RUN_H
#define SNPEMU_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/rmp.h"
#include "check/expect.h"
#include "check/oracle.h"
#include "check/outcome.h"
#include "coverage/blocks.h"
#include "error.h"
#include "host/host.h"
#include "host/place.h"
#include "host/scenario.h"
#include "image/firmware.h"
#include "image/image.h"
#include "image/place.h"
#include "machine/rmp_log.h"
#include "machine/vcpu.h"
#include "trace/event.h"

#define RUN_DIGEST_SIZE 32 /* SHA-256 */
#define RUN_HIT_MAX 64     /* hits of oracles that a run keeps */

/* Counters of the guest's edges: how often one block came after another, by a hash of both. */
#define RUN_EDGES_SIZE VCPU_EDGES_SIZE

struct hypervisor;
struct machine;
struct run; /* opaque */

/*
 * Where a run stands. Equal in each run of the same, so that one can be brought back there: how
 * many instructions have retired, and how often the processor has stopped for something, which need
 * not retire any (a fault that is delivered, a turn that is over).
 */
struct run_position {
    uint64_t retired, stops;
};

/* Below, equal, above zero as with memcmp. */
int run_position_compare(struct run_position a, struct run_position b);

/*
 * A debugger. `before` is called whenever the guest is about to run, and may look at all and keep
 * the run waiting; anything but 0 ends the call of run_to_end, with that status. It is called when
 * `limit` instructions have retired, if not before, and after a probe of the vCPU has asked for it.
 * `after` is called when the guest has run, and nothing was done yet about what it stopped for.
 * Nothing of it changes the run.
 */
struct run_debugger {
    int (*before)(void *context, struct error *error);
    void (*after)(void *context); /* NULL: none */
    void *context;
    uint64_t limit; /* UINT64_MAX: none */
};

struct run_options {
    const struct firmware *firmware; /* not owned; NULL: none */
    /* Stop as `reached` when this symbol is about to execute; NULL: as the scenario says. */
    const char *until;
    const char *stop_at_exit; /* stop as `reached` at this exit: NAME or NAME:N; NULL: never */
    struct trace *trace;      /* not owned; NULL: no events */
    /* Of the RMP's changes, not owned; the caller closes it before the run goes. NULL: none. */
    struct rmp_log *rmp_log;
    void (*console)(void *context, const uint8_t *bytes, size_t size_bytes); /* NULL: dropped */
    void *context;
    /* Asked now and then; true ends the run with SNPEMU_ERR_INTERNAL. May be NULL.
     */
    bool (*cancelled)(void *context);
    uint32_t oracles; /* ORACLE_BIT()s of those that watch; 0: none */
    /* They are shown the instruction of each access, their hits become events, and the run is
       several times slower. Else a hit is a suspicion: run again, exactly. */
    bool oracles_exact;
    uint64_t oracles_from; /* with oracles_exact: only once the exit of this number was answered */
    struct run_debugger *debugger; /* not owned; NULL: none */
    struct blocks *ran; /* not owned: count what code runs, all from the launch on; not with
                           edges; NULL: do not */
    size_t insns; /* keep the last so many instructions, at most RUN_INSNS_MAX; not with edges */
    bool edges;   /* count the guest's edges: run_set_edges says where */
    vcpu_translate *translate; /* for measurements: see vcpu_set_translation; NULL otherwise */
    void *translate_context;
};

/* One row of the per-CPU table, read through the image's symbols after the run. */
struct run_percpu {
    uint32_t index, apic_id;
    uint64_t gva;
    uint64_t ghcb;                              /* guest virtual */
    uint64_t vmsa[VMPL_COUNT], caa[VMPL_COUNT]; /* guest physical; 0: none */
    uint64_t tss;                               /* guest virtual */
};

/* scenario, image, firmware and host must outlive the run; the host is used, not owned. */
int run_new(struct run **run, const struct scenario *scenario, const struct image *image,
            struct host *host, const struct run_options *options, struct error *error);
void run_free(struct run *run); /* takes NULL */

/* Go on to the end. 0 with the outcome, or the emulator's own failure. */
int run_to_end(struct run *run, struct outcome *outcome, struct error *error);
/*
 * Go on until the next exit is one that `host->handles`, or exit number `exit_number`, whichever
 * is first; sets *at_exit, and *exit_number to where it stands. If the run ends before, *at_exit is
 * false and run_to_end reports the same outcome at once.
 */
int run_to_exit(struct run *run, uint64_t *exit_number, bool *at_exit, struct error *error);

/*
 * Go on to that place. Sets *arrived, and *exit_number to the number of the next exit. A run that
 * ends before behaves as with run_to_exit. A symbol is seen where it is reached for the first time
 * since this call.
 */
int run_to_place(struct run *run, const struct place *place, uint64_t *exit_number, bool *arrived,
                 struct error *error);

/* Keep the whole state now; restore to it any number of times. One snapshot a run. */
int run_snapshot(struct run *run, struct error *error);
int run_restore(struct run *run, struct error *error);

/*
 * After run_restore to a snapshot of the launch: as if the run had been made with `image`, which
 * must lie in memory as the one before did and live until the next such call has returned, or as
 * long as the run. Much cheaper than a new machine. Breakpoints and panic texts stay as they are.
 */
int run_relaunch(struct run *run, const struct image *image, struct error *error);

/* Many runs from the snapshot will change memory at a read: see vcpu_watch_often. */
int run_watch_often(struct run *run, struct error *error);

/* With options->edges: count here from now on, wrapping; RUN_EDGES_SIZE bytes, not owned. NULL:
 * nowhere, as at first. */
void run_set_edges(struct run *run, uint8_t *edges);

/*
 * After a fast run to its end: what its oracles suspect, as one number that is equal for what is
 * probably the same mistake, however often it was made; 0: nothing.
 */
uint64_t run_suspicion(const struct run *run);

/* Retired since launch, by all vCPUs. */
uint64_t run_instructions(const struct run *run);
/* The name of the exit that was taken last, as exit->name has it; NULL: none yet. */
const char *run_last_exit(const struct run *run);

struct run_position run_position(const struct run *run);

/*
 * For a debugger: what a run is made of. It looks at it between two instructions (see struct
 * run_debugger) and at the end; what it changes is its own responsibility.
 */
struct machine *run_machine(struct run *run);
struct hypervisor *run_hypervisor(struct run *run);
const struct outcome *run_outcome(const struct run *run);
const struct exit *run_exit(const struct run *run); /* the last one; NULL: none yet */

/* What an oracle has found in an exact run. */
struct run_hit {
    enum oracle_kind kind;
    uint64_t code_gva;     /* the instruction */
    uint64_t function_gva; /* of the instruction's function; without symbols of the instruction */
    const char *symbol;    /* NULL: not known */
    const char *exit;      /* name of the last exit before; NULL: none */
};

/* Number i, in their order: the first of each oracle in each function. False: there is none. */
bool run_hit(const struct run *run, size_t i, struct run_hit *hit);

/* Answer with another host from here on. Not owned. */
void run_set_host(struct run *run, struct host *host);

/*
 * Which of options->oracles suspect something, told by a silent and fast run of its own with a
 * fresh host. Sets oracles_exact and oracles_from of the options so that a run with them shows
 * where, and is exact no longer than it must be.
 */
int run_suspects(const struct scenario *scenario, const struct image *image,
                 struct run_options *options, struct error *error);

/* SHA-256 over registers, touched pages in GPA order, RMP, MSRs and device state. */
int run_digest(struct run *run, uint8_t digest[RUN_DIGEST_SIZE], struct error *error);

/* Whether a handler of a script has answered an exit. */
bool run_script_acted(const struct run *run);

/* Symbol and line of an address of the code that runs, or has run last: no inlined functions. */
void run_place(const struct run *run, uint64_t gva, struct image_place *place);

/* All that is known of an address of the SVSM's, whatever runs now. */
void run_place_svsm(const struct run *run, uint64_t gva, struct image_place *place);

#define RUN_BACKTRACE_MAX 64

/* A function that had not returned. */
struct run_frame {
    uint64_t gva; /* where it stands; in all but the first, and after an exception, behind a call */
    bool guessed; /* by what lies on the stack: the image does not say where its caller is */
    bool interrupted;         /* by an exception or interrupt, whose handler is the frame before */
    struct image_place place; /* of gva; the lines are those of the call */
};

/*
 * Who called whom, from where the vCPU stands: at most max frames, the innermost first. Reads the
 * guest's memory and changes nothing.
 */
size_t run_backtrace(const struct run *run, struct run_frame *frame, size_t max);

#define RUN_INSNS_MAX 100000

/* An instruction that has run, or, of the last ones, stands behind where the vCPU stands. */
struct run_insn {
    uint64_t gva;
    uint32_t vcpu;
    uint8_t vmpl;
    bool ahead; /* it has not run */
    char text[96];
    struct image_place place;
};

/*
 * The last that ran, at most max, options->insns and as many as are known, the oldest first; then,
 * where there is room, a few from where the vCPU stands. As they stand in memory now.
 */
size_t run_last_insns(struct run *run, struct run_insn *insn, size_t max);

/* All console bytes so far, NUL-terminated; owned by the run. */
const char *run_console(const struct run *run);

/* How many rows the guest says that its per-CPU table has, at most HYPERVISOR_CPU_MAX. */
size_t run_percpu_count(struct run *run);
/* The per-CPU table: number of rows (0 before percpu_init's end or without symbols), at most max.
 */
size_t run_percpu_table(struct run *run, struct run_percpu *row, size_t max);

/* SNPEMU_ERR_INPUT, with the nearest name that the image has. */
int run_no_symbol(const struct image *image, const char *symbol, struct error *error);

/* After the end: does what the scenario expects hold? `why`: what does not, in one line; untouched
 * when all does. */
bool run_expected(struct run *run, char *why, size_t size);

#endif
