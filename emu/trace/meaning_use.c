/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/meaning_use.h"

#include "abi/svsm.h"

#define GENERAL(code) TERM_SET_GENERAL, TERM_GENERAL_##code

static const struct termination_use uses[] = {
    {GENERAL(UNSPECIFIED), "linux-svsm",
     "An exit reported an error in SW_EXITINFO1, or a response in the GHCB MSR had the wrong code.",
     "linux-svsm src/cpu/vc.rs, src/globals.rs"},
    {GENERAL(UNSPECIFIED), "COCONUT-SVSM",
     "The only reason that it gives: a panic (it wipes the VMPCKs of the secrets page before, and "
     "prints its message to the console), an error from the console's port, an abort of its TPM.",
     "COCONUT-SVSM kernel/src/sev/msr_protocol.rs request_termination_msr; kernel/src/svsm.rs, "
     "kernel/src/platform/snp.rs, kernel/src/vtpm/tcgtpm/wrapper.rs"},
    {GENERAL(UNSPECIFIED), "Linux",
     "The protocol could not be agreed on, the boot GHCB could not be set up, a #VC exception "
     "during the boot could not be handled, or a CPUID answer denies SEV.",
     "Linux arch/x86/boot/compressed/sev.c, arch/x86/boot/startup/sev-shared.c, "
     "arch/x86/coco/sev/vc-handle.c, GHCB_SEV_ES_GEN_REQ"},
    {GENERAL(UNSPECIFIED), "edk2 (OVMF)",
     "A response in the GHCB MSR had the wrong code, another GHCB was registered than the one "
     "asked "
     "for, a page state change, PVALIDATE or a call of the SVSM failed.",
     "edk2 OvmfPkg/Sec/AmdSev.c, OvmfPkg/Library/BaseMemEncryptSevLib, "
     "OvmfPkg/Library/AmdSvsmLib, GHCB_TERMINATE_GHCB_GENERAL"},

    {GENERAL(PROTOCOL), "linux-svsm", "The hypervisor's range of versions does not contain 2.",
     "linux-svsm src/cpu/vc.rs vc_establish_protocol"},
    {GENERAL(PROTOCOL), "Linux",
     "The hypervisor's range of versions has none in common with the kernel's.",
     "Linux arch/x86/include/asm/sev-common.h, GHCB_SEV_ES_PROT_UNSUPPORTED"},
    {GENERAL(PROTOCOL), "edk2 (OVMF)",
     "The hypervisor's range of versions is empty or has none in common with OVMF's; or its "
     "features lack SNP, for which OVMF gives this code, too.",
     "edk2 OvmfPkg/Sec/AmdSev.c SevEsProtocolCheck, GHCB_TERMINATE_GHCB_PROTOCOL"},

    {GENERAL(SNP_FEATURES), "linux-svsm",
     "The hypervisor's features lack SNP, AP creation or the APIC ID list (bits 0, 1, 4).",
     "linux-svsm src/cpu/vc.rs"},
    {GENERAL(SNP_FEATURES), "Linux",
     "The hypervisor's features lack SNP, the blob in which the firmware hands over the pages of "
     "SNP is damaged, or the kernel aborts its SNP boot for another reason.",
     "Linux arch/x86/boot/compressed/sev.c, arch/x86/coco/sev/core.c, GHCB_SNP_UNSUPPORTED"},
};

const struct termination_use *termination_use_at(uint8_t set, uint8_t code, size_t index)
{
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        if (uses[i].set == set && uses[i].code == code && index-- == 0) {
            return &uses[i];
        }
    }
    return NULL;
}
