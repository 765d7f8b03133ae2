/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/meaning.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/svsm.h"
#include "abi/svsm_hardened.h"
#include "error.h"
#include "trace/meaning_hardened.h"

#define SOURCE_GENERAL                                                                             \
    "Linux arch/x86/include/asm/sev-common.h, GHCB_SEV_ES_* and GHCB_SNP_*; "                      \
    "linux-svsm src/globals.rs"
#define SOURCE_LINUX "Linux arch/x86/include/asm/sev-common.h, GHCB_TERM_*"
#define SOURCE_LINUX_SVSM "; arch/x86/boot/startup/sev-shared.c svsm_setup_ca"
#define SOURCE_SVSM(users) "linux-svsm src/globals.rs; raised in " users

static const struct termination rows[] = {
    {TERM_SET_GENERAL, TERM_GENERAL_UNSPECIFIED, "general, not specified",
     "The guest saw something that it does not accept, and says no more.", SOURCE_GENERAL},
    {TERM_SET_GENERAL, TERM_GENERAL_PROTOCOL, "GHCB protocol version range not supported",
     "The range that the hypervisor named does not contain the version that the guest speaks.",
     SOURCE_GENERAL},
    {TERM_SET_GENERAL, TERM_GENERAL_SNP_FEATURES, "SNP features not supported",
     "The hypervisor's feature bitmap lacks a bit that the guest needs.", SOURCE_GENERAL},

    {TERM_SET_LINUX, 0x0, "GHCB registration failed",
     "The hypervisor did not accept the GHCB page that the guest wanted to register.",
     SOURCE_LINUX},
    {TERM_SET_LINUX, 0x1, "page state change failed",
     "The hypervisor reported an error, or its answer had the wrong code.", SOURCE_LINUX},
    {TERM_SET_LINUX, 0x2, "PVALIDATE failed",
     "The instruction, or below VMPL0 the SVSM that carries it out, reported an error.",
     SOURCE_LINUX},
    {TERM_SET_LINUX, 0x3, "not at VMPL0",
     "The kernel runs below VMPL0, and the hypervisor does not offer more than one VMPL; older "
     "kernels: it runs below VMPL0 at all.",
     SOURCE_LINUX "; arch/x86/boot/compressed/sev.c sev_enable"},
    {TERM_SET_LINUX, 0x4, "CPUID page not usable",
     "The CPUID page is missing, has the wrong size, or has no entry or too many.",
     SOURCE_LINUX "; arch/x86/boot/startup/sev-shared.c setup_cpuid_table"},
    {TERM_SET_LINUX, 0x5, "CPUID answer not acceptable",
     "The hypervisor's answer to a CPUID request is not one that the guest can use.", SOURCE_LINUX},
    {TERM_SET_LINUX, 0x6, "secrets page problem",
     "The kernel runs below VMPL0, and the firmware names no secrets page, or one of another size.",
     SOURCE_LINUX SOURCE_LINUX_SVSM},
    {TERM_SET_LINUX, 0x7, "not at VMPL0 and no SVSM",
     "The kernel runs below VMPL0, and the secrets page names no SVSM.",
     SOURCE_LINUX SOURCE_LINUX_SVSM},
    {TERM_SET_LINUX, 0x8, "SVSM gives VMPL 0",
     "The kernel runs below VMPL0, and the secrets page says that the SVSM's guest is at VMPL0.",
     SOURCE_LINUX SOURCE_LINUX_SVSM},
    {TERM_SET_LINUX, 0x9, "SVSM calling area address",
     "The address of the SVSM's calling area is not that of a page.",
     SOURCE_LINUX SOURCE_LINUX_SVSM},
    {TERM_SET_LINUX, 0xA, "Secure TSC failed",
     "The AMD-SP did not tell about the TSC, or the secrets page could not be mapped for it.",
     SOURCE_LINUX "; arch/x86/coco/sev/core.c snp_secure_tsc_prepare, snp_secure_tsc_init"},
    {TERM_SET_LINUX, 0xB, "SVSM calling area not moved",
     "The SVSM refused the call that gives it the kernel's own calling area.",
     SOURCE_LINUX "; arch/x86/boot/startup/sev-startup.c svsm_setup"},
    {TERM_SET_LINUX, 0xC, "Secure AVIC failed",
     "Secure AVIC is on without x2APIC, its page could not be registered, or an access to an MSR "
     "through the hypervisor failed.",
     SOURCE_LINUX "; arch/x86/kernel/apic/x2apic_savic.c, arch/x86/coco/sev/core.c"},

    {TERM_SET_SVSM, TERM_SVSM_GENERAL, "general",
     "A check of alignment or size failed, the hypervisor registered another GHCB than the one "
     "asked for, or an AP or the guest firmware could not be started.",
     SOURCE_SVSM("src/lib.rs, src/cpu/vc.rs, src/cpu/smp.rs, src/bios.rs")},
    {TERM_SET_SVSM, TERM_SVSM_ENOMEM, "out of memory",
     "An allocation failed whose result is checked; more than 32 pages in one piece always fail, "
     "so an APIC ID list of 33 pages or 1025 CPUs end here. The start code uses the same value "
     "when its C-bit check fails.",
     SOURCE_SVSM("src/mem/alloc.rs and its callers; src/start/start.S")},
    {TERM_SET_SVSM, TERM_SVSM_UNHANDLED_VC, "unhandled #VC",
     "Any #VC exception inside the SVSM, such as an access to a page that is not validated, ends "
     "here. The start code uses the same value when it does not run where it was linked.",
     SOURCE_SVSM("src/cpu/vc.rs; src/start/start.S")},
    {TERM_SET_SVSM, TERM_SVSM_PSC_ERROR, "page state change error",
     "PVALIDATE failed around a page state change, or SW_EXITINFO2 of the answer is not marked "
     "valid or not zero. The start code uses the same value when the main function returns.",
     SOURCE_SVSM("src/cpu/vc.rs; src/start/start.S")},
    {TERM_SET_SVSM, TERM_SVSM_SET_PAGE_ERROR, "page mapping could not be changed",
     "Mapping, unmapping or changing the flags of a page failed in the SVSM's own page tables.",
     SOURCE_SVSM("src/mem/pgtable.rs")},
    {TERM_SET_SVSM, TERM_SVSM_NO_GHCB, "no GHCB", "Defined, and used nowhere.",
     "linux-svsm src/globals.rs"},
    {TERM_SET_SVSM, TERM_SVSM_GHCB_RESP_INVALID, "GHCB response invalid",
     "The hypervisor did not mark a field valid that its answer must hold, or the APIC ID list "
     "has another number of pages than announced, no ID, or more than 4096.",
     SOURCE_SVSM("src/cpu/vc.rs")},
    {TERM_SET_SVSM, TERM_SVSM_FW_CFG_ERROR, "fw_cfg error",
     "The firmware configuration device has the wrong signature, no DMA, a bad file directory, or "
     "no bios_gpa and bios_size.",
     SOURCE_SVSM("src/mem/fwcfg.rs")},
    {TERM_SET_SVSM, TERM_SVSM_BIOS_FORMAT, "firmware image format",
     "The GUID table, the metadata or the calling area section of the guest firmware is missing.",
     SOURCE_SVSM("src/bios.rs")},
    {TERM_SET_SVSM, TERM_SVSM_NOT_VMPL0, "not at VMPL0",
     "The first RMPADJUST failed, so the SVSM does not run at VMPL0.", SOURCE_SVSM("src/lib.rs")},
    {TERM_SET_SVSM, TERM_SVSM_VMPL0_FEATURES, "SEV features of VMPL0 not acceptable",
     "SEV_STATUS lacks a feature that the SVSM needs or shows one that it does not accept.",
     SOURCE_SVSM("src/lib.rs")},
    {TERM_SET_SVSM, TERM_SVSM_INCORRECT_VMPL, "firmware VMSA has the wrong VMPL",
     "The measured VMSA of the guest firmware is not for VMPL1.", SOURCE_SVSM("src/bios.rs")},
    {TERM_SET_SVSM, TERM_SVSM_VMPL1_FEATURES, "SEV features of VMPL1 not acceptable",
     "The measured VMSA of the guest firmware asks for features that the SVSM does not accept.",
     SOURCE_SVSM("src/bios.rs")},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const struct {
    uint8_t set;
    const char *name;
} sets[] = {
    {TERM_SET_GENERAL, "GHCB specification"},
    {TERM_SET_LINUX, "Linux guest kernel"},
    {TERM_SET_SVSM, "linux-svsm"},
};

static const char *const outcome_words[OUTCOME_KIND_COUNT] = {
    [OUTCOME_NONE] = "The run has not ended.",
    [OUTCOME_HALTED] = "The guest executed HLT with nothing left that could wake it: its work is "
                       "done.",
    [OUTCOME_REACHED] = "The guest came to where the run was to stop.",
    [OUTCOME_TERMINATED] = "The guest noticed something it does not accept and asked the "
                           "hypervisor to terminate it, with a reason: set and code.",
    [OUTCOME_TRIPLE_FAULT] = "A fault could not be delivered through the guest's IDT, and neither "
                             "could the double fault that followed.",
    [OUTCOME_NESTED_FAULT] = "The guest touched memory that the host did not give it, and the "
                             "host cannot make progress on the nested page fault.",
    [OUTCOME_REFUSED] =
        "The host would not go on, or could not: its script said so, KVM would stop "
        "the guest there, or VMRUN refused a vCPU's save area.",
    [OUTCOME_STUCK] =
        "The guest cannot make progress any more: it jumps to itself, waits in a loop "
        "for what nobody changes, or no vCPU can run. linux-svsm ends a panic like "
        "this, without telling the host.",
    [OUTCOME_BUDGET] = "The instructions or exits that the run was allowed are used up.",
    [OUTCOME_UNMODELLED] = "The guest used an instruction, MSR, CPUID leaf or exit that the "
                           "emulator does not model. Nothing is guessed, so the run ends there.",
};

static const char *const verdict_words[VERDICT_COUNT] = {
    [VERDICT_PASS] = "The guest did what it set out to do.",
    [VERDICT_CONTAINED] = "The guest noticed a hostile or broken answer and ended itself in good "
                          "order, or the host denied it service: the good end of a hostile run.",
    [VERDICT_GUEST_CRASH] = "The guest crashed by itself, without the host's script being the "
                            "direct cause.",
    [VERDICT_HANG] = "The guest went on without end or stood still. A panic that loops is a hang: "
                     "nobody was told.",
    [VERDICT_UNJUDGED] = "The run ended at something the emulator does not model, so it says "
                         "nothing about the guest.",
    [VERDICT_VIOLATION] = "An oracle saw the guest do something that breaks its own protection.",
    [VERDICT_EMULATOR_BUG] = "A check of the emulator itself failed. Please report it.",
};

const struct termination *termination_at(size_t index)
{
    return index < ROW_COUNT ? &rows[index] : termination_hardened_at(index - ROW_COUNT);
}

const struct termination *termination_find(uint8_t set, uint8_t code)
{
    const struct termination *row;

    for (size_t i = 0; (row = termination_at(i)) != NULL; i++) {
        if (row->set == set && row->code == code) {
            return row;
        }
    }
    return NULL;
}

const char *termination_who(uint8_t set, uint8_t code)
{
    if (set == TERM_SET_SVSM && code >= SVSM_FAIL_FIRST && code <= SVSM_FAIL_LAST) {
        return "svsm-hardened";
    }
    return termination_set_name(set);
}

const char *termination_set_name(uint8_t set)
{
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        if (sets[i].set == set) {
            return sets[i].name;
        }
    }
    return NULL;
}

/* A hexadecimal number with or without 0x, up to `end` or its first other character. */
static int hex_parse(const char *text, const char **end, uint64_t max, uint64_t *value)
{
    char *after;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        text += 2;
    }
    /* strtoull itself would take spaces, signs and a second prefix. */
    if (!isxdigit((unsigned char)text[0]) || (text[0] == '0' && strchr("xX", text[1]) && text[1])) {
        return SNPEMU_ERR_INPUT;
    }
    errno = 0;
    *value = strtoull(text, &after, 16);
    *end = after;
    return errno == 0 && *value <= max ? SNPEMU_OK : SNPEMU_ERR_INPUT;
}

int termination_parse(const char *text, uint8_t *set, uint8_t *code)
{
    const char *colon = strchr(text, ':'), *end;
    uint64_t first, second;

    if (!colon) {
        /* The reason is all that a request's value holds, so other bits make it something else. */
        if (hex_parse(text, &end, 0xFFFFFF, &first) != SNPEMU_OK || *end ||
            (first & 0xFFF) != GHCB_MSR_TERMINATE) {
            return SNPEMU_ERR_INPUT;
        }
        *set = (uint8_t)(first >> GHCB_MSR_TERM_SET_SHIFT & 0xF);
        *code = (uint8_t)(first >> GHCB_MSR_TERM_CODE_SHIFT & 0xFF);
        return SNPEMU_OK;
    }
    if (hex_parse(text, &end, 0xF, &first) != SNPEMU_OK || end != colon ||
        hex_parse(colon + 1, &end, 0xFF, &second) != SNPEMU_OK || *end) {
        return SNPEMU_ERR_INPUT;
    }
    *set = (uint8_t)first;
    *code = (uint8_t)second;
    return SNPEMU_OK;
}

const char *outcome_meaning(enum outcome_kind kind)
{
    return outcome_words[kind];
}

const char *verdict_meaning(enum verdict verdict)
{
    return verdict_words[verdict];
}
