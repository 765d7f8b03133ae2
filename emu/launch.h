/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the launcher and the AMD-SP do before the guest's first instruction: memory, launch pages,
 * metadata pages, the first vCPU's registers.
 *
 * Source: AMDESE/qemu branch svsm-preview-v4 target/i386/sev.c (sev_svsm_set_reset_state,
 * sev_snp_launch_update, sev_svsm_set_vmpl1_vmsa).
 */
#ifndef SNPEMU_LAUNCH_H
#define SNPEMU_LAUNCH_H

#include "error.h"
#include "ghcb/hypervisor.h"
#include "image/image.h"
#include "machine/machine.h"

/*
 * A machine with the image in it, ready to run. memory_mib 0: what the image asks for. Returns 0,
 * SNPEMU_ERR_INPUT, SNPEMU_ERR_MEMORY or SNPEMU_ERR_INTERNAL; the caller releases the machine.
 */
int launch_machine(struct machine *machine, const struct image *image,
                   const struct hypervisor_config *config, uint32_t memory_mib, uint64_t seed,
                   struct error *error);

/*
 * A machine that stands at its launch, with `was` in it, as if it had been launched with `image`:
 * only what differs is written. SNPEMU_ERR_INPUT when they do not lie in memory in the same way.
 */
int launch_again(struct machine *machine, const struct image *was, const struct image *image,
                 const struct hypervisor_config *config, struct error *error);

#endif
