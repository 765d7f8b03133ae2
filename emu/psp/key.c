/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MSG_KEY_REQ: a key derived from the VCEK or the VMRK and from what the guest selects. The
 * derivation is that of firmware 1.55 (sev_mcmd.c, nist_kdf.c); the root keys are ours.
 */
#include <string.h>

#include "psp/internal.h"

#define VMPL_MAX 3u
#define LABEL "gmsg-keyreq"

/* snp_mix_data_t: what makes one derived key differ from another. */
#define MIX_ROOT                                                                                   \
    0x00 /* bit 0: the root key; bits 2:1: which key signed the ID block, here none                \
          */
#define MIX_FIELDS 0x08
#define MIX_VMPL 0x10
#define MIX_SVN 0x14
#define MIX_TCB 0x18
#define MIX_POLICY 0x20
#define MIX_MEASUREMENT 0x48 /* its first 32 bytes; image and family ID before it are zero */
#define MIX_MEASUREMENT_SIZE 32
#define MIX_HOST_DATA 0x68
#define MIX_SIZE 0xA8 /* the ID block's key, at the end, is zero */

struct key_request {
    uint32_t root, vmpl, svn;
    uint64_t fields, tcb;
};

/* No SVN of it may be newer than the firmware's, and reserved ones are zero. */
static bool tcb_ok(uint64_t tcb)
{
    for (unsigned at = 0; at < 64; at += 8) {
        if ((tcb >> at & 0xFF) > (PSP_TCB >> at & 0xFF)) {
            return false;
        }
    }
    return true;
}

static uint32_t check(struct psp_message *message, const struct key_request *request)
{
    uint32_t select = request->root >> PSP_KEY_SELECT_SHIFT;
    bool from_vcek = !(request->root & PSP_KEY_ROOT_VMRK);

    if (request->root >> 3 || psp_load(message->payload + PSP_KEY_REQ_RESERVED, 4)) {
        return PSP_INVALID_PARAM;
    }
    if (from_vcek && select != PSP_KEY_SELECT_ANY && select != PSP_KEY_SELECT_VCEK) {
        return PSP_INVALID_KEY;
    }
    if (request->vmpl > VMPL_MAX) {
        message->unverified = "what the AMD-SP does with a VMPL above 3";
        return PSP_INVALID_PARAM;
    }
    if (request->vmpl < message->key || (request->fields & ~PSP_FIELD_ALL) ||
        ((request->fields & PSP_FIELD_TCB) && !tcb_ok(request->tcb)) ||
        ((request->fields & PSP_FIELD_SVN) && request->svn != 0)) { /* no ID block: SVN 0 */
        return PSP_INVALID_PARAM;
    }
    return PSP_SUCCESS;
}

static void mix(const struct psp *psp, const struct key_request *request, uint8_t data[MIX_SIZE])
{
    memset(data, 0, MIX_SIZE);
    psp_store(data + MIX_ROOT, request->root & PSP_KEY_ROOT_VMRK, 4);
    psp_store(data + MIX_FIELDS, request->fields, 8);
    psp_store(data + MIX_VMPL, request->vmpl, 4);
    memcpy(data + MIX_HOST_DATA, psp->guest.host_data, REPORT_HOST_DATA_SIZE);
    if (request->fields & PSP_FIELD_SVN) {
        psp_store(data + MIX_SVN, request->svn, 4);
    }
    if (request->fields & PSP_FIELD_TCB) {
        psp_store(data + MIX_TCB, request->tcb, 8);
    }
    if (request->fields & PSP_FIELD_POLICY) {
        psp_store(data + MIX_POLICY, psp->guest.policy, 8);
    }
    if (request->fields & PSP_FIELD_MEASUREMENT) {
        memcpy(data + MIX_MEASUREMENT, psp->measurement, MIX_MEASUREMENT_SIZE);
    }
}

/* NIST SP 800-108 in counter mode with HMAC-SHA256, one block; numbers are little endian. */
static bool derive(const uint8_t root[PSP_ROOT_SIZE], const uint8_t data[MIX_SIZE],
                   uint8_t key[PSP_KEY_SIZE])
{
    uint8_t text[4 + sizeof(LABEL) + MIX_SIZE + 4];

    psp_store(text, 1, 4);
    memcpy(text + 4, LABEL, sizeof(LABEL)); /* and its end, which belongs there */
    memcpy(text + 4 + sizeof(LABEL), data, MIX_SIZE);
    psp_store(text + sizeof(text) - 4, 8 * PSP_KEY_SIZE, 4);
    return crypto_hmac_sha256(root, PSP_ROOT_SIZE, text, sizeof(text), key);
}

bool psp_key(struct psp *psp, struct psp_message *message)
{
    struct key_request request = {
        .root = (uint32_t)psp_load(message->payload + PSP_KEY_REQ_ROOT, 4),
        .fields = psp_load(message->payload + PSP_KEY_REQ_FIELDS, 8),
        .vmpl = (uint32_t)psp_load(message->payload + PSP_KEY_REQ_VMPL, 4),
        .svn = (uint32_t)psp_load(message->payload + PSP_KEY_REQ_SVN, 4),
        .tcb = psp_load(message->payload + PSP_KEY_REQ_TCB, 8),
    };
    uint32_t status = check(message, &request);
    uint8_t root[PSP_ROOT_SIZE], data[MIX_SIZE];
    uint64_t tcb = request.fields & PSP_FIELD_TCB ? request.tcb : PSP_TCB;

    message->response_size = PSP_KEY_RSP_SIZE;
    psp_store(message->response + PSP_KEY_RSP_STATUS, status, 4);
    if (status != PSP_SUCCESS) {
        return true;
    }
    if (request.root & PSP_KEY_ROOT_VMRK) {
        memcpy(root, psp->vmrk, sizeof(root));
    } else if (!psp_vcek_root(psp, tcb, root)) {
        return false;
    }
    mix(psp, &request, data);
    return derive(root, data, message->response + PSP_KEY_RSP_KEY);
}
