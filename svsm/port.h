/* SPDX-License-Identifier: MIT */
/* SW_EXITINFO1 of a port access. The address size is always given as 64 bits. */
#ifndef SVSM_PORT_H
#define SVSM_PORT_H

#include "abi/nae.h"

#define PORT(port, size) ((u64)(port) << IOIO_PORT_SHIFT | IOIO_ADDR_64 | (size))

#endif
