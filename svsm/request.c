/* SPDX-License-Identifier: MIT */
/*
 * The request loop of each CPU: the guest runs at VMPL1 until it, or the hypervisor, wants VMPL0.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/svsm_request.rs; but there several
 * CPUs work at once. Here one lock covers all of serving: per-CPU VMSA and calling area, the list
 * of VMSAs, and what a call does to pages. So nothing that was checked changes before it is used,
 * and while a CPU can take the lock, no other is in the middle of a request.
 */
#include "abi/msr.h"
#include "cpu.h"
#include "guest_memory.h"
#include "lock.h"
#include "percpu.h"
#include "protocol.h"
#include "vc.h"
#include "window.h"

static struct lock REQUEST_LOCK;

/* The calling area's first byte. It is the guest's memory: it may be gone. */
static bool call_is_pending(u64 caa_gpa)
{
    u8 pending;

    return guest_read(caa_gpa, &pending, sizeof(pending)) && pending == 1;
}

static void call_is_done(u64 caa_gpa)
{
    const u8 pending = 0;

    guest_write(caa_gpa, &pending, sizeof(pending));
}

static void handle_call(struct vmsa *vmsa)
{
    u32 protocol = (u32)(vmsa->rax >> 32);
    u32 call = (u32)vmsa->rax;

    if (protocol == PROTOCOL_CORE) {
        vmsa->rax = core_handle(call, vmsa);
    } else {
        vmsa->rax = CALL_UNSUPPORTED_PROTOCOL;
    }
}

/* The area is the one in which the call was made, even if the call moves it. */
static void serve_vmsa(struct vmsa *vmsa, u64 caa_gpa)
{
    if (!vmsa_forbid_run(vmsa)) {
        return;
    }
    if (vmsa->guest_exitcode == VMEXIT_VMGEXIT && call_is_pending(caa_gpa)) {
        handle_call(vmsa);
        call_is_done(caa_gpa);
    }
    vmsa_allow_run(vmsa);
}

/* False: this CPU has no VMSA to run. */
static bool serve(void)
{
    u64 vmsa_gpa;

    lock_take(&REQUEST_LOCK);
    vmsa_gpa = percpu_read_u64(PERCPU_VMSA + GUEST_VMPL * sizeof(u64));
    if (vmsa_gpa != 0) {
        u64 caa_gpa = percpu_read_u64(PERCPU_CAA + GUEST_VMPL * sizeof(u64));

        serve_vmsa((struct vmsa *)window_map(WINDOW_VMSA, vmsa_gpa), caa_gpa);
        window_unmap(WINDOW_VMSA);
    }
    lock_release(&REQUEST_LOCK);
    return vmsa_gpa != 0;
}

/* A CPU without a guest halts: the hypervisor wakes it when it has one, or when it likes. */
_Noreturn void request_loop(void)
{
    for (;;) {
        if (serve()) {
            vc_run_vmpl(GUEST_VMPL);
        } else {
            halt();
        }
    }
}
