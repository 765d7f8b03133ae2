/* SPDX-License-Identifier: MIT */
/*
 * Port I/O through the GHCB, one value at a time. The address size is always given as 64 bits.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs.
 */
#include "abi/nae.h"
#include "vc.h"

#define PORT(port, size) ((u64)(port) << IOIO_PORT_SHIFT | IOIO_ADDR_64 | (size))

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

u8 vc_inb(u16 port)
{
    struct ghcb *ghcb = vc_get_ghcb();
    u8 value;

    ghcb_set(ghcb, GHCB_RAX, 0);
    vc_perform_vmgexit(ghcb, NAE_IOIO, PORT(port, IOIO_SIZE_8) | IOIO_IN, 0);
    if (!ghcb_is_valid(ghcb, GHCB_RAX)) {
        vc_terminate_svsm_resp_invalid();
    }
    value = (u8)ghcb_get(ghcb, GHCB_RAX);
    ghcb_clear(ghcb);
    return value;
}
