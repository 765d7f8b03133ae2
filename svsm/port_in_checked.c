/* SPDX-License-Identifier: MIT */
/*
 * The repaired twin of port_in.c: RAX is not passed, so its mark is the hypervisor's. Linux
 * arch/x86/kvm/svm/sev.c, sev_es_validate_vmgexit, wants it for output alone.
 */
#include "port.h"
#include "vc.h"

u8 vc_inb(u16 port)
{
    struct ghcb *ghcb = vc_get_ghcb();
    u8 value;

    vc_perform_vmgexit(ghcb, NAE_IOIO, PORT(port, IOIO_SIZE_8) | IOIO_IN, 0);
    if (!ghcb_is_valid(ghcb, GHCB_RAX)) {
        vc_fail(SVSM_FAIL_PORT_UNMARKED);
    }
    value = (u8)ghcb_get(ghcb, GHCB_RAX);
    ghcb_clear(ghcb);
    return value;
}
