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
