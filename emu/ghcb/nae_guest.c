/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest requests: messages to the AMD-SP that the hypervisor carries. No AMD-SP is modelled yet;
 * what the hypervisor checks and does by itself is here.
 *
 * Source: Linux arch/x86/kvm/svm/sev.c sev_es_validate_vmgexit, snp_handle_guest_req,
 * snp_handle_ext_guest_req.
 */
#include <stdio.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/nae.h"

static bool pages_ok(const struct exit *exit)
{
    uint64_t request = exit_field(exit, FIELD_INFO1);
    uint64_t response = exit_field(exit, FIELD_INFO2);

    return !(request & PAGE_MASK) && !(response & PAGE_MASK) && request != response;
}

/* Carry the message: the request page is read before the AMD-SP sees it. */
static void carry(const struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    uint64_t request = exit_field(exit, FIELD_INFO1);

    if (!hypervisor_shares(hypervisor, request)) {
        reply_fail(reply, "the guest request's page at gpa 0x%llx cannot be read",
                   (unsigned long long)request);
    } else {
        reply_unmodelled(reply, "guest request, no AMD-SP modelled");
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

/* An empty table, for a report alone. False when the reply is complete. */
static bool certificates(const struct hypervisor *hypervisor, const struct exit *exit,
                         struct reply *reply)
{
    static const uint8_t end[GUEST_CERTIFICATES_END_SIZE];
    uint64_t table = exit_field(exit, FIELD_RAX);

    if (!exit_marked_all(exit, FIELD_BIT(FIELD_RAX) | FIELD_BIT(FIELD_RBX)) ||
        (table & PAGE_MASK)) {
        reply_malformed(reply, GHCB_ERR_INVALID_INPUT);
        return false;
    }
    if (exit_field(exit, FIELD_RBX) == 0) {
        return true;
    }
    if (hypervisor_writable(hypervisor, table, sizeof(end)) < sizeof(end)) {
        reply_fail(reply, "the certificates' page at gpa 0x%llx cannot be written",
                   (unsigned long long)table);
        return false;
    }
    reply_write(reply, table, end, sizeof(end));
    return true;
}

void nae_answer_ext_guest_request(struct hypervisor *hypervisor, const struct exit *exit,
                                  struct reply *reply)
{
    uint64_t request = exit_field(exit, FIELD_INFO1);
    uint8_t type;

    if (!pages_ok(exit)) {
        reply_malformed(reply, GHCB_ERR_MISSING_INPUT);
    } else if (hypervisor_read(hypervisor, request + GUEST_MESSAGE_TYPE, &type, 1) &&
               type == GUEST_MESSAGE_REPORT_REQ && !certificates(hypervisor, exit, reply)) {
        return;
    } else {
        carry(hypervisor, exit, reply);
    }
}

void nae_say_guest_request(const struct exit *exit, char *text, size_t size)
{
    snprintf(text, size, "message to the AMD-SP at gpa 0x%llx, answer to gpa 0x%llx",
             (unsigned long long)exit_field(exit, FIELD_INFO1),
             (unsigned long long)exit_field(exit, FIELD_INFO2));
}
