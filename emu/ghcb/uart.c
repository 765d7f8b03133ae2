/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/uart.h"

#define LCR_DLAB 0x80
#define LSR_TRANSMITTER_EMPTY 0x60 /* holding register and shift register */
#define IIR_NO_INTERRUPT 0x01

enum uart_register {
    UART_DATA, /* RBR, THR; DLL with DLAB */
    UART_IER,  /* DLM with DLAB */
    UART_IIR,  /* FCR when written */
    UART_LCR,
    UART_MCR,
    UART_LSR,
    UART_MSR,
    UART_SCR,
};

bool uart_has(uint16_t port)
{
    return port >= UART_PORT && port < UART_PORT + UART_PORT_COUNT;
}

uint8_t uart_read(const struct uart *uart, uint16_t port)
{
    bool dlab = uart->lcr & LCR_DLAB;
    const uint8_t value[UART_PORT_COUNT] = {
        [UART_DATA] = dlab ? uart->dll : 0,
        [UART_IER] = dlab ? uart->dlm : uart->ier,
        [UART_IIR] = IIR_NO_INTERRUPT,
        [UART_LCR] = uart->lcr,
        [UART_MCR] = uart->mcr,
        [UART_LSR] = LSR_TRANSMITTER_EMPTY,
        [UART_MSR] = 0,
        [UART_SCR] = uart->scr,
    };

    return value[port - UART_PORT];
}

void uart_write(struct uart *uart, uint16_t port, uint8_t value, struct reply *reply)
{
    bool dlab = uart->lcr & LCR_DLAB;
    uint8_t ignored;
    uint8_t *const place[UART_PORT_COUNT] = {
        [UART_DATA] = dlab ? &uart->dll : &ignored,
        [UART_IER] = dlab ? &uart->dlm : &uart->ier,
        [UART_IIR] = &uart->fcr,
        [UART_LCR] = &uart->lcr,
        [UART_MCR] = &uart->mcr,
        [UART_LSR] = &ignored,
        [UART_MSR] = &ignored,
        [UART_SCR] = &uart->scr,
    };

    *place[port - UART_PORT] = value;
    if (port == UART_PORT + UART_DATA && !dlab) {
        reply_console(reply, &value, 1);
    }
}
