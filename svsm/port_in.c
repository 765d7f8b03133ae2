/* SPDX-License-Identifier: MIT */
/*
 * Input from a port, as published: RAX is passed as 0 although the event does not ask for it, so a
 * hypervisor that leaves the marks alone has answered 0.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs, vc_ioio_in.
 */
#include "port.h"
#include "vc.h"

u8 vc_inb(u16 port)
{
    struct ghcb *ghcb = vc_get_ghcb();
    u8 value;

    ghcb_set(ghcb, GHCB_RAX, 0);
    vc_perform_vmgexit(ghcb, NAE_IOIO, PORT(port, IOIO_SIZE_8) | IOIO_IN, 0);
    if (!ghcb_is_valid(ghcb, GHCB_RAX)) {
        vc_fail(SVSM_FAIL_PORT_UNMARKED);
    }
    value = (u8)ghcb_get(ghcb, GHCB_RAX);
    ghcb_clear(ghcb);
    return value;
}
