/* SPDX-License-Identifier: MIT */
/*
 * The core protocol: its calls by number, the small ones, and what the others share.
 *
 * Results as published: AMDESE/linux-svsm a2d150f959ed, src/protocols/core.rs.
 */
#include "cpu.h"
#include "guest_memory.h"
#include "percpu.h"
#include "protocol.h"
#include "vmsa_list.h"

#define CORE_CALL_COUNT 8

bool core_range_valid(u64 gpa, u64 size_bytes)
{
    return guest_range_valid(gpa, size_bytes) && !vmsa_list_overlaps(gpa, size_bytes);
}

u32 core_revoke(u64 va, u32 size)
{
    for (u64 vmpl = GUEST_VMPL; vmpl < VMPL_COUNT; vmpl++) {
        u32 status = guest_rmpadjust(va, size, ATTRIBUTES_NONE | vmpl);

        if (status != RMP_SUCCESS) {
            return status;
        }
    }
    return RMP_SUCCESS;
}

void core_flush(void)
{
    invlpgb_all();
    tlbsync();
}

/*
 * RCX: the new calling area. The published code does not look whether the page is there, and ends
 * in a #VC when it is used.
 */
static u64 core_remap_calling_area(struct vmsa *vmsa)
{
    u64 caa_gpa = vmsa->rcx;
    u8 pending;

    if (caa_gpa % PAGE_SIZE != 0 || !core_range_valid(caa_gpa, PAGE_SIZE) ||
        !guest_read(caa_gpa, &pending, sizeof(pending))) {
        return CALL_INVALID_PARAMETER;
    }
    percpu_write_u64(PERCPU_CAA + GUEST_VMPL * sizeof(u64), caa_gpa);
    return CALL_SUCCESS;
}

/*
 * RCX: protocol in 63:32, version in 31:0. RCX is then the highest and the lowest version known, 0
 * for none. Asked for protocol 1, the published code reads past its table, and panics.
 */
static u64 core_query_protocol(struct vmsa *vmsa)
{
    const u64 known = (u64)PROTOCOL_CORE << 32 | CORE_PROTOCOL_VERSION;
    const u64 versions = (u64)CORE_PROTOCOL_VERSION << 32 | CORE_PROTOCOL_VERSION;

    vmsa->rcx = vmsa->rcx == known ? versions : 0;
    return CALL_SUCCESS;
}

/* RCX: 1 asks whether it can be configured (RCX = 0: no), all else would configure it. */
static u64 core_configure_vtom(struct vmsa *vmsa)
{
    if (vmsa->rcx != 1) {
        return CALL_INVALID_REQUEST;
    }
    vmsa->rcx = 0;
    return CALL_SUCCESS;
}

/* 4 and 5, deposit and withdraw memory: this SVSM needs none. */
static u64 (*const CORE_CALLS[CORE_CALL_COUNT])(struct vmsa *vmsa) = {
    [0] = core_remap_calling_area, [1] = core_pvalidate,      [2] = core_create_vcpu,
    [3] = core_delete_vcpu,        [6] = core_query_protocol, [7] = core_configure_vtom,
};

u64 core_handle(u32 call, struct vmsa *vmsa)
{
    if (call >= CORE_CALL_COUNT || CORE_CALLS[call] == NULL) {
        return CALL_UNSUPPORTED_CALL;
    }
    return CORE_CALLS[call](vmsa);
}
