/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the oracles' files:
 *
 *   oracle.c        the table of who is told what
 *   oracle_hit.c    what becomes of a mistake that was seen
 *   oracle_keep.c   snapshots
 *   lent.c          which memory is lent to the hypervisor at present
 *   own.c           what in the GHCB page is the guest's own word
 *   double_fetch.c  overrun.c  unmarked.c  leak.c  stale_private.c  validated_twice.c
 *   silent_hang.c   one oracle each
 */
#ifndef SNPEMU_CHECK_ORACLE_INTERNAL_H
#define SNPEMU_CHECK_ORACLE_INTERNAL_H

#include "abi/ghcb.h"
#include "abi/x86.h"
#include "check/oracle.h"

#define LENT_MAX 16      /* the oldest makes room */
#define LENT_TRAIL 16    /* instructions that are remembered to have gone through a buffer */
#define STRAY_MAX 8      /* registers of no event; more are not looked at */
#define POLL_MAX 4       /* places that are read more than others */
#define LENT_BEHIND 8    /* bytes behind the end in which the first access beyond it begins */
#define LENT_NEAR 64     /* bytes: an instruction that was this near the end goes on behind it */
#define STALE_MAX 64     /* pages; one after the other makes room */
#define STORE_MAX 1024   /* stores to shared memory between two exits; more are not looked at */
#define LOAD_MAX 32      /* of private memory: what a store may have copied */
#define FETCHED_MAX 1024 /* pages whose reads are remembered; those of more are not looked at */
#define REPORT_MAX 256   /* hits that are told of in one run */
#define SIGNATURE_WORDS 4
#define BITS_CHANGED_MAX 64

/* A buffer that the guest lends to the hypervisor, from the exit on that says so. */
struct lent {
    struct exit_buffer buffer;
    const struct exit_row *row;
    uint64_t exit_number;
    uint32_t vcpu;
    /* The page that the guest has mapped behind the buffer's last one, and where it leads; 0: not
       known yet, or the buffer ends in a page. */
    uint64_t guard_gva, guard_gpa;
    uint64_t end[2]; /* where the last read, write of it ended */
    uint32_t trail_next;
    struct {
        uint64_t code_gva, end;
        bool write;
    } trail[LENT_TRAIL]; /* exact */
};

struct stale {
    uint64_t gpa;
    uint32_t left;                  /* bytes that were not written yet */
    uint8_t written[PAGE_SIZE / 8]; /* a bit a byte */
};

/* Accesses that went on one where another ended, upwards, whatever instructions they are. */
struct sweep {
    uint64_t start, end;
};

/* A store to shared memory of what was loaded from private memory; exact. */
struct store {
    uint64_t gpa, code_gva, retired, load_gva;
    uint32_t size_bytes;
    uint64_t value;
};

struct load {
    uint64_t value, code_gva;
    uint32_t size_bytes;
};

/* What is remembered of a vCPU. */
struct oracle_vcpu {
    uint32_t answer; /* number of its latest answer, among those of all; 0: none yet */
    uint32_t after;  /* which kind of exit that answered, as a number; 0: none yet */
    /* Numbers of the exits to which the latest answer and the one before it belong; 0: none. */
    uint64_t exit, exit_before;
    uint64_t ghcb_gpa; /* 0: none yet */
    uint32_t marked;   /* FIELD_BIT()s: by the hypervisor's answer; `written` by the guest since */
    uint32_t written;
    uint8_t bitmap[GHCB_VALID_BITMAP_SIZE]; /* as the answer left it, or the guest since */
    bool bitmap_hosts;                      /* the host has changed it since its answer */
    uint64_t stored[FIELD_COUNT];           /* what the guest stored, */
    uint32_t stored_known;                  /* where these FIELD_BIT()s are set */
    uint64_t store_gva[FIELD_COUNT];        /* exact: the instruction that wrote it last */
    /* Registers stored in the page that are fields of no event. */
    struct {
        uint64_t offset, code_gva;
    } stray[STRAY_MAX];
    uint32_t stray_count;
    /* Fast: of the GHCB's own buffer, a bit for eight bytes. */
    uint8_t buffer_written[GHCB_SHARED_BUFFER_SIZE / 8 / 8 + 1];
    bool written_before; /* some of it before the answer before the latest one */
};

/* PVALIDATE said "unchanged", and it is not known yet what the guest does about it. */
struct oracle_pending {
    bool set;
    struct oracle_pvalidate done;
};

/* Reads of shared memory since the last exit: a place that stands out. count 0: none. */
struct oracle_poll {
    uint64_t gpa, count, retired, code_gva;
    uint32_t size_bytes;
};

/* What a snapshot keeps, but for the vCPUs. */
struct oracle_state {
    uint32_t hits;
    uint64_t signature[SIGNATURE_WORDS]; /* a bit for each kind of suspicion that there was */
    uint64_t from;                       /* see oracles_suspect_from */
    uint32_t answer;                     /* how many there were */
    size_t lent_count;
    size_t stale_count;
    uint32_t stale_next; /* makes room */
    size_t store_count;
    uint32_t load_next;
    struct oracle_pending pending;
    bool raced; /* since the latest answer the host has changed memory under its guest */
    struct oracle_poll poll[POLL_MAX];
    struct sweep sweep[2]; /* of reads, of writes; exact */
    size_t report_count;
};

/* A hit that was told of. */
struct report {
    enum oracle_kind kind;
    uint64_t code_gva;
};

/* What there are several of. How many of them count is in the state. */
struct oracle_tables {
    struct lent lent[LENT_MAX];
    struct stale stale[STALE_MAX];
    struct store store[STORE_MAX];
    struct load load[LOAD_MAX];
    struct report report[REPORT_MAX];
};

/* Under which answers the bytes of a page were read. */
struct fetch_marks {
    uint32_t answer[PAGE_SIZE];
    /* Exact only. */
    uint64_t code_gva[PAGE_SIZE];
    uint64_t retired[PAGE_SIZE];
};

/* A page is copied when it is first marked after a snapshot: restoring costs those alone. */
struct fetched {
    uint32_t kept_at; /* the snapshot that `kept` is of, by its number; 0: none */
    struct fetch_marks *marks, *kept;
    uint64_t low, high; /* the bytes from low on, before high, were marked since */
};

struct oracles {
    uint32_t enabled;
    bool exact;
    struct oracle_ops ops;
    uint32_t page_count, vcpu_count;
    /* Who is told of accesses, by whether they are to shared memory, and whether they write. */
    void (*access[2][2][ORACLE_COUNT])(struct oracles *oracles, const struct oracle_access *access);
    size_t access_count[2][2];
    bool flush_due;          /* less is to be watched than is: at the next exit */
    uint32_t saves;          /* how many snapshots were taken; 0: none */
    uint16_t *fetched_index; /* by page: 1 + place in `fetched`; 0: not read yet */
    struct fetched *fetched; /* fetched_count of FETCHED_MAX */
    size_t fetched_count;
    struct oracle_state state;
    uint8_t *validated; /* a bit a guest page: by the launch or by the guest */
    uint8_t *given;     /* behind it, the same: the guest has given it up at some time */
    /* Bytes of both that were written since the snapshot; more than MAX: who knows which. */
    uint32_t bits_changed[BITS_CHANGED_MAX];
    size_t bits_changed_count;
    struct oracle_tables *table;
    struct oracle_vcpu *vcpu;
    uint32_t vcpu_used; /* all from here on are as at the start */

    struct oracle_state saved_state;
    struct oracle_tables *saved_table;
    uint8_t *saved_validated; /* and given */
    struct oracle_vcpu *saved_vcpu;
    uint32_t saved_vcpu_used;
};

/* Bytes for a bit a page. */
static inline size_t bits_size(uint32_t page_count)
{
    return page_count / 8 + 1;
}

/* A byte of `validated` or `given` that is going to change. */
static inline uint8_t *bits_for_write(struct oracles *oracles, uint8_t *byte)
{
    if (oracles->bits_changed_count < BITS_CHANGED_MAX) {
        oracles->bits_changed[oracles->bits_changed_count] = (uint32_t)(byte - oracles->validated);
    }
    oracles->bits_changed_count++;
    return byte;
}

static inline bool oracle_on(const struct oracles *oracles, enum oracle_kind kind)
{
    return oracles->enabled & ORACLE_BIT(kind);
}

/* Do [a, a + a_size) and [b, b + b_size) meet? Neither wraps. */
static inline bool ranges_meet(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b + b_size && b < a + a_size;
}

/* oracle.c: a hit, or in a fast run a suspicion, about this vCPU. `place`: where, as far as it
   tells one mistake from another. */
void oracle_suspect(struct oracles *oracles, enum oracle_kind kind, uint32_t vcpu, uint64_t place);
/* The same at an access. */
void oracle_hit_access(struct oracles *oracles, enum oracle_kind kind,
                       const struct oracle_access *access, uint64_t other_gva, const char *what);
/* After one of them: it is made of what happened since this exit. */
void oracle_suspect_since(struct oracles *oracles, uint64_t exit_number);
/* The bytes of shared memory, within a page; NULL when the hypervisor does not share them. */
const uint8_t *oracle_shared_bytes(const struct oracles *oracles, uint64_t gpa);
/* Where in the GHCB page of the vCPU the access is; false when it is not in it. */
bool oracle_in_ghcb(const struct oracles *oracles, const struct oracle_access *access,
                    uint64_t *offset);

/* lent.c */
void lent_exit(struct oracles *oracles, const struct exit *exit, const struct exit_buffer *buffer,
               size_t count);
void lent_taken_back(struct oracles *oracles, uint64_t gpa, uint64_t size_bytes);
/* The newest buffer that has any byte of the range; NULL: none has. */
struct lent *lent_at(struct oracles *oracles, uint64_t gpa, uint64_t size_bytes);
/* Does a buffer end in the page at gpa, or is that mapped behind one? */
bool lent_ends_at(const struct oracles *oracles, uint64_t gpa);
/* Would lent_seen, of this page, note anything? */
bool lent_waits_for(const struct oracles *oracles, uint64_t gva, uint64_t gpa);
/* The guest is about to use the page at gva, which leads to gpa. What is to be watched from now on
   as well: an address; 0: nothing. */
uint64_t lent_seen(struct oracles *oracles, uint64_t gva, uint64_t gpa, bool shared);

/* double_fetch.c: back to the latest snapshot; and the end. */
void double_fetch_restore(struct oracles *oracles);
/* All that was read is as if it had not been. */
void double_fetch_forget(struct oracles *oracles);
void double_fetch_free(struct oracles *oracles);

/* The oracles, as rows of oracle.c's table have them. */
void double_fetch_access(struct oracles *oracles, const struct oracle_access *access);
void overrun_access(struct oracles *oracles, const struct oracle_access *access);
/* own.c: shared accesses alone. known: the vCPU's GHCB is that of before. */
void own_access(struct oracles *oracles, const struct oracle_access *access);
void own_ghcb(struct oracles *oracles, struct oracle_vcpu *vcpu);
void own_answer(struct oracles *oracles, struct oracle_vcpu *vcpu, const struct reply *reply,
                bool known);
/* Is what stands in the page at this exit what the guest stored there? */
bool own_exit(const struct oracle_vcpu *vcpu, const struct exit *exit);

void unmarked_access(struct oracles *oracles, const struct oracle_access *access);
void leak_access(struct oracles *oracles, const struct oracle_access *access);
void leak_ghcb(struct oracles *oracles, struct oracle_vcpu *vcpu);
void leak_answer(struct oracle_vcpu *vcpu, const struct exit *exit);
void leak_exit(struct oracles *oracles, const struct exit *exit);
void stale_private_access(struct oracles *oracles, const struct oracle_access *access);
void stale_private_pvalidate(struct oracles *oracles, const struct oracle_pvalidate *done);
bool stale_private_has(const struct oracles *oracles, uint64_t gpa);
void validated_twice_pvalidate(struct oracles *oracles, const struct oracle_pvalidate *done);
void validated_twice_exit(struct oracles *oracles, const struct exit *exit);
void validated_twice_end(struct oracles *oracles, const struct oracle_end *end);
void percpu_exit(struct oracles *oracles, const struct exit *exit);
void silent_hang_access(struct oracles *oracles, const struct oracle_access *access);
void silent_hang_exit(struct oracles *oracles, const struct exit *exit);
void silent_hang_end(struct oracles *oracles, const struct oracle_end *end);

#endif
