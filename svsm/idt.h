/* SPDX-License-Identifier: MIT */
#ifndef SVSM_IDT_H
#define SVSM_IDT_H

#include "svsm.h"

#pragma GCC visibility push(hidden)

void idt_init(void);

/* exceptions.c: what has to be there before the first one; and what the entries of cpu.S call. */
void exceptions_init(void);
_Noreturn void df_handler(u64 rip, u64 error_code);
_Noreturn void gp_handler(u64 rip, u64 error_code);
_Noreturn void pf_handler(u64 rip, u64 error_code);
_Noreturn void vc_handler(u64 rip, u64 error_code);

#pragma GCC visibility pop

#endif
