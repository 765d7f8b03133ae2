/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Port I/O with its string forms, and memory-mapped I/O. Source of the order of checks: Linux
 * arch/x86/kvm/svm/sev.c sev_es_string_io, sev_handle_vmgexit.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/mmio.h"
#include "ghcb/nae.h"
#include "ghcb/port.h"

/* ---- ports ---- */

/* Bytes of one element; 0 when the size field does not name one size. */
static uint8_t io_size(const struct exit *exit)
{
    static const uint8_t sizes[IOIO_SIZE_MASK + 1] = {[1] = 1, [2] = 2, [4] = 4};

    return sizes[(exit_field(exit, FIELD_INFO1) >> IOIO_SIZE_SHIFT) & IOIO_SIZE_MASK];
}

static bool io_is(const struct exit *exit, uint64_t flag)
{
    return exit_field(exit, FIELD_INFO1) & flag;
}

uint64_t nae_scratch_port_io(const struct exit *exit)
{
    uint64_t count = exit_field(exit, FIELD_INFO2);

    return io_is(exit, IOIO_STRING) && count <= INT_MAX ? count * io_size(exit) : 0;
}

static void io_string(struct port_access *access, const struct exit *exit)
{
    uint64_t count = exit_field(exit, FIELD_INFO2);
    uint8_t size = access->size_bytes;
    uint8_t data[EXIT_SCRATCH_MAX];

    if (count > INT_MAX || count * size > INT_MAX) {
        reply_fail(access->reply, "string port i/o of 0x%llx elements", (unsigned long long)count);
        return;
    }
    if (!nae_scratch_ok(exit, count * size, access->reply)) {
        return;
    }
    for (uint64_t i = 0; i < count && access->reply->resume == REPLY_RESUME; i++) {
        if (io_is(exit, IOIO_IN)) {
            port_read(access);
            memcpy(data + i * size, &access->value, size);
        } else {
            access->value = 0;
            memcpy(&access->value, exit->scratch + i * size, size);
            port_write(access);
        }
    }
    if (io_is(exit, IOIO_IN) && access->reply->resume == REPLY_RESUME) {
        reply_write(access->reply, exit->scratch_gpa, data, count * size);
    }
}

static void io_single(struct port_access *access, const struct exit *exit)
{
    static const uint32_t masks[] = {[1] = 0xFF, [2] = 0xFFFF, [4] = 0xFFFFFFFF};

    if (io_is(exit, IOIO_IN)) {
        if (port_read(access)) {
            reply_set(access->reply, FIELD_RAX, access->value);
        }
    } else if (!exit_marked(exit, FIELD_RAX)) {
        reply_malformed(access->reply, GHCB_ERR_MISSING_INPUT);
    } else {
        access->value = (uint32_t)exit_field(exit, FIELD_RAX) & masks[access->size_bytes];
        port_write(access);
    }
}

void nae_answer_port_io(struct hypervisor *hypervisor, const struct exit *exit, struct reply *reply)
{
    struct port_access access = {
        .hypervisor = hypervisor,
        .reply = reply,
        .port = (uint16_t)(exit_field(exit, FIELD_INFO1) >> IOIO_PORT_SHIFT),
        .size_bytes = io_size(exit),
    };

    if (io_is(exit, IOIO_STRING) && !exit_marked(exit, FIELD_SCRATCH)) {
        reply_malformed(reply, GHCB_ERR_MISSING_INPUT);
    } else if (access.size_bytes == 0) {
        reply->unverified = "port i/o without one operand size";
        reply_malformed(reply, GHCB_ERR_INVALID_INPUT);
    } else if (io_is(exit, IOIO_STRING)) {
        io_string(&access, exit);
    } else {
        io_single(&access, exit);
    }
}

void nae_say_port_io(const struct exit *exit, char *text, size_t size)
{
    unsigned port = (unsigned)(exit_field(exit, FIELD_INFO1) >> IOIO_PORT_SHIFT) & 0xFFFF;

    if (io_is(exit, IOIO_STRING)) {
        snprintf(text, size, "%s 0x%llx element(s) %s port 0x%x",
                 io_is(exit, IOIO_IN) ? "read" : "write",
                 (unsigned long long)exit_field(exit, FIELD_INFO2),
                 io_is(exit, IOIO_IN) ? "from" : "to", port);
    } else if (io_is(exit, IOIO_IN)) {
        snprintf(text, size, "read port 0x%x", port);
    } else {
        snprintf(text, size, "write 0x%x to port 0x%x", (uint32_t)exit_field(exit, FIELD_RAX),
                 port);
    }
}

/* ---- memory-mapped I/O ---- */

uint64_t nae_scratch_info2(const struct exit *exit)
{
    return exit_field(exit, FIELD_INFO2);
}

/* The device's registers; NULL, with the reply filled in, when there is nothing to access. */
static uint8_t *mmio_registers(struct hypervisor *hypervisor, const struct exit *exit,
                               struct reply *reply, const struct mmio_device **device)
{
    uint64_t gpa = exit_field(exit, FIELD_INFO1);
    uint64_t length = exit_field(exit, FIELD_INFO2);

    if (!nae_scratch_ok(exit, length, reply) || length == 0) {
        return NULL;
    }
    *device = mmio_find(&hypervisor->config->mmio, gpa, length);
    if (!*device) {
        reply_unmodelled(reply, "mmio at gpa 0x%llx, 0x%llx byte(s): %s", (unsigned long long)gpa,
                         (unsigned long long)length,
                         hypervisor_has(hypervisor, gpa) ? "it is memory" : "no device is there");
        return NULL;
    }
    return hypervisor->state.mmio.bytes + (*device)->offset + (gpa - (*device)->gpa);
}

void nae_answer_mmio_read(struct hypervisor *hypervisor, const struct exit *exit,
                          struct reply *reply)
{
    const struct mmio_device *device;
    const uint8_t *registers = mmio_registers(hypervisor, exit, reply, &device);

    if (registers) {
        reply_write(reply, exit->scratch_gpa, registers, exit_field(exit, FIELD_INFO2));
    }
}

void nae_answer_mmio_write(struct hypervisor *hypervisor, const struct exit *exit,
                           struct reply *reply)
{
    const struct mmio_device *device;
    uint8_t *registers = mmio_registers(hypervisor, exit, reply, &device);

    if (registers && !device->read_only) {
        memcpy(registers, exit->scratch, exit_field(exit, FIELD_INFO2));
    }
}

static void say_mmio(const struct exit *exit, const char *what, char *text, size_t size)
{
    snprintf(text, size, "%s 0x%llx byte(s) at gpa 0x%llx", what,
             (unsigned long long)exit_field(exit, FIELD_INFO2),
             (unsigned long long)exit_field(exit, FIELD_INFO1));
}

void nae_say_mmio_read(const struct exit *exit, char *text, size_t size)
{
    say_mmio(exit, "read", text, size);
}

void nae_say_mmio_write(const struct exit *exit, char *text, size_t size)
{
    say_mmio(exit, "write", text, size);
}
