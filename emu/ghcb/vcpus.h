/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's virtual CPUs as the hypervisor keeps them: which may run, at which VMPL, and where
 * each VMPL's save area is. The registers themselves are in the save areas, or in the machine for
 * the one that runs.
 *
 * Source: Linux arch/x86/kvm/svm/sev.c sev_snp_ap_creation, sev_snp_init_protected_guest_state; for
 * several VMPLs AMDESE/linux, SVSM host, arch/x86/kvm/svm/sev.c __sev_snp_update_protected_guest_
 * state, __sev_run_vmpl_vmsa.
 */
#ifndef SNPEMU_GHCB_VCPUS_H
#define SNPEMU_GHCB_VCPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/rmp.h"
#include "ghcb/apic.h"
#include "ghcb/doorbell.h"
#include "ghcb/reply.h"

enum vcpu_activity {
    VCPU_ABSENT, /* no save area: it waits for AP creation */
    VCPU_RUNNABLE,
    VCPU_HALTED,  /* HLT, and nothing interrupts it */
    VCPU_HELD,    /* AP reset hold */
    VCPU_SPINS,   /* it jumps to itself */
    VCPU_STOPPED, /* the host never runs it again, whatever happens */
};

/* One VMPL of one vCPU. All of it is per VMPL in a host that knows several. */
struct vcpu_level {
    bool known; /* vmsa_gpa is set */
    bool registered;
    bool resuming; /* see vcpu_expect_resume */
    uint64_t vmsa_gpa;
    uint64_t ghcb_msr;
    uint64_t registered_gpa;   /* of the GHCB */
    uint64_t doorbell_gpa;     /* of the #HV doorbell page; DOORBELL_NONE */
    struct doorbell doorbell;  /* what waits for room in it */
    struct reply_bytes answer; /* the last one */
};

struct vcpu_slot {
    uint32_t apic_id;
    uint8_t activity; /* enum vcpu_activity */
    uint8_t vmpl;     /* that it runs at, or will */
    struct vcpu_level level[VMPL_COUNT];
    struct apic apic;
};

struct vcpus {
    struct vcpu_slot *slot; /* the first is the BSP */
    uint32_t count;
    uint32_t started;  /* all from here on are as at power-on */
    uint32_t runnable; /* how many may run */
    bool chosen;       /* the host wants `choice` to run next */
    uint32_t choice;
    /* The one that the machine holds, and its VMPL. The save area is that of its level, unless
       it was replaced meanwhile. */
    uint32_t current;
    uint8_t current_vmpl;
    uint64_t current_vmsa_gpa;
};

/*
 * One vCPU for each of the `count` APIC IDs, the BSP's first; an ID that comes twice counts once.
 * Only the BSP runs, at VMPL0, from the save area at launch_vmsa_gpa. False: out of memory.
 */
bool vcpus_init(struct vcpus *vcpus, uint32_t bsp_apic_id, const uint32_t *apic_id, size_t count,
                uint64_t launch_vmsa_gpa, uint64_t ghcb_msr);
void vcpus_release(struct vcpus *vcpus);

/* NULL when no vCPU has that APIC ID. */
struct vcpu_slot *vcpus_find(const struct vcpus *vcpus, uint32_t apic_id);
struct vcpu_slot *vcpus_current(const struct vcpus *vcpus);
struct vcpu_level *vcpus_current_level(const struct vcpus *vcpus);

/* A save area for a VMPL. `now`: it runs there next; else when that VMPL is asked for. */
void vcpus_start(struct vcpus *vcpus, struct vcpu_slot *slot, unsigned vmpl, uint64_t vmsa_gpa,
                 bool now);
/* Forget a VMPL's save area; if it runs there, it runs no more. */
void vcpus_stop(struct vcpus *vcpus, struct vcpu_slot *slot, unsigned vmpl);

/* Nothing changes one that is stopped. */
void vcpus_set_activity(struct vcpus *vcpus, struct vcpu_slot *slot, enum vcpu_activity activity);
/* It may run, and does next. */
void vcpus_choose(struct vcpus *vcpus, struct vcpu_slot *slot);
/* The first that does this; NULL when none does. */
struct vcpu_slot *vcpus_find_activity(const struct vcpus *vcpus, enum vcpu_activity activity);
/* The next runnable one after `after`, in turn; vcpus->count when there is none at all. */
uint32_t vcpus_next(const struct vcpus *vcpus, uint32_t after);

/* Both made by vcpus_init of the same IDs. */
void vcpus_copy(struct vcpus *to, const struct vcpus *from);
/* The state as bytes, equal for equal states. */
#define VCPUS_LEVEL_WORDS (8 + 8 + 3 + FIELD_COUNT)
#define VCPUS_SLOT_BYTES (8u * (2 + VMPL_COUNT * VCPUS_LEVEL_WORDS + 12))
size_t vcpus_bytes_size(const struct vcpus *vcpus);
void vcpus_bytes(const struct vcpus *vcpus, uint8_t *bytes);

#endif
