/* SPDX-License-Identifier: MIT */
/*
 * How the guest asks. RAX: protocol in 63:32, call in 31:0; arguments in RCX, RDX, R8. A byte in
 * the calling area says that a call is pending; the guest then asks the hypervisor for VMPL0. The
 * result is in RAX.
 *
 * Source: AMD 58019 as implemented by AMDESE/linux-svsm a2d150f959ed (src/protocols) and
 * coconut-svsm/svsm (kernel/src/protocols).
 */
#ifndef SVSM_PROTOCOL_H
#define SVSM_PROTOCOL_H

#include "svsm.h"
#include "vmsa.h"

#define GUEST_VMPL 1 /* the one that is served */

#define PROTOCOL_CORE 0
#define CORE_PROTOCOL_VERSION 1

/* Results. */
#define CALL_SUCCESS 0x00000000
#define CALL_UNSUPPORTED_PROTOCOL 0x80000001
#define CALL_UNSUPPORTED_CALL 0x80000002
#define CALL_INVALID_ADDRESS 0x80000003
#define CALL_INVALID_PARAMETER 0x80000005
#define CALL_INVALID_REQUEST 0x80000006
#define CALL_BUSY 0x80000007
#define CALL_INSTRUCTION_STATUS 0x80001000 /* + status of PVALIDATE or RMPADJUST */
#define CALL_IN_USE (CALL_INSTRUCTION_STATUS + RMP_FAIL_INUSE)

/* RMPADJUST, RDX, with a VMPL to be added. */
#define ATTRIBUTES_NONE 0
#define ATTRIBUTES_READ (RMP_PERM_READ << RMPADJUST_PERM_SHIFT)
#define ATTRIBUTES_READ_VMSA (ATTRIBUTES_READ | RMPADJUST_VMSA)
#define ATTRIBUTES_ALL                                                                             \
    ((RMP_PERM_READ | RMP_PERM_WRITE | RMP_PERM_EXEC_USER | RMP_PERM_EXEC_SUPER)                   \
     << RMPADJUST_PERM_SHIFT)

#pragma GCC visibility push(hidden)

/* request.c: serve what the guest on this CPU asks for, and let it run; for ever. */
_Noreturn void request_loop(void);

/*
 * Below, each handles one call: arguments are in the VMSA, which the guest can neither run nor
 * change meanwhile. Returns the result. One CPU at a time is in here (request.c).
 */
u64 core_handle(u32 call, struct vmsa *vmsa); /* core.c */
u64 core_pvalidate(struct vmsa *vmsa);        /* core_pvalidate.c */
u64 core_create_vcpu(struct vmsa *vmsa);      /* core_vcpu.c */
u64 core_delete_vcpu(struct vmsa *vmsa);

/* core.c: may the guest name this range? It is its own, and no VMSA. */
bool core_range_valid(u64 gpa, u64 size_bytes);
/* No VMPL but 0 may touch the page. RMP_SUCCESS, or what RMPADJUST said. */
u32 core_revoke(u64 va, u32 size);
/* After permissions were reduced: no CPU may go on with what it remembers. */
void core_flush(void);

#pragma GCC visibility pop

#endif
