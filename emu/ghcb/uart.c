/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/uart.h"

#define LCR_DLAB 0x80
#define LSR_DATA_READY 0x01
#define LSR_TRANSMITTER_EMPTY 0x60 /* holding register and shift register */
#define IIR_NO_INTERRUPT 0x01
#define IIR_FIFOS 0xC0
#define FCR_ENABLE 0x01
#define IER_MASK 0x0F
#define MCR_MASK 0x1F
#define MCR_LOOPBACK 0x10
#define MSR_CONNECTED 0xB0 /* carrier, data set ready, clear to send: QEMU hw/char/serial.c */

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

/* In loopback DTR, RTS, OUT1, OUT2 come back as DSR, CTS, RI, DCD. Section 8.6.7. */
static uint8_t uart_modem_status(const struct uart *uart)
{
    static const struct {
        uint8_t out, in;
    } wires[] = {{0x01, 0x20}, {0x02, 0x10}, {0x04, 0x40}, {0x08, 0x80}};
    uint8_t status = 0;

    if (!(uart->mcr & MCR_LOOPBACK)) {
        return MSR_CONNECTED;
    }
    for (unsigned i = 0; i < sizeof(wires) / sizeof(wires[0]); i++) {
        status |= uart->mcr & wires[i].out ? wires[i].in : 0;
    }
    return status;
}

uint8_t uart_read(struct uart *uart, uint16_t port)
{
    bool dlab = uart->lcr & LCR_DLAB;
    const uint8_t value[UART_PORT_COUNT] = {
        [UART_DATA] = dlab ? uart->dll : uart->rbr,
        [UART_IER] = dlab ? uart->dlm : uart->ier,
        [UART_IIR] = (uint8_t)(IIR_NO_INTERRUPT | (uart->fcr & FCR_ENABLE ? IIR_FIFOS : 0)),
        [UART_LCR] = uart->lcr,
        [UART_MCR] = uart->mcr,
        [UART_LSR] = (uint8_t)(LSR_TRANSMITTER_EMPTY | (uart->has_rbr ? LSR_DATA_READY : 0)),
        [UART_MSR] = uart_modem_status(uart),
        [UART_SCR] = uart->scr,
    };

    if (port == UART_PORT + UART_DATA && !dlab) {
        uart->has_rbr = 0;
    }
    return value[port - UART_PORT];
}

static void uart_transmit(struct uart *uart, uint8_t value, struct reply *reply)
{
    if (uart->mcr & MCR_LOOPBACK) {
        uart->rbr = value;
        uart->has_rbr = 1;
    } else {
        reply_console(reply, &value, 1);
    }
}

void uart_write(struct uart *uart, uint16_t port, uint8_t value, struct reply *reply)
{
    bool dlab = uart->lcr & LCR_DLAB;
    uint8_t ignored;
    const struct {
        uint8_t *place;
        uint8_t mask;
    } row[UART_PORT_COUNT] = {
        [UART_DATA] = {dlab ? &uart->dll : &ignored, 0xFF},
        [UART_IER] = {dlab ? &uart->dlm : &uart->ier, dlab ? 0xFF : IER_MASK},
        [UART_IIR] = {&uart->fcr, 0xFF},
        [UART_LCR] = {&uart->lcr, 0xFF},
        [UART_MCR] = {&uart->mcr, MCR_MASK},
        [UART_LSR] = {&ignored, 0xFF},
        [UART_MSR] = {&ignored, 0xFF},
        [UART_SCR] = {&uart->scr, 0xFF},
    };

    *row[port - UART_PORT].place = value & row[port - UART_PORT].mask;
    if (port == UART_PORT + UART_DATA && !dlab) {
        uart_transmit(uart, value, reply);
    }
}
