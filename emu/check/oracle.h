/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Oracles: they watch what the guest does with what the hypervisor can see and change, and notice
 * mistakes that an outcome alone does not show. They are told of accesses, exits, answers and
 * PVALIDATEs, as data; they never change anything, and what the guest sees is the same with them
 * and without.
 *
 * They watch the SVSM: code at VMPL0. Two ways of being told:
 *
 *   fast   each piece of an access to memory that is shared or otherwise of interest, without the
 *          instruction that makes it. A hit is a suspicion: it may be one too many, never one too
 *          few, and the run is to be repeated
 *   exact  each access with its instruction. A hit is a fact, and is reported
 */
#ifndef SNPEMU_CHECK_ORACLE_H
#define SNPEMU_CHECK_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "ghcb/exit.h"
#include "ghcb/reply.h"
#include "ghcb/table.h"

enum oracle_kind {
    ORACLE_DOUBLE_FETCH,
    ORACLE_OVERRUN,
    ORACLE_UNMARKED,
    ORACLE_TRUSTED_UNCHECKED,
    ORACLE_LEAK,
    ORACLE_STALE_PRIVATE,
    ORACLE_VALIDATED_TWICE,
    ORACLE_PERCPU,
    ORACLE_SILENT_HANG,
    ORACLE_COUNT,
};

#define ORACLE_BIT(kind) (1u << (kind))
#define ORACLES_NONE 0u
#define ORACLES_ALL (ORACLE_BIT(ORACLE_COUNT) - 1)
/* All but the one that follows values through every instruction. */
#define ORACLES_CHEAP (ORACLES_ALL & ~ORACLE_BIT(ORACLE_TRUSTED_UNCHECKED))
/* Those that notice nothing in a fast run. */
#define ORACLES_EXACT_ONLY ORACLE_BIT(ORACLE_TRUSTED_UNCHECKED)

/* "double-fetch", ...: as used in scenarios, options and traces. */
const char *oracle_name(enum oracle_kind kind);
/* One sentence: what a hit means. */
const char *oracle_meaning(enum oracle_kind kind);
/* ORACLE_COUNT when there is none of that name. */
enum oracle_kind oracle_named(const char *name);
/*
 * Read "cheap", "all", "none" or "double-fetch,leak" as ORACLE_BIT()s. False, with the reason in
 * `why`, and *mask unchanged.
 */
bool oracles_parse(const char *text, uint32_t *mask, char *why, size_t size);
/* "double-fetch, leak"; "none". */
void oracle_list(uint32_t mask, char *text, size_t size);

/* One access of the guest's to memory, or in a fast run a piece of one. */
struct oracle_access {
    uint32_t vcpu;
    uint32_t page;         /* of memory */
    uint64_t gpa;          /* of the first byte */
    uint32_t size_bytes;   /* in this page */
    uint32_t beyond_bytes; /* and in the page that is mapped behind it; exact only */
    bool write;
    bool shared;          /* the hypervisor can read and write it, too */
    uint64_t value;       /* of a write, up to eight bytes */
    const uint8_t *bytes; /* what stands there, before a write */
    uint64_t code_gva;    /* the instruction; 0: not known, in a fast run */
    uint64_t retired;     /* virtual time; in a fast run that of the end of its block */
};

struct oracle_hit {
    enum oracle_kind kind;
    uint32_t vcpu;
    uint64_t code_gva;  /* the instruction that makes the mistake */
    uint64_t retired;   /* when it did */
    uint64_t other_gva; /* one that belongs to it, such as the first of two reads; 0: none */
    uint64_t gpa;
    uint32_t size_bytes; /* 0: it is not about memory */
    uint8_t bytes[16];   /* the first of them */
    char what[112];      /* in words */
};

struct oracle_ops {
    void *context;
    /* An exact run: something was found. */
    void (*hit)(void *context, const struct oracle_hit *hit);
    /* 4096 bytes of a page that the hypervisor shares; NULL when it does not. */
    const uint8_t *(*shared_page)(void *context, uint64_t gpa);
    /* Has the host done with the page what the guest did not ask for? */
    bool (*host_fault)(void *context, uint64_t gpa);
    /* Do two instructions stand in one line of the source? NULL: nobody knows. */
    bool (*same_line)(void *context, uint64_t a_gva, uint64_t b_gva);
    /* Forget translations, for what is watched has changed: all, of a page, of an address. Never
       from within oracles_access: the engine is half way through an access then. */
    void (*flush)(void *context);
    void (*forget_page)(void *context, uint64_t gpa);
    void (*forget_address)(void *context, uint64_t gva);
};

struct oracles; /* opaque */

/* `enabled`: ORACLE_BIT()s. ops is copied. */
int oracles_new(struct oracles **oracles, uint32_t enabled, bool exact, uint32_t page_count,
                uint32_t vcpu_count, const struct oracle_ops *ops, struct error *error);
void oracles_free(struct oracles *oracles); /* takes NULL */

/* The whole state, for a snapshot of the run; restore it any number of times. */
int oracles_save(struct oracles *oracles, struct error *error);
void oracles_restore(struct oracles *oracles);

/* ORACLE_BIT()s of those that have hit. */
uint32_t oracles_hits(const struct oracles *oracles);
/*
 * Of a fast run: which suspicions there were, as one number; 0: none. What counts is which oracle,
 * after an exit of which kind, at which field or in which part of a lent buffer; not how often, nor
 * in which order.
 */
uint64_t oracles_signature(const struct oracles *oracles);
/*
 * Of a fast run: the number of an exit, so that a run which is exact once that exit was answered
 * sees all that is suspected. 0: from the start.
 */
uint64_t oracles_suspect_from(const struct oracles *oracles);
/* From here on accesses come exactly. */
void oracles_go_exact(struct oracles *oracles);

/* ---- what they want to see ---- */

enum oracle_view {
    ORACLE_VIEW_NONE,
    ORACLE_VIEW_LOADS, /* exact: what is loaded from private memory, and by which instruction */
    ORACLE_VIEW_READS,
    ORACLE_VIEW_ALL,
};

/* A page is about to be translated for data, for this vCPU. `shared`: as above. */
enum oracle_view oracles_view(struct oracles *oracles, uint32_t vcpu, uint64_t gva, uint64_t gpa,
                              bool shared);

/* Would that say `view`, and leave everything as it is? */
bool oracles_view_settled(const struct oracles *oracles, uint32_t vcpu, uint64_t gva, uint64_t gpa,
                          bool shared, enum oracle_view view);

/* ---- what they are told ---- */

/* A read of what the hypervisor chose, but for the marks in the GHCB. */
bool oracles_is_hosts(const struct oracles *oracles, const struct oracle_access *access);

void oracles_access(struct oracles *oracles, const struct oracle_access *access);
/* The guest has exited; before the hypervisor is asked. `buffer`: what it lends. */
void oracles_exit(struct oracles *oracles, const struct exit *exit,
                  const struct exit_buffer *buffer, size_t buffer_count);
/* The answer stands in the GHCB page and in memory. */
void oracles_answer(struct oracles *oracles, const struct exit *exit, const struct reply *reply);

/* The hypervisor has changed shared memory between two instructions of the guest. */
void oracles_raced(struct oracles *oracles);

/* A guest page that is validated when it all begins. */
void oracles_validated(struct oracles *oracles, uint32_t guest_page);
/* A PVALIDATE of the SVSM's own memory that has succeeded. */
struct oracle_pvalidate {
    uint32_t vcpu;
    uint32_t guest_page; /* the number of the first; all of them are memory */
    uint64_t gpa, size_bytes;
    bool validate, unchanged;
    uint64_t code_gva, retired;
};
void oracles_pvalidate(struct oracles *oracles, const struct oracle_pvalidate *done);

/* The end of the run. */
struct oracle_end {
    uint32_t vcpu;
    uint64_t code_gva, retired;
    bool went_on;     /* it did not end with the guest's request to be terminated, or in a fault */
    bool out_of_time; /* the budget of instructions */
    bool waits;       /* it spins, in a loop that reads: */
    bool waits_shared;
    uint64_t waits_gpa; /* what the hypervisor can change */
};
void oracles_end(struct oracles *oracles, const struct oracle_end *end);

/* Something that the caller has found out by itself: check/percpu.h, check/taint.h. */
void oracles_report(struct oracles *oracles, const struct oracle_hit *hit);

#endif
