/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The AMD-SP: what it answers to sealed messages, what it refuses, what it signs and measures. The
 * host's part of a guest request is in test_psp_host.c.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"
#include "psp/internal.h"
#include "psp_guest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define POLICY 0x30000
#define HOST_DATA "what the host said at launch"

static struct psp *psp;
static struct error error;
static uint8_t request[PAGE_SIZE], response[PAGE_SIZE];
static struct psp_answer answer;

static struct psp *open_psp(uint64_t seed)
{
    struct psp_guest guest = {.policy = POLICY, .host_data = HOST_DATA};
    struct psp *out = NULL;

    ck_assert_msg(psp_new(&out, seed, &guest, &error) == 0, "%s", error.text);
    return out;
}

static void setup(void)
{
    psp = open_psp(1);
    memset(response, 0xAA, sizeof(response));
}

static void teardown(void)
{
    psp_free(psp);
}

static uint32_t send_page(void)
{
    ck_assert_msg(psp_request(psp, request, response, &answer, &error) == 0, "%s", error.text);
    return answer.status;
}

static uint32_t send_message(const struct psp_guest_message *message)
{
    psp_guest_seal(psp, message, request);
    return send_page();
}

static struct psp_guest_message report_message(uint8_t key, uint64_t sequence)
{
    struct psp_guest_message message = psp_guest_message(5, key, sequence, 0x60);

    memset(message.payload, 0x5A, 64);
    message.payload[0x40] = key;
    return message;
}

static uint64_t count_of(uint8_t key)
{
    return psp_get_state(psp).count[key];
}

/* The payload of the response just got. */
static const uint8_t *opened(void)
{
    ck_assert(psp_guest_open(psp, response));
    return response + 0x60;
}

/* ---- keys ---- */

START_TEST(keys_come_from_the_seed)
{
    struct psp *same = open_psp(1), *other = open_psp(2);
    uint8_t page[3][PAGE_SIZE] = {{0}};

    psp_fill_secrets(psp, page[0]);
    psp_fill_secrets(same, page[1]);
    psp_fill_secrets(other, page[2]);
    ck_assert_uint_eq(psp_guest_load(page[0], 4), 3);
    ck_assert_mem_eq(page[0], page[1], PAGE_SIZE);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_mem_ne(page[0] + 0x20 + 32 * i, page[2] + 0x20 + 32 * i, 32);
        for (size_t j = 0; j < i; j++) {
            ck_assert_mem_ne(page[0] + 0x20 + 32 * i, page[0] + 0x20 + 32 * j, 32);
        }
    }
    psp_free(same);
    psp_free(other);
}
END_TEST

/* Test case 14 of McGrew and Viega, The Galois/Counter Mode of Operation, appendix B. */
START_TEST(gcm_known_answer)
{
    static const uint8_t sealed[16] = {0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e,
                                       0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18};
    static const uint8_t tag[16] = {0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0,
                                    0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19};
    uint8_t key[32] = {0}, bytes[16] = {0}, got[16];
    bool authentic;

    ck_assert(crypto_seal(key, 0, NULL, 0, bytes, sizeof(bytes), got));
    ck_assert_mem_eq(bytes, sealed, 16);
    ck_assert_mem_eq(got, tag, 16);
    ck_assert(crypto_open(key, 0, NULL, 0, bytes, sizeof(bytes), got, &authentic));
    ck_assert(authentic);
    got[15] ^= 1;
    ck_assert(crypto_open(key, 0, NULL, 0, bytes, sizeof(bytes), got, &authentic));
    ck_assert(!authentic);
}
END_TEST

/* RFC 6979 A.2.6, P-384 with SHA-384, message "sample": key, public point and signature. */
START_TEST(ecdsa_known_answer)
{
    static const uint8_t secret[48] = {0x6B, 0x9D, 0x3D, 0xAD, 0x2E, 0x1B, 0x8C, 0x1C, 0x05, 0xB1,
                                       0x98, 0x75, 0xB6, 0x65, 0x9F, 0x4D, 0xE2, 0x3C, 0x3B, 0x66,
                                       0x7B, 0xF2, 0x97, 0xBA, 0x9A, 0xA4, 0x77, 0x40, 0x78, 0x71,
                                       0x37, 0xD8, 0x96, 0xD5, 0x72, 0x4E, 0x4C, 0x70, 0xA8, 0x25,
                                       0xF8, 0x72, 0xC9, 0xEA, 0x60, 0xD2, 0xED, 0xF5};
    static const uint8_t x[4] = {0xEC, 0x3A, 0x4E, 0x41}, y[4] = {0x80, 0x15, 0xD9, 0xB7};
    static const uint8_t r[8] = {0x94, 0xED, 0xBB, 0x92, 0xA5, 0xEC, 0xB8, 0xAA};
    static const uint8_t s[8] = {0x99, 0xEF, 0x4A, 0xEB, 0x15, 0xF1, 0x78, 0xCE};
    struct crypto_signature signature;
    struct crypto_point point;

    ck_assert(crypto_public(secret, &point));
    ck_assert_mem_eq(point.x, x, sizeof(x));
    ck_assert_mem_eq(point.y, y, sizeof(y));
    ck_assert(crypto_sign(secret, "sample", 6, &signature));
    ck_assert_mem_eq(signature.r, r, sizeof(r));
    ck_assert_mem_eq(signature.s, s, sizeof(s));
}
END_TEST

/* ---- a report ---- */

START_TEST(report)
{
    struct psp_guest_message message = report_message(0, 1);
    uint8_t header[0x60], chip[65] = {0};
    const uint8_t *payload, *it;

    ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
    ck_assert_ptr_null(answer.unverified);
    ck_assert_uint_eq(answer.size_bytes, 0x60 + 0x20 + 0x4A0);
    ck_assert_uint_eq(response[answer.size_bytes], 0xAA);
    memcpy(header, response, sizeof(header));
    ck_assert_uint_eq(psp_guest_load(header + 0x20, 8), 2);
    ck_assert_uint_eq(psp_guest_load(header + 0x30, 8), 0x04C0010600600101);
    ck_assert_uint_eq(header[0x3C], 0);
    payload = opened();
    ck_assert_uint_eq(psp_guest_load(payload, 4), 0);
    ck_assert_uint_eq(psp_guest_load(payload + 4, 4), 0x4A0);
    it = payload + 0x20;
    ck_assert_uint_eq(psp_guest_load(it, 4), 2);
    ck_assert_uint_eq(psp_guest_load(it + 8, 8), POLICY);
    ck_assert_uint_eq(psp_guest_load(it + 0x30, 4), 0);
    ck_assert_uint_eq(psp_guest_load(it + 0x34, 4), 1);
    ck_assert_mem_eq(it + 0x50, message.payload, 64);
    ck_assert_str_eq((const char *)it + 0xC0, HOST_DATA);
    memcpy(chip, it + 0x1A0, 64);
    ck_assert_str_eq((const char *)chip,
                     "snpemu TEST KEY, not an AMD chip; seed 0x0000000000000001");
    ck_assert(psp_guest_verify(psp, it));
    ck_assert_uint_eq(count_of(0), 2);
}
END_TEST

START_TEST(report_is_signed_as_a_whole)
{
    static const size_t places[] = {0, 0x50, 0x90, 0xC0, 0x1A0, 0x29F, 0x2A0, 0x2E8};
    struct psp_guest_message message = report_message(0, 1);
    struct psp *other = open_psp(2);
    uint8_t copy[REPORT_SIZE];

    ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
    memcpy(copy, opened() + 0x20, sizeof(copy));
    ck_assert(psp_guest_verify(psp, copy));
    ck_assert(!psp_guest_verify(other, copy));
    for (size_t i = 0; i < COUNT(places); i++) {
        copy[places[i]] ^= 1;
        ck_assert_msg(!psp_guest_verify(psp, copy), "byte 0x%zx", places[i]);
        copy[places[i]] ^= 1;
    }
    psp_free(other);
}
END_TEST

START_TEST(same_request_same_bytes)
{
    struct psp_guest_message message = report_message(2, 1);
    uint8_t first[PAGE_SIZE];
    struct psp *kept = psp;

    memset(response, 0, sizeof(response));
    ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
    memcpy(first, response, sizeof(first));
    psp = open_psp(1);
    memset(response, 0, sizeof(response));
    ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
    ck_assert_mem_eq(first, response, sizeof(first));
    psp_free(kept);
}
END_TEST

/* Refused in the payload: the message itself was good, and counts. */
static const struct {
    const char *name;
    uint8_t key;
    size_t at;
    uint8_t value;
    uint32_t status;
    bool unverified;
} report_rows[] = {
    {"its own VMPL", 1, 0x40, 1, PSP_SUCCESS, false},
    {"a lower VMPL", 1, 0x40, 3, PSP_SUCCESS, false},
    {"a higher VMPL", 1, 0x40, 0, PSP_INVALID_PARAM, false},
    {"VMPL 4", 1, 0x40, 4, PSP_INVALID_PARAM, true},
    {"a huge VMPL", 0, 0x43, 0x80, PSP_INVALID_PARAM, true},
    {"VCEK", 0, 0x44, 1, PSP_SUCCESS, false},
    {"VLEK", 0, 0x44, 2, PSP_INVALID_KEY, false},
    {"a reserved key", 0, 0x44, 3, PSP_INVALID_KEY, false},
    {"reserved bit 2", 0, 0x44, 4, PSP_INVALID_PARAM, false},
    {"reserved bit 31", 0, 0x47, 0x80, PSP_INVALID_PARAM, false},
    {"first reserved byte", 0, 0x48, 1, PSP_INVALID_PARAM, false},
    {"last reserved byte", 0, 0x5F, 1, PSP_INVALID_PARAM, false},
};

START_TEST(report_request)
{
    struct psp_guest_message message = report_message(report_rows[_i].key, 1);
    const uint8_t *payload;

    message.payload[report_rows[_i].at] = report_rows[_i].value;
    ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
    payload = opened();
    ck_assert_uint_eq(psp_guest_load(payload, 4), report_rows[_i].status);
    ck_assert_int_eq(answer.unverified != NULL, report_rows[_i].unverified);
    ck_assert_uint_eq(count_of(report_rows[_i].key), 2);
    if (report_rows[_i].status == PSP_SUCCESS) {
        ck_assert_uint_eq(psp_guest_load(payload + 0x20 + 0x30, 4),
                          psp_guest_load(message.payload + 0x40, 4));
        ck_assert(psp_guest_verify(psp, payload + 0x20));
    } else {
        ck_assert_uint_eq(psp_guest_load(payload + 0x20, 8), 0);
    }
}
END_TEST

/* ---- the header ---- */

struct header_row {
    const char *name;
    void (*bend)(struct psp_guest_message *message);
    uint32_t status;
};

#define BEND(name, statement)                                                                      \
    static void name(struct psp_guest_message *message)                                            \
    {                                                                                              \
        statement;                                                                                 \
    }

BEND(bend_nothing, (void)message)
BEND(bend_larger, message->size = 0x70)
BEND(bend_largest, message->size = 0xFA0)
BEND(bend_too_large, message->size = 0xFB0)
BEND(bend_much_too_large, message->size = 0xFFF0)
BEND(bend_unaligned, message->size = 0x68)
BEND(bend_no_size, message->size = 0)
BEND(bend_short, message->size = 0x50)
BEND(bend_algo_0, message->algo = 0)
BEND(bend_algo_2, message->algo = 2)
BEND(bend_header_version_0, message->header_version = 0)
BEND(bend_header_version_2, message->header_version = 2)
BEND(bend_header_size, message->header_size = 0x50)
BEND(bend_key_4, message->key = 4)
BEND(bend_key_255, message->key = 0xFF)
BEND(bend_version_0, message->version = 0)
BEND(bend_version_2, message->version = 2)
BEND(bend_type_0, message->type = 0)
BEND(bend_type_response, message->type = 6)
BEND(bend_type_unknown, message->type = 0x13)
BEND(bend_type_255, message->type = 0xFF)
BEND(bend_sequence_0, message->sequence = 0)
BEND(bend_sequence_2, message->sequence = 2)
BEND(bend_sequence_3, message->sequence = 3)
BEND(bend_sequence_max, message->sequence = UINT64_MAX)

static const struct header_row header_rows[] = {
    {"nothing", bend_nothing, PSP_SUCCESS},
    {"a larger payload", bend_larger, PSP_SUCCESS},
    {"the largest payload", bend_largest, PSP_SUCCESS},
    {"a payload past the page", bend_too_large, PSP_INVALID_PARAM},
    {"a payload far past the page", bend_much_too_large, PSP_INVALID_PARAM},
    {"a size that is no multiple of 16", bend_unaligned, PSP_INVALID_PARAM},
    {"no payload", bend_no_size, PSP_INVALID_PARAM},
    {"a payload shorter than the type's", bend_short, PSP_INVALID_PARAM},
    {"algorithm 0", bend_algo_0, PSP_INVALID_PARAM},
    {"algorithm 2", bend_algo_2, PSP_INVALID_PARAM},
    {"header version 0", bend_header_version_0, PSP_INVALID_PARAM},
    {"header version 2", bend_header_version_2, PSP_INVALID_PARAM},
    {"header size", bend_header_size, PSP_INVALID_PARAM},
    {"VMPCK 4", bend_key_4, PSP_INVALID_PARAM},
    {"VMPCK 255", bend_key_255, PSP_INVALID_PARAM},
    {"message version 0", bend_version_0, PSP_INVALID_PARAM},
    {"message version 2", bend_version_2, PSP_INVALID_PARAM},
    {"type 0", bend_type_0, PSP_INVALID_PARAM},
    {"a response's type", bend_type_response, PSP_INVALID_PARAM},
    {"a type behind the last", bend_type_unknown, PSP_INVALID_PARAM},
    {"type 255", bend_type_255, PSP_INVALID_PARAM},
    {"number 0", bend_sequence_0, PSP_AEAD_OFLOW},
    {"the response's number", bend_sequence_2, PSP_AEAD_OFLOW},
    {"the number after the next", bend_sequence_3, PSP_AEAD_OFLOW},
    {"the last number", bend_sequence_max, PSP_AEAD_OFLOW},
};

START_TEST(header)
{
    struct psp_guest_message message = report_message(0, 1);
    uint8_t before[PAGE_SIZE];

    memcpy(before, response, sizeof(before));
    header_rows[_i].bend(&message);
    ck_assert_msg(send_message(&message) == header_rows[_i].status, "%s: status 0x%x",
                  header_rows[_i].name, answer.status);
    ck_assert_ptr_null(answer.unmodelled);
    ck_assert_int_eq(answer.unverified != NULL, header_rows[_i].bend == bend_short);
    if (header_rows[_i].status == PSP_SUCCESS) {
        ck_assert_uint_eq(count_of(0), 2);
    } else {
        ck_assert_mem_eq(before, response, sizeof(before));
        ck_assert_uint_eq(answer.size_bytes, 0);
        ck_assert_uint_eq(count_of(0), 0);
        /* The same number is good afterwards: only success counts. */
        message = report_message(0, 1);
        ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
    }
}
END_TEST

/* ---- authenticity ---- */

static const struct {
    const char *name;
    size_t at;
    uint32_t status;
} altered_rows[] = {
    {"the tag's first byte", 0x00, PSP_BAD_MEASUREMENT},
    {"the tag's last byte", 0x0F, PSP_BAD_MEASUREMENT},
    {"what follows the tag", 0x10, PSP_SUCCESS},
    {"the number", 0x20, PSP_BAD_MEASUREMENT},
    {"the number's last byte", 0x27, PSP_BAD_MEASUREMENT},
    {"what follows the number", 0x28, PSP_SUCCESS},
    {"the type", 0x34, PSP_BAD_MEASUREMENT},
    {"the message version", 0x35, PSP_BAD_MEASUREMENT},
    {"reserved bytes", 0x38, PSP_BAD_MEASUREMENT},
    {"the key's number", 0x3C, PSP_BAD_MEASUREMENT},
    {"the header's last byte", 0x5F, PSP_BAD_MEASUREMENT},
    {"the payload's first byte", 0x60, PSP_BAD_MEASUREMENT},
    {"the payload's last byte", 0xBF, PSP_BAD_MEASUREMENT},
    {"what follows the payload", 0xC0, PSP_SUCCESS},
};

START_TEST(altered)
{
    struct psp_guest_message message = report_message(0, 1);

    psp_guest_seal(psp, &message, request);
    request[altered_rows[_i].at] ^= 1;
    ck_assert_msg(send_page() == altered_rows[_i].status, "%s: status 0x%x", altered_rows[_i].name,
                  answer.status);
    ck_assert_uint_eq(count_of(0), altered_rows[_i].status == PSP_SUCCESS ? 2 : 0);
}
END_TEST

START_TEST(wrong_key)
{
    struct psp_guest_message message = report_message(0, 1);
    struct psp *other = open_psp(2);

    psp_guest_seal(other, &message, request);
    ck_assert_uint_eq(send_page(), PSP_BAD_MEASUREMENT);
    psp_guest_seal(psp, &message, request);
    ck_assert_uint_eq(send_page(), PSP_SUCCESS);
    ck_assert(!psp_guest_open(other, response));
    psp_free(other);
}
END_TEST

START_TEST(numbers_go_on)
{
    for (uint64_t sequence = 1; sequence < 21; sequence += 2) {
        struct psp_guest_message message = report_message(0, sequence);

        ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
        ck_assert_uint_eq(psp_guest_load(response + 0x20, 8), sequence + 1);
        ck_assert_uint_eq(send_page(), PSP_AEAD_OFLOW); /* once is enough */
    }
    ck_assert_uint_eq(count_of(0), 20);
}
END_TEST

START_TEST(each_key_counts_for_itself)
{
    for (uint8_t key = 0; key < 4; key++) {
        struct psp_guest_message message = report_message(key, 1);

        ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
        for (uint8_t other = 0; other < 4; other++) {
            ck_assert_uint_eq(count_of(other), other <= key ? 2 : 0);
        }
    }
}
END_TEST

START_TEST(numbers_end)
{
    struct psp_state state = {.count = {UINT64_MAX - 3}};
    struct psp_guest_message message = report_message(0, UINT64_MAX - 2);

    psp_set_state(psp, &state);
    ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
    ck_assert_uint_eq(count_of(0), UINT64_MAX - 1);
    message = report_message(0, UINT64_MAX);
    ck_assert_uint_eq(send_message(&message), PSP_AEAD_OFLOW);
    message = report_message(0, 1);
    ck_assert_uint_eq(send_message(&message), PSP_AEAD_OFLOW);
}
END_TEST

START_TEST(state_comes_back)
{
    struct psp_guest_message message = report_message(0, 1);
    struct psp_state state = psp_get_state(psp);
    uint8_t first[PAGE_SIZE];

    ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
    memcpy(first, response, sizeof(first));
    ck_assert_uint_eq(send_page(), PSP_AEAD_OFLOW);
    psp_set_state(psp, &state);
    ck_assert_uint_eq(send_page(), PSP_SUCCESS);
    ck_assert_mem_eq(first, response, sizeof(first));
}
END_TEST

/* ---- derived keys ---- */

struct key_row {
    const char *name;
    uint8_t key;
    uint32_t root, vmpl, svn;
    uint64_t fields, tcb;
    uint32_t status;
};

#define TCB 0x0101000000000101ULL

static const struct key_row key_rows[] = {
    {"VCEK", 0, 0, 0, 0, 0, 0, PSP_SUCCESS},
    {"VMRK", 0, 1, 0, 0, 0, 0, PSP_SUCCESS},
    {"VCEK alone", 0, 2, 0, 0, 0, 0, PSP_SUCCESS},
    {"VLEK", 0, 4, 0, 0, 0, 0, PSP_INVALID_KEY},
    {"VMRK and VLEK, which VMRK overrules", 0, 5, 0, 0, 0, 0, PSP_SUCCESS},
    {"a reserved key", 0, 6, 0, 0, 0, 0, PSP_INVALID_KEY},
    {"reserved bits", 0, 8, 0, 0, 0, 0, PSP_INVALID_PARAM},
    {"a lower VMPL", 1, 0, 3, 0, 0, 0, PSP_SUCCESS},
    {"a higher VMPL", 1, 0, 0, 0, 0, 0, PSP_INVALID_PARAM},
    {"VMPL 4", 0, 0, 4, 0, 0, 0, PSP_INVALID_PARAM},
    {"all fields", 0, 0, 0, 0, 0x3F, TCB, PSP_SUCCESS},
    {"a field too many", 0, 0, 0, 0, 0x40, 0, PSP_INVALID_PARAM},
    {"the last field", 0, 0, 0, 0, 1ULL << 63, 0, PSP_INVALID_PARAM},
    {"SVN 0", 0, 0, 0, 0, 0x10, 0, PSP_SUCCESS},
    {"SVN 1", 0, 0, 0, 1, 0x10, 0, PSP_INVALID_PARAM},
    {"SVN 1, not selected", 0, 0, 0, 1, 0, 0, PSP_SUCCESS},
    {"an older TCB", 0, 0, 0, 0, 0x20, 0, PSP_SUCCESS},
    {"a newer boot loader", 0, 0, 0, 0, 0x20, TCB + 1, PSP_INVALID_PARAM},
    {"newer microcode", 0, 0, 0, 0, 0x20, TCB + (1ULL << 56), PSP_INVALID_PARAM},
    {"a reserved byte of the TCB", 0, 0, 0, 0, 0x20, 1ULL << 16, PSP_INVALID_PARAM},
    {"a newer TCB, not selected", 0, 0, 0, 0, 0, UINT64_MAX, PSP_SUCCESS},
};

static struct psp_guest_message key_message(const struct key_row *row, uint64_t sequence)
{
    struct psp_guest_message message = psp_guest_message(3, row->key, sequence, 0x20);

    psp_guest_store(message.payload, row->root, 4);
    psp_guest_store(message.payload + 8, row->fields, 8);
    psp_guest_store(message.payload + 0x10, row->vmpl, 4);
    psp_guest_store(message.payload + 0x14, row->svn, 4);
    psp_guest_store(message.payload + 0x18, row->tcb, 8);
    return message;
}

START_TEST(key_request)
{
    struct psp_guest_message message = key_message(&key_rows[_i], 1);
    const uint8_t *payload, zero[32] = {0};

    ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
    ck_assert_uint_eq(answer.size_bytes, 0x60 + 0x40);
    payload = opened();
    ck_assert_msg(psp_guest_load(payload, 4) == key_rows[_i].status, "%s: 0x%x", key_rows[_i].name,
                  (unsigned)psp_guest_load(payload, 4));
    ck_assert_int_eq(memcmp(payload + 0x20, zero, 32) == 0, key_rows[_i].status != PSP_SUCCESS);
    ck_assert_uint_eq(count_of(key_rows[_i].key), 2);
}
END_TEST

static void derived_key(const struct key_row *row, uint8_t key[32])
{
    struct psp_guest_message message = key_message(row, count_of(row->key) + 1);

    ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
    memcpy(key, opened() + 0x20, 32);
}

/* Whatever is selected makes another key; the same selection makes the same. */
START_TEST(keys_differ)
{
    static const struct key_row rows[] = {
        {"VCEK", 0, 0, 0, 0, 0, 0, 0},     {"VMRK", 0, 1, 0, 0, 0, 0, 0},
        {"VMPL 1", 0, 0, 1, 0, 0, 0, 0},   {"policy", 0, 0, 0, 0, 1, 0, 0},
        {"image ID", 0, 0, 0, 0, 2, 0, 0}, {"family ID", 0, 0, 0, 0, 4, 0, 0},
        {"measured", 0, 0, 0, 0, 8, 0, 0}, {"SVN", 0, 0, 0, 0, 0x10, 0, 0},
        {"TCB", 0, 0, 0, 0, 0x20, TCB, 0}, {"older TCB", 0, 0, 0, 0, 0x20, 0, 0},
        {"all", 0, 0, 0, 0, 0x3F, TCB, 0},
    };
    uint8_t key[COUNT(rows)][32], again[32], page[PAGE_SIZE] = {1};

    for (size_t i = 0; i < COUNT(rows); i++) {
        derived_key(&rows[i], key[i]);
        derived_key(&rows[i], again);
        ck_assert_mem_eq(key[i], again, 32);
        for (size_t j = 0; j < i; j++) {
            ck_assert_msg(memcmp(key[i], key[j], 32) != 0, "%s, %s", rows[i].name, rows[j].name);
        }
    }
    ck_assert_int_eq(psp_launch_update(psp, LAUNCH_NORMAL, 0, 0, page, &error), 0);
    derived_key(&rows[6], again);
    ck_assert_mem_ne(key[6], again, 32);
    derived_key(&rows[0], again);
    ck_assert_mem_eq(key[0], again, 32);
}
END_TEST

/* NIST SP 800-108, counter mode, written out once more. */
START_TEST(key_known_answer)
{
    static const struct key_row row = {"VMRK", 0, 1, 2, 0, 0x29, TCB, 0};
    uint8_t text[4 + 12 + 0xA8 + 4] = {1}, *mix = text + 16, want[32], got[32];
    uint8_t page[PAGE_SIZE] = {1};

    ck_assert_int_eq(psp_launch_update(psp, LAUNCH_NORMAL, 0, 0, page, &error), 0);
    memcpy(text + 4, "gmsg-keyreq", 12);
    mix[0] = 1;
    mix[8] = 0x29;
    mix[0x10] = 2;
    psp_guest_store(mix + 0x18, TCB, 8);
    psp_guest_store(mix + 0x20, POLICY, 8);
    memcpy(mix + 0x48, psp->measurement, 32);
    memcpy(mix + 0x68, HOST_DATA, sizeof(HOST_DATA));
    psp_guest_store(mix + 0xA8, 256, 4);
    psp_guest_hmac_sha256(psp->vmrk, sizeof(psp->vmrk), text, sizeof(text), want);
    derived_key(&row, got);
    ck_assert_mem_eq(want, got, 32);
}
END_TEST

/* ---- other messages ---- */

START_TEST(not_modelled)
{
    static const uint8_t types[] = {1, 7, 9, 11, 13, 15, 17};
    struct psp_guest_message message = psp_guest_message(types[_i], 0, 1, 0x80);

    ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
    ck_assert_ptr_nonnull(answer.unmodelled);
    ck_assert_str_eq(answer.unmodelled, psp_message_name(types[_i]));
    ck_assert_uint_eq(answer.size_bytes, 0);
    ck_assert_uint_eq(count_of(0), 0);
}
END_TEST

/* Messages of random headers, half of them sealed as they are: none is answered by accident. */
START_TEST(hostile)
{
    uint64_t random = 1;
    unsigned answered = 0;

    for (unsigned i = 0; i < 3000; i++) {
        struct psp_guest_message message = psp_guest_message(1, 0, 0, 0);
        struct psp_state before = psp_get_state(psp), after;
        uint64_t changed = 0;

        random = random * 6364136223846793005ULL + 1442695040888963407ULL;
        message.type = (uint8_t)(random >> 40 & 7);
        message.key = (uint8_t)((random >> 44 & 3) + (random >> 52 & 15 ? 0 : 4));
        message.size = (random >> 33 & 0x1FFu) * (random >> 50 & 3 ? 16 : 1);
        message.version = (uint8_t)(random >> 56 & 7 ? 1 : random >> 20);
        message.header_size = random >> 59 & 7 ? 0x60 : (uint16_t)random;
        message.sequence = before.count[message.key & 3] + (random >> 61 ? 1 : random);
        for (size_t at = 0; at < 0x60; at++) {
            message.payload[at] = (uint8_t)(random >> (at & 31) & 1);
        }
        psp_guest_seal(psp, &message, request);
        if (i & 1) {
            request[random % PAGE_SIZE] ^= (uint8_t)(1 + i % 255);
        }
        send_page();
        after = psp_get_state(psp);
        for (size_t key = 0; key < 4; key++) {
            changed += after.count[key] - before.count[key];
        }
        ck_assert_ptr_nonnull(psp_status_name(answer.status));
        ck_assert_uint_eq(changed, answer.size_bytes ? 2 : 0);
        ck_assert_uint_le(answer.size_bytes, PAGE_SIZE);
        if (answer.size_bytes) {
            ck_assert(psp_guest_open(psp, response));
            answered++;
        }
    }
    ck_assert_uint_gt(answered, 50);
    ck_assert_uint_lt(answered, 1500);
}
END_TEST

START_TEST(names)
{
    ck_assert_str_eq(psp_message_name(5), "report request");
    ck_assert_ptr_null(psp_message_name(6));
    ck_assert_str_eq(psp_status_name(0x1D), "AEAD overflow");
    ck_assert_ptr_null(psp_status_name(0x1E));
}
END_TEST

/* ---- measurement ---- */

/* Values: virtee/sev-snp-measure sevsnpmeasure/gctx.py, run on these pages. */
START_TEST(launch_digest_known_answer)
{
    static const char *const want[] = {
        "2ed3c9e4bbc7e9da0426a757285cbcab35b99607becdcc956194b440a21f7b3f"
        "be7d0aa8d5840bfa2f01c6f9e9c73797",
        "141b581e0a63b5f703c8ffb45d0eab34b8f16bba631eb2c4d5a9f00f9a63cdef"
        "b35e1d14d22cd3fdc4c10bfebec78448",
    };
    static const struct {
        uint8_t type;
        uint64_t gpa;
        bool zero;
    } pages[] = {
        {LAUNCH_NORMAL, 0x8000000000, false},
        {LAUNCH_NORMAL, 0x8000001000, true},
        {LAUNCH_ZERO, 0x8000002000, true},
        {LAUNCH_SECRETS_PAGE, 0x8000003000, false},
        {LAUNCH_CPUID_PAGE, 0x8000004000, false},
        {LAUNCH_UNMEASURED, 0x8000005000, false},
        {LAUNCH_VMSA, MACHINE_LAUNCH_VMSA_GPA, false},
    };
    static const uint8_t zero[PAGE_SIZE];
    uint8_t page[PAGE_SIZE];
    char text[97];

    for (size_t i = 0; i < PAGE_SIZE; i++) {
        page[i] = (uint8_t)(i * 7 + 3);
    }
    for (size_t i = 0; i < COUNT(pages); i++) {
        ck_assert_int_eq(psp_launch_update(psp, pages[i].type, 0, pages[i].gpa,
                                           pages[i].zero ? zero : page, &error),
                         0);
        for (size_t j = 0; j < 48; j++) {
            snprintf(text + 2 * j, 3, "%02x", psp->measurement[j]);
        }
        if (i == 1 || i == COUNT(pages) - 1) {
            ck_assert_str_eq(text, want[i == 1 ? 0 : 1]);
        }
    }
}
END_TEST

START_TEST(measurement_is_reported)
{
    struct psp_guest_message message = report_message(0, 1);
    uint8_t page[PAGE_SIZE] = {1}, info[0x70] = {0}, digest[48];

    ck_assert_int_eq(psp_launch_update(psp, LAUNCH_NORMAL, 0, 0x1000, page, &error), 0);
    psp_guest_sha384(page, sizeof(page), info + 0x30);
    info[0x60] = 0x70;
    info[0x62] = 1;
    psp_guest_store(info + 0x68, 0x1000, 8);
    psp_guest_sha384(info, sizeof(info), digest);
    ck_assert_uint_eq(send_message(&message), PSP_SUCCESS);
    ck_assert_mem_eq(opened() + 0x20 + 0x90, digest, 48);
}
END_TEST

/* ---- the certificate ---- */

START_TEST(certificate)
{
    uint8_t der[PSP_CERTIFICATE_MAX], other_der[PSP_CERTIFICATE_MAX];
    struct psp *same = open_psp(1), *other = open_psp(2);
    size_t size = psp_certificate(psp, der);
    static const char name[] = "snpemu TEST KEY, not an AMD VCEK; seed 0x0000000000000001";
    unsigned found = 0;

    ck_assert_uint_eq(der[0], 0x30);
    ck_assert_uint_eq(der[1], 0x82);
    ck_assert_uint_eq(der[2] * 256u + der[3] + 4u, size);
    for (size_t i = 0; i + sizeof(name) <= size; i++) {
        found += memcmp(der + i, name, sizeof(name) - 1) == 0;
    }
    ck_assert_uint_eq(found, 2);
    ck_assert_uint_eq(psp_certificate(same, other_der), size);
    ck_assert_mem_eq(der, other_der, size);
    psp_certificate(other, other_der);
    ck_assert_mem_ne(der, other_der, size);
    psp_free(same);
    psp_free(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("psp");
    TCase *tcase = tcase_create("psp");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, keys_come_from_the_seed);
    tcase_add_test(tcase, gcm_known_answer);
    tcase_add_test(tcase, ecdsa_known_answer);
    tcase_add_test(tcase, report);
    tcase_add_test(tcase, report_is_signed_as_a_whole);
    tcase_add_test(tcase, same_request_same_bytes);
    tcase_add_loop_test(tcase, report_request, 0, COUNT(report_rows));
    tcase_add_loop_test(tcase, header, 0, COUNT(header_rows));
    tcase_add_loop_test(tcase, altered, 0, COUNT(altered_rows));
    tcase_add_test(tcase, wrong_key);
    tcase_add_test(tcase, numbers_go_on);
    tcase_add_test(tcase, each_key_counts_for_itself);
    tcase_add_test(tcase, numbers_end);
    tcase_add_test(tcase, state_comes_back);
    tcase_add_loop_test(tcase, key_request, 0, COUNT(key_rows));
    tcase_add_test(tcase, keys_differ);
    tcase_add_test(tcase, key_known_answer);
    tcase_add_loop_test(tcase, not_modelled, 0, 7);
    tcase_add_test(tcase, hostile);
    tcase_add_test(tcase, names);
    tcase_add_test(tcase, launch_digest_known_answer);
    tcase_add_test(tcase, measurement_is_reported);
    tcase_add_test(tcase, certificate);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
