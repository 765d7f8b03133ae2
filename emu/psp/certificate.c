/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The certificate of the key that signs reports: X.509, version 1, signed by itself. Issuer and
 * subject say that it is a test key. It has no extensions; a VCEK's own (AMD 57230) would claim
 * more than is so.
 *
 * Source of the format: RFC 5280 section 4.1, RFC 5480 section 2, RFC 5758 section 3.2.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "psp/internal.h"

#define DER_INTEGER 0x02
#define DER_BIT_STRING 0x03
#define DER_OID 0x06
#define DER_UTF8 0x0C
#define DER_UTC_TIME 0x17
#define DER_GENERALIZED_TIME 0x18
#define DER_SEQUENCE 0x30
#define DER_SET 0x31

/* Written from the end to the start, so that each length is known when its turn comes. */
struct der {
    uint8_t bytes[PSP_CERTIFICATE_MAX];
    size_t start;
};

static void der_put(struct der *der, const void *bytes, size_t size)
{
    assert(size <= der->start);
    der->start -= size;
    memcpy(der->bytes + der->start, bytes, size);
}

static void der_byte(struct der *der, uint8_t byte)
{
    der_put(der, &byte, 1);
}

/* Tag and length of what was put since `end` was der->start. */
static void der_wrap(struct der *der, uint8_t tag, size_t end)
{
    size_t size = end - der->start;

    assert(size < 0x10000);
    if (size < 0x80) {
        der_byte(der, (uint8_t)size);
    } else {
        der_byte(der, (uint8_t)size);
        if (size >= 0x100) {
            der_byte(der, (uint8_t)(size >> 8));
        }
        der_byte(der, size >= 0x100 ? 0x82 : 0x81);
    }
    der_byte(der, tag);
}

static void der_item(struct der *der, uint8_t tag, const void *bytes, size_t size)
{
    size_t end = der->start;

    der_put(der, bytes, size);
    der_wrap(der, tag, end);
}

/* A positive number: no zeroes before it, but one where its first bit would be a sign. */
static void der_number(struct der *der, const uint8_t *number, size_t size)
{
    size_t end = der->start;

    while (size > 1 && *number == 0) {
        number++;
        size--;
    }
    der_put(der, number, size);
    if (*number & 0x80) {
        der_byte(der, 0);
    }
    der_wrap(der, DER_INTEGER, end);
}

static void der_algorithm(struct der *der)
{
    static const uint8_t ecdsa_with_sha384[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03};
    size_t end = der->start;

    der_item(der, DER_OID, ecdsa_with_sha384, sizeof(ecdsa_with_sha384));
    der_wrap(der, DER_SEQUENCE, end);
}

/* One common name. */
static void der_name(struct der *der, const char *name)
{
    static const uint8_t common_name[] = {0x55, 0x04, 0x03};
    size_t end = der->start;

    der_item(der, DER_UTF8, name, strlen(name));
    der_item(der, DER_OID, common_name, sizeof(common_name));
    der_wrap(der, DER_SEQUENCE, end);
    der_wrap(der, DER_SET, end);
    der_wrap(der, DER_SEQUENCE, end);
}

/* There is no clock here: it has always been good, and has no end (RFC 5280 section 4.1.2.5). */
static void der_validity(struct der *der)
{
    size_t end = der->start;

    der_item(der, DER_GENERALIZED_TIME, "99991231235959Z", 15);
    der_item(der, DER_UTC_TIME, "000101000000Z", 13);
    der_wrap(der, DER_SEQUENCE, end);
}

static void der_key(struct der *der, const struct crypto_point *point)
{
    static const uint8_t ec_public_key[] = {0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01};
    static const uint8_t secp384r1[] = {0x2B, 0x81, 0x04, 0x00, 0x22};
    static const uint8_t uncompressed[] = {0, 4}; /* no unused bits; the point's form */
    size_t end = der->start, algorithm;

    der_put(der, point->y, sizeof(point->y));
    der_put(der, point->x, sizeof(point->x));
    der_put(der, uncompressed, sizeof(uncompressed));
    der_wrap(der, DER_BIT_STRING, end);
    algorithm = der->start;
    der_item(der, DER_OID, secp384r1, sizeof(secp384r1));
    der_item(der, DER_OID, ec_public_key, sizeof(ec_public_key));
    der_wrap(der, DER_SEQUENCE, algorithm);
    der_wrap(der, DER_SEQUENCE, end);
}

static void der_to_be_signed(struct der *der, const char *name, const struct crypto_point *point)
{
    static const uint8_t serial = 1;
    size_t end = der->start;

    der_key(der, point);
    der_name(der, name);
    der_validity(der);
    der_name(der, name);
    der_algorithm(der);
    der_number(der, &serial, 1);
    der_wrap(der, DER_SEQUENCE, end);
}

static void der_signature(struct der *der, const struct crypto_signature *signature)
{
    size_t end = der->start;

    der_number(der, signature->s, sizeof(signature->s));
    der_number(der, signature->r, sizeof(signature->r));
    der_wrap(der, DER_SEQUENCE, end);
    der_byte(der, 0); /* no unused bits */
    der_wrap(der, DER_BIT_STRING, end);
}

size_t psp_certificate(const struct psp *psp, uint8_t out[PSP_CERTIFICATE_MAX])
{
    struct der body = {.start = PSP_CERTIFICATE_MAX}, whole = {.start = PSP_CERTIFICATE_MAX};
    struct crypto_signature signature;
    struct crypto_point point;
    char name[80];

    snprintf(name, sizeof(name), "snpemu TEST KEY, not an AMD VCEK; seed 0x%016llx",
             (unsigned long long)psp->seed);
    if (!crypto_public(psp->vcek, &point)) {
        return 0;
    }
    der_to_be_signed(&body, name, &point);
    if (!crypto_sign(psp->vcek, body.bytes + body.start, PSP_CERTIFICATE_MAX - body.start,
                     &signature)) {
        return 0;
    }
    der_signature(&whole, &signature);
    der_algorithm(&whole);
    der_put(&whole, body.bytes + body.start, PSP_CERTIFICATE_MAX - body.start);
    der_wrap(&whole, DER_SEQUENCE, PSP_CERTIFICATE_MAX);
    memcpy(out, whole.bytes + whole.start, PSP_CERTIFICATE_MAX - whole.start);
    return PSP_CERTIFICATE_MAX - whole.start;
}
