/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scenario: the Lua table that says which image runs, on how many CPUs, against which host, and
 * what is expected. docs/SCENARIOS.md lists every field and function.
 */
#ifndef SNPEMU_HOST_SCENARIO_H
#define SNPEMU_HOST_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "check/expect.h"
#include "error.h"
#include "ghcb/hypervisor.h"
#include "host/host.h"

#define SCENARIO_BUDGET_DEFAULT 4000000000ULL
#define SCENARIO_EXIT_BUDGET_DEFAULT 1000000ULL
#define SCENARIO_SEED_DEFAULT 1ULL

struct scenario {
    char *path;  /* the script; NULL when made from an image alone */
    char *name;  /* path relative to what the user named, without ".lua"; for messages */
    char *image; /* as written: a built image's name, or a path (relative to the script) */
    uint32_t cpus;
    uint32_t memory_mib;  /* 0: what the image asks for */
    uint64_t budget;      /* instructions */
    uint64_t exit_budget; /* exits */
    uint64_t seed;
    struct hypervisor_config host;
    struct expect expect; /* expect.given is false without an `expect` table */
    bool scripted;        /* has handlers: host models must come from scenario_host */
};

/*
 * Read a script. Returns 0, SNPEMU_ERR_INPUT (file, line, field, and the nearest known name for an
 * unknown one), SNPEMU_ERR_IO or SNPEMU_ERR_MEMORY. The caller frees it.
 */
int scenario_load(struct scenario **scenario, const char *path, struct error *error);
/* Defaults around an image path: honest host, `cpus` CPUs, no expectation. */
int scenario_for_image(struct scenario **scenario, const char *image, uint32_t cpus,
                       struct error *error);
void scenario_free(struct scenario *scenario); /* takes NULL */

/*
 * A fresh host model for one run: it loads the script anew, so that no run sees another's
 * variables. Freed with host->free, before the scenario.
 */
int scenario_host(const struct scenario *scenario, struct host **host, struct error *error);

#endif
