/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/port.h"

#include "ghcb/fw_cfg.h"
#include "ghcb/uart.h"

static bool serial_read(struct port_access *access)
{
    if (access->size_bytes != 1) {
        return false;
    }
    access->value = uart_read(&access->hypervisor->state.uart, access->port);
    return true;
}

static bool serial_write(struct port_access *access)
{
    if (access->size_bytes != 1) {
        return false;
    }
    uart_write(&access->hypervisor->state.uart, access->port, (uint8_t)access->value,
               access->reply);
    return true;
}

static bool firmware_read(struct port_access *access)
{
    return fw_cfg_read(access->hypervisor, access->port, access->size_bytes, &access->value,
                       access->reply);
}

static bool firmware_write(struct port_access *access)
{
    return fw_cfg_write(access->hypervisor, access->port, access->size_bytes, access->value,
                        access->reply);
}

const struct port_row port_rows[] = {
    {"serial", UART_PORT, UART_PORT + UART_PORT_COUNT - 1,
     "National Semiconductor PC16550D data sheet, section 8", serial_read, serial_write},
    {"fw_cfg", FW_CFG_PORT_SELECTOR, FW_CFG_PORT_DMA_END - 1, "QEMU docs/specs/fw_cfg.rst",
     firmware_read, firmware_write},
};
const size_t port_row_count = sizeof(port_rows) / sizeof(port_rows[0]);

static const struct port_row *port_find(uint16_t port)
{
    for (size_t i = 0; i < port_row_count; i++) {
        if (port >= port_rows[i].first && port <= port_rows[i].last) {
            return &port_rows[i];
        }
    }
    return NULL;
}

static bool port_missing(const struct port_access *access)
{
    reply_unmodelled(access->reply, "port 0x%x, %u byte(s): no device is modelled there",
                     access->port, access->size_bytes);
    return false;
}

bool port_read(struct port_access *access)
{
    const struct port_row *row = port_find(access->port);

    return (row && row->read(access)) || port_missing(access);
}

bool port_write(struct port_access *access)
{
    const struct port_row *row = port_find(access->port);

    return (row && row->write(access)) || port_missing(access);
}
