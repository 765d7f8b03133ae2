/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reply: what the hypervisor does before it resumes the guest, as data. A host model fills it
 * in; ghcb/answer.c carries it out, refusing what hardware would refuse.
 *
 * Order of execution: actions without a delay in the order they were added, then the fields of the
 * GHCB page (or the MSR), then resume, which takes an injected event along. Unless keep_marks is
 * set the valid bitmap of the page is cleared before the fields are written, as KVM does when it
 * reads its input.
 */
#ifndef SNPEMU_GHCB_REPLY_H
#define SNPEMU_GHCB_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ghcb/field.h"

enum reply_resume {
    REPLY_RESUME,
    REPLY_REFUSE,     /* the host will not go on: outcome `refused`, with `reason` */
    REPLY_UNMODELLED, /* the honest answer is not modelled: outcome `unmodelled`, with `reason` */
    REPLY_FAIL,       /* the guest's request stops the host's run: outcome `refused` */
    REPLY_HOLD,       /* the vCPU waits for what never comes: outcome `stuck` */
};

enum reply_action_kind {
    REPLY_WRITE,      /* copy bytes to memory; denied, with an event, where the page is private */
    REPLY_ASSIGN,     /* RMPUPDATE: give the page to the guest, not validated */
    REPLY_UNASSIGN,   /* RMPUPDATE: take it back; contents are lost */
    REPLY_WATCH,      /* change shared memory at the n-th access to it, see struct reply_watch */
    REPLY_CONSOLE,    /* bytes that the guest wrote to its console */
    REPLY_VCPU_START, /* a save area for a VMPL of a vCPU, see struct reply_vcpu */
    REPLY_VCPU_STOP,  /* forget it */
    REPLY_RUN_VMPL,   /* the vCPU goes on at another VMPL */
    REPLY_RMPUPDATE,  /* RMPUPDATE as no honest host issues it, see struct reply_rmpupdate */
    REPLY_PSMASH,     /* split the 2 MiB entry that the page is part of */
    REPLY_REMAP,      /* nested map: gpa leads to where other_gpa leads */
    REPLY_SWAP,       /* nested map: gpa and other_gpa change places */
    REPLY_INJECT,   /* event injection: the guest takes the event instead of its next instruction */
    REPLY_DOORBELL, /* an event through the #HV doorbell page, as soon as it has room for it */
    REPLY_RUN_VCPU, /* that vCPU runs next, whatever it waits for */
    REPLY_STOP_VCPU, /* that vCPU never runs again */
};

/*
 * When an action is carried out: at once, or before the guest's next instruction when so many have
 * retired since the reply's resume.
 */
struct reply_delay {
    uint64_t instructions; /* 0: at once */
    bool one_vcpu; /* those of vCPU number `vcpu` alone count; it is the one that runs then */
    uint32_t vcpu;
    void *owner; /* returned to the host when the action is carried out; may be NULL */
};

enum reply_event_type {
    REPLY_EVENT_EXCEPTION,
    REPLY_EVENT_INTERRUPT,
    REPLY_EVENT_NMI, /* vector 2 */
};

/* An event as the VMCB's EVENTINJ names it. */
struct reply_event {
    enum reply_event_type type;
    uint8_t vector;
    bool has_error_code;
    uint32_t error_code;
};

/* What the #HV doorbell page shall say. */
struct reply_doorbell {
    uint8_t vector; /* 0: none */
    bool nmi, mc;
    bool no_eoi; /* with the vector: the guest need not signal the end of interrupt */
};

#define REPLY_ASID_GUEST 1 /* the guest that runs */

/*
 * The operand of an RMPUPDATE on the page of memory that the action's gpa leads to. Its page size
 * is the action's size_bytes.
 */
struct reply_rmpupdate {
    bool assigned, immutable;
    uint16_t asid;   /* REPLY_ASID_GUEST, another guest's; 0: the AMD-SP, or not assigned */
    uint64_t at_gpa; /* the guest physical address that the entry shall name */
};

/*
 * From this reply on, count guest instructions that read any byte of [gpa, gpa + size_bytes). Just
 * before the nth (from 1) executes, `value` is stored there, little endian. Unless sticky, the
 * bytes that stood there come back after that instruction.
 *
 * on_write: the same of instructions that write any byte. `value` is stored when the nth has
 * retired: the next instruction finds it, whichever vCPU's it is. Unless sticky, what the guest
 * wrote comes back after the next instruction that reads any of it.
 */
struct reply_watch {
    bool on_write;
    bool one_vcpu; /* accesses by vCPU number `vcpu` alone count */
    uint32_t vcpu;
    uint64_t gpa;
    uint32_t size_bytes; /* 1, 2, 4 or 8; not crossing a page */
    uint64_t nth;
    uint64_t value;
    bool sticky;
    void *owner; /* returned to the host when the watch fires; may be NULL */
};

struct reply_vcpu {
    uint32_t apic_id; /* RUN_VMPL: unused, it is the vCPU that asks */
    uint32_t number;  /* RUN_VCPU, STOP_VCPU: the vCPU's, from 0 */
    uint8_t vmpl;
    /* VCPU_START: it runs there next; else once that VMPL is asked for. RUN_VMPL: nobody asked. */
    bool now;
};

struct reply_action {
    enum reply_action_kind kind;
    uint64_t gpa;        /* VCPU_START: of the save area */
    uint64_t size_bytes; /* ASSIGN, UNASSIGN, RMPUPDATE: 4 KiB or 2 MiB */
    size_t data_offset;  /* WRITE, CONSOLE: into reply->data */
    uint64_t other_gpa;  /* REMAP, SWAP */
    struct reply_rmpupdate rmpupdate;
    struct reply_event event;
    struct reply_doorbell doorbell;
    struct reply_watch watch;
    struct reply_vcpu vcpu;
    struct reply_delay delay;
};

/* What an answer wrote into the GHCB page, or into the MSR: what can be given once more. */
struct reply_bytes {
    bool page_given; /* the next five are set */
    bool keep_marks, has_time;
    uint32_t written, marked;
    uint64_t field[FIELD_COUNT];
    bool msr_given; /* `msr` is set, by an answer to the MSR protocol */
    uint64_t msr;
};

#define REPLY_ACTION_MAX 8192
#define REPLY_DATA_MAX (1u << 20)

struct reply {
    uint32_t written; /* FIELD_BIT() of each field whose value is stored */
    uint32_t marked;  /* FIELD_BIT() of each field that is marked valid */
    uint64_t field[FIELD_COUNT];
    bool keep_marks; /* leave the guest's own marks in the bitmap */
    bool msr_written;
    uint64_t msr;
    enum reply_resume resume;
    char reason[128];
    /* What of this answer rests on a fact that nobody could check; NULL: nothing. Static text. */
    const char *unverified;
    bool has_time; /* registers of the answer hold virtual time, which golden traces leave out */

    struct reply_action *action;
    size_t action_count, action_capacity;
    uint8_t *data;
    size_t data_size_bytes, data_capacity;
    bool overflow; /* an action was dropped: REPLY_ACTION_MAX, REPLY_DATA_MAX or out of memory */
};

void reply_reset(struct reply *reply);   /* empty again; keeps its buffers */
void reply_release(struct reply *reply); /* frees the buffers; takes NULL */

void reply_set(struct reply *reply, enum ghcb_field field, uint64_t value); /* write and mark */
void reply_unmark(struct reply *reply, enum ghcb_field field);
void reply_leave(struct reply *reply, enum ghcb_field field); /* neither write nor mark */
void reply_set_msr(struct reply *reply, uint64_t value);
void reply_refuse(struct reply *reply, const char *reason);
void reply_unmodelled(struct reply *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void reply_fail(struct reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
void reply_hold(struct reply *reply, const char *reason);
/* SW_EXITINFO1 and 2: the guest's input was malformed, for one of GHCB_ERR_*. */
void reply_malformed(struct reply *reply, uint64_t reason);
/* SW_EXITINFO1 and 2: the guest is to raise this exception in itself. */
void reply_exception(struct reply *reply, uint8_t vector, bool has_error_code, uint32_t error_code);

/* Keep what the reply writes, to the page or to the MSR; a reply that writes nothing is not kept.
 */
void reply_keep(const struct reply *reply, bool page, struct reply_bytes *bytes);
/*
 * Write what was kept, instead of all that the reply has to write there; its actions stay. False
 * when nothing was kept: then nothing is written, and the guest's own marks stay.
 */
bool reply_repeat(struct reply *reply, bool page, const struct reply_bytes *bytes);

/* Each returns false, and sets overflow, when the reply is full. */
bool reply_write(struct reply *reply, uint64_t gpa, const void *bytes, size_t size_bytes);
bool reply_assign(struct reply *reply, uint64_t gpa, uint64_t size_bytes);
bool reply_unassign(struct reply *reply, uint64_t gpa, uint64_t size_bytes);
bool reply_watch_add(struct reply *reply, const struct reply_watch *watch);
bool reply_vcpu_start(struct reply *reply, const struct reply_vcpu *vcpu, uint64_t vmsa_gpa);
bool reply_vcpu_stop(struct reply *reply, const struct reply_vcpu *vcpu);
bool reply_run_vmpl(struct reply *reply, unsigned vmpl, bool unasked);
bool reply_run_vcpu(struct reply *reply, uint32_t number);
bool reply_stop_vcpu(struct reply *reply, uint32_t number);
bool reply_console(struct reply *reply, const void *bytes, size_t size_bytes);
bool reply_rmpupdate(struct reply *reply, uint64_t gpa, uint64_t size_bytes,
                     const struct reply_rmpupdate *operand);
bool reply_psmash(struct reply *reply, uint64_t gpa);
bool reply_remap(struct reply *reply, uint64_t gpa, uint64_t other_gpa);
bool reply_swap(struct reply *reply, uint64_t gpa, uint64_t other_gpa);
bool reply_inject(struct reply *reply, const struct reply_event *event);
bool reply_doorbell(struct reply *reply, const struct reply_doorbell *doorbell);

/* An action of another reply, at once; its bytes are at data + data_offset. */
bool reply_add(struct reply *reply, const struct reply_action *action, const uint8_t *data);
/* The actions from number `first` on (from 0) are carried out later. */
void reply_defer(struct reply *reply, size_t first, const struct reply_delay *delay);
const char *reply_action_name(enum reply_action_kind kind); /* as scripts have it */

/* Of the next four: actions with a delay are not touched. */
/* The last of the WRITE actions that start at gpa; NULL when there is none. */
const struct reply_action *reply_find_write(const struct reply *reply, uint64_t gpa);
/* Drop all WRITE actions that start at gpa. */
void reply_drop_writes(struct reply *reply, uint64_t gpa);

void reply_drop_all_writes(struct reply *reply);

/* Drop all ASSIGN and UNASSIGN actions that touch [gpa, gpa + size_bytes); returns how many. */
size_t reply_drop_page_state(struct reply *reply, uint64_t gpa, uint64_t size_bytes);

#endif
