/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking an exit: what the hypervisor sees after VMGEXIT, copied out of the GHCB MSR and the GHCB
 * page.
 *
 * Source: AMD APM Vol 2 (24593) 15.35.7; Linux arch/x86/kvm/svm/sev.c sev_handle_vmgexit,
 * sev_es_sync_from_ghcb, setup_vmgexit_scratch.
 */
#ifndef SNPEMU_GHCB_PAGE_H
#define SNPEMU_GHCB_PAGE_H

#include <stdbool.h>

#include "ghcb/exit.h"
#include "ghcb/hypervisor.h"
#include "machine/machine.h"

/*
 * Fill in all but the counters (number, nth). False when the hypervisor cannot take it: the GHCB
 * was not registered, or is not a shared page; `why` then says so.
 */
bool ghcb_take_exit(struct machine *machine, const struct hypervisor *hypervisor, struct exit *exit,
                    char *why, size_t why_size);

#endif
