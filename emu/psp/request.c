/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of a message, in the order in which snp_mcmd_guest_request looks at it.
 */
#include <string.h>

#include "psp/internal.h"

struct message_row {
    uint8_t type; /* the request's; the response's is one more */
    const char *name;
    uint8_t version_max;
    size_t size;          /* of the payload at least */
    psp_handler *handler; /* NULL: not modelled */
    const char *answer;
};

/* Versions: sev_rmp.h, SNP_GMSG_MAX_MSG_VERSION_*. */
static const struct message_row rows[] = {
    {PSP_MSG_CPUID_REQ, "CPUID request", 1, 0, NULL, NULL},
    {PSP_MSG_KEY_REQ, "key request", 1, PSP_KEY_REQ_SIZE, psp_key, "a derived key"},
    {PSP_MSG_REPORT_REQ, "report request", 1, PSP_REPORT_REQ_SIZE, psp_report,
     "an attestation report of version 2, signed with a test key"},
    {PSP_MSG_EXPORT_REQ, "export request", 1, 0, NULL, NULL},
    {PSP_MSG_IMPORT_REQ, "import request", 1, 0, NULL, NULL},
    {PSP_MSG_ABSORB_REQ, "absorb request", 1, 0, NULL, NULL},
    {PSP_MSG_VMRK_REQ, "VMRK request", 1, 0, NULL, NULL},
    {PSP_MSG_ABSORB_NOMA_REQ, "absorb request without agent", 1, 0, NULL, NULL},
    {PSP_MSG_TSC_INFO_REQ, "TSC information request", 1, 0, NULL, NULL},
};

static const struct message_row *row_of(uint8_t type)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].type == type) {
            return &rows[i];
        }
    }
    return NULL;
}

bool psp_message_kind(size_t i, struct psp_message_kind *kind)
{
    if (i >= sizeof(rows) / sizeof(rows[0])) {
        return false;
    }
    *kind = (struct psp_message_kind){
        .type = rows[i].type,
        .name = rows[i].name,
        .answer = rows[i].answer,
        .source = "amd/AMD-ASPFW sev_mcmd.c snp_mcmd_guest_request; sev_rmp.h snp_guest_message_t",
    };
    return true;
}

const char *psp_message_name(uint8_t type)
{
    const struct message_row *row = row_of(type);

    return row ? row->name : NULL;
}

const char *psp_status_name(uint32_t status)
{
    static const struct {
        uint32_t status;
        const char *name;
    } names[] = {
        {PSP_SUCCESS, "success"},
        {PSP_BAD_MEASUREMENT, "bad measurement"},
        {PSP_INVALID_PARAM, "invalid parameter"},
        {PSP_AEAD_OFLOW, "AEAD overflow"},
        {PSP_INVALID_KEY, "invalid key"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].status == status) {
            return names[i].name;
        }
    }
    return NULL;
}

/* Before the message is opened. Reserved bytes are not looked at, but they are authenticated. */
static bool header_ok(const uint8_t *request)
{
    size_t size = psp_load(request + PSP_SIZE, 2);

    return request[PSP_HEADER_VERSION] == 1 &&
           psp_load(request + PSP_HEADER_SIZE, 2) == PSP_PAYLOAD &&
           request[PSP_ALGO] == PSP_ALGO_AES_256_GCM && size != 0 &&
           size % PSP_MESSAGE_ALIGN == 0 && size <= PSP_PAYLOAD_MAX &&
           request[PSP_KEY] < PSP_KEY_COUNT;
}

/*
 * A message of the next number: a count is even, and the last odd number is never used. The number
 * is looked at after the tag, so a wrong one that is authentic says so, and a wrong key does not.
 */
static uint32_t check_opened(const struct psp *psp, const uint8_t *request,
                             const struct message_row *row, struct psp_answer *answer)
{
    uint64_t count = psp->state.count[request[PSP_KEY]];

    if (count == UINT64_MAX - 1 || psp_load(request + PSP_SEQUENCE, 8) != count + 1) {
        return PSP_AEAD_OFLOW;
    }
    if (!row || request[PSP_VERSION] == 0 || request[PSP_VERSION] > row->version_max) {
        return PSP_INVALID_PARAM;
    }
    if (psp_load(request + PSP_SIZE, 2) < row->size) {
        /* That firmware's own comment asks for the check, and its code has none. */
        answer->unverified = "what the AMD-SP does with a message too short for its type";
        return PSP_INVALID_PARAM;
    }
    return PSP_SUCCESS;
}

/* Seal the response into its page. */
static bool respond(struct psp *psp, const struct psp_message *message, const uint8_t *request,
                    uint8_t *response)
{
    uint64_t sequence = psp_load(request + PSP_SEQUENCE, 8) + 1;

    memset(response, 0, PSP_PAYLOAD);
    psp_store(response + PSP_SEQUENCE, sequence, 8);
    response[PSP_ALGO] = PSP_ALGO_AES_256_GCM;
    response[PSP_HEADER_VERSION] = 1;
    psp_store(response + PSP_HEADER_SIZE, PSP_PAYLOAD, 2);
    response[PSP_TYPE] = (uint8_t)(message->type + 1);
    response[PSP_VERSION] = 1;
    psp_store(response + PSP_SIZE, message->response_size, 2);
    response[PSP_KEY] = message->key;
    memcpy(response + PSP_PAYLOAD, message->response, message->response_size);
    if (!crypto_seal(psp->vmpck[message->key], sequence, response + PSP_AAD, PSP_AAD_SIZE,
                     response + PSP_PAYLOAD, message->response_size, response + PSP_TAG)) {
        return false;
    }
    psp->state.count[message->key] += 2;
    return true;
}

/* False when the library fails. */
static bool answer_request(struct psp *psp, const uint8_t *request, uint8_t *response,
                           struct psp_answer *answer)
{
    uint8_t payload[PSP_PAYLOAD_MAX] = {0}, filled[PSP_PAYLOAD_MAX] = {0};
    const struct message_row *row = row_of(request[PSP_TYPE]);
    struct psp_message message = {.payload = payload, .response = filled};
    bool authentic;

    answer->status = PSP_INVALID_PARAM;
    if (!header_ok(request)) {
        return true;
    }
    message.key = request[PSP_KEY];
    message.type = request[PSP_TYPE];
    message.size = psp_load(request + PSP_SIZE, 2);
    memcpy(payload, request + PSP_PAYLOAD, message.size);
    if (!crypto_open(psp->vmpck[message.key], psp_load(request + PSP_SEQUENCE, 8),
                     request + PSP_AAD, PSP_AAD_SIZE, payload, message.size, request + PSP_TAG,
                     &authentic)) {
        return false;
    }
    answer->status = authentic ? check_opened(psp, request, row, answer) : PSP_BAD_MEASUREMENT;
    if (answer->status != PSP_SUCCESS) {
        return true;
    }
    if (!row->handler) {
        answer->unmodelled = row->name;
        return true;
    }
    if (!row->handler(psp, &message) || !respond(psp, &message, request, response)) {
        return false;
    }
    answer->unverified = message.unverified;
    answer->size_bytes = PSP_PAYLOAD + message.response_size;
    return true;
}

int psp_request(struct psp *psp, const uint8_t request[PAGE_SIZE], uint8_t response[PAGE_SIZE],
                struct psp_answer *answer, struct error *error)
{
    memset(answer, 0, sizeof(*answer));
    if (!answer_request(psp, request, response, answer)) {
        return error_set(error, SNPEMU_ERR_INTERNAL,
                         "libgcrypt failed while the AMD-SP answered a guest request");
    }
    return 0;
}
