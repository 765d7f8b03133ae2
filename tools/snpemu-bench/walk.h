/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk of machine/mmu.c once more, as it would be without SNP: present, reserved and permission
 * bits, A and D, and nothing about the C-bit or the RMP.
 */
#ifndef SNPEMU_BENCH_WALK_H
#define SNPEMU_BENCH_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/mmu.h"

bool walk_translate(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                    enum mmu_access access, struct mmu_translation *translation,
                    struct mmu_fault *fault);

#endif
