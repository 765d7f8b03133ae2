/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An exit: all that the hypervisor can see when the guest executes VMGEXIT. It is a copy, taken
 * once; a host model looks at this and at nothing else.
 */
#ifndef SNPEMU_GHCB_EXIT_H
#define SNPEMU_GHCB_EXIT_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/ghcb.h"
#include "ghcb/field.h"

enum exit_protocol {
    EXIT_MSR,  /* the GHCB MSR holds a request */
    EXIT_PAGE, /* the GHCB MSR holds the GPA of a GHCB page */
};

struct exit_row; /* ghcb/table.h */

/* What KVM reads of a scratch area at most: GHCB_SCRATCH_AREA_LIMIT in its sev.c. */
#define EXIT_SCRATCH_MAX 0x10000
#define EXIT_REQUEST_SIZE 0x1000 /* a message to the AMD-SP is a page */

/* Memory that the guest lends to the hypervisor with an exit. */
#define EXIT_BUFFER_MAX 4
struct exit_buffer {
    uint64_t gpa, size_bytes; /* they do not wrap */
    uint64_t passed_bytes;    /* from gpa on: what the event reads of it */
    bool poll;                /* the guest may read it again and again until it changes */
};

/* The verdict of setup_vmgexit_scratch on an area of a given length. */
enum exit_scratch {
    SCRATCH_OK,
    SCRATCH_BAD,        /* zero, wraps, outside the GHCB's buffer, too large */
    SCRATCH_UNREADABLE, /* memory that the host cannot read */
};

struct exit {
    const struct exit_row *row; /* its row in the MSR-protocol or NAE table; never NULL */
    const char *name;           /* row->name: "apic_id_list", "msr_version", ... */
    enum exit_protocol protocol;
    uint64_t number; /* among all exits since boot, from 1 */
    uint64_t nth;    /* among the exits of this name since boot, from 1 */
    uint32_t vcpu;
    uint32_t apic_id; /* of that vCPU */
    uint8_t vmpl;
    uint64_t time; /* virtual: instructions that have retired */
    uint64_t msr;  /* the GHCB MSR as the guest left it */

    /* The rest is zero for EXIT_MSR. */
    uint64_t ghcb_gpa;
    uint16_t version;
    uint32_t usage;
    uint32_t marked;             /* FIELD_BIT() of each field that the guest marked valid */
    uint64_t field[FIELD_COUNT]; /* as they stand in the page, marked or not */
    uint64_t scratch_gpa;        /* where `scratch` was copied from */
    uint32_t scratch_size_bytes; /* 0 when SW_SCRATCH is unmarked or not readable by the host */
    uint32_t request_size_bytes; /* 0 when there is no request, or the host cannot read it */
    uint8_t scratch[EXIT_SCRATCH_MAX];
    uint8_t request[EXIT_REQUEST_SIZE]; /* the page of a message to the AMD-SP: ciphertext */
};

/* The value if the guest marked it valid, else 0, as KVM reads it (kvm_ghcb_get_*_if_valid). */
uint64_t exit_field(const struct exit *exit, enum ghcb_field field);
bool exit_marked(const struct exit *exit, enum ghcb_field field);
/* True when all fields of the mask FIELD_BIT() are marked. */
bool exit_marked_all(const struct exit *exit, uint32_t fields);

/*
 * May the event use `length` bytes at SW_SCRATCH? SCRATCH_OK: they are in exit->scratch.
 * Source: Linux arch/x86/kvm/svm/sev.c setup_vmgexit_scratch.
 */
enum exit_scratch exit_scratch_check(const struct exit *exit, uint64_t length);

/*
 * True, with the guest's reason, when it asks to be terminated; false for any other exit, and for a
 * termination event whose SW_EXITINFO fields are not marked.
 */
bool exit_termination(const struct exit *exit, uint8_t *set, uint8_t *code);

#endif
