/* SPDX-License-Identifier: MIT */
/* Talking to the hypervisor: the GHCB MSR, the GHCB page, and asking for one's own end. */
#ifndef SVSM_VC_H
#define SVSM_VC_H

#include "failure.h"
#include "ghcb.h"
#include "svsm.h"

struct id_vector;
struct vmsa;

#pragma GCC visibility push(hidden)

/* vc.c */
void vc_init(void);
struct ghcb *vc_get_ghcb(void);
void vc_register_ghcb(u64 gpa);
_Noreturn void vc_terminate(u64 reason_set, u64 reason_code);

/* version.c: of the version answer, what is neither its code nor the two versions. */
void vc_check_version_rest(u64 response);

/* exit.c: one exit. The caller has stored and marked its inputs, and reads its outputs. */
void vc_perform_vmgexit(struct ghcb *ghcb, u64 code, u64 info1, u64 info2);

/* vcpu.c */
void vc_ap_create(const struct vmsa *vmsa, u64 vmsa_gpa, u32 apic_id);
void vc_run_vmpl(u64 vmpl);

/* port.c, port_in.c */
void vc_outb(u16 port, u8 value);
void vc_outw(u16 port, u16 value);
void vc_outl(u16 port, u32 value);
u8 vc_inb(u16 port);

/* cpuid.c; cpuid_exit.c has the exit */
struct cpuid_regs {
    u32 eax, ebx, ecx, edx;
};
void vc_cpuid(u32 leaf, u32 subleaf, struct cpuid_regs *regs);
void vc_cpuid_vmgexit(u32 leaf, u32 subleaf, struct cpuid_regs *regs);

/* psc.c: ranges are guest physical, 4 KiB aligned, end excluded. */
void vc_make_pages_shared(u64 begin, u64 end);
void vc_make_pages_private(u64 begin, u64 end);
void vc_early_make_pages_private(u64 begin, u64 end);

/* apic_ids.c */
void vc_get_apic_ids(u32 bsp_apic_id, struct id_vector *ids);

#pragma GCC visibility pop

#endif
