/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libsnpemu: run an SVSM image inside an emulated SEV-SNP machine against a scripted hypervisor.
 *
 * Open a scenario or an ELF image, change what you like, run it, look at the result, close it. One
 * object may be run any number of times; each run starts from launch. Objects are independent of
 * each other and are used by one thread at a time.
 */
#ifndef SNPEMU_H
#define SNPEMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SNPEMU_DIGEST_SIZE 32 /* SHA-256 */
#define SNPEMU_TEXT_MAX 512   /* an error's text, its end included */

/* What functions return: 0, or one of these, with one line of text that names place and remedy. */
enum snpemu_result_code {
    SNPEMU_BAD_INPUT = -1, /* a scenario, image or argument is wrong */
    SNPEMU_BAD_IO = -2,    /* a file cannot be read */
    SNPEMU_NO_MEMORY = -3,
    SNPEMU_BUG = -4, /* a check of the emulator itself failed */
};

/* How a run ended: a fact. In the order of the names that snpemu_outcome_name gives. */
enum snpemu_outcome {
    SNPEMU_HALTED = 1,
    SNPEMU_REACHED,    /* the symbol of snpemu_set_until */
    SNPEMU_TERMINATED, /* the guest asked for it: reason_set, reason_code */
    SNPEMU_TRIPLE_FAULT,
    SNPEMU_NESTED_FAULT, /* the host cannot make progress on a nested page fault */
    SNPEMU_REFUSED,      /* the host will not go on, or VMRUN refused a save area */
    SNPEMU_STUCK,      /* a jump to itself, a loop for what nobody changes, no vCPU that can run */
    SNPEMU_BUDGET,     /* instructions or exits used up */
    SNPEMU_UNMODELLED, /* the guest reached something that the emulator does not know */
};

/* A judgement of the outcome. */
enum snpemu_verdict {
    SNPEMU_PASS,
    SNPEMU_CONTAINED,
    SNPEMU_GUEST_CRASH,
    SNPEMU_HANG,
    SNPEMU_UNJUDGED,
    SNPEMU_VIOLATION,
    SNPEMU_EMULATOR_BUG,
};

struct snpemu_result {
    enum snpemu_outcome outcome;
    enum snpemu_verdict verdict;
    uint8_t reason_set, reason_code; /* SNPEMU_TERMINATED */
    uint64_t rip;                    /* guest virtual, of the vCPU that the outcome is about */
    uint64_t instructions;           /* retired since launch, by all vCPUs */
    uint64_t exits;
    char phrase[64];      /* "halted", "terminated 0xf:0x6" */
    char symbol[96];      /* function at rip; empty when unknown */
    char detail[160];     /* what and where; may be empty */
    char panic[256];      /* svsm_panic_message of the guest; may be empty */
    char oracles[160];    /* that hit: "double-fetch, leak"; empty: none */
    bool expected;        /* the scenario's expectation holds; without one: pass or contained */
    char difference[256]; /* the first thing that differs from the expectation; may be empty */
    uint8_t digest[SNPEMU_DIGEST_SIZE]; /* of the final state */
};

/* One row of the guest's per-CPU table. */
struct snpemu_percpu {
    uint32_t index, apic_id;
    uint64_t gva;
};

struct snpemu; /* a scenario with its image */

/*
 * `path` is a scenario (NAME.lua), an ELF image, or the name of a built image, which is looked for
 * in the directory that the environment's SNPEMU_IMAGES names. `text` has SNPEMU_TEXT_MAX bytes and
 * holds the error's line; NULL when it is not wanted.
 */
int snpemu_open(struct snpemu **snpemu, const char *path, char *text);
void snpemu_close(struct snpemu *snpemu); /* takes NULL */

/*
 * The firmware that the SVSM starts at VMPL1, in place of the scenario's: a flat image that ends at
 * 4 GiB, or a built one's name; NULL: none.
 */
int snpemu_set_firmware(struct snpemu *snpemu, const char *path, char *text);

int snpemu_set_cpus(struct snpemu *snpemu, uint32_t cpus, char *text); /* APIC IDs 0 .. cpus - 1 */
int snpemu_set_apic_ids(struct snpemu *snpemu, const uint32_t *apic_id, size_t count, char *text);
void snpemu_set_seed(struct snpemu *snpemu, uint64_t seed);
void snpemu_set_budget(struct snpemu *snpemu, uint64_t instructions, uint64_t exits);
/*
 * Oracles that watch the SVSM: "cheap", "all", "none", or names with commas between, as "snpemu
 * explain oracles" lists them. Instead of the scenario's. A run with a hit is made twice: once to
 * look, once to see where.
 */
int snpemu_set_oracles(struct snpemu *snpemu, const char *names, char *text);
/* End runs when this symbol is about to execute; NULL: never. The text is copied. */
int snpemu_set_until(struct snpemu *snpemu, const char *symbol, char *text);

/* The guest's console, byte by byte as it writes. */
typedef void snpemu_console(void *context, const uint8_t *bytes, size_t size_bytes);
void snpemu_on_console(struct snpemu *snpemu, snpemu_console *callback, void *context);

/* The full trace, a line at a time without its newline, the first line and the digest included. */
typedef void snpemu_line(void *context, const char *line);
void snpemu_on_trace(struct snpemu *snpemu, snpemu_line *callback, void *context);

/*
 * ---- A hypervisor of your own ----
 *
 * A function that is called for each exit, which it sees as a copy, and which it answers with what
 * a real host could do. What hardware would refuse is refused, with an event "denied" in the trace.
 */

/* Fields of a GHCB page. In the order of the names that snpemu_field_name gives. */
enum snpemu_field {
    SNPEMU_CPL, /* one byte; all others have eight */
    SNPEMU_XSS,
    SNPEMU_RAX,
    SNPEMU_RBX,
    SNPEMU_RCX,
    SNPEMU_RDX,
    SNPEMU_RSI,
    SNPEMU_RDI,
    SNPEMU_R8,
    SNPEMU_CODE,  /* SW_EXITCODE */
    SNPEMU_INFO1, /* SW_EXITINFO1 */
    SNPEMU_INFO2,
    SNPEMU_SCRATCH, /* SW_SCRATCH */
    SNPEMU_XCR0,
    SNPEMU_FIELD_COUNT,
};

#define SNPEMU_LENT_MAX 4

/* All that the hypervisor can see of an exit. Pointers are good until the function returns. */
struct snpemu_exit {
    const char *name; /* as scenarios have it: "apic_id_list", "msr_version" */
    uint64_t number;  /* among all exits since launch, from 1 */
    uint64_t nth;     /* among those of this name, from 1 */
    uint64_t time;    /* instructions retired since launch */
    uint32_t vcpu;    /* from 0 */
    uint32_t apic_id; /* of that vCPU */
    uint8_t vmpl;     /* 0 to 3 */
    bool has_page;    /* it came through a GHCB page; else through the GHCB MSR alone */
    uint64_t msr;     /* the GHCB MSR as the guest left it */
    /* The rest is zero without a page. */
    uint64_t ghcb_gpa;
    uint16_t version; /* of the protocol */
    uint32_t usage;
    uint32_t marked;                    /* 1 << field for each field that the guest marked valid */
    uint64_t field[SNPEMU_FIELD_COUNT]; /* as they stand in the page, marked or not */
    const uint8_t *scratch;             /* a copy of the scratch area, as far as it may be read */
    size_t scratch_size;                /* bytes */
    uint64_t scratch_gpa;
    /* What of the guest's memory it lends with this exit, as far as it is shared. */
    size_t lent_count;
    struct {
        uint64_t gpa, size; /* bytes */
    } lent[SNPEMU_LENT_MAX];
};

struct snpemu_reply; /* the answer, while the function runs */

/*
 * Answers one exit. If it calls nothing of what follows, the answer is the honest one; else it
 * begins with nothing, or with snpemu_reply_honest. A request to be terminated is not shown: the
 * run ends with it. It must give the same answers to the same exits: runs are to be repeatable.
 */
typedef void snpemu_answer(void *context, const struct snpemu_exit *exit,
                           struct snpemu_reply *reply);

/*
 * Let runs be answered by this function, instead of the scenario's handlers (`on`); what its `host`
 * says is what is honest. NULL: by the scenario again. With oracles, runs are made once, exactly.
 */
void snpemu_on_exit(struct snpemu *snpemu, snpemu_answer *callback, void *context);

/*
 * Mistakes, such as an address beyond 52 bits, do not return: the first one of an answer ends the
 * run with SNPEMU_BAD_INPUT, and its line names exit and mistake.
 */
void snpemu_reply_honest(struct snpemu_reply *reply); /* first, and once */
/* Write a field of the page and mark it valid; mark it without writing; do neither. */
void snpemu_reply_set(struct snpemu_reply *reply, enum snpemu_field field, uint64_t value);
void snpemu_reply_mark(struct snpemu_reply *reply, enum snpemu_field field);
void snpemu_reply_leave(struct snpemu_reply *reply, enum snpemu_field field);
/* Keep the guest's own marks, which else are cleared before the answer is written. */
void snpemu_reply_keep_marks(struct snpemu_reply *reply);
/* The answer of an exit without a page. */
void snpemu_reply_set_msr(struct snpemu_reply *reply, uint64_t value);
/* What the answer has so far; false: it does not write that. */
bool snpemu_reply_field(const struct snpemu_reply *reply, enum snpemu_field field, uint64_t *value);
bool snpemu_reply_msr(const struct snpemu_reply *reply, uint64_t *value);
/* The answer to this vCPU's exit before once more; what it did besides stays away. */
void snpemu_reply_repeat(struct snpemu_reply *reply);
/* The host goes no further: outcome refused. */
void snpemu_reply_refuse(struct snpemu_reply *reply, const char *reason);
/* Ask the guest to raise an exception in itself, through SW_EXITINFO1 and 2. */
void snpemu_reply_exception(struct snpemu_reply *reply, uint8_t vector);

/*
 * The list of APIC IDs, in an exit apic_id_list that lends memory for it, instead of the honest
 * one: `count` is what its first word says, `id_count` IDs are written behind it. The rest of the
 * memory stays as it is.
 */
void snpemu_reply_apic_ids(struct snpemu_reply *reply, uint32_t count, const uint32_t *id,
                           size_t id_count);

/* Memory and the RMP, by guest physical address. Sizes are in bytes; of pages 4 KiB or 2 MiB. */
void snpemu_reply_write(struct snpemu_reply *reply, uint64_t gpa, const void *bytes, size_t size);
void snpemu_reply_assign(struct snpemu_reply *reply, uint64_t gpa, uint64_t size);
void snpemu_reply_unassign(struct snpemu_reply *reply, uint64_t gpa, uint64_t size);
void snpemu_reply_psmash(struct snpemu_reply *reply, uint64_t gpa);
void snpemu_reply_remap(struct snpemu_reply *reply, uint64_t gpa, uint64_t to_gpa);
void snpemu_reply_swap(struct snpemu_reply *reply, uint64_t gpa, uint64_t with_gpa);

/* Change shared memory while the guest uses it. */
struct snpemu_watch {
    uint64_t gpa;
    uint32_t size;  /* bytes: 1, 2, 4 or 8; not across a page */
    bool on_write;  /* count instructions that write any of it, not those that read any */
    uint64_t nth;   /* from 1, counted from this answer on */
    uint64_t value; /* stored before the nth read, or after the nth write; little endian */
    bool sticky;    /* it stays; else what stood there comes back after that access */
};
void snpemu_reply_watch(struct snpemu_reply *reply, const struct snpemu_watch *watch);

/* The guest takes an exception (without an error code), an interrupt, or an NMI (vector 2). */
enum snpemu_event { SNPEMU_EXCEPTION, SNPEMU_INTERRUPT, SNPEMU_NMI };
void snpemu_reply_inject(struct snpemu_reply *reply, enum snpemu_event event, uint8_t vector);

/* Which vCPU runs next, or never again. */
void snpemu_reply_run_vcpu(struct snpemu_reply *reply, uint32_t vcpu);
void snpemu_reply_stop_vcpu(struct snpemu_reply *reply, uint32_t vcpu);

/*
 * From here on, what is done to memory, RMP and vCPUs is done when so many instructions have
 * retired since the guest goes on. 0: at once, as at first.
 */
void snpemu_reply_after(struct snpemu_reply *reply, uint64_t instructions);

const char *snpemu_field_name(enum snpemu_field field);

/* Run from launch to the end. */
int snpemu_run(struct snpemu *snpemu, struct snpemu_result *result, char *text);

/* The per-CPU table of the latest run: how many rows there are, of which at most `max` are stored.
 */
size_t snpemu_percpu_table(const struct snpemu *snpemu, struct snpemu_percpu *row, size_t max);

const char *snpemu_outcome_name(enum snpemu_outcome outcome);
const char *snpemu_verdict_name(enum snpemu_verdict verdict);
const char *snpemu_version(void);

#ifdef __cplusplus
}
#endif

#endif
