/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The serial port at 0x3F8: as much of a 16550 as a guest can see that polls it. It is always ready
 * to transmit, has no input but its own in loopback, and raises no interrupts.
 *
 * Source: National Semiconductor PC16550D data sheet, section 8 (registers).
 */
#ifndef SNPEMU_GHCB_UART_H
#define SNPEMU_GHCB_UART_H

#include <stdbool.h>
#include <stdint.h>

#include "ghcb/reply.h"

#define UART_PORT 0x3F8
#define UART_PORT_COUNT 8

struct uart {
    uint8_t ier, lcr, mcr, scr, dll, dlm, fcr;
    uint8_t rbr;     /* the byte that came back in loopback */
    uint8_t has_rbr; /* 1: it was not read yet */
};

bool uart_has(uint16_t port);
/* Reading takes a received byte away. */
uint8_t uart_read(struct uart *uart, uint16_t port);
/* A transmitted byte becomes a REPLY_CONSOLE action, but in loopback. */
void uart_write(struct uart *uart, uint16_t port, uint8_t value, struct reply *reply);

#endif
