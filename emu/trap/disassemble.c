/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/disassemble.h"

#include <Zydis/Zydis.h>
#include <stdio.h>

void disassemble(const uint8_t *bytes, size_t size_bytes, unsigned code_bits, uint64_t rip,
                 char *text, size_t size)
{
    ZydisMachineMode mode = code_bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                            : code_bits == 32 ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32
                                              : ZYDIS_MACHINE_MODE_LONG_COMPAT_16;
    ZydisDisassembledInstruction insn;

    snprintf(text, size, "?");
    if (ZYAN_SUCCESS(ZydisDisassembleIntel(mode, rip, bytes, size_bytes, &insn))) {
        snprintf(text, size, "%s", insn.text);
    }
}
