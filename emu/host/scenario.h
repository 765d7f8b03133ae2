/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scenario: the Lua table that says which image runs, on how many CPUs, against which host, and
 * what is expected. docs/SCENARIOS.md lists every field and function.
 */
#ifndef SNPEMU_HOST_SCENARIO_H
#define SNPEMU_HOST_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/expect.h"
#include "error.h"
#include "ghcb/hypervisor.h"
#include "host/host.h"
#include "host/place.h"

#define SCENARIO_BUDGET_DEFAULT 4000000000ULL
#define SCENARIO_EXIT_BUDGET_DEFAULT 1000000ULL
#define SCENARIO_SEED_DEFAULT 1ULL
#define SCENARIO_QUANTUM_DEFAULT 1000000ULL
#define SCENARIO_GUEST_MEMORY_MIB_DEFAULT 16
#define SCENARIO_FIRMWARE_BUILT "firmware" /* the built image that `firmware = true` means */

#define SCENARIO_ORDER_MAX 4096

/* One turn of an explicit schedule. */
struct scenario_turn {
    uint32_t cpu;          /* number of the vCPU, from 0 */
    uint64_t instructions; /* that it runs, unless something else ends its turn */
};

struct scenario {
    char *path;   /* the script; NULL when made from an image alone */
    char *source; /* its text: each run's host model starts from these bytes */
    size_t source_size_bytes;
    char *name;     /* path relative to what the user named, without ".lua"; for messages */
    char *image;    /* as written: a built image's name, or a path (relative to the script) */
    char *firmware; /* the same for the guest's firmware; NULL: none */
    uint32_t cpus;
    uint32_t memory_mib;       /* of the SVSM; 0: what the image asks for */
    uint32_t guest_memory_mib; /* below 4 GiB, with firmware only */
    uint64_t budget;           /* instructions */
    uint64_t exit_budget;      /* exits */
    uint64_t seed;
    uint64_t quantum;            /* instructions that a vCPU runs before another one may */
    bool schedule_random;        /* who runs, and for how long, is drawn from the seed */
    struct scenario_turn *order; /* comes before both, once; order_count of them */
    size_t order_count;
    struct hypervisor_config host;
    uint32_t oracles; /* ORACLE_BIT()s of those that watch: check/oracle.h */
    char *until;      /* symbol that ends the run, unless the caller names another; NULL: none */
    struct place snapshot; /* where one is taken by those that take one */
    struct expect expect;  /* expect.given is false without an `expect` table */
    bool scripted;         /* has handlers: host models must come from scenario_host */
    bool strict;           /* an answer that rests on an unverified fact ends as `unmodelled` */
    bool unknown_msr_gp;   /* an MSR that is not modelled: #GP(0) instead of `unmodelled` */
    bool unused_ok;        /* a handler or on_read that never fired is no error */
};

/*
 * Read a script. Returns 0, SNPEMU_ERR_INPUT (file, line, field, and the nearest known name for an
 * unknown one), SNPEMU_ERR_IO or SNPEMU_ERR_MEMORY. The caller frees it.
 */
int scenario_load(struct scenario **scenario, const char *path, struct error *error);
/* The same for a script that need not be in a file yet: as if `path` held these bytes. */
int scenario_read(struct scenario **scenario, const char *path, const char *source,
                  size_t size_bytes, struct error *error);
/* Defaults around an image path: honest host, `cpus` CPUs, no expectation. */
int scenario_for_image(struct scenario **scenario, const char *image, uint32_t cpus,
                       struct error *error);
void scenario_free(struct scenario *scenario); /* takes NULL */

/*
 * Another number of CPUs, as if the script had said so (its `host` table is read again on top);
 * what it says of APIC IDs stays. `cpus` must be 1 to HYPERVISOR_CPU_MAX.
 */
int scenario_set_cpus(struct scenario *scenario, uint32_t cpus, struct error *error);
/* Another list of APIC IDs; the first is the BSP's. 1 to HYPERVISOR_APIC_ID_MAX of them. */
void scenario_set_apic_ids(struct scenario *scenario, const uint32_t *apic_id, size_t count);

/*
 * A fresh host model for one run: it loads the script anew, so that no run sees another's
 * variables. Freed with host->free, before the scenario.
 */
int scenario_host(const struct scenario *scenario, struct host **host, struct error *error);

#endif
