/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snapshot of a machine. Taking one copies the touched pages; bringing it back costs what was
 * changed since: dirty pages and 2 MiB regions of the RMP.
 */
#ifndef SNPEMU_MACHINE_SNAPSHOT_H
#define SNPEMU_MACHINE_SNAPSHOT_H

#include "machine/machine.h"

struct machine_snapshot;

int snapshot_save(struct machine *machine, struct error *error);
int snapshot_restore(struct machine *machine, struct error *error);
void snapshot_free(struct machine_snapshot *snapshot); /* takes NULL */

#endif
