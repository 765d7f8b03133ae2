/* SPDX-License-Identifier: MIT */
/* Instructions as functions: cpu.S. */
#ifndef SVSM_CPU_H
#define SVSM_CPU_H

#include "svsm.h"

#pragma GCC visibility push(hidden)

u64 rdmsr(u32 msr);
void wrmsr(u32 msr, u64 value);
void vc_vmgexit(void);

/* RMP_SUCCESS, RMP_FAIL_*, or one of the two below. Sizes are RMP_SIZE_*. */
u32 pvalidate(u64 va, u32 size, u32 validate);
u32 rmpadjust(u64 va, u32 size, u64 attributes);

#define PVALIDATE_UNCHANGED 0x10 /* done, but the page was in that state before */
#define PVALIDATE_BAD_RESULT 0x11

#define PVALIDATE_RESCIND 0
#define PVALIDATE_VALIDATE 1

/* Every CPU forgets the translations of this guest; done when tlbsync returns. */
void invlpgb_all(void);
void tlbsync(void);

void halt(void);
void cpu_pause(void);

/* Exception entries, named in idt.c only. They call the handler without "entry_". */
void entry_df_handler(void);
void entry_gp_handler(void);
void entry_pf_handler(void);
void entry_vc_handler(void);

#pragma GCC visibility pop

#endif
