/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name for bytes that follows from them: the first half of their SHA-256, in hexadecimal digits.
 */
#ifndef SNPEMU_FINGERPRINT_H
#define SNPEMU_FINGERPRINT_H

#include <stddef.h>

#include "error.h"

#define FINGERPRINT_SIZE 33 /* the NUL included */

int fingerprint(const void *bytes, size_t size_bytes, char name[FINGERPRINT_SIZE],
                struct error *error);

#endif
