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
#include "psp/psp.h"

/* An AMD-SP that knows what the launcher says of the guest: see psp_new. */
int launch_psp(struct psp **psp, const struct hypervisor_config *config, uint64_t seed,
               struct error *error);

/*
 * A machine with the image in it, ready to run, as `psp` measured it: the image, the metadata pages
 * in their order, host.prevalidated, the boot CPU's VMSA. memory_mib 0: what the image asks for.
 * Returns 0, SNPEMU_ERR_INPUT, SNPEMU_ERR_MEMORY or SNPEMU_ERR_INTERNAL; the caller releases the
 * machine.
 */
int launch_machine(struct machine *machine, const struct image *image,
                   const struct hypervisor_config *config, struct psp *psp, uint32_t memory_mib,
                   uint64_t seed, struct error *error);

#endif
