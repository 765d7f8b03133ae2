/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the launcher and the AMD-SP do before the guest's first instruction: memory, launch pages,
 * metadata pages, the first vCPU's registers.
 *
 * Source: AMDESE/qemu branch svsm-preview-v4 target/i386/sev.c (sev_svsm_set_reset_state,
 * sev_snp_launch_update, sev_svsm_set_vmpl1_vmsa, sev_snp_launch_finish).
 */
#ifndef SNPEMU_LAUNCH_H
#define SNPEMU_LAUNCH_H

#include "error.h"
#include "ghcb/hypervisor.h"
#include "image/firmware.h"
#include "image/image.h"
#include "machine/machine.h"
#include "psp/psp.h"

/* An AMD-SP that knows what the launcher says of the guest: see psp_new. */
int launch_psp(struct psp **psp, const struct hypervisor_config *config, uint64_t seed,
               struct error *error);

/* All of it is the caller's, and is needed during the launch only. */
struct launch {
    const struct image *image;
    const struct firmware *firmware; /* NULL: none, and no memory but the SVSM's */
    const struct hypervisor_config *config;
    struct psp *psp;           /* measures; from launch_psp */
    uint32_t memory_mib;       /* of the SVSM; 0: what the image asks for */
    uint32_t guest_memory_mib; /* from GPA 0 on, with firmware only; even, not 0 */
    uint64_t seed;
};

/*
 * A machine with everything in it, ready to run, as `psp` measured it: the image, the firmware, the
 * metadata pages in their order, host.prevalidated, the boot CPU's VMSA. Returns 0,
 * SNPEMU_ERR_INPUT, SNPEMU_ERR_MEMORY or SNPEMU_ERR_INTERNAL; the caller releases the machine.
 */
int launch_machine(struct machine *machine, const struct launch *launch, struct error *error);

/*
 * The files by which the SVSM finds the firmware. A file that is there already stays: it is what a
 * scenario wants the guest to read. False when there is no room.
 */
bool launch_firmware_files(struct fw_cfg_files *files, const struct firmware *firmware);

/*
 * A machine that stands at its launch, with `was` in it, as if it had been launched with `image`:
 * only what differs is written. SNPEMU_ERR_INPUT when they do not lie in memory in the same way.
 */
int launch_again(struct machine *machine, const struct image *was, const struct image *image,
                 const struct hypervisor_config *config, struct error *error);

#endif
