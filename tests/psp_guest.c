/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psp_guest.h"

#include <check.h>
#include <gcrypt.h>
#include <string.h>

uint64_t psp_guest_load(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;

    while (size-- > 0) {
        value = value << 8 | bytes[size];
    }
    return value;
}

void psp_guest_store(uint8_t *bytes, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++, value >>= 8) {
        bytes[i] = (uint8_t)value;
    }
}

struct psp_guest_message psp_guest_message(uint8_t type, uint8_t key, uint64_t sequence,
                                           size_t size)
{
    return (struct psp_guest_message){
        .type = type,
        .key = key,
        .version = 1,
        .algo = 1,
        .header_version = 1,
        .header_size = 0x60,
        .sequence = sequence,
        .size = size,
    };
}

void psp_guest_key(const struct psp *psp, uint8_t key, uint8_t bytes[PSP_KEY_SIZE])
{
    uint8_t secrets[PAGE_SIZE] = {0};

    psp_fill_secrets(psp, secrets);
    memcpy(bytes, secrets + 0x20 + 32 * (key & 3u), PSP_KEY_SIZE);
}

/* AES-256-GCM: nonce = the number, little endian, and four zeroes; AAD = 0x30 to 0x5F. */
static gcry_cipher_hd_t start(const struct psp *psp, const uint8_t *page)
{
    uint8_t key[PSP_KEY_SIZE], nonce[12] = {0};
    gcry_cipher_hd_t cipher;

    psp_guest_key(psp, page[0x3C], key);
    memcpy(nonce, page + 0x20, 8);
    ck_assert_int_eq(gcry_cipher_open(&cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, 0), 0);
    ck_assert_int_eq(gcry_cipher_setkey(cipher, key, sizeof(key)), 0);
    ck_assert_int_eq(gcry_cipher_setiv(cipher, nonce, sizeof(nonce)), 0);
    ck_assert_int_eq(gcry_cipher_authenticate(cipher, page + 0x30, 0x30), 0);
    return cipher;
}

void psp_guest_seal(const struct psp *psp, const struct psp_guest_message *message,
                    uint8_t page[PAGE_SIZE])
{
    size_t size = message->size < PAGE_SIZE - 0x60 ? message->size : PAGE_SIZE - 0x60;
    gcry_cipher_hd_t cipher;

    memset(page, 0, PAGE_SIZE);
    psp_guest_store(page + 0x20, message->sequence, 8);
    page[0x30] = message->algo;
    page[0x31] = message->header_version;
    psp_guest_store(page + 0x32, message->header_size, 2);
    page[0x34] = message->type;
    page[0x35] = message->version;
    psp_guest_store(page + 0x36, message->size, 2);
    page[0x3C] = message->key;
    cipher = start(psp, page);
    ck_assert_int_eq(gcry_cipher_encrypt(cipher, page + 0x60, size, message->payload, size), 0);
    ck_assert_int_eq(gcry_cipher_gettag(cipher, page, 16), 0);
    gcry_cipher_close(cipher);
}

bool psp_guest_open(const struct psp *psp, uint8_t page[PAGE_SIZE])
{
    size_t size = psp_guest_load(page + 0x36, 2);
    gcry_cipher_hd_t cipher;
    bool authentic;

    if (size > PAGE_SIZE - 0x60) {
        return false;
    }
    cipher = start(psp, page);
    ck_assert_int_eq(gcry_cipher_decrypt(cipher, page + 0x60, size, NULL, 0), 0);
    authentic = gcry_cipher_checktag(cipher, page, 16) == 0;
    gcry_cipher_close(cipher);
    return authentic;
}

void psp_guest_sha384(const void *bytes, size_t size, uint8_t digest[48])
{
    gcry_md_hash_buffer(GCRY_MD_SHA384, digest, bytes, size);
}

void psp_guest_hmac_sha256(const void *key, size_t key_size, const void *bytes, size_t size,
                           uint8_t mac[32])
{
    gcry_md_hd_t hash;

    ck_assert_int_eq(gcry_md_open(&hash, GCRY_MD_SHA256, GCRY_MD_FLAG_HMAC), 0);
    ck_assert_int_eq(gcry_md_setkey(hash, key, key_size), 0);
    gcry_md_write(hash, bytes, size);
    memcpy(mac, gcry_md_read(hash, GCRY_MD_SHA256), 32);
    gcry_md_close(hash);
}

static void reverse(uint8_t *to, const uint8_t *from)
{
    for (size_t i = 0; i < 48; i++) {
        to[i] = from[47 - i];
    }
}

bool psp_guest_verify(const struct psp *psp, const uint8_t report[REPORT_SIZE])
{
    /* A bit string of 98 bytes, no bit unused, an uncompressed point. */
    static const uint8_t key_start[] = {0x03, 0x62, 0x00, 0x04};
    uint8_t der[PSP_CERTIFICATE_MAX], digest[48], r[48], s[48];
    size_t size = psp_certificate(psp, der), at = 0;
    gcry_sexp_t key = NULL, data = NULL, signature = NULL;
    bool good;

    while (at + sizeof(key_start) + 96 < size && memcmp(der + at, key_start, 4) != 0) {
        at++;
    }
    ck_assert_int_eq(memcmp(der + at, key_start, 4), 0);
    psp_guest_sha384(report, 0x2A0, digest);
    reverse(r, report + 0x2A0);
    reverse(s, report + 0x2A0 + 72);
    ck_assert_int_eq(gcry_sexp_build(&key, NULL, "(public-key(ecc(curve \"NIST P-384\")(q %b)))",
                                     97, der + at + 3),
                     0);
    ck_assert_int_eq(gcry_sexp_build(&data, NULL, "(data(flags raw)(hash sha384 %b))", 48, digest),
                     0);
    ck_assert_int_eq(
        gcry_sexp_build(&signature, NULL, "(sig-val(ecdsa(r %b)(s %b)))", 48, r, 48, s), 0);
    good = gcry_pk_verify(signature, data, key) == 0;
    gcry_sexp_release(key);
    gcry_sexp_release(data);
    gcry_sexp_release(signature);
    return good;
}
