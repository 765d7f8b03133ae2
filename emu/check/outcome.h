/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outcome: how a run ended, a fact. Verdict: a judgement of it.
 */
#ifndef SNPEMU_CHECK_OUTCOME_H
#define SNPEMU_CHECK_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum outcome_kind {
    OUTCOME_NONE, /* still running */
    OUTCOME_HALTED,
    OUTCOME_REACHED,    /* the symbol of --until */
    OUTCOME_TERMINATED, /* the guest asked for it: set and code */
    OUTCOME_TRIPLE_FAULT,
    OUTCOME_NESTED_FAULT, /* the host cannot make progress on a nested page fault */
    OUTCOME_REFUSED,      /* the host will not go on */
    OUTCOME_STUCK,        /* jmp self, or no vCPU can make progress */
    OUTCOME_BUDGET,       /* instructions or exits used up */
    OUTCOME_UNMODELLED,
    OUTCOME_KIND_COUNT,
};

enum verdict {
    VERDICT_PASS,
    VERDICT_CONTAINED,
    VERDICT_GUEST_CRASH,
    VERDICT_HANG,
    VERDICT_UNJUDGED,
    VERDICT_VIOLATION,
    VERDICT_EMULATOR_BUG,
    VERDICT_COUNT,
};

struct outcome {
    enum outcome_kind kind;
    uint8_t term_set, term_code; /* OUTCOME_TERMINATED */
    bool host_caused;      /* the script's doing: a nested fault on a page it took, a refusal */
    uint32_t vcpu;         /* that stood at the end, */
    uint8_t vmpl;          /* at this VMPL, */
    uint64_t rip;          /* here: guest virtual */
    uint64_t instructions; /* retired since boot, all vCPUs */
    uint64_t exits;
    uint32_t oracles; /* ORACLE_BIT()s of those that hit: check/oracle.h */
    char symbol[96];  /* function at rip, without offset; empty when unknown */
    char detail[160]; /* what, where: "nested fault: write of gpa 0x...", "page budget"; may be
                         empty */
    char panic[256]; /* svsm_panic_message, printable; empty when the guest has none or is silent */
};

/* "halted", "terminated", "triple-fault", ... as used in scripts and traces. */
const char *outcome_name(enum outcome_kind kind);
const char *verdict_name(enum verdict verdict);
/* OUTCOME_KIND_COUNT, VERDICT_COUNT when there is none of that name. */
enum outcome_kind outcome_named(const char *name);
enum verdict verdict_named(const char *name);

/* "terminated 0xf:0x6", "halted": one phrase, equal for equal outcomes. */
void outcome_phrase(const struct outcome *outcome, char *text, size_t size);

/* All but a guest that did what it set out to do, or was not to go further: who called whom is
 * worth knowing. */
bool outcome_is_abnormal(const struct outcome *outcome);

/* The verdict: `violation` where an oracle hit, else what the outcome says by itself. */
enum verdict outcome_verdict(const struct outcome *outcome);

#endif
