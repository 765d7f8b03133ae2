/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fingerprint.h"

#include <stdint.h>
#include <stdio.h>

#include "machine/digest.h"

int fingerprint(const void *bytes, size_t size_bytes, char name[FINGERPRINT_SIZE],
                struct error *error)
{
    uint8_t digest[DIGEST_SIZE];
    int status = digest_bytes(bytes, size_bytes, digest, error);

    for (size_t i = 0; status == SNPEMU_OK && i < FINGERPRINT_SIZE / 2; i++) {
        snprintf(name + 2 * i, 3, "%02x", digest[i]);
    }
    return status;
}
