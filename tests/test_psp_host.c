/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest requests as the hypervisor carries them: pages, certificates, errors. What the AMD-SP
 * itself does is in test_psp.c.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "abi/nae.h"
#include "ghcb/certificates.h"
#include "ghcb_bench.h"
#include "psp_guest.h"

#define REQUEST BENCH_SHARED(1)
#define RESPONSE BENCH_SHARED(2)
#define TABLE BENCH_SHARED(3)

static struct ghcb_bench bench;

static void setup(void)
{
    bench_open(&bench);
    for (unsigned i = 1; i < 6; i++) {
        memset(bench_at(&bench, BENCH_SHARED(i)), 0xAA, PAGE_SIZE);
    }
}

static void teardown(void)
{
    bench_close(&bench);
}

static void put_request(uint8_t type, uint64_t sequence)
{
    struct psp_guest_message message = psp_guest_message(type, 0, sequence, 0x60);

    psp_guest_seal(bench.psp, &message, bench_at(&bench, REQUEST));
}

/* SW_EXITINFO2 of a request that resumes the guest without malformed input. */
static uint64_t go(uint64_t code)
{
    ck_assert_msg(bench_exit(&bench, code, REQUEST, RESPONSE) == REPLY_RESUME, "%s",
                  bench.reply.reason);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO1), 0);
    return bench_get(&bench, FIELD_INFO2);
}

static uint64_t count(void)
{
    return psp_get_state(bench.psp).count[0];
}

static bool response_opens(void)
{
    uint8_t page[PAGE_SIZE];

    memcpy(page, bench_at(&bench, RESPONSE), sizeof(page));
    return psp_guest_open(bench.psp, page);
}

START_TEST(request)
{
    put_request(PSP_MSG_REPORT_REQ, 1);
    ck_assert_uint_eq(go(NAE_GUEST_REQUEST), 0);
    ck_assert(response_opens());
    ck_assert_uint_eq(count(), 2);
}
END_TEST

/* The whole page is carried, and a refusal brings what the one before left. */
START_TEST(refused)
{
    static const uint8_t zero[PAGE_SIZE];
    uint8_t first[PAGE_SIZE];

    put_request(PSP_MSG_REPORT_REQ, 7);
    ck_assert_uint_eq(go(NAE_GUEST_REQUEST), PSP_AEAD_OFLOW);
    ck_assert_mem_eq(bench_at(&bench, RESPONSE), zero, PAGE_SIZE);
    put_request(PSP_MSG_REPORT_REQ, 1);
    ck_assert_uint_eq(go(NAE_GUEST_REQUEST), 0);
    memcpy(first, bench_at(&bench, RESPONSE), sizeof(first));
    memset(bench_at(&bench, RESPONSE), 0, PAGE_SIZE);
    ck_assert_uint_eq(go(NAE_GUEST_REQUEST), PSP_AEAD_OFLOW);
    ck_assert_mem_eq(bench_at(&bench, RESPONSE), first, PAGE_SIZE);
    ck_assert_uint_eq(count(), 2);
}
END_TEST

/* A host cannot change anything without being found out. */
START_TEST(host_alters)
{
    put_request(PSP_MSG_REPORT_REQ, 1);
    *bench_at(&bench, REQUEST + PSP_PAYLOAD) ^= 1;
    ck_assert_uint_eq(go(NAE_GUEST_REQUEST), PSP_BAD_MEASUREMENT);
    *bench_at(&bench, REQUEST + PSP_PAYLOAD) ^= 1;
    ck_assert_uint_eq(go(NAE_GUEST_REQUEST), 0);
    *bench_at(&bench, RESPONSE + PSP_PAYLOAD) ^= 1;
    ck_assert(!response_opens());
    *bench_at(&bench, RESPONSE + PSP_PAYLOAD) ^= 1;
    ck_assert(response_opens());
}
END_TEST

START_TEST(not_modelled)
{
    put_request(PSP_MSG_EXPORT_REQ, 1);
    ck_assert_int_eq(bench_exit(&bench, NAE_GUEST_REQUEST, REQUEST, RESPONSE), REPLY_UNMODELLED);
    ck_assert_ptr_nonnull(strstr(bench.reply.reason, "export request"));
}
END_TEST

/* A VMPL above 3 is refused, as the manual is quoted; the firmware's code does not. */
START_TEST(strict)
{
    struct psp_guest_message message = psp_guest_message(PSP_MSG_REPORT_REQ, 0, 1, 0x60);

    message.payload[PSP_REPORT_REQ_VMPL] = 4;
    psp_guest_seal(bench.psp, &message, bench_at(&bench, REQUEST));
    ck_assert_uint_eq(go(NAE_GUEST_REQUEST), 0);
    message.sequence = 3;
    psp_guest_seal(bench.psp, &message, bench_at(&bench, REQUEST));
    bench.hypervisor.strict = true;
    ck_assert_int_eq(bench_exit(&bench, NAE_GUEST_REQUEST, REQUEST, RESPONSE), REPLY_UNMODELLED);
    ck_assert_ptr_nonnull(strstr(bench.reply.reason, "VMPL above 3"));
}
END_TEST

/* Neither what a host model looks at nor what it fills in holds a key. */
static bool holds(const void *bytes, size_t size, const uint8_t *key)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i + 8 <= size; i++) {
        if (memcmp(at + i, key, 8) == 0) {
            return true;
        }
    }
    return false;
}

START_TEST(no_key_reaches_the_host)
{
    for (uint8_t i = 0; i < PSP_KEY_COUNT; i++) {
        uint8_t key[PSP_KEY_SIZE], again[2 * PSP_KEY_SIZE] = {0};

        psp_guest_key(bench.psp, i, key);
        memcpy(again + 3, key, sizeof(key));
        ck_assert(holds(again, sizeof(again), key));
        put_request(PSP_MSG_REPORT_REQ, 1 + 2u * i);
        ck_assert_uint_eq(go(NAE_GUEST_REQUEST), 0);
        for (size_t at = 0; at < PSP_KEY_SIZE; at += 8) {
            ck_assert(!holds(&bench.exit, sizeof(bench.exit), key + at));
            ck_assert(!holds(&bench.reply, sizeof(bench.reply), key + at));
            ck_assert(!holds(bench.reply.data, bench.reply.data_size_bytes, key + at));
            ck_assert(!holds(&bench.hypervisor, sizeof(bench.hypervisor), key + at));
            ck_assert(!holds(&bench.config, sizeof(bench.config), key + at));
        }
    }
}
END_TEST

/* ---- the extended request ---- */

static void put_table(uint64_t gpa, uint64_t pages)
{
    bench_put(&bench, FIELD_RAX, gpa);
    bench_put(&bench, FIELD_RBX, pages);
}

static uint64_t word(uint64_t offset)
{
    return psp_guest_load(bench_at(&bench, TABLE + offset), 4);
}

static void add_certificate(size_t size, uint8_t fill)
{
    struct certificates *certificates = &bench.config.certificates;
    uint8_t guid[CERTIFICATE_GUID_SIZE], *bytes = malloc(size + 1);

    ck_assert_ptr_nonnull(bytes);
    memset(bytes, fill, size);
    ck_assert(certificates_guid("00112233-4455-6677-8899-aabbccddeeff", guid));
    guid[15] = fill;
    ck_assert(certificates_add(certificates, guid, bytes, size));
    certificates->given = true;
    free(bytes);
}

START_TEST(own_certificate)
{
    static const uint8_t guid[] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64,
                                   0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
    static const uint8_t end[24];
    uint8_t der[PSP_CERTIFICATE_MAX];
    size_t size = psp_certificate(bench.psp, der);

    put_request(PSP_MSG_REPORT_REQ, 1);
    put_table(TABLE, 1);
    ck_assert_uint_eq(go(NAE_EXT_GUEST_REQUEST), 0);
    ck_assert(response_opens());
    ck_assert_mem_eq(bench_at(&bench, TABLE), guid, 16);
    ck_assert_uint_eq(word(16), 48);
    ck_assert_uint_eq(word(20), size);
    ck_assert_mem_eq(bench_at(&bench, TABLE + 24), end, 24);
    ck_assert_mem_eq(bench_at(&bench, TABLE + 48), der, size);
    ck_assert_uint_eq(*bench_at(&bench, TABLE + 48 + size), 0xAA);
    ck_assert_uint_eq(bench_get(&bench, FIELD_RBX), 1);
}
END_TEST

/* The AMD-SP was not asked, and the same message is good again. */
START_TEST(too_few_pages)
{
    put_request(PSP_MSG_REPORT_REQ, 1);
    put_table(0, 0);
    ck_assert_uint_eq(go(NAE_EXT_GUEST_REQUEST), 0x100000000);
    ck_assert_uint_eq(bench_get(&bench, FIELD_RBX), 1);
    ck_assert(bench_marked(&bench, FIELD_RBX));
    ck_assert_uint_eq(*bench_at(&bench, RESPONSE), 0xAA);
    ck_assert_uint_eq(*bench_at(&bench, TABLE), 0xAA);
    ck_assert_uint_eq(count(), 0);
    put_table(TABLE, 1);
    ck_assert_uint_eq(go(NAE_EXT_GUEST_REQUEST), 0);
    ck_assert_uint_eq(count(), 2);
}
END_TEST

START_TEST(given_certificates)
{
    add_certificate(100, 0x11);
    add_certificate(4096, 0x22);
    put_request(PSP_MSG_REPORT_REQ, 1);
    put_table(TABLE, 1);
    ck_assert_uint_eq(go(NAE_EXT_GUEST_REQUEST), 0x100000000);
    ck_assert_uint_eq(bench_get(&bench, FIELD_RBX), 2);
    put_table(TABLE, 2);
    ck_assert_uint_eq(go(NAE_EXT_GUEST_REQUEST), 0);
    ck_assert_uint_eq(*bench_at(&bench, TABLE + 15), 0x11);
    ck_assert_uint_eq(word(16), 72);
    ck_assert_uint_eq(word(20), 100);
    ck_assert_uint_eq(*bench_at(&bench, TABLE + 24 + 15), 0x22);
    ck_assert_uint_eq(word(24 + 16), 172);
    ck_assert_uint_eq(word(24 + 20), 4096);
    ck_assert_uint_eq(*bench_at(&bench, TABLE + 48), 0);
    ck_assert_uint_eq(*bench_at(&bench, TABLE + 72), 0x11);
    ck_assert_uint_eq(*bench_at(&bench, TABLE + 172), 0x22);
    ck_assert_uint_eq(*bench_at(&bench, TABLE + 4096 + 171), 0x22);
    ck_assert_uint_eq(*bench_at(&bench, TABLE + 4096 + 172), 0xAA);
}
END_TEST

START_TEST(no_certificates)
{
    static const uint8_t end[24];

    bench.config.certificates.given = true;
    put_request(PSP_MSG_REPORT_REQ, 1);
    put_table(0, 0);
    ck_assert_uint_eq(go(NAE_EXT_GUEST_REQUEST), 0);
    put_request(PSP_MSG_REPORT_REQ, 3);
    put_table(TABLE, 1);
    ck_assert_uint_eq(go(NAE_EXT_GUEST_REQUEST), 0);
    ck_assert_mem_eq(bench_at(&bench, TABLE), end, 24);
    ck_assert_uint_eq(*bench_at(&bench, TABLE + 24), 0xAA);
}
END_TEST

static const struct {
    const char *name;
    uint64_t gpa, pages;
    enum ghcb_field unmarked;
    enum reply_resume resume;
} table_rows[] = {
    {"without rax", TABLE, 1, FIELD_RAX, REPLY_RESUME},
    {"without rbx", TABLE, 1, FIELD_RBX, REPLY_RESUME},
    {"unaligned", TABLE + 8, 1, FIELD_COUNT, REPLY_RESUME},
    {"private", BENCH_PRIVATE, 1, FIELD_COUNT, REPLY_FAIL},
    {"nowhere", BENCH_NOWHERE, 1, FIELD_COUNT, REPLY_FAIL},
    {"the last page", ~PAGE_MASK, 1, FIELD_COUNT, REPLY_FAIL},
};

START_TEST(table_refused)
{
    put_request(PSP_MSG_REPORT_REQ, 1);
    put_table(table_rows[_i].gpa, table_rows[_i].pages);
    if (table_rows[_i].unmarked != FIELD_COUNT) {
        bench_mark(&bench, table_rows[_i].unmarked, false);
    }
    ck_assert_msg(bench_exit(&bench, NAE_EXT_GUEST_REQUEST, REQUEST, RESPONSE) ==
                      table_rows[_i].resume,
                  "%s: %s", table_rows[_i].name, bench.reply.reason);
    if (table_rows[_i].resume == REPLY_RESUME) {
        ck_assert_uint_eq(bench_get(&bench, FIELD_INFO1), GHCB_INFO1_MALFORMED);
        ck_assert_uint_eq(bench_get(&bench, FIELD_INFO2), GHCB_ERR_INVALID_INPUT);
    }
    ck_assert_uint_eq(count(), 0);
}
END_TEST

/* Another message brings no certificates and needs no registers. */
START_TEST(extended_key_request)
{
    put_request(PSP_MSG_KEY_REQ, 1);
    ck_assert_uint_eq(go(NAE_EXT_GUEST_REQUEST), 0);
    ck_assert(response_opens());
    ck_assert_uint_eq(bench.reply.action_count, 1);
}
END_TEST

START_TEST(certificates_have_bounds)
{
    static struct certificates many;
    static const uint8_t bytes[CERTIFICATE_BYTES_MAX + 1];
    static uint8_t table[CERTIFICATE_TABLE_MAX];
    uint8_t guid[CERTIFICATE_GUID_SIZE];

    ck_assert(!certificates_guid("", guid));
    ck_assert(!certificates_guid("00112233-4455-6677-8899-aabbccddeef", guid));
    ck_assert(!certificates_guid("00112233-4455-6677-8899-aabbccddeeff0", guid));
    ck_assert(!certificates_guid("00112233x4455-6677-8899-aabbccddeeff", guid));
    ck_assert(!certificates_guid("0011223g-4455-6677-8899-aabbccddeeff", guid));
    ck_assert(certificates_guid("00112233-4455-6677-8899-AABBCCDDEEFF", guid));
    ck_assert_uint_eq(guid[15], 0xFF);
    ck_assert(!certificates_add(&many, guid, bytes, CERTIFICATE_BYTES_MAX + 1));
    ck_assert(certificates_add(&many, guid, bytes, CERTIFICATE_BYTES_MAX));
    ck_assert(!certificates_add(&many, guid, bytes, 1));
    for (size_t i = 1; i < CERTIFICATE_MAX; i++) {
        ck_assert(certificates_add(&many, guid, bytes, 0));
    }
    ck_assert(!certificates_add(&many, guid, bytes, 0));
    ck_assert_uint_eq(certificates_table(&many, table), CERTIFICATE_TABLE_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("psp_host");
    TCase *tcase = tcase_create("psp_host");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, request);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, host_alters);
    tcase_add_test(tcase, not_modelled);
    tcase_add_test(tcase, strict);
    tcase_add_test(tcase, no_key_reaches_the_host);
    tcase_add_test(tcase, own_certificate);
    tcase_add_test(tcase, too_few_pages);
    tcase_add_test(tcase, given_certificates);
    tcase_add_test(tcase, no_certificates);
    tcase_add_loop_test(tcase, table_refused, 0, COUNT(table_rows));
    tcase_add_test(tcase, extended_key_request);
    tcase_add_test(tcase, certificates_have_bounds);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
