/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The save area in a page: from the registers of the vCPU that runs, and back.
 *
 * Source: AMD APM Vol 2 (24593) 15.35.2 and 15.36.9 (what is kept), 15.5.1 and 15.36.12 (what VMRUN
 * checks).
 */
#ifndef SNPEMU_MACHINE_VMSA_H
#define SNPEMU_MACHINE_VMSA_H

#include <stdint.h>

#include "abi/vmsa.h"
#include "machine/vcpu.h"

/* What hardware says of the exit that stops the vCPU. */
struct vmsa_exit {
    uint64_t code; /* VMEXIT_* */
    uint64_t info1, info2;
};

uint64_t vmsa_get(const uint8_t *page, unsigned offset);
void vmsa_set(uint8_t *page, unsigned offset, uint64_t value);

/* NULL when VMRUN would take it; else what is wrong, as static text. */
const char *vmsa_check(const uint8_t *page);

/* All registers, at the VMPL that the page names. The page must have passed vmsa_check. */
void vmsa_load(struct vcpu *vcpu, const uint8_t *page);
/* All registers and the exit; SEV_FEATURES and what else is not a register stay as they are. */
void vmsa_store(const struct vcpu *vcpu, const struct vmsa_exit *exit, uint8_t *page);

#endif
