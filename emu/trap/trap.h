/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trap: the guest reached something that the CPU engine must not simply execute. Handlers decide
 * what hardware does about it: go on, tell the hypervisor (an exit), raise a fault in the guest, or
 * end the run with a fact.
 */
#ifndef SNPEMU_TRAP_H
#define SNPEMU_TRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "check/outcome.h"
#include "machine/machine.h"
#include "trace/event.h"
#include "trap/profile.h"

enum trap_next {
    TRAP_RESUME, /* run on */
    TRAP_EXIT,   /* VMGEXIT: the hypervisor's turn; RIP is after the instruction already */
    TRAP_HALT,   /* HLT, RIP is after it */
    TRAP_PAUSE,  /* PAUSE, the same: another vCPU may run */
    TRAP_SPIN,   /* a jump to itself: this vCPU will not get further */
    TRAP_END,    /* the outcome is set */
};

/*
 * PVALIDATEs of neighbouring pages that went alike make one event: boot code validates thousands.
 * The event is emitted when something else happens.
 */
struct trap_pvalidate_run {
    uint64_t count; /* instructions; 0: none pending */
    uint64_t gpa, next_gpa;
    bool large, validate, unchanged;
    unsigned status;
    struct event event; /* begun at the first */
};

struct trap_pvalidated {
    uint64_t gpa, size_bytes;
    bool validate, unchanged;
};

struct trap_context {
    struct machine *machine;
    uint32_t vcpu; /* which one the machine runs, for events */
    struct outcome *outcome;
    const struct trace *trace; /* NULL: nobody listens */
    /* The function at gva, without offset; NULL when unknown. May be NULL itself. */
    const char *(*symbol)(void *context, uint64_t gva);
    /* All that is known of gva. May be NULL. */
    void (*place)(void *context, uint64_t gva, struct image_place *place);
    void *symbol_context;   /* of both */
    bool strict;            /* end as `unmodelled` rather than rest on an unverified fact */
    bool unknown_msr_gp;    /* an MSR without a row: #GP(0) instead of `unmodelled` */
    uint32_t sev_cpuid_eax; /* CPUID 0x8000001F EAX of the guest's processor */
    const struct cpu_profile *profile; /* NULL: any; what the engine does not know is unmodelled */
    struct trap_pvalidate_run pvalidate;
    /* Told of each PVALIDATE that succeeds, before it retires. NULL: nobody is. */
    void (*pvalidated)(void *context, const struct trap_pvalidated *done);
    void *pvalidated_context;
};

/* Carry out what hardware does about a stop of the vCPU. */
enum trap_next trap_handle(struct trap_context *trap, const struct vcpu_stop *stop);

/* End the run; the detail is a printf format, or NULL. Always returns TRAP_END. */
enum trap_next trap_end(struct trap_context *trap, enum outcome_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What comes next rests on an unverified fact. True in a strict run, which has ended. */
bool trap_is_guess(struct trap_context *trap, const char *what);

/* True when somebody listens: then begin an event at the current instruction, add to it, emit it.
 */
bool trap_event_begin(struct trap_context *trap, struct event *event, const char *name,
                      const char *topic);
/* It happened at the instruction at gva, of the VMPL that runs. */
void trap_event_place(const struct trap_context *trap, struct event *event, uint64_t gva);
void trap_event_emit(const struct trap_context *trap, const struct event *event);
/* Emit what is still pending. trap_event_begin does it first of all. */
void trap_event_flush(struct trap_context *trap);

/* Has the host done with the page what the guest did not ask for? */
bool trap_host_fault(const struct trap_context *trap, uint64_t gpa);
/* A nested page fault: the hypervisor gets it, and cannot mend it. */
enum trap_next trap_nested_fault(struct trap_context *trap, const struct mmu_fault *fault);

#endif
