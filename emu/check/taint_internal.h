/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the files of the taint:
 *
 *   taint.c         what it is told: blocks, accesses; snapshots
 *   taint_op.c      one operation: harm, checks, where values go
 *   taint_label.c   labels and who holds them, in registers and in memory
 */
#ifndef SNPEMU_CHECK_TAINT_INTERNAL_H
#define SNPEMU_CHECK_TAINT_INTERNAL_H

#include "abi/x86.h"
#include "check/taint.h"

typedef uint16_t taint_label; /* 0: none */

/* A value that the hypervisor chose. */
struct taint_value {
    uint64_t code_gva; /* which instruction read it */
    uint64_t gpa;
    uint32_t size_bytes;
    uint32_t holders;   /* registers and bytes of memory */
    uint64_t match_gva; /* the instruction that compared it first, or counts it down; 0: none */
    uint64_t match_at;  /* when, in operations */
    bool compared;      /* there: a check, unless it turns out to be a loop's end */
    bool done;          /* checked, or reported: nobody asks for it any more */
    uint8_t bytes[8];
};

/* The labels of a page's bytes. */
struct taint_page {
    uint32_t page;
    uint32_t held; /* how many are not 0; a page without any is free */
    taint_label label[PAGE_SIZE];
};

struct taint_cpu {
    taint_label label[FLOW_REGISTERS];
    uint32_t tainted; /* FLOW_BIT()s of those that have one, done or not */
    uint32_t fixed;   /* of those that hold no counter: last written by a load, or a constant */
    uint64_t counted[FLOW_REGISTERS]; /* when what they hold was counted last, in operations */
};

/* What a snapshot keeps, but for pages and vCPUs. */
struct taint_state {
    struct taint_value value[TAINT_LABEL_MAX]; /* 0 is nobody's */
    uint32_t next;                             /* where a free one is looked for */
    uint32_t live;                             /* held and not done */
    uint64_t time;                             /* operations so far */
};

struct taint {
    taint_hit *hit;
    void *context;
    uint32_t page_count, vcpu_count;
    struct {
        uint64_t gva;
        unsigned reg;
    } allocator[TAINT_ALLOCATOR_MAX];
    size_t allocator_count;

    struct taint_state *state;
    struct taint_cpu *all;
    struct taint_page **page; /* TAINT_PAGE_MAX; made when first needed */
    uint32_t page_used;       /* of them */
    uint16_t *slot;           /* per page of memory: in `page` and 1; 0: none */

    /* The block that runs. op NULL: none. */
    struct taint_block block;
    size_t next; /* the operation that has not ended yet */
    struct taint_cpu *cpu;
    taint_label loaded; /* what the present one has loaded */
    uint64_t last_gva;  /* the last instruction that ended */

    bool saved;
    struct taint_state *saved_state;
    struct taint_cpu *saved_all;
    struct taint_page *saved_page;
    uint32_t saved_page_count;
};

/* The label, when it still counts. */
static inline taint_label label_live(const struct taint *taint, taint_label label)
{
    return label && !taint->state->value[label].done ? label : 0;
}

/* 0 when there are too many. */
taint_label label_new(struct taint *taint, const struct taint_value *value);
void label_done(struct taint *taint, taint_label label);

void label_set_register(struct taint *taint, struct taint_cpu *cpu, unsigned reg,
                        taint_label label);
/* The first that counts of the registers. */
taint_label label_of_registers(const struct taint *taint, const struct taint_cpu *cpu,
                               uint32_t registers);
taint_label label_of_memory(const struct taint *taint, uint32_t page, uint32_t offset,
                            uint32_t size_bytes);
void label_set_memory(struct taint *taint, uint32_t page, uint32_t offset, uint32_t size_bytes,
                      taint_label label);

/* taint_op.c, of the block that runs. */
uint64_t op_gva(const struct taint *taint, const struct flow_op *op);
/* What it does with addresses, counts and targets, before it does anything else. */
void op_look_for_harm(struct taint *taint, const struct flow_op *op);
/* The block is the first of a function that allocates. */
void op_look_for_allocation(struct taint *taint);
/* What it makes of what it reads; before anything is written. */
taint_label op_result(const struct taint *taint, const struct flow_op *op);
void op_set_registers(struct taint *taint, uint32_t registers, taint_label label);
void op_note_counters(struct taint *taint, const struct flow_op *op);
/* It has been executed. */
void op_end(struct taint *taint, const struct flow_op *op);

#endif
