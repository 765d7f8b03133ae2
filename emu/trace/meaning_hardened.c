/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reasons of our own image svsm-hardened, one for each check, and what svsm says in its place.
 */
#include "trace/meaning_hardened.h"

#include "abi/svsm.h"
#include "abi/svsm_hardened.h"

#define ROW(failure, name, meaning, svsm)                                                          \
    {                                                                                              \
        TERM_SET_SVSM, SVSM_FAIL_##failure, name, meaning "Here svsm says " svsm ".",              \
            "svsm/failure.c, emu/abi/svsm_hardened.h"                                              \
    }

static const struct termination rows[] = {
    ROW(START_CBIT, "the C-bit is elsewhere",
        "Data read through the page tables is not the code that runs: they decrypt with another "
        "bit. ",
        "0xf:0x1"),
    ROW(START_ADDRESS, "not where it was linked",
        "The start code does not run at the address that the image was built for. ", "0xf:0x2"),
    ROW(START_RESCIND, "early GHCB not rescinded",
        "PVALIDATE of the first GHCB page failed or changed nothing. ",
        "an address instead of a reason"),
    ROW(START_SHARE, "early GHCB not shared",
        "The answer to the page state change by MSR is not the one that says it is done. ",
        "an address instead of a reason"),
    ROW(START_RETURNED, "the main function returned", "", "0xf:0x3"),
    ROW(NOT_VMPL0, "not at VMPL0", "The first RMPADJUST failed. ", "0xf:0x9"),
    ROW(VMPL0_FEATURES, "SEV features of VMPL0 not acceptable",
        "SEV_STATUS lacks a feature that is needed or shows one that is not accepted. ", "0xf:0xa"),
    ROW(OWN_ADDRESS, "own memory not aligned or too small", "", "0xf:0x0"),
    ROW(PANIC, "panic",
        "A check of its own failed (overflow, allocator, lock); svsm_panic_message has the text. ",
        "nothing and loops"),
    ROW(DF, "double fault", "Often the stack that is gone: an exception could not be delivered. ",
        "nothing and loops"),
    ROW(GP, "general protection fault", "", "nothing and loops"),
    ROW(PF, "page fault", "", "nothing and loops"),
    ROW(VC, "unhandled #VC",
        "An access to a page that is not validated, or an instruction that exits. ",
        "0xf:0x2, or nothing while its heap is locked"),
    ROW(VERSION_ANSWER, "version answer with another code", "", "0x0:0x0"),
    ROW(VERSION_RESERVED, "version answer with reserved bits", "Bits 23:12 are not zero. ",
        "nothing and goes on"),
    ROW(VERSION_CBIT, "version answer with another C-bit", "Bits 31:24 are not 51. ",
        "nothing and goes on"),
    ROW(VERSION_RANGE, "GHCB version 2 not offered", "", "0x0:0x1"),
    ROW(FEATURES_ANSWER, "feature answer with another code", "", "0x0:0x0"),
    ROW(FEATURES_MISSING, "hypervisor lacks a feature",
        "SNP, AP creation and the APIC ID list are needed (bits 0, 1, 4). ", "0x0:0x2"),
    ROW(REGISTER_ANSWER, "GHCB registration with another code", "", "0xf:0x0"),
    ROW(REGISTER_ADDRESS, "another GHCB was registered", "", "0xf:0x0"),
    ROW(MARKS_KEPT, "the answer left the guest's own marks",
        "SW_EXITCODE is still marked valid, so the valid bitmap is not an answer's. ",
        "nothing and takes its own fields for the answer"),
    ROW(INFO1_UNMARKED, "SW_EXITINFO1 not marked in the answer", "", "0xf:0x6"),
    ROW(INFO1_ERROR, "SW_EXITINFO1 reports an error", "Bits 31:0 of the answer are not zero. ",
        "0x0:0x0"),
    ROW(INFO1_RESERVED, "SW_EXITINFO1 with reserved bits",
        "Bits 63:32 of the answer are not zero. ", "nothing and goes on"),
    ROW(CPUID_UNMARKED, "CPUID answer not complete", "One of RAX, RBX, RCX, RDX is not marked. ",
        "0xf:0x6"),
    ROW(PORT_UNMARKED, "port input without RAX", "", "0xf:0x6"),
    ROW(PSC_UNMARKED, "page state change without SW_EXITINFO2", "", "0xf:0x3"),
    ROW(PSC_REFUSED, "page state change refused", "SW_EXITINFO2 is not zero. ", "0xf:0x3"),
    ROW(PSC_PROGRESS, "page state change without progress",
        "The number of entries done has not grown, or is more than there are. ",
        "nothing and asks again"),
    ROW(PVALIDATE, "PVALIDATE failed", "", "0xf:0x3"),
    ROW(PVALIDATE_UNCHANGED, "PVALIDATE changed nothing", "The page was in that state before. ",
        "0xf:0x3"),
    ROW(NO_MEMORY, "out of memory",
        "More than 32 pages in one piece always fail, so 1025 CPUs end here. ", "0xf:0x1"),
    ROW(NO_TABLE, "no page for a page table", "", "0x0:0x0"),
    ROW(NOT_MAPPED, "page not mapped", "A page to be changed in the own page tables is not there. ",
        "0xf:0x4"),
    ROW(LIST_UNMARKED, "APIC ID list without RAX", "", "0xf:0x6"),
    ROW(LIST_PAGES_NONE, "APIC ID list of no page", "", "nothing and loops"),
    ROW(LIST_PAGES_MAX, "APIC ID list of more than 32 pages", "", "0xf:0x1, or nothing and loops"),
    ROW(LIST_PAGES_CHANGED, "APIC ID list changed its size",
        "The second answer names another number of pages than the first. ", "0xf:0x6"),
    ROW(LIST_EMPTY, "APIC ID list is empty", "", "0xf:0x6"),
    ROW(LIST_COUNT_MAX, "APIC ID list with more than 4096 IDs", "", "0xf:0x6"),
    ROW(LIST_COUNT_ROOM, "APIC ID list with more IDs than were lent room",
        "The count would lead behind the lent pages. ", "nothing and reads on"),
    ROW(LIST_ID_TWICE, "APIC ID twice in the list", "Two CPUs would have one ID. ",
        "nothing and goes on"),
    ROW(LIST_BSP_TWICE, "BSP twice in the APIC ID list", "", "nothing and loops"),
    ROW(LIST_BSP_MISSING, "BSP not in the APIC ID list", "", "nothing and loops"),
    ROW(FW_CFG_SIGNATURE, "fw_cfg signature", "", "0xf:0x7"),
    ROW(FW_CFG_NO_DMA, "fw_cfg without DMA", "", "0xf:0x7"),
    ROW(FW_CFG_FILE_COUNT, "fw_cfg file count", "No file, or more than there are keys. ",
        "0xf:0x7"),
    ROW(FW_CFG_DMA_ERROR, "fw_cfg transfer failed", "", "0xf:0x7"),
    ROW(FW_CFG_DMA_NOT_DONE, "fw_cfg transfer never done",
        "The control word did not say so in 4096 looks. ", "nothing and waits"),
    ROW(FW_CFG_NAME, "fw_cfg file name without end", "", "0xf:0x7"),
    ROW(FW_CFG_NO_FIRMWARE, "fw_cfg without bios_gpa or bios_size", "", "0xf:0x7"),
    ROW(FW_CFG_FIRMWARE_RANGE, "firmware not where it may be",
        "It is empty, overflows, or lies in the memory of the SVSM. ", "0xf:0x7"),
    ROW(AP_VMSA, "RMPADJUST of an AP's VMSA failed", "", "0xf:0x0"),
    ROW(AP_NOT_STARTED, "an AP does not start", "Its creation was accepted, and it has not run. ",
        "nothing and waits"),
    ROW(FIRMWARE_FORMAT, "firmware image format",
        "The GUID table, the metadata or a section that is needed is missing. ", "0xf:0x8"),
    ROW(FIRMWARE_VMPL, "firmware VMSA has the wrong VMPL", "", "0xf:0xb"),
    ROW(FIRMWARE_FEATURES, "SEV features of VMPL1 not acceptable", "", "0xf:0xc"),
    ROW(FIRMWARE_PERMISSIONS, "permissions of the firmware's pages",
        "RMPADJUST of VMSA or calling area failed. ", "0xf:0x0"),
};

const struct termination *termination_hardened_at(size_t index)
{
    return index < sizeof(rows) / sizeof(rows[0]) ? &rows[index] : NULL;
}
