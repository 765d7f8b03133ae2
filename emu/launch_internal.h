/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the files of the launch:
 *
 *   launch.c           the SVSM: its image, its metadata pages, the first vCPU
 *   launch_firmware.c  the firmware of its guest; what memory there is
 */
#ifndef SNPEMU_LAUNCH_INTERNAL_H
#define SNPEMU_LAUNCH_INTERNAL_H

#include "launch.h"

#define LAUNCH_SLOT_MAX 3

/* Memory in the order of its addresses, as the state digest wants it. Not overlapping. */
int launch_slots(struct memory_slot slot[LAUNCH_SLOT_MAX], size_t *count,
                 const struct launch *launch, struct error *error);

int launch_firmware(struct machine *machine, const struct launch *launch, struct error *error);

#endif
