/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSG_REPORT_REQ: the attestation report, version 2 as firmware 1.55 makes it. No ID block, no
 * migration agent, no VLEK, chip identity and key not masked.
 */
#include <string.h>

#include "psp/internal.h"

#define VMPL_MAX 3u

/* A number is stored little endian in half as many bytes again. */
static void store_reversed(uint8_t *to, const uint8_t *number)
{
    for (size_t i = 0; i < CRYPTO_P384_SIZE; i++) {
        to[i] = number[CRYPTO_P384_SIZE - 1 - i];
    }
}

static bool sign(const struct psp *psp, uint8_t *report)
{
    struct crypto_signature signature;

    if (!crypto_sign(psp->vcek, report, REPORT_SIGNATURE, &signature)) {
        return false;
    }
    store_reversed(report + REPORT_SIGNATURE, signature.r);
    store_reversed(report + REPORT_SIGNATURE_S, signature.s);
    return true;
}

static void fill(const struct psp *psp, const uint8_t *request, uint8_t *report)
{
    static const size_t tcbs[] = {REPORT_CURRENT_TCB, REPORT_REPORTED_TCB, REPORT_COMMITTED_TCB,
                                  REPORT_LAUNCH_TCB};

    psp_store(report + REPORT_VERSION, 2, 4);
    psp_store(report + REPORT_POLICY, psp->guest.policy, 8);
    memcpy(report + REPORT_VMPL, request + PSP_REPORT_REQ_VMPL, 4);
    psp_store(report + REPORT_SIGNATURE_ALGO, REPORT_ALGO_ECDSA_P384_SHA384, 4);
    for (size_t i = 0; i < sizeof(tcbs) / sizeof(tcbs[0]); i++) {
        psp_store(report + tcbs[i], PSP_TCB, 8);
    }
    memcpy(report + REPORT_DATA, request + PSP_REPORT_REQ_DATA, PSP_REPORT_DATA_SIZE);
    memcpy(report + REPORT_MEASUREMENT, psp->measurement, LAUNCH_DIGEST_SIZE);
    memcpy(report + REPORT_HOST_DATA, psp->guest.host_data, REPORT_HOST_DATA_SIZE);
    memcpy(report + REPORT_ID, psp->report_id, REPORT_ID_SIZE);
    memset(report + REPORT_ID_MA, 0xFF, REPORT_ID_SIZE);
    psp_chip_id(psp, report + REPORT_CHIP_ID);
    report[REPORT_CURRENT_BUILD] = report[REPORT_COMMITTED_BUILD] = PSP_BUILD;
    report[REPORT_CURRENT_MINOR] = report[REPORT_COMMITTED_MINOR] = PSP_MINOR;
    report[REPORT_CURRENT_MAJOR] = report[REPORT_COMMITTED_MAJOR] = PSP_MAJOR;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i]) {
            return false;
        }
    }
    return true;
}

/*
 * The status of a report request. Who asks is told by the key alone: SNP_GUEST_REQUEST has no VMPL.
 */
static uint32_t check(struct psp_message *message)
{
    const uint8_t *request = message->payload;
    uint32_t select = (uint32_t)psp_load(request + PSP_REPORT_REQ_KEY_SELECT, 4);
    uint32_t vmpl = (uint32_t)psp_load(request + PSP_REPORT_REQ_VMPL, 4);

    if (select >> 2 || !is_zero(request + PSP_REPORT_REQ_RESERVED,
                                PSP_REPORT_REQ_SIZE - PSP_REPORT_REQ_RESERVED)) {
        return PSP_INVALID_PARAM;
    }
    if (select != PSP_KEY_SELECT_ANY && select != PSP_KEY_SELECT_VCEK) {
        return PSP_INVALID_KEY; /* no VLEK is installed; 3 is reserved */
    }
    if (vmpl > VMPL_MAX) {
        /* "at most three", virtee/sev src/firmware/linux/guest/types.rs; firmware 1.55's code
           looks at the lower bound only. */
        message->unverified = "what the AMD-SP does with a VMPL above 3";
        return PSP_INVALID_PARAM;
    }
    return vmpl < message->key ? PSP_INVALID_PARAM : PSP_SUCCESS;
}

bool psp_report(struct psp *psp, struct psp_message *message)
{
    uint32_t status = check(message);
    uint8_t *report = message->response + PSP_REPORT_RSP_REPORT;

    message->response_size = PSP_REPORT_RSP_SIZE;
    psp_store(message->response + PSP_REPORT_RSP_STATUS, status, 4);
    psp_store(message->response + PSP_REPORT_RSP_REPORT_SIZE, REPORT_SIZE, 4);
    if (status != PSP_SUCCESS) {
        return true;
    }
    fill(psp, message->payload, report);
    return sign(psp, report);
}
