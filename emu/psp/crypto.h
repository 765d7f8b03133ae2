/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The AMD-SP's cryptography, on libgcrypt. For the files of this room alone. All functions return
 * false when the library fails, which is the emulator's own failure; what a message can make fail
 * is crypto_open's *authentic.
 */
#ifndef SNPEMU_PSP_CRYPTO_H
#define SNPEMU_PSP_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/psp.h"

#define CRYPTO_SHA384_SIZE 48
#define CRYPTO_SHA256_SIZE 32
#define CRYPTO_P384_SIZE 48

struct crypto_point {
    uint8_t x[CRYPTO_P384_SIZE], y[CRYPTO_P384_SIZE]; /* big endian */
};

struct crypto_signature {
    uint8_t r[CRYPTO_P384_SIZE], s[CRYPTO_P384_SIZE]; /* big endian */
};

/* Make the library ready; any number of times. */
bool crypto_init(void);

/* AES-256-GCM, in place. A sequence number is the IV, little endian in its first 8 bytes. */
bool crypto_seal(const uint8_t key[PSP_KEY_SIZE], uint64_t sequence, const uint8_t *aad,
                 size_t aad_size, uint8_t *bytes, size_t size, uint8_t tag[PSP_TAG_SIZE]);
bool crypto_open(const uint8_t key[PSP_KEY_SIZE], uint64_t sequence, const uint8_t *aad,
                 size_t aad_size, uint8_t *bytes, size_t size, const uint8_t tag[PSP_TAG_SIZE],
                 bool *authentic);

bool crypto_sha384(const void *bytes, size_t size, uint8_t digest[CRYPTO_SHA384_SIZE]);
bool crypto_hmac_sha256(const uint8_t *key, size_t key_size, const void *bytes, size_t size,
                        uint8_t mac[CRYPTO_SHA256_SIZE]);

/* ECDSA on P-384 with SHA-384. A private key is any number but zero below the group's order. */
bool crypto_public(const uint8_t secret[CRYPTO_P384_SIZE], struct crypto_point *point);
/* The nonce is that of RFC 6979: the same key and bytes give the same signature. */
bool crypto_sign(const uint8_t secret[CRYPTO_P384_SIZE], const void *bytes, size_t size,
                 struct crypto_signature *signature);

#endif
