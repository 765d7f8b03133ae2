/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/disassemble.h"

#include <Zydis/Zydis.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The disassembler takes it for VMMCALL with a prefix. AMD APM Vol 3 (24594), VMGEXIT. */
static bool is_vmgexit(const uint8_t *bytes, size_t size_bytes)
{
    static const uint8_t vmmcall[] = {0x0F, 0x01, 0xD9};

    return size_bytes > sizeof(vmmcall) && (bytes[0] == 0xF2 || bytes[0] == 0xF3) &&
           memcmp(bytes + 1, vmmcall, sizeof(vmmcall)) == 0;
}

void disassemble(const uint8_t *bytes, size_t size_bytes, unsigned code_bits, uint64_t rip,
                 char *text, size_t size)
{
    ZydisMachineMode mode = code_bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                            : code_bits == 32 ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32
                                              : ZYDIS_MACHINE_MODE_LONG_COMPAT_16;
    ZydisDisassembledInstruction insn;

    snprintf(text, size, "?");
    if (is_vmgexit(bytes, size_bytes)) {
        snprintf(text, size, "vmgexit");
    } else if (ZYAN_SUCCESS(ZydisDisassembleIntel(mode, rip, bytes, size_bytes, &insn))) {
        snprintf(text, size, "%s", insn.text);
    }
}
