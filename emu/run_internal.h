/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the files of a run (and to the benchmark's recorder, which goes through one step by
 * step):
 *
 *   run.c       from launch to outcome; snapshots
 *   run_place.c     going on to a place, and no further
 *   run_exit.c  one exit: take it, ask the host, carry out the reply
 *   run_later.c     what the host does between two instructions
 *   run_schedule.c  which vCPU runs
 *   run_spin.c      loops that nobody ends
 *   run_fault.c     faults that nobody ends
 *   run_debug.c     a debugger looks on
 *   run_oracle.c    what the oracles are told
 *   run_percpu.c    what the oracle percpu looks at
 *   run_taint.c     the same for the one that follows values
 *   run_backtrace.c who called whom
 *   run_insns.c     the instructions that ran last
 *   run_view.c  looking at the result
 */
#ifndef SNPEMU_RUN_INTERNAL_H
#define SNPEMU_RUN_INTERNAL_H

#include "check/oracle.h"
#include "ghcb/exit.h"
#include "ghcb/history.h"
#include "ghcb/hypervisor.h"
#include "ghcb/later.h"
#include "ghcb/reply.h"
#include "ghcb/table.h"
#include "ghcb/watch.h"
#include "machine/machine.h"
#include "psp/psp.h"
#include "run.h"
#include "trap/trap.h"

#define EXIT_KINDS_MAX 128
#define CONSOLE_LINE_MAX 120
#define ROUND_PAGES 8                /* pages that a circle of faults may be about */
#define CANCEL_INTERVAL (1ULL << 24) /* instructions between two questions */

/* How many exits of one kind there were. */
struct exit_count {
    const struct exit_row *row;
    uint64_t count;
};

/* What belongs to the run and not to the machine. Copied whole by a snapshot. */
struct run_state {
    uint32_t bsp_told; /* the boot CPU's APIC ID as the guest was told it, when bsp_asked */
    bool bsp_asked;
    /* Oracles' hits that a golden trace shows: one a function. */
    struct {
        enum oracle_kind kind;
        uint64_t code_gva, function_gva;
        const char *exit; /* name of the last one before; NULL: none */
    } hit[RUN_HIT_MAX];
    size_t hit_count;
    uint32_t msr_hosts;  /* in whose GHCB MSR an answer stands: the vCPU's number and 1; 0: none */
    bool percpu_checked; /* the per-CPU table was looked at when the first AP came up */
    struct exit_count exit_count[EXIT_KINDS_MAX];
    uint64_t exits;
    uint64_t stops; /* of the vCPU that were handled: see run_position */
    bool at_exit;   /* VMGEXIT has retired, the host has not been asked yet */
    bool script_acted;
    /* The host has changed memory since its last answer: what the guest reads, or asks next. */
    bool raced;
    bool asked_otherwise; /* so it was at an exit: what was asked may not be what the guest asked */
    bool held_raced;      /* so it was when the guest asked to be held */
    /* Faults since an instruction has retired, and how often the last one came just so before. */
    struct {
        uint64_t retired, rip, rsp;
        uint32_t faults, same;
    } still;
    /* Faults on pages that the host took, since the last exit and the last one on another page. */
    struct {
        uint64_t exits;
        uint32_t faults;
        uint32_t page_count; /* of the ring: how many have been put there */
        uint64_t page_gpa[ROUND_PAGES];
    } round;
    uint64_t slice_end; /* in retired instructions: where another vCPU may run; UINT64_MAX: none */
    uint64_t schedule;  /* state of the random schedule */
    size_t turn;        /* the next of the explicit schedule */
    char held[128];     /* why the last vCPU that the host held waits */
    size_t console_size;
    char line[CONSOLE_LINE_MAX + 1]; /* console output since the last newline */
    size_t line_size;
};

/* How long nothing but instructions and PAUSEs happened. */
struct run_spin {
    uint64_t pauses, patience; /* PAUSEs since then, and how many before the next look */
    uint64_t since, next_look; /* in retired instructions */
    uint32_t runnable;         /* vCPUs that took part */
    bool due;                  /* somebody should look whether it is a spin */
    bool proven;               /* a round of all came back to where it began */
    bool watching;             /* a round of all vCPUs is being compared, from the PAUSE of: */
    uint32_t vcpu;
    uint64_t ticks;           /* the watches' there */
    uint8_t begin[VMSA_SIZE]; /* its registers there */
    bool ended;               /* the outcome is a spin, in a loop that reads: */
    uint64_t awaited_gva;     /* 0: nothing that it does not write itself */
    uint64_t limit; /* in retired instructions: up to which the guest was to run, without a trap */
    bool goes_on;   /* it was stopped on its way there, at a place, as if it had not been */
};

/* Where the guest says where its per-CPU table is, and how long. */
struct run_percpu_symbols {
    bool asked, known;
    uint64_t va_gva, count_gva;
};

struct run {
    const struct scenario *scenario;
    const struct image *image;
    struct host *host;
    struct run_options options;

    struct hypervisor_config config; /* the scenario's, with the firmware's files */
    struct machine machine;
    struct hypervisor hypervisor;
    struct psp *psp;
    struct trap_context trap;
    struct outcome outcome;
    struct run_state state;
    struct run_spin spin;
    struct watch_list watches;
    struct later later;
    struct history history; /* of a host that may ask for it */
    struct exit exit;
    struct reply reply;
    char *console; /* NUL-terminated */
    size_t console_capacity;
    struct oracles *oracles; /* NULL: none is on */
    struct run_taint *taint; /* NULL: trusted-unchecked is not on */
    uint64_t svsm_size_bytes;
    struct place stop; /* options.stop_at_exit; without a row: none */
    struct {
        bool wanted, reached; /* a breakpoint that ends nothing */
        uint64_t gva;
    } place;
    struct run_percpu_symbols percpu;
    uint64_t panic_gva, panic_size; /* svsm_panic_message; size 0: the guest has none */

    bool saved;
    struct run_state saved_state;
    struct run_spin saved_spin;
    struct hypervisor_state saved_hypervisor;
    struct vcpus saved_vcpus;
    struct psp_state saved_psp;
    struct watch_list saved_watches;
    struct later saved_later;
    struct history saved_history;
};

/* run_exit.c: ask the host and do what it says. The outcome is set when the run ends there. */
int run_answer_exit(struct run *run, struct error *error);
void run_flush_line(struct run *run);
/* What a reply makes happen beyond the machine. */
struct answer_ops run_answer_ops(struct run *run);
bool run_console_reserve(struct run *run, size_t more);
void run_watch_fired(void *context, void *owner);

/* run_later.c: do what is due before the next instruction, and lower *limit to where the next such
 * is. The outcome may be set. 0, or the emulator's own failure. */
int run_later(struct run *run, uint64_t *limit, struct error *error);
/* Instructions of the present vCPU are counted up to now: another one comes. */
void run_later_count(struct run *run);
int run_later_add(struct run *run, const struct reply_action *action, const uint8_t *data,
                  struct error *error);
/* Whether something still to come may end a loop. */
bool run_later_waits(const struct run *run);
/* The vCPU jumps to itself until something comes, if something does. */
bool run_later_pass(struct run *run);

/* run_schedule.c: why the processor may be given to another vCPU, or to another VMPL of one. */
enum run_cause {
    CAUSE_EXIT,  /* an exit was answered */
    CAUSE_HALT,  /* HLT */
    CAUSE_PAUSE, /* PAUSE */
    CAUSE_SPIN,  /* a jump to itself */
    CAUSE_QUANTUM,
    CAUSE_HOST, /* the host acted between two instructions */
};

void run_schedule_reset(struct run *run);
/* The next one in turn. False, with the outcome, when VMRUN refuses. */
bool run_schedule_turn(struct run *run);
/* Whether all that can run have their turns one after the other. */
bool run_schedule_is_fair(const struct run *run);
/* Pick the one that runs next and let the machine hold it. The outcome is set when there is none.
 */
void run_schedule(struct run *run, enum run_cause cause);

/* run_spin.c */
void run_spin_reset(struct run *run); /* something else happened */
void run_spin_pause(struct run *run);
void run_spin_limit(struct run *run);
void run_spin_quantum(struct run *run); /* a turn is over */
/* Whether the run can be parted here. 0, or SNPEMU_ERR_INPUT. */
int run_spin_may_part(const struct run *run, struct error *error);
/* When spin.due: end the run if its loop never ends. 0, or the emulator's own failure. */
int run_spin_examine(struct run *run, struct error *error);

/* run_fault.c: whether the run ends here because faults follow each other for ever; the outcome is
 * set then. */
bool run_faults_for_ever(struct run *run, const struct vcpu_stop *stop);

/* run_oracle.c: what the oracles are told. Nothing happens when none is on. */
int run_oracles_open(struct run *run, struct error *error);
void run_oracles_exit(struct run *run);
/* 0, or SNPEMU_ERR_INTERNAL. */
int run_oracles_answer(struct run *run, struct error *error);
/* The outcome is known, but not who hit. */
void run_oracles_end(struct run *run);

/* run_taint.c: the same for the one that follows values. */
int run_taint_open(struct run *run, struct vcpu_observer *observer, struct error *error);
void run_taint_free(struct run *run);
int run_taint_save(struct run *run, struct error *error);
void run_taint_restore(struct run *run);
void run_taint_access(struct run *run, const struct oracle_access *access);
/* A trap was handled; the vCPU stands where it goes on. */
void run_taint_trap(struct run *run, const struct vcpu_stop *stop);
/* What stands in these pages is new. */
void run_taint_page(struct run *run, uint64_t gpa, uint64_t size_bytes);

/* run_percpu.c: the exit that is being taken may end the bring-up; the run has ended. */
void run_percpu_exit(struct run *run);
void run_percpu_end(struct run *run);

/* run.c: from RIP to the next exit (state.at_exit), to a place that is wanted (place.reached), or
 * to the outcome. */
int run_guest(struct run *run, struct error *error);
/* One round of the picture: guest, trap, exit, reply. */
int run_round(struct run *run, struct error *error);
/* Is it the place that is wanted where the vCPU has stopped? */
bool run_is_place(const struct run *run, const struct vcpu_stop *stop);
int run_find_symbol(const struct run *run, const char *symbol, uint64_t *gva, struct error *error);
/* run_debug.c: the guest is about to run, up to *limit. */
int run_debug_before(struct run *run, uint64_t *limit, struct error *error);
/* The guest has run. Whether the vCPU stopped for the debugger alone, before it came to `limit`. */
bool run_debug_after(struct run *run, const struct vcpu_stop *stop, uint64_t limit);
/* What a handled trap means for who runs. */
void run_after_trap(struct run *run, enum trap_next next);

/* run_backtrace.c: the calls that led to an abnormal outcome, as events. */
void run_report_backtrace(struct run *run);

/* run_insns.c: keep them from now on; write them as events. */
int run_keep_insns(struct run *run, struct error *error);
void run_report_insns(struct run *run);

/* run_view.c */
const char *run_symbol(void *context, uint64_t gva);
void run_place_of(void *context, uint64_t gva, struct image_place *place);
/* What runs at the VMPL that the machine has; NULL: not known. */
const struct image *run_program(const struct run *run);
bool run_peek(struct run *run, uint64_t gva, void *bytes, size_t size);
void run_read_panic(struct run *run);

#endif
