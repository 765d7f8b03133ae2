/* SPDX-License-Identifier: MIT */
/*
 * Exits: the MSR protocol, the page protocol, termination.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs.
 */
#include "vc.h"

#include "abi/msr.h"
#include "cpu.h"
#include "percpu.h"

#define PROTOCOL_VERSION 2
#define FEATURES_SHIFT 12 /* GHCBData of the answer, bits 63:12 */
#define FEATURES_REQUIRED (HV_FEATURE_SNP | HV_FEATURE_AP_CREATION | HV_FEATURE_APIC_ID_LIST)

_Noreturn void vc_terminate(u64 reason_set, u64 reason_code)
{
    wrmsr(MSR_GHCB, GHCB_MSR_TERMINATE | reason_set << GHCB_MSR_TERM_SET_SHIFT |
                        reason_code << GHCB_MSR_TERM_CODE_SHIFT);
    vc_vmgexit();
    for (;;) {
        halt();
    }
}

/* The MSR is put back to what it was, so that it keeps pointing to the GHCB page. */
static u64 vc_msr_protocol(u64 request)
{
    u64 saved = rdmsr(MSR_GHCB);
    u64 response;

    wrmsr(MSR_GHCB, request);
    vc_vmgexit();
    response = rdmsr(MSR_GHCB);
    wrmsr(MSR_GHCB, saved);
    return response;
}

static void vc_establish_protocol(void)
{
    u64 response = vc_msr_protocol(GHCB_MSR_SEV_INFO_REQ);
    u64 max = (response >> GHCB_MSR_SEV_INFO_MAX_SHIFT) & 0xffff;
    u64 min = (response >> GHCB_MSR_SEV_INFO_MIN_SHIFT) & 0xffff;

    if ((response & GHCB_MSR_INFO_MASK) != GHCB_MSR_SEV_INFO_RESP) {
        vc_fail(SVSM_FAIL_VERSION_ANSWER);
    }
    vc_check_version_rest(response);
    if (min > PROTOCOL_VERSION || max < PROTOCOL_VERSION) {
        vc_fail(SVSM_FAIL_VERSION_RANGE);
    }

    response = vc_msr_protocol(GHCB_MSR_FEATURES_REQ);
    if ((response & GHCB_MSR_INFO_MASK) != GHCB_MSR_FEATURES_RESP) {
        vc_fail(SVSM_FAIL_FEATURES_ANSWER);
    }
    if (((response >> FEATURES_SHIFT) & FEATURES_REQUIRED) != FEATURES_REQUIRED) {
        vc_fail(SVSM_FAIL_FEATURES_MISSING);
    }
}

void vc_register_ghcb(u64 gpa)
{
    u64 response = vc_msr_protocol(gpa | GHCB_MSR_REGISTER_REQ);

    if ((response & GHCB_MSR_INFO_MASK) != GHCB_MSR_REGISTER_RESP) {
        vc_fail(SVSM_FAIL_REGISTER_ANSWER);
    }
    if ((response & ~GHCB_MSR_INFO_MASK) != gpa) {
        vc_fail(SVSM_FAIL_REGISTER_ADDRESS);
    }
    wrmsr(MSR_GHCB, gpa);
}

void vc_init(void)
{
    u64 gpa = va_to_gpa(early_ghcb);

    vc_establish_protocol();
    vc_register_ghcb(gpa);
}

struct ghcb *vc_get_ghcb(void)
{
    return (struct ghcb *)percpu_read_u64(PERCPU_GHCB);
}
