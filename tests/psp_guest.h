/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's side of a message to the AMD-SP, with libgcrypt called directly: nothing of
 * emu/psp/ but its layouts and its object.
 */
#ifndef SNPEMU_TESTS_PSP_GUEST_H
#define SNPEMU_TESTS_PSP_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"
#include "abi/x86.h"
#include "psp/psp.h"

struct psp_guest_message {
    uint8_t type, key, version, algo, header_version;
    uint16_t header_size;
    uint64_t sequence;
    size_t size; /* of the payload, as the header says and as it is sealed */
    uint8_t payload[PAGE_SIZE];
};

/* A well-formed message of zeroes. */
struct psp_guest_message psp_guest_message(uint8_t type, uint8_t key, uint64_t sequence,
                                           size_t size);
/* The key that the guest finds in its secrets page. */
void psp_guest_key(const struct psp *psp, uint8_t key, uint8_t bytes[PSP_KEY_SIZE]);
/* All of a page, ready to be sent. */
void psp_guest_seal(const struct psp *psp, const struct psp_guest_message *message,
                    uint8_t page[PAGE_SIZE]);
/* Open a response, in place; false when it is not authentic. */
bool psp_guest_open(const struct psp *psp, uint8_t page[PAGE_SIZE]);

/* Does the certificate's key say that it signed this report? */
bool psp_guest_verify(const struct psp *psp, const uint8_t report[REPORT_SIZE]);

void psp_guest_sha384(const void *bytes, size_t size, uint8_t digest[48]);
void psp_guest_hmac_sha256(const void *key, size_t key_size, const void *bytes, size_t size,
                           uint8_t mac[32]);

uint64_t psp_guest_load(const uint8_t *bytes, size_t size);
void psp_guest_store(uint8_t *bytes, uint64_t value, size_t size);

#endif
