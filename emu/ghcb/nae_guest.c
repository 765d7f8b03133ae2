/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest requests: messages to the AMD-SP that the hypervisor carries. What it does by itself is
 * here; what the AMD-SP does is in psp/. Neither page is more than ciphertext to the host.
 *
 * Source: Linux arch/x86/kvm/svm/sev.c sev_es_validate_vmgexit, snp_handle_guest_req,
 * snp_handle_ext_guest_req, snp_complete_req_certs.
 */
#include <stdio.h>
#include <string.h>

#include "abi/nae.h"
#include "abi/psp.h"
#include "abi/x86.h"
#include "ghcb/nae.h"
#include "psp/psp.h"

static bool pages_ok(const struct exit *exit)
{
    uint64_t request = exit_field(exit, FIELD_INFO1);
    uint64_t response = exit_field(exit, FIELD_INFO2);

    return !(request & PAGE_MASK) && !(response & PAGE_MASK) && request != response;
}

/*
 * Carry the message. All of the firmware's response page goes to the guest, whatever the status:
 * when the firmware refused, that is what it wrote the last time.
 */
static void carry(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    uint64_t response = exit_field(exit, FIELD_INFO2);
    struct psp_answer answer;
    struct error error;

    if (exit->request_size_bytes == 0) {
        reply_fail(reply, "the guest request's page at gpa 0x%llx cannot be read",
                   (unsigned long long)exit_field(exit, FIELD_INFO1));
    } else if (hypervisor_writable(hypervisor, response, PAGE_SIZE) < PAGE_SIZE) {
        reply_fail(reply, "the guest response's page at gpa 0x%llx cannot be written",
                   (unsigned long long)response);
    } else if (psp_request(hypervisor->psp, exit->request, hypervisor->state.response, &answer,
                           &error) != 0) {
        reply_unmodelled(reply, "%s", error.text);
    } else if (answer.unmodelled) {
        reply_unmodelled(reply, "the AMD-SP's answer to: %s", answer.unmodelled);
    } else {
        reply->unverified = answer.unverified;
        reply_write(reply, response, hypervisor->state.response, PAGE_SIZE);
        reply_set(reply, FIELD_INFO2, answer.status);
    }
}

void nae_answer_guest_request(struct hypervisor *hypervisor, const struct exit *exit,
                              struct reply *reply)
{
    if (!pages_ok(exit)) {
        reply_malformed(reply, GHCB_ERR_MISSING_INPUT);
    } else {
        carry(hypervisor, exit, reply);
    }
}

/* ---- certificates ---- */

/*
 * What the host keeps: by itself, the certificate of the key that signs reports. Its size; 0 when
 * there is no such certificate, which is the emulator's own failure.
 */
static size_t host_table(const struct hypervisor *hypervisor, uint8_t table[CERTIFICATE_TABLE_MAX],
                         uint64_t *pages)
{
    struct certificates own = {0};
    const struct certificates *certificates = &hypervisor->config->certificates;
    uint8_t der[PSP_CERTIFICATE_MAX], guid[CERTIFICATE_GUID_SIZE];
    size_t size;

    if (!certificates->given) {
        size = psp_certificate(hypervisor->psp, der);
        if (size == 0) {
            return 0;
        }
        certificates_guid(CERTIFICATE_VCEK_GUID, guid);
        certificates_add(&own, guid, der, size);
        certificates = &own;
    }
    size = certificates_table(certificates, table);
    *pages = certificates->count ? (size + PAGE_SIZE - 1) / PAGE_SIZE : 0;
    return size;
}

/* For a report alone. False when the reply is complete: the AMD-SP is not asked. */
static bool certificates(const struct hypervisor *hypervisor, const struct exit *exit,
                         struct reply *reply)
{
    uint8_t table[CERTIFICATE_TABLE_MAX];
    uint64_t gpa = exit_field(exit, FIELD_RAX), lent = exit_field(exit, FIELD_RBX), pages = 0;
    size_t size = host_table(hypervisor, table, &pages);

    if (!exit_marked_all(exit, FIELD_BIT(FIELD_RAX) | FIELD_BIT(FIELD_RBX)) || (gpa & PAGE_MASK)) {
        reply_malformed(reply, GHCB_ERR_INVALID_INPUT);
        return false;
    }
    if (size == 0) {
        reply_unmodelled(reply, "libgcrypt cannot make the certificate of the test key");
        return false;
    }
    if (lent < pages) {
        reply_set(reply, FIELD_RBX, pages);
        reply_set(reply, FIELD_INFO2, GUEST_REQUEST_INVALID_LENGTH);
        return false;
    }
    if (lent == 0) {
        return true;
    }
    if (hypervisor_writable(hypervisor, gpa, size) < size) {
        reply_fail(reply, "the certificates' page at gpa 0x%llx cannot be written",
                   (unsigned long long)gpa);
        return false;
    }
    reply_write(reply, gpa, table, size);
    return true;
}

void nae_answer_ext_guest_request(struct hypervisor *hypervisor, const struct exit *exit,
                                  struct reply *reply)
{
    bool is_report =
        exit->request_size_bytes > PSP_TYPE && exit->request[PSP_TYPE] == PSP_MSG_REPORT_REQ;

    if (!pages_ok(exit)) {
        reply_malformed(reply, GHCB_ERR_MISSING_INPUT);
    } else if (!is_report || certificates(hypervisor, exit, reply)) {
        carry(hypervisor, exit, reply);
    }
}

/* ---- words ---- */

static uint64_t sequence_of(const struct exit *exit)
{
    uint64_t sequence;

    memcpy(&sequence, exit->request + PSP_SEQUENCE, sizeof(sequence));
    return sequence;
}

void nae_say_guest_request(const struct exit *exit, char *text, size_t size)
{
    const char *name = exit->request_size_bytes ? psp_message_name(exit->request[PSP_TYPE]) : NULL;

    if (!exit->request_size_bytes) {
        snprintf(text, size, "message to the AMD-SP, which the host cannot read");
    } else {
        snprintf(text, size, "to the AMD-SP: %s (type %u), number %llu, sealed with VMPCK%u",
                 name ? name : "unknown", exit->request[PSP_TYPE],
                 (unsigned long long)sequence_of(exit), exit->request[PSP_KEY]);
    }
}

/* The header is no secret, and says what a reader of the trace wants to know. */
void nae_describe_guest_request(const struct exit *exit, struct event *event)
{
    if (exit->request_size_bytes) {
        event_dec(event, "type", exit->request[PSP_TYPE]);
        event_dec(event, "vmpck", exit->request[PSP_KEY]);
        event_dec(event, "sequence", sequence_of(exit));
    }
}

void nae_say_guest_request_reply(const struct exit *exit, const struct reply *reply, char *text,
                                 size_t size)
{
    uint64_t info2 = reply->field[FIELD_INFO2];
    const char *name = psp_status_name((uint32_t)info2);

    (void)exit;
    if (info2 == GUEST_REQUEST_INVALID_LENGTH) {
        snprintf(text, size, "too few pages for the certificates: %llu are needed",
                 (unsigned long long)reply->field[FIELD_RBX]);
    } else if (info2 == GUEST_REQUEST_BUSY) {
        snprintf(text, size, "the host is busy: try again");
    } else if (info2 >> 32) {
        snprintf(text, size, "the host's error 0x%llx", (unsigned long long)(info2 >> 32));
    } else if (info2 != PSP_SUCCESS) {
        snprintf(text, size, "the AMD-SP refuses: %s (0x%x)", name ? name : "status",
                 (unsigned)info2);
    } else {
        snprintf(text, size, "the AMD-SP's response");
    }
}
