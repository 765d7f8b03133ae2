/* SPDX-License-Identifier: MIT */
/*
 * Items are read through the data port; the directory by DMA into a page shared with the
 * hypervisor, an entry at a time. Each entry is copied once and judged by the copy. Of the whole
 * directory only two keys are kept, so its length does not matter; the published code keeps all
 * entries on its heap, and is out of memory when the hypervisor says that there are many.
 *
 * Exits as published: AMDESE/linux-svsm a2d150f959ed, src/mem/fwcfg.rs. The device: QEMU
 * docs/specs/fw_cfg.rst.
 */
#include "fw_cfg.h"

#include "abi/firmware.h"
#include "abi/fw_cfg.h"
#include "alloc.h"
#include "pgtable.h"
#include "vc.h"

#define SIGNATURE 0x554d4551                                     /* "QEMU" */
#define FILE_COUNT_MAX (FW_CFG_KEY_MASK + 1 - FW_CFG_FILE_FIRST) /* as many as there are keys */

/* All numbers are big endian. */
struct fw_cfg_entry {
    u32 size;
    u16 key;
    u16 reserved;
    char name[FW_CFG_NAME_SIZE];
};
_Static_assert(sizeof(struct fw_cfg_entry) == FW_CFG_DIR_ENTRY_SIZE, "as in the directory");

/* The shared page. */
struct fw_cfg_dma {
    u32 control;
    u32 length;
    u64 address;
    u64 data[FW_CFG_DIR_ENTRY_SIZE / 8];
};

struct file {
    const char *name;
    u16 key;
    bool found;
};

static struct file BIOS_GPA = {.name = FIRMWARE_FILE_GPA};
static struct file BIOS_SIZE = {.name = FIRMWARE_FILE_SIZE};

/* The first bytes of an item, little endian. */
static u64 item_read(u16 key, u32 size_bytes)
{
    u64 value = 0;

    vc_outw(FW_CFG_PORT_SELECTOR, key);
    for (u32 i = 0; i < size_bytes; i++) {
        value |= (u64)vc_inb(FW_CFG_PORT_DATA) << 8 * i;
    }
    return value;
}

static volatile struct fw_cfg_dma *dma_create(void)
{
    u64 gpa = mem_allocate_frames(1);
    u64 va;

    if (gpa == 0) {
        vc_fail(SVSM_FAIL_NO_MEMORY);
    }
    va = gpa_to_va(gpa);
    pgtable_make_pages_shared(va, PAGE_SIZE);
    memset((void *)va, 0, PAGE_SIZE);
    return (volatile struct fw_cfg_dma *)va;
}

/* The next bytes of the item that is selected. */
static void dma_read_entry(volatile struct fw_cfg_dma *dma, struct fw_cfg_entry *entry)
{
    u64 gpa = va_to_gpa((u64)dma);
    u64 *to = (u64 *)entry;
    u32 status;

    dma->control = __builtin_bswap32(FW_CFG_DMA_READ);
    dma->length = __builtin_bswap32(sizeof(*entry));
    dma->address = __builtin_bswap64(gpa + offsetof(struct fw_cfg_dma, data));
    vc_outl(FW_CFG_PORT_DMA_HIGH, __builtin_bswap32((u32)(gpa >> 32)));
    vc_outl(FW_CFG_PORT_DMA_LOW, __builtin_bswap32((u32)gpa));
    status = fw_cfg_dma_wait(&dma->control);
    if (status != 0) {
        vc_fail(status == FW_CFG_DMA_ERROR ? SVSM_FAIL_FW_CFG_DMA_ERROR
                                           : SVSM_FAIL_FW_CFG_DMA_NOT_DONE);
    }
    for (u32 i = 0; i < sizeof(*entry) / 8; i++) {
        to[i] = dma->data[i];
    }
}

static bool name_has_end(const char *name)
{
    for (u32 i = 0; i < FW_CFG_NAME_SIZE; i++) {
        if (name[i] == '\0') {
            return true;
        }
    }
    return false;
}

/* Both end. */
static bool name_equals(const char *name, const char *other)
{
    while (*name != '\0' && *name == *other) {
        name++;
        other++;
    }
    return *name == *other;
}

/* The first file of a name counts. */
static void file_remember(struct file *file, const struct fw_cfg_entry *entry)
{
    if (!file->found && name_equals(entry->name, file->name)) {
        file->found = true;
        file->key = __builtin_bswap16(entry->key);
    }
}

void fw_cfg_init(void)
{
    volatile struct fw_cfg_dma *dma = dma_create();
    u32 count;

    if (item_read(FW_CFG_SIGNATURE, 4) != SIGNATURE) {
        vc_fail(SVSM_FAIL_FW_CFG_SIGNATURE);
    }
    if ((item_read(FW_CFG_ID, 4) & FW_CFG_ID_DMA) == 0) {
        vc_fail(SVSM_FAIL_FW_CFG_NO_DMA);
    }
    count = __builtin_bswap32((u32)item_read(FW_CFG_FILE_DIR, FW_CFG_DIR_HEADER_SIZE));
    if (count == 0 || count > FILE_COUNT_MAX) {
        vc_fail(SVSM_FAIL_FW_CFG_FILE_COUNT);
    }
    for (u32 i = 0; i < count; i++) {
        struct fw_cfg_entry entry;

        dma_read_entry(dma, &entry);
        if (!name_has_end(entry.name)) {
            vc_fail(SVSM_FAIL_FW_CFG_NAME);
        }
        file_remember(&BIOS_GPA, &entry);
        file_remember(&BIOS_SIZE, &entry);
    }
}

bool fw_cfg_bios_area(u64 *gpa, u64 *size_bytes)
{
    if (!BIOS_GPA.found || !BIOS_SIZE.found) {
        return false;
    }
    *gpa = item_read(BIOS_GPA.key, sizeof(*gpa));
    *size_bytes = item_read(BIOS_SIZE.key, sizeof(*size_bytes));
    return true;
}
