/* SPDX-License-Identifier: MIT */
/*
 * Port I/O through the GHCB, one value at a time: output. port_in.c has input.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs.
 */
#include "port.h"
#include "vc.h"

static void port_out(u64 info1, u64 value)
{
    struct ghcb *ghcb = vc_get_ghcb();

    ghcb_set(ghcb, GHCB_RAX, value);
    vc_perform_vmgexit(ghcb, NAE_IOIO, info1, 0);
    ghcb_clear(ghcb);
}

void vc_outb(u16 port, u8 value)
{
    port_out(PORT(port, IOIO_SIZE_8), value);
}

void vc_outw(u16 port, u16 value)
{
    port_out(PORT(port, IOIO_SIZE_16), value);
}

void vc_outl(u16 port, u32 value)
{
    port_out(PORT(port, IOIO_SIZE_32), value);
}
