/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restricted injection, and events in which the guest tells of itself.
 */
#include <stdio.h>

#include "abi/apic.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/nae.h"

#define BROADCAST 0xFFFFFFFFu
#define VECTOR_FIRST 16 /* those below are the processor's own */

/* Source: LKML 20260608144252.351443-3-joro@8bytes.org, sev_snp_hv_doorbell_page. */
void nae_answer_hv_doorbell(struct hypervisor *hypervisor, const struct exit *exit,
                            struct reply *reply)
{
    uint64_t *doorbell = &vcpus_current_level(&hypervisor->vcpus)->doorbell_gpa;
    uint64_t gpa = exit_field(exit, FIELD_INFO2);

    switch (exit_field(exit, FIELD_INFO1)) {
    case DOORBELL_GET_PREFERRED:
        reply_set(reply, FIELD_INFO2, DOORBELL_NONE);
        return;
    case DOORBELL_SET:
        *doorbell = DOORBELL_NONE;
        if (!(gpa & PAGE_MASK) && hypervisor_has(hypervisor, gpa)) {
            *doorbell = gpa;
            reply_set(reply, FIELD_INFO2, gpa);
            return;
        }
        break;
    case DOORBELL_QUERY:
        reply_set(reply, FIELD_INFO2, *doorbell);
        return;
    case DOORBELL_CLEAR:
        *doorbell = DOORBELL_NONE;
        return;
    default:
        *doorbell = DOORBELL_NONE;
        break;
    }
    reply_malformed(reply, GHCB_ERR_INVALID_INPUT);
}

void nae_say_hv_doorbell(const struct exit *exit, char *text, size_t size)
{
    static const char *const requests[] = {
        [DOORBELL_GET_PREFERRED] = "which #HV doorbell page do you prefer?",
        [DOORBELL_SET] = "set the #HV doorbell page",
        [DOORBELL_QUERY] = "which #HV doorbell page is set?",
        [DOORBELL_CLEAR] = "clear the #HV doorbell page",
    };
    uint64_t request = exit_field(exit, FIELD_INFO1);

    if (request == DOORBELL_SET) {
        snprintf(text, size, "%s to gpa 0x%llx", requests[request],
                 (unsigned long long)exit_field(exit, FIELD_INFO2));
    } else {
        snprintf(text, size, "%s",
                 request <= DOORBELL_CLEAR ? requests[request] : "an unknown doorbell request");
    }
}

/* An interrupt to a vCPU that does not exist is lost. */
static bool ipi_is_lost(const struct hypervisor *hypervisor, uint64_t icr)
{
    uint32_t destination = (uint32_t)(icr >> APIC_ICR_DESTINATION_SHIFT);

    return !(icr & (APIC_ICR_SHORTHAND_MASK | APIC_ICR_LOGICAL)) && destination != BROADCAST &&
           !vcpus_find(&hypervisor->vcpus, destination);
}

static bool ipi_is_to_self(const struct exit *exit, uint64_t icr)
{
    uint32_t destination = (uint32_t)(icr >> APIC_ICR_DESTINATION_SHIFT);

    return (icr & APIC_ICR_SHORTHAND_MASK) == APIC_ICR_SELF ||
           (!(icr & (APIC_ICR_SHORTHAND_MASK | APIC_ICR_LOGICAL)) && destination == exit->apic_id);
}

/* Interrupts to others, and to a guest that must be asked whether it may be interrupted: not yet.
 */
enum apic_result nae_send_ipi(struct hypervisor *hypervisor, const struct exit *exit, uint64_t icr)
{
    struct vcpu_slot *slot = vcpus_current(&hypervisor->vcpus);
    uint64_t mode = icr & APIC_ICR_MODE_MASK;
    uint8_t vector = icr & APIC_VECTOR_MASK;

    if (ipi_is_lost(hypervisor, icr)) {
        return APIC_OK;
    }
    if (!ipi_is_to_self(exit, icr) || !hypervisor_restricted_injection(hypervisor)) {
        return APIC_UNMODELLED;
    }
    if (mode == APIC_ICR_MODE_NMI) {
        doorbell_add(&vcpus_current_level(&hypervisor->vcpus)->doorbell,
                     &(struct reply_doorbell){.nmi = true});
        return APIC_OK;
    }
    if (mode != APIC_ICR_MODE_FIXED || vector < VECTOR_FIRST) {
        return APIC_UNMODELLED;
    }
    if (apic_is_enabled(&slot->apic)) { /* else it is lost: lapic.c __apic_accept_irq */
        apic_request(&slot->apic, vector);
    }
    return APIC_OK;
}

/*
 * An APIC that is off, and reserved bits in x2APIC mode, are 2/5. Source: LKML
 * 20260608144252.351443-8-joro@8bytes.org, kvm_xapic_x2apic_send_ipi.
 */
void nae_answer_hv_ipi(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    struct apic *apic = &vcpus_current(&hypervisor->vcpus)->apic;
    uint64_t icr = exit_field(exit, FIELD_INFO1);

    if (!apic_is_enabled(apic) || (apic_is_x2apic(apic) && (icr & APIC_ICR_RESERVED))) {
        reply_malformed(reply, GHCB_ERR_INVALID_INPUT);
    } else if (!apic_is_x2apic(apic) || nae_send_ipi(hypervisor, exit, icr) != APIC_OK) {
        reply_unmodelled(reply, "hv_ipi: such an interrupt is not delivered yet");
    } else {
        apic->icr = icr & ~APIC_ICR_BUSY;
    }
}

void nae_say_hv_ipi(const struct exit *exit, char *text, size_t size)
{
    uint64_t icr = exit_field(exit, FIELD_INFO1);

    snprintf(text, size, "send interrupt 0x%x to APIC ID %u", (unsigned)icr & 0xFF,
             (uint32_t)(icr >> 32));
}

void nae_answer_hv_features(struct hypervisor *hypervisor, const struct exit *exit,
                            struct reply *reply)
{
    (void)exit;
    reply_set(reply, FIELD_INFO2, hypervisor->config->features);
}

void nae_say_terminate(const struct exit *exit, char *text, size_t size)
{
    uint8_t set = 0, code = 0;

    exit_termination(exit, &set, &code);
    snprintf(text, size, "terminate me: reason set 0x%x, code 0x%x", set, code);
}

void nae_answer_unsupported_event(struct hypervisor *hypervisor, const struct exit *exit,
                                  struct reply *reply)
{
    (void)hypervisor;
    reply_fail(reply, "the guest met #VC 0x%llx, which it cannot handle",
               (unsigned long long)exit_field(exit, FIELD_INFO1));
}

void nae_say_unsupported_event(const struct exit *exit, char *text, size_t size)
{
    snprintf(text, size, "#VC 0x%llx is not supported by me",
             (unsigned long long)exit_field(exit, FIELD_INFO1));
}

void nae_answer_unknown(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    (void)hypervisor;
    (void)exit;
    reply_malformed(reply, GHCB_ERR_INVALID_EVENT);
}
