/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The honest hypervisor: its configuration, which a scenario may bend (`host = {...}`), and the
 * little state it keeps. The answers themselves are the handlers in the exit tables.
 */
#ifndef SNPEMU_GHCB_HYPERVISOR_H
#define SNPEMU_GHCB_HYPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/rmp.h"
#include "ghcb/apic.h"
#include "ghcb/certificates.h"
#include "ghcb/exit.h"
#include "ghcb/fw_cfg.h"
#include "ghcb/mmio.h"
#include "ghcb/reply.h"
#include "ghcb/uart.h"
#include "ghcb/vcpus.h"
#include "trap/profile.h"

#define HYPERVISOR_CPU_MAX 4096
#define HYPERVISOR_APIC_ID_MAX 8192
#define HYPERVISOR_CPUID_MAX 64 /* what a CPUID page holds */
#define HYPERVISOR_PREVALIDATED_MAX 64

struct cpuid_leaf {
    uint32_t eax_in, ecx_in;
    uint64_t xcr0_in, xss_in;
    uint32_t eax, ebx, ecx, edx;
};

struct hypervisor_config {
    uint32_t cpus; /* 1 to HYPERVISOR_CPU_MAX */
    uint16_t version_min, version_max;
    uint8_t cbit;
    uint64_t features;     /* HV_FEATURE_* */
    uint64_t sev_features; /* of the VMSA; SEV_STATUS is made from it */
    uint64_t virtual_tom;  /* of the VMSA */
    /* The same, and the VMPL, in the VMSA with which the SVSM is to start the guest. */
    uint64_t guest_vmsa_sev_features;
    uint8_t guest_vmsa_vmpl;

    /* The IDs written into the list, as given; by default 0 .. cpus - 1. The BSP's is
     * `bsp_apic_id`. */
    uint32_t apic_id[HYPERVISOR_APIC_ID_MAX];
    size_t apic_id_count;
    uint32_t bsp_apic_id;
    bool apic_pages_set; /* the first answer says `apic_pages` instead of what is needed */
    uint64_t apic_pages;
    bool apic_count_set; /* the list's count says `apic_count` instead of apic_id_count */
    uint32_t apic_count;

    const struct cpu_profile *profile;
    struct cpuid_leaf cpuid[HYPERVISOR_CPUID_MAX]; /* the CPUID page, and the CPUID event */
    size_t cpuid_count;

    /* Pages that are private and validated at launch besides the image's own. */
    uint64_t prevalidated[HYPERVISOR_PREVALIDATED_MAX];
    size_t prevalidated_count;

    struct fw_cfg_files fw_cfg; /* what the firmware configuration device offers */
    struct mmio_devices mmio;   /* memory-mapped devices */

    uint64_t policy;                  /* POLICY_*, of the launch */
    uint8_t host_data[32];            /* given to the AMD-SP at launch: a report shows it */
    struct certificates certificates; /* what an extended guest request gets with a report */
};

/* The defaults: an EPYC guest with `cpus` CPUs (1 to HYPERVISOR_CPU_MAX), APIC IDs 0 .. cpus - 1.
 */
void hypervisor_config_init(struct hypervisor_config *config, uint32_t cpus);

/* Another processor: its signature and features, in the place of all leaves. */
void hypervisor_config_cpu(struct hypervisor_config *config, const struct cpu_profile *profile);

struct memory;
struct rmp;
struct psp;
struct history;

/* What the hypervisor remembers between exits. Part of a snapshot and of the state digest. */
struct hypervisor_state {
    struct uart uart;
    struct fw_cfg fw_cfg;
    struct mmio mmio;
    uint32_t tsc_aux;
    uint64_t ap_jump_table;
    /* SEV_FEATURES of the first VMSA of each lower VMPL; 0: none was ever made. */
    uint64_t vmsa_features[VMPL_COUNT];
    /* The page that the AMD-SP writes responses to, as the last one left it. */
    uint8_t response[EXIT_REQUEST_SIZE];
};

#define HYPERVISOR_STATE_SIZE 8448 /* bytes of hypervisor_state_bytes, at most */

struct hypervisor {
    const struct hypervisor_config *config; /* not owned */
    /* Its own knowledge of guest memory: which GPAs exist and which pages it gave away. */
    struct memory *memory;
    const struct rmp *rmp;
    struct psp *psp;         /* not owned: the AMD-SP, which answers what is handed to it */
    struct history *history; /* not owned: answers given; NULL: none are kept */
    bool strict; /* an answer that rests on an unverified fact is not given: `unmodelled` */
    struct hypervisor_state state;
    struct vcpus vcpus;
};

/* After the first four members are set: the state at power-on. False: out of memory. */
bool hypervisor_open(struct hypervisor *hypervisor);
/* Virtual CPUs as at power-on, to keep a copy in. False: out of memory. */
bool hypervisor_same_vcpus(const struct hypervisor *hypervisor, struct vcpus *vcpus);
void hypervisor_close(struct hypervisor *hypervisor);

/* What the GHCB MSR holds before the guest writes it: a version answer. KVM sev_es_vcpu_reset. */
uint64_t hypervisor_reset_msr(const struct hypervisor_config *config);
/* The state as bytes, equal for equal states; returns how many. */
size_t hypervisor_state_bytes(const struct hypervisor_state *state,
                              uint8_t bytes[HYPERVISOR_STATE_SIZE]);

/* True when there is guest memory at gpa. */
bool hypervisor_has(const struct hypervisor *hypervisor, uint64_t gpa);
/* A CPUID leaf as the vCPU of `exit` gets to see it; zero when it has no entry. */
void hypervisor_cpuid(const struct hypervisor *hypervisor, const struct exit *exit, uint32_t leaf,
                      uint32_t subleaf, struct cpuid_leaf *out);
/* True when the host can read and write the page at gpa: memory exists there and is not private. */
bool hypervisor_shares(const struct hypervisor *hypervisor, uint64_t gpa);

/* Copy shared memory; false, and nothing is copied, unless the host can read all of it. */
bool hypervisor_read(const struct hypervisor *hypervisor, uint64_t gpa, void *bytes, uint64_t size);
/* How many of the `size` bytes from gpa on the host can write before the first that it cannot. */
uint64_t hypervisor_writable(const struct hypervisor *hypervisor, uint64_t gpa, uint64_t size);
/* True when the guest takes events through #HV alone. */
bool hypervisor_restricted_injection(const struct hypervisor *hypervisor);
/* Bits of an address beyond the guest's physical address space. */
bool hypervisor_address_ok(const struct hypervisor *hypervisor, uint64_t gpa);

/* Fill `reply` (reset by the caller) with the honest answer, through the exit's table row. */
void hypervisor_answer(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply);

#endif
