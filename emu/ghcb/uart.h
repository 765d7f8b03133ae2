/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The serial port at 0x3F8: as much of a 16550 as a console that only prints needs. It is always
 * ready to transmit and never has input.
 *
 * Source: National Semiconductor PC16550D data sheet, section 8 (registers).
 */
#ifndef SNPEMU_GHCB_UART_H
#define SNPEMU_GHCB_UART_H

#include <stdbool.h>
#include <stdint.h>

#include "ghcb/hypervisor.h"
#include "ghcb/reply.h"

#define UART_PORT 0x3F8
#define UART_PORT_COUNT 8

bool uart_has(uint16_t port);
uint8_t uart_read(const struct uart *uart, uint16_t port);
/* A transmitted byte becomes a REPLY_CONSOLE action. */
void uart_write(struct uart *uart, uint16_t port, uint8_t value, struct reply *reply);

#endif
