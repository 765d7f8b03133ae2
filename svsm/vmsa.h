/* SPDX-License-Identifier: MIT */
/*
 * The save area of a virtual CPU at one VMPL, as far as this guest writes or reads it: the layout
 * of abi/vmsa.h with types.
 */
#ifndef SVSM_VMSA_H
#define SVSM_VMSA_H

#include "abi/vmsa.h"
#include "svsm.h"

struct vmsa_segment {
    u16 selector;
    u16 attributes; /* descriptor byte 5 in 7:0; AVL, L, D/B, G in 11:8 */
    u32 limit;
    u64 base;
};

struct vmsa {
    struct vmsa_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    u8 reserved_0a0[42];
    u8 vmpl;
    u8 cpl;
    u8 reserved_0cc[4];
    u64 efer;
    u8 reserved_0d8[104];
    u64 xss, cr4, cr3, cr0, dr7, dr6, rflags, rip;
    u8 reserved_180[88];
    u64 rsp;
    u8 reserved_1e0[24];
    u64 rax;
    u8 reserved_200[104];
    u64 g_pat;
    u8 reserved_270[152];
    u64 rcx, rdx, rbx;
    u64 reserved_320;
    u64 rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
    u8 reserved_380[48];
    u64 sev_features;
    u64 vintr_ctrl;
    u64 guest_exitcode;
    u64 virtual_tom;
    u8 reserved_3d0[24];
    u64 xcr0;
    u8 reserved_3f0[24];
    u32 mxcsr;
    u16 x87_ftw, x87_fsw, x87_fcw;
    u8 reserved_412[PAGE_SIZE - 0x412];
};
_Static_assert(offsetof(struct vmsa, vmpl) == VMSA_VMPL, "abi/vmsa.h");
_Static_assert(offsetof(struct vmsa, efer) == VMSA_EFER, "abi/vmsa.h");
_Static_assert(offsetof(struct vmsa, rip) == VMSA_RIP, "abi/vmsa.h");
_Static_assert(offsetof(struct vmsa, rax) == VMSA_RAX, "abi/vmsa.h");
_Static_assert(offsetof(struct vmsa, g_pat) == VMSA_G_PAT, "abi/vmsa.h");
_Static_assert(offsetof(struct vmsa, rcx) == VMSA_RCX, "abi/vmsa.h");
_Static_assert(offsetof(struct vmsa, r15) == VMSA_R15, "abi/vmsa.h");
_Static_assert(offsetof(struct vmsa, sev_features) == VMSA_SEV_FEATURES, "abi/vmsa.h");
_Static_assert(offsetof(struct vmsa, guest_exitcode) == VMSA_GUEST_EXITCODE, "abi/vmsa.h");
_Static_assert(offsetof(struct vmsa, xcr0) == VMSA_XCR0, "abi/vmsa.h");
_Static_assert(offsetof(struct vmsa, x87_fcw) == VMSA_X87_FCW, "abi/vmsa.h");
_Static_assert(sizeof(struct vmsa) == VMSA_SIZE, "abi/vmsa.h");

#pragma GCC visibility push(hidden)

/* A frame that may become a VMSA, zeroed. Does not return without memory. */
u64 vmsa_allocate(void);

/*
 * A VMSA can be run while its EFER.SVME is set. Both change that bit in one atomic step; false if
 * EFER changed in between.
 */
bool vmsa_forbid_run(struct vmsa *vmsa);
bool vmsa_allow_run(struct vmsa *vmsa);

#pragma GCC visibility pop

#endif
