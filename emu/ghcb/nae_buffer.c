/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What memory the guest lends with an event, and how much of it the event reads: the hypervisor
 * may do with all of it as it likes. Layouts: abi/nae.h, abi/fw_cfg.h.
 */
#include <string.h>

#include "abi/fw_cfg.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/nae.h"
#include "ghcb/table.h"

/* A guest may name more pages than there are addresses. */
static uint64_t pages_size(uint64_t pages)
{
    return pages > UINT64_MAX / PAGE_SIZE ? UINT64_MAX : pages * PAGE_SIZE;
}

size_t nae_buffers_apic_id_list(const struct hypervisor *hypervisor, const struct exit *exit,
                                struct exit_buffer *buffer)
{
    uint64_t pages = exit_field(exit, FIELD_RAX);

    (void)hypervisor;
    if (pages == 0) {
        return 0;
    }
    *buffer = (struct exit_buffer){
        .gpa = exit_field(exit, FIELD_INFO1),
        .size_bytes = pages_size(pages),
    };
    return 1;
}

/* At SW_SCRATCH: the GHCB's own buffer from there on, or as much as the event uses. */
static size_t scratch_buffer(const struct exit *exit, uint64_t used, uint64_t passed,
                             struct exit_buffer *buffer)
{
    if (exit->scratch_size_bytes == 0) {
        return 0;
    }
    *buffer = (struct exit_buffer){
        .gpa = exit->scratch_gpa,
        .size_bytes =
            (exit->scratch_gpa & ~PAGE_MASK) == exit->ghcb_gpa ? exit->scratch_size_bytes : used,
        .passed_bytes = passed,
    };
    return 1;
}

size_t nae_buffers_page_state_change(const struct hypervisor *hypervisor, const struct exit *exit,
                                     struct exit_buffer *buffer)
{
    uint64_t used = PSC_HEADER_SIZE;
    uint16_t end;

    (void)hypervisor;
    if (exit->scratch_size_bytes < PSC_HEADER_SIZE) {
        return 0;
    }
    memcpy(&end, exit->scratch + 2, sizeof(end));
    if (end < PSC_ENTRY_MAX) {
        used += (end + 1u) * PSC_ENTRY_SIZE;
    }
    return scratch_buffer(exit, used, used, buffer);
}

/* The bytes of a read go the other way; what stood in the area before is not asked for. */
size_t nae_buffers_mmio_read(const struct hypervisor *hypervisor, const struct exit *exit,
                             struct exit_buffer *buffer)
{
    (void)hypervisor;
    return scratch_buffer(exit, nae_scratch_info2(exit), 0, buffer);
}

size_t nae_buffers_mmio_write(const struct hypervisor *hypervisor, const struct exit *exit,
                              struct exit_buffer *buffer)
{
    uint64_t used = nae_scratch_info2(exit);

    (void)hypervisor;
    return scratch_buffer(exit, used, used, buffer);
}

/* fw_cfg's device reads the descriptor, writes `control` when it is done, which may be waited for,
   and writes the data to wherever the descriptor says. QEMU docs/specs/fw_cfg.rst. */
static size_t dma_buffers(const struct hypervisor *hypervisor, const struct exit *exit,
                          struct exit_buffer *buffer)
{
    uint64_t low = __builtin_bswap32((uint32_t)exit_field(exit, FIELD_RAX));
    uint64_t gpa = hypervisor->state.fw_cfg.dma_address | low, address;
    uint8_t bytes[FW_CFG_DMA_SIZE];
    uint32_t length;

    if (!hypervisor_read(hypervisor, gpa, bytes, sizeof(bytes))) {
        return 0;
    }
    memcpy(&length, bytes + 4, sizeof(length));
    memcpy(&address, bytes + 8, sizeof(address));
    length = __builtin_bswap32(length);
    buffer[0] = (struct exit_buffer){gpa, 4, 4, true};
    buffer[1] = (struct exit_buffer){gpa + 4, FW_CFG_DMA_SIZE - 4, FW_CFG_DMA_SIZE - 4, false};
    buffer[2] = (struct exit_buffer){__builtin_bswap64(address), length, length, false};
    return 3;
}

size_t nae_buffers_port_io(const struct hypervisor *hypervisor, const struct exit *exit,
                           struct exit_buffer *buffer)
{
    uint64_t info1 = exit_field(exit, FIELD_INFO1), used = nae_scratch_port_io(exit);

    if (info1 & IOIO_STRING) {
        return scratch_buffer(exit, used, info1 & IOIO_IN ? 0 : used, buffer);
    }
    if (!(info1 & IOIO_IN) && info1 >> IOIO_PORT_SHIFT == FW_CFG_PORT_DMA_LOW) {
        return dma_buffers(hypervisor, exit, buffer);
    }
    return 0;
}

/* The message goes out, the response comes in; of the pages for certificates nothing is read. */
size_t nae_buffers_guest_request(const struct hypervisor *hypervisor, const struct exit *exit,
                                 struct exit_buffer *buffer)
{
    uint64_t pages = exit_field(exit, FIELD_RBX);
    size_t count = 2;

    (void)hypervisor;
    buffer[0] = (struct exit_buffer){exit_field(exit, FIELD_INFO1), PAGE_SIZE, PAGE_SIZE, false};
    buffer[1] = (struct exit_buffer){exit_field(exit, FIELD_INFO2), PAGE_SIZE, 0, false};
    if (exit->row->code == NAE_EXT_GUEST_REQUEST && pages) {
        buffer[count++] =
            (struct exit_buffer){exit_field(exit, FIELD_RAX), pages_size(pages), 0, false};
    }
    return count;
}

/* Events come at any time: the page is looked at again and again. */
size_t nae_buffers_hv_doorbell(const struct hypervisor *hypervisor, const struct exit *exit,
                               struct exit_buffer *buffer)
{
    (void)hypervisor;
    if (exit_field(exit, FIELD_INFO1) != DOORBELL_SET) {
        return 0;
    }
    *buffer = (struct exit_buffer){exit_field(exit, FIELD_INFO2), PAGE_SIZE, PAGE_SIZE, true};
    return 1;
}
