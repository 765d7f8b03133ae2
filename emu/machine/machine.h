/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine: memory, RMP, and a vCPU, with the registers that hardware keeps outside the engine.
 * It has a launch, a snapshot and a digest; it knows nothing of hypervisors.
 */
#ifndef SNPEMU_MACHINE_H
#define SNPEMU_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "machine/memory.h"
#include "machine/mmu.h"
#include "machine/rmp.h"
#include "machine/vcpu.h"
#include "machine/vmsa.h"

/*
 * The save area that the launcher measures for the first vCPU lies outside the guest's memory, at
 * this address. Linux arch/x86/kvm/svm/sev.c INITIAL_VMSA_GPA.
 */
#define MACHINE_LAUNCH_VMSA_GPA 0xFFFFFFFFF000ULL
/* What stands for it among save areas: no page, so that a guest which asks for one never means it.
 */
#define MACHINE_LAUNCH_VMSA (MACHINE_LAUNCH_VMSA_GPA | 1)

/* Architectural state that the engine does not hold. Copied whole by a snapshot. */
struct machine_state {
    uint64_t ghcb_msr;     /* of the vCPU that runs, as the next one too */
    uint64_t sev_features; /* of its VMSA; SEV_STATUS is made from it */
    uint64_t random;       /* state of RDRAND and RDSEED */
    uint64_t virtual_tom;  /* of its VMSA; machine_set_virtual_tom tells the vCPU */
    uint64_t vmsa_gpa;     /* its save area: a GPA, or MACHINE_LAUNCH_VMSA */
    uint32_t vmsa_page;    /* where that was at VMRUN; MEMORY_NO_PAGE: launch_vmsa */
    uint8_t launch_vmsa[VMSA_SIZE];
};

struct machine {
    struct memory memory;
    struct rmp rmp;
    struct mmu mmu;
    struct vcpu *vcpu;
    struct machine_state state;
    struct machine_snapshot *snapshot; /* private to snapshot.c */
};

int machine_init(struct machine *machine, const struct memory_slot *slot, size_t slot_count,
                 uint64_t seed, vcpu_decode *decode, struct error *error);
void machine_release(struct machine *machine);

/* Launch a page: private, validated, zero. The caller copies its contents in. */
uint8_t *machine_launch_page(struct machine *machine, uint32_t page);

/* Host-side page state changes with all that follows: contents, translations. At the page's home.
 */
void machine_assign(struct machine *machine, uint32_t page, bool large);
void machine_unassign(struct machine *machine, uint32_t page);

/* RMPUPDATE on one page of memory or 2 MiB of it, by any host. Contents are lost when the owner
   changes, for he has another key; a new GPA alone keeps them. Returns RMP_SUCCESS or RMP_FAIL_*.
 */
unsigned machine_update(struct machine *machine, uint32_t page, const struct rmp_state *state);

/*
 * Page state changes as an honest host makes them once it has remapped: the page that gpa leads to
 * now is assigned at this GPA. As one 2 MiB entry where the nested map allows it.
 */
void machine_assign_gpa(struct machine *machine, uint64_t gpa, bool large);
void machine_unassign_gpa(struct machine *machine, uint64_t gpa);

/*
 * The host changes its nested map and tells nobody: gpa_a leads to where gpa_b leads, or both
 * change places. The RMP stays as it is, but for a 2 MiB entry that must be split because its
 * mapping is: KVM would do that at the next access (sev_handle_rmp_fault). What the guest meets
 * there counts as the host's doing. Returns 0, SNPEMU_ERR_INPUT when there is no memory at one of
 * them, or SNPEMU_ERR_MEMORY.
 */
int machine_remap(struct machine *machine, uint64_t gpa_a, uint64_t gpa_b, struct error *error);
int machine_swap(struct machine *machine, uint64_t gpa_a, uint64_t gpa_b, struct error *error);

/* After a change of state.sev_features, or of virtual TOM itself. */
void machine_set_virtual_tom(struct machine *machine, uint64_t gpa);

/*
 * The machine has one processor, which runs one vCPU at a time, at one VMPL. #VMEXIT: the
 * registers of the one that runs go into its save area, with the reason. VMRUN: those of the save
 * area at `gpa` come out. NULL, or why the processor refuses (VMEXIT_INVALID), as static text; the
 * registers are unchanged then.
 */
void machine_vmexit(struct machine *machine, const struct vmsa_exit *exit);
const char *machine_vmrun(struct machine *machine, uint64_t gpa);
/* Registers of VMPL0 of the first vCPU as a translation needs them, whoever runs. */
void machine_launch_context(const struct machine *machine, struct mmu_context *context);
/*
 * The page holds the save area of the vCPU that runs. RMPUPDATE fails then, with FAIL_INUSE: APM
 * Vol 2 (24593) 15.36.12. The vCPU whose exit is being answered counts as the one that runs, for
 * the machine still holds its registers.
 */
bool machine_in_use(const struct machine *machine, uint32_t page);

/* The next number that RDRAND and RDSEED give. */
uint64_t machine_random(struct machine *machine);

/* Keep the state now; bring it back, any number of times. One snapshot at a time. */
int machine_save(struct machine *machine, struct error *error);
int machine_restore(struct machine *machine, struct error *error);

#endif
