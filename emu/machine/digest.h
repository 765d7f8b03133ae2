/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-256 over a machine's state: registers, MSRs, touched pages in GPA order, RMP. The only place
 * that knows the cryptography library.
 */
#ifndef SNPEMU_MACHINE_DIGEST_H
#define SNPEMU_MACHINE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "machine/machine.h"

#define DIGEST_SIZE 32

/* `extra` is state of others that belongs to the run, such as devices; it is hashed last. */
int digest_machine(struct machine *machine, const void *extra, size_t extra_size_bytes,
                   uint8_t digest[DIGEST_SIZE], struct error *error);

/* Of bytes that are no machine's. */
int digest_bytes(const void *bytes, size_t size_bytes, uint8_t digest[DIGEST_SIZE],
                 struct error *error);

#endif
