/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "psp/crypto.h"

#include <gcrypt.h>
#include <string.h>

bool crypto_init(void)
{
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
        return true;
    }
    if (!gcry_check_version(GCRYPT_VERSION)) {
        return false;
    }
    /* These keys are made from a seed that everybody knows: locked memory would guard nothing. */
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    return gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0) == 0;
}

/* ---- messages ---- */

static bool start(gcry_cipher_hd_t *cipher, const uint8_t *key, uint64_t sequence,
                  const uint8_t *aad, size_t aad_size)
{
    uint8_t iv[PSP_IV_SIZE] = {0};

    memcpy(iv, &sequence, sizeof(sequence));
    if (gcry_cipher_open(cipher, GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, 0)) {
        return false;
    }
    if (gcry_cipher_setkey(*cipher, key, PSP_KEY_SIZE) ||
        gcry_cipher_setiv(*cipher, iv, sizeof(iv)) ||
        gcry_cipher_authenticate(*cipher, aad, aad_size) || gcry_cipher_final(*cipher)) {
        gcry_cipher_close(*cipher);
        return false;
    }
    return true;
}

bool crypto_seal(const uint8_t key[PSP_KEY_SIZE], uint64_t sequence, const uint8_t *aad,
                 size_t aad_size, uint8_t *bytes, size_t size, uint8_t tag[PSP_TAG_SIZE])
{
    gcry_cipher_hd_t cipher;
    bool ok;

    if (!start(&cipher, key, sequence, aad, aad_size)) {
        return false;
    }
    ok = !gcry_cipher_encrypt(cipher, bytes, size, NULL, 0) &&
         !gcry_cipher_gettag(cipher, tag, PSP_TAG_SIZE);
    gcry_cipher_close(cipher);
    return ok;
}

bool crypto_open(const uint8_t key[PSP_KEY_SIZE], uint64_t sequence, const uint8_t *aad,
                 size_t aad_size, uint8_t *bytes, size_t size, const uint8_t tag[PSP_TAG_SIZE],
                 bool *authentic)
{
    gcry_cipher_hd_t cipher;
    gcry_error_t error;

    *authentic = false;
    if (!start(&cipher, key, sequence, aad, aad_size)) {
        return false;
    }
    error = gcry_cipher_decrypt(cipher, bytes, size, NULL, 0);
    if (!error) {
        error = gcry_cipher_checktag(cipher, tag, PSP_TAG_SIZE);
        *authentic = !error;
    }
    gcry_cipher_close(cipher);
    return !error || gcry_err_code(error) == GPG_ERR_CHECKSUM;
}

bool crypto_sha384(const void *bytes, size_t size, uint8_t digest[CRYPTO_SHA384_SIZE])
{
    gcry_buffer_t buffer = {.data = (void *)(uintptr_t)bytes, .len = size};

    return !gcry_md_hash_buffers(GCRY_MD_SHA384, 0, digest, &buffer, 1);
}

bool crypto_hmac_sha256(const uint8_t *key, size_t key_size, const void *bytes, size_t size,
                        uint8_t mac[CRYPTO_SHA256_SIZE])
{
    gcry_mac_hd_t handle;
    size_t length = CRYPTO_SHA256_SIZE;
    bool ok;

    if (gcry_mac_open(&handle, GCRY_MAC_HMAC_SHA256, 0, NULL)) {
        return false;
    }
    ok = !gcry_mac_setkey(handle, key, key_size) && !gcry_mac_write(handle, bytes, size) &&
         !gcry_mac_read(handle, mac, &length);
    gcry_mac_close(handle);
    return ok;
}

/* ---- signatures ---- */

#define CURVE "NIST P-384"

/* A number in exactly CRYPTO_P384_SIZE bytes, big endian. */
static bool store_number(gcry_mpi_t number, uint8_t bytes[CRYPTO_P384_SIZE])
{
    size_t size;

    memset(bytes, 0, CRYPTO_P384_SIZE);
    if (!number || gcry_mpi_print(GCRYMPI_FMT_USG, NULL, 0, &size, number) ||
        size > CRYPTO_P384_SIZE) {
        return false;
    }
    return !gcry_mpi_print(GCRYMPI_FMT_USG, bytes + CRYPTO_P384_SIZE - size, size, NULL, number);
}

bool crypto_public(const uint8_t secret[CRYPTO_P384_SIZE], struct crypto_point *point)
{
    gcry_ctx_t context = NULL;
    gcry_mpi_t d = NULL, x = gcry_mpi_new(0), y = gcry_mpi_new(0);
    gcry_mpi_point_t g = NULL, q = gcry_mpi_point_new(0);
    bool ok = false;

    if (gcry_mpi_ec_new(&context, NULL, CURVE) ||
        gcry_mpi_scan(&d, GCRYMPI_FMT_USG, secret, CRYPTO_P384_SIZE, NULL)) {
        goto out;
    }
    g = gcry_mpi_ec_get_point("g", context, 1);
    if (g) {
        gcry_mpi_ec_mul(q, d, g, context);
        ok = !gcry_mpi_ec_get_affine(x, y, q, context) && store_number(x, point->x) &&
             store_number(y, point->y);
    }
out:
    gcry_mpi_point_release(g);
    gcry_mpi_point_release(q);
    gcry_mpi_release(d);
    gcry_mpi_release(x);
    gcry_mpi_release(y);
    gcry_ctx_release(context);
    return ok;
}

/* The number called `name` in a signature's expression. */
static bool signature_number(gcry_sexp_t signature, const char *name,
                             uint8_t bytes[CRYPTO_P384_SIZE])
{
    gcry_sexp_t part = gcry_sexp_find_token(signature, name, 0);
    gcry_mpi_t number = part ? gcry_sexp_nth_mpi(part, 1, GCRYMPI_FMT_USG) : NULL;
    bool ok = store_number(number, bytes);

    gcry_mpi_release(number);
    gcry_sexp_release(part);
    return ok;
}

bool crypto_sign(const uint8_t secret[CRYPTO_P384_SIZE], const void *bytes, size_t size,
                 struct crypto_signature *signature)
{
    gcry_sexp_t key = NULL, data = NULL, result = NULL;
    uint8_t digest[CRYPTO_SHA384_SIZE], point[1 + 2 * CRYPTO_P384_SIZE] = {4};
    struct crypto_point public;
    bool ok = false;

    if (!crypto_sha384(bytes, size, digest) || !crypto_public(secret, &public)) {
        return false;
    }
    memcpy(point + 1, public.x, CRYPTO_P384_SIZE);
    memcpy(point + 1 + CRYPTO_P384_SIZE, public.y, CRYPTO_P384_SIZE);
    if (!gcry_sexp_build(&key, NULL, "(private-key(ecc(curve \"" CURVE "\")(q %b)(d %b)))",
                         (int)sizeof(point), point, CRYPTO_P384_SIZE, secret) &&
        !gcry_sexp_build(&data, NULL, "(data(flags rfc6979)(hash sha384 %b))", (int)sizeof(digest),
                         digest) &&
        !gcry_pk_sign(&result, data, key)) {
        ok = signature_number(result, "r", signature->r) &&
             signature_number(result, "s", signature->s);
    }
    gcry_sexp_release(key);
    gcry_sexp_release(data);
    gcry_sexp_release(result);
    return ok;
}
