/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who had which page when: the changes of the RMP from launch on, run-length coded, each with its
 * virtual time and the event of the trace that it belongs to.
 *
 * A page stands for itself, whatever guest address leads to it. A snapshot that is brought back
 * goes by unseen: for runs that go straight on.
 */
#ifndef SNPEMU_MACHINE_RMP_LOG_H
#define SNPEMU_MACHINE_RMP_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "machine/machine.h"
#include "trace/event.h"

#define RMP_LOG_CHANGES_MAX (1u << 20)
#define RMP_LOG_STATES_MAX 1024u
#define RMP_LOG_EVENTS_MAX (1u << 22)
#define RMP_LOG_LAUNCH UINT32_MAX /* as an event: before the first one */

/* Kinds of pages for a reader, by who owns them. APM Vol 2 (24593) 15.36.3 and 15.36.5. */
enum rmp_kind {
    RMP_KIND_HYPERVISOR,    /* Assigned = 0: what a guest calls shared */
    RMP_KIND_NOT_VALIDATED, /* guest-owned */
    RMP_KIND_VMPL0,         /* validated, and no other VMPL may do anything with it */
    RMP_KIND_VMPLS,         /* validated, and others may */
    RMP_KIND_VMSA,
    RMP_KIND_IMMUTABLE, /* guest-owned; no instruction changes the entry */
    RMP_KIND_SP,        /* the AMD-SP's */
    RMP_KIND_AWAY,      /* another guest's, or this one's at another address */
    RMP_KIND_COUNT,
};

/* What an entry says. */
struct rmp_log_state {
    uint8_t flags; /* enum rmp_flag */
    uint8_t perm[VMPL_COUNT];
    uint8_t reserved;
    uint16_t asid; /* 0 when not assigned */
};

/* Neighbouring pages whose entries came to say the same, one after the other. */
struct rmp_log_change {
    uint64_t first, last; /* in retired instructions, of the first page and of the last */
    uint32_t page, count;
    uint32_t event; /* its number in the trace, from 0; RMP_LOG_LAUNCH */
    uint16_t state; /* index into state[] */
};

struct rmp_log_span {
    uint32_t page, count;
    uint16_t state;
};

struct rmp_log {
    /* What can be read once the log is closed. */
    struct rmp_log_state *state;
    size_t state_count;
    struct rmp_log_span *start; /* all pages, in their order, as the launch left them */
    size_t start_count;
    struct rmp_log_change *change; /* in the order in which they came */
    size_t change_count;
    uint64_t lost; /* changes that found no room */
    struct memory_slot slot[MEMORY_SLOT_MAX];
    size_t slot_count;
    uint32_t page_count;

    /* Private. */
    struct trace_sink sink; /* counts events */
    struct rmp_observer observer;
    struct machine *machine; /* NULL: closed */
    struct {
        uint64_t time;
        bool own;    /* told of after the change that it is about */
        bool oracle; /* what an oracle says comes before both */
    } * event;
    size_t event_count, event_capacity, change_capacity;
    uint16_t *known;       /* of each page */
    uint16_t *state_index; /* hash table: number of a state and 1; 0: free */
    struct {
        uint32_t page, count, event; /* count 0: nothing */
        uint64_t time;
    } touched;
    int status;
};

/* NULL when out of memory. */
struct rmp_log *rmp_log_new(void);
void rmp_log_free(struct rmp_log *log); /* takes NULL */

/* To be one of the trace's sinks, so that changes can be told to events. */
struct trace_sink *rmp_log_sink(struct rmp_log *log);

/* The machine has been launched: from here on. One machine a log. 0 or SNPEMU_ERR_MEMORY. */
int rmp_log_open(struct rmp_log *log, struct machine *machine, struct error *error);
/* No more of it, before the machine goes. 0, or SNPEMU_ERR_MEMORY. */
int rmp_log_close(struct rmp_log *log, struct error *error);

enum rmp_kind rmp_log_kind(const struct rmp_log_state *state);
/* "hypervisor", "guest, not validated", ... */
const char *rmp_kind_name(enum rmp_kind kind);
/* One sentence. */
const char *rmp_kind_meaning(enum rmp_kind kind);

#endif
