/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SNPEMU_TRAP_DISASSEMBLE_H
#define SNPEMU_TRAP_DISASSEMBLE_H

#include <stddef.h>
#include <stdint.h>

/* The instruction as text, in the syntax of its maker; "?" where there is none. code_bits: 16, 32
   or 64. */
void disassemble(const uint8_t *bytes, size_t size_bytes, unsigned code_bits, uint64_t rip,
                 char *text, size_t size);

#endif
