/* SPDX-License-Identifier: MIT */
/*
 * The VM save area: where the processor keeps a vCPU's registers, at one VMPL, while it does not
 * run. One page of the guest's private memory. All values are little endian.
 *
 * Source: Linux arch/x86/include/asm/svm.h struct sev_es_save_area; coconut-svsm/svsm
 * cpuarch/src/vmsa.rs. Names as in AMD APM Vol 2 (24593) appendix B, table B-4.
 */
#ifndef SNPEMU_ABI_VMSA_H
#define SNPEMU_ABI_VMSA_H

#define VMSA_SIZE 4096

/* Segments: u16 selector, u16 attributes, u32 limit, u64 base. */
#define VMSA_ES 0x000
#define VMSA_CS 0x010
#define VMSA_SS 0x020
#define VMSA_DS 0x030
#define VMSA_FS 0x040
#define VMSA_GS 0x050
#define VMSA_GDTR 0x060 /* limit and base alone */
#define VMSA_LDTR 0x070
#define VMSA_IDTR 0x080 /* limit and base alone */
#define VMSA_TR 0x090
#define VMSA_SEGMENT_SIZE 0x10
#define VMSA_SEGMENT_SELECTOR 0x0
#define VMSA_SEGMENT_ATTRIBUTES 0x2 /* 7:0 descriptor byte 5; 11:8 AVL, L, D/B, G */
#define VMSA_SEGMENT_LIMIT 0x4
#define VMSA_SEGMENT_BASE 0x8

#define VMSA_VMPL 0x0CA /* u8 */
#define VMSA_CPL 0x0CB  /* u8 */
#define VMSA_EFER 0x0D0
#define VMSA_XSS 0x140
#define VMSA_CR4 0x148
#define VMSA_CR3 0x150
#define VMSA_CR0 0x158
#define VMSA_DR7 0x160
#define VMSA_DR6 0x168
#define VMSA_RFLAGS 0x170
#define VMSA_RIP 0x178
#define VMSA_DR0 0x180
#define VMSA_DR1 0x188
#define VMSA_DR2 0x190
#define VMSA_DR3 0x198
#define VMSA_RSP 0x1D8
#define VMSA_RAX 0x1F8
#define VMSA_STAR 0x200
#define VMSA_LSTAR 0x208
#define VMSA_CSTAR 0x210
#define VMSA_SFMASK 0x218
#define VMSA_KERNEL_GS_BASE 0x220
#define VMSA_SYSENTER_CS 0x228
#define VMSA_SYSENTER_ESP 0x230
#define VMSA_SYSENTER_EIP 0x238
#define VMSA_CR2 0x240
#define VMSA_G_PAT 0x268
#define VMSA_TSC_AUX 0x2EC /* u32 */
#define VMSA_RCX 0x308
#define VMSA_RDX 0x310
#define VMSA_RBX 0x318
#define VMSA_RBP 0x328
#define VMSA_RSI 0x330
#define VMSA_RDI 0x338
#define VMSA_R8 0x340
#define VMSA_R9 0x348
#define VMSA_R10 0x350
#define VMSA_R11 0x358
#define VMSA_R12 0x360
#define VMSA_R13 0x368
#define VMSA_R14 0x370
#define VMSA_R15 0x378

/* Written at each automatic exit. APM Vol 2 15.36.9. */
#define VMSA_GUEST_EXITINFO1 0x390
#define VMSA_GUEST_EXITINFO2 0x398
#define VMSA_GUEST_EXITINTINFO 0x3A0
#define VMSA_GUEST_NRIP 0x3A8
#define VMSA_SEV_FEATURES 0x3B0
#define VMSA_VINTR_CTRL 0x3B8
#define VMSA_GUEST_EXITCODE 0x3C0
#define VMSA_VIRTUAL_TOM 0x3C8
#define VMSA_EVENT_INJ 0x3E0
#define VMSA_XCR0 0x3E8

/* x87 and SSE state. */
#define VMSA_X87_DP 0x400
#define VMSA_MXCSR 0x408 /* u32 */
#define VMSA_X87_FTW 0x40C
#define VMSA_X87_FSW 0x40E
#define VMSA_X87_FCW 0x410
#define VMSA_X87_FOP 0x412
#define VMSA_X87_DS 0x414
#define VMSA_X87_CS 0x416
#define VMSA_X87_RIP 0x418
#define VMSA_FPREG_X87 0x420
#define VMSA_FPREG_X87_SIZE 80
#define VMSA_FPREG_XMM 0x470
#define VMSA_FPREG_XMM_SIZE 256

/* GUEST_EXITCODE. APM Vol 2 appendix C. */
#define VMEXIT_INTR 0x060ULL
#define VMEXIT_PAUSE 0x077ULL
#define VMEXIT_HLT 0x078ULL
#define VMEXIT_NPF 0x400ULL
#define VMEXIT_VMGEXIT 0x403ULL

#endif
