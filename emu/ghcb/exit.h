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

struct exit {
    const struct exit_row *row; /* its row in the MSR-protocol or NAE table; never NULL */
    const char *name;           /* row->name: "apic_id_list", "msr_version", ... */
    enum exit_protocol protocol;
    uint64_t number; /* among all exits since boot, from 1 */
    uint64_t nth;    /* among the exits of this name since boot, from 1 */
    uint32_t vcpu;
    uint32_t apic_id; /* of that vCPU */
    uint8_t vmpl;
    uint64_t msr; /* the GHCB MSR as the guest left it */

    /* The rest is zero for EXIT_MSR. */
    uint64_t ghcb_gpa;
    uint16_t version;
    uint32_t usage;
    uint32_t marked;             /* FIELD_BIT() of each field that the guest marked valid */
    uint64_t field[FIELD_COUNT]; /* as they stand in the page, marked or not */
    uint64_t scratch_gpa;        /* where `scratch` was copied from */
    uint32_t scratch_size_bytes; /* 0 when SW_SCRATCH is unmarked or not readable by the host */
    uint8_t scratch[GHCB_SHARED_BUFFER_SIZE];
};

/* The value if the guest marked it valid, else 0, as KVM reads it (kvm_ghcb_get_*_if_valid). */
uint64_t exit_field(const struct exit *exit, enum ghcb_field field);
bool exit_marked(const struct exit *exit, enum ghcb_field field);

#endif
