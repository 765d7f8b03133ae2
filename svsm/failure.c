/* SPDX-License-Identifier: MIT */
/*
 * The reasons for termination as published, where many checks share one. A check that the published
 * code does not make is not in the table, nor in an image that links this file.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/globals.rs and where they are raised.
 */
#include "failure.h"

#include "vc.h"

struct reason {
    u8 set;
    u8 code;
};

#define REASON(failure) [(failure)-SVSM_FAIL_FIRST]
#define SVSM(name)                                                                                 \
    {                                                                                              \
        TERM_SET_SVSM, TERM_SVSM_##name                                                            \
    }
#define GENERAL(name)                                                                              \
    {                                                                                              \
        TERM_SET_GENERAL, TERM_GENERAL_##name                                                      \
    }

static const struct reason REASONS[SVSM_FAIL_LAST - SVSM_FAIL_FIRST + 1] = {
    REASON(SVSM_FAIL_NOT_VMPL0) = SVSM(NOT_VMPL0),
    REASON(SVSM_FAIL_VMPL0_FEATURES) = SVSM(VMPL0_FEATURES),
    REASON(SVSM_FAIL_OWN_ADDRESS) = SVSM(GENERAL),
    REASON(SVSM_FAIL_VC) = SVSM(UNHANDLED_VC),

    REASON(SVSM_FAIL_VERSION_ANSWER) = GENERAL(UNSPECIFIED),
    REASON(SVSM_FAIL_VERSION_RANGE) = GENERAL(PROTOCOL),
    REASON(SVSM_FAIL_FEATURES_ANSWER) = GENERAL(UNSPECIFIED),
    REASON(SVSM_FAIL_FEATURES_MISSING) = GENERAL(SNP_FEATURES),
    REASON(SVSM_FAIL_REGISTER_ANSWER) = SVSM(GENERAL),
    REASON(SVSM_FAIL_REGISTER_ADDRESS) = SVSM(GENERAL),

    REASON(SVSM_FAIL_INFO1_UNMARKED) = SVSM(GHCB_RESP_INVALID),
    REASON(SVSM_FAIL_INFO1_ERROR) = GENERAL(UNSPECIFIED),
    REASON(SVSM_FAIL_CPUID_UNMARKED) = SVSM(GHCB_RESP_INVALID),
    REASON(SVSM_FAIL_PORT_UNMARKED) = SVSM(GHCB_RESP_INVALID),

    REASON(SVSM_FAIL_PSC_UNMARKED) = SVSM(PSC_ERROR),
    REASON(SVSM_FAIL_PSC_REFUSED) = SVSM(PSC_ERROR),
    REASON(SVSM_FAIL_PVALIDATE) = SVSM(PSC_ERROR),
    REASON(SVSM_FAIL_PVALIDATE_UNCHANGED) = SVSM(PSC_ERROR),

    REASON(SVSM_FAIL_NO_MEMORY) = SVSM(ENOMEM),
    REASON(SVSM_FAIL_NO_TABLE) = GENERAL(UNSPECIFIED),
    REASON(SVSM_FAIL_NOT_MAPPED) = SVSM(SET_PAGE_ERROR),

    REASON(SVSM_FAIL_LIST_UNMARKED) = SVSM(GHCB_RESP_INVALID),
    REASON(SVSM_FAIL_LIST_PAGES_CHANGED) = SVSM(GHCB_RESP_INVALID),
    REASON(SVSM_FAIL_LIST_EMPTY) = SVSM(GHCB_RESP_INVALID),
    REASON(SVSM_FAIL_LIST_COUNT_MAX) = SVSM(GHCB_RESP_INVALID),

    REASON(SVSM_FAIL_FW_CFG_SIGNATURE) = SVSM(FW_CFG_ERROR),
    REASON(SVSM_FAIL_FW_CFG_NO_DMA) = SVSM(FW_CFG_ERROR),
    REASON(SVSM_FAIL_FW_CFG_FILE_COUNT) = SVSM(FW_CFG_ERROR),
    REASON(SVSM_FAIL_FW_CFG_DMA_ERROR) = SVSM(FW_CFG_ERROR),
    REASON(SVSM_FAIL_FW_CFG_DMA_NOT_DONE) = SVSM(FW_CFG_ERROR),
    REASON(SVSM_FAIL_FW_CFG_NAME) = SVSM(FW_CFG_ERROR),
    REASON(SVSM_FAIL_FW_CFG_NO_FIRMWARE) = SVSM(FW_CFG_ERROR),
    REASON(SVSM_FAIL_FW_CFG_FIRMWARE_RANGE) = SVSM(FW_CFG_ERROR),

    REASON(SVSM_FAIL_AP_VMSA) = SVSM(GENERAL),
    REASON(SVSM_FAIL_FIRMWARE_FORMAT) = SVSM(BIOS_FORMAT),
    REASON(SVSM_FAIL_FIRMWARE_VMPL) = SVSM(INCORRECT_VMPL),
    REASON(SVSM_FAIL_FIRMWARE_FEATURES) = SVSM(VMPL1_FEATURES),
    REASON(SVSM_FAIL_FIRMWARE_PERMISSIONS) = SVSM(GENERAL),
};

_Noreturn void vc_fail(u32 failure)
{
    const struct reason *reason = &REASONS[failure - SVSM_FAIL_FIRST];

    vc_terminate(reason->set, reason->code);
}
