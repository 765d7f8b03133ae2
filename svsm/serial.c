/* SPDX-License-Identifier: MIT */
/*
 * A 16550 through the GHCB, no status polling: the hypervisor takes each byte as it comes.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/util/serial.rs (its verbose build).
 */
#include "serial.h"

#include "vc.h"

#define PORT 0x3f8
#define DATA (PORT + 0)
#define INTERRUPT_ENABLE (PORT + 1)
#define FIFO_CONTROL (PORT + 2)
#define LINE_CONTROL (PORT + 3)
#define MODEM_CONTROL (PORT + 4)
/* While LINE_CONTROL's top bit is set. */
#define DIVISOR_LOW (PORT + 0)
#define DIVISOR_HIGH (PORT + 1)

#define LINE_8N1 0x03
#define LINE_DIVISOR 0x80
#define MODEM_DTR_RTS 0x03
#define DIVISOR_115200 1

void serial_init(void)
{
    u8 line;

    vc_outb(INTERRUPT_ENABLE, 0);
    vc_outb(FIFO_CONTROL, 0);
    vc_outb(LINE_CONTROL, LINE_8N1);
    vc_outb(MODEM_CONTROL, MODEM_DTR_RTS);

    line = vc_inb(LINE_CONTROL);
    vc_outb(LINE_CONTROL, line | LINE_DIVISOR);
    vc_outb(DIVISOR_LOW, DIVISOR_115200);
    vc_outb(DIVISOR_HIGH, 0);
    vc_outb(LINE_CONTROL, line);
}

void serial_out(const char *string)
{
    for (; *string != '\0'; string++) {
        vc_outb(DATA, (u8)*string);
    }
}
