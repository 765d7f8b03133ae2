/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/fw_cfg.h"

#include <string.h>

#include "ghcb/hypervisor.h"
#include "ghcb/reply.h"

#define DIRECTORY_MAX (FW_CFG_DIR_HEADER_SIZE + FW_CFG_FILE_MAX * FW_CFG_DIR_ENTRY_SIZE)

/* What a read of the DMA address register gives: "QEMU CFG". */
static const uint8_t dma_signature[8] = {'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G'};

static uint64_t big_endian(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

static void put_big_endian(uint8_t *bytes, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> 8 * (size - 1 - i));
    }
}

bool fw_cfg_add_file(struct fw_cfg_files *files, const char *name, const void *bytes, size_t size)
{
    size_t length = strlen(name);
    size_t at = 0;

    if (length == 0 || length >= FW_CFG_NAME_SIZE || files->count == FW_CFG_FILE_MAX ||
        size > FW_CFG_BYTES_MAX - files->used) {
        return false;
    }
    while (at < files->count && strcmp(files->file[at].name, name) < 0) {
        at++;
    }
    if (at < files->count && strcmp(files->file[at].name, name) == 0) {
        return false;
    }
    memmove(&files->file[at + 1], &files->file[at], (files->count - at) * sizeof(files->file[0]));
    memset(&files->file[at], 0, sizeof(files->file[at]));
    memcpy(files->file[at].name, name, length);
    files->file[at].offset = files->used;
    files->file[at].size_bytes = (uint32_t)size;
    memcpy(files->bytes + files->used, bytes, size);
    files->used += (uint32_t)size;
    files->count++;
    return true;
}

/* ---- items ---- */

struct item {
    const uint8_t *bytes;
    uint32_t size_bytes;
    uint8_t room[DIRECTORY_MAX]; /* for items that are made when they are asked for */
};

static void item_number(struct item *item, uint32_t value, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        item->room[i] = (uint8_t)(value >> 8 * i);
    }
    item->bytes = item->room;
    item->size_bytes = size;
}

static void item_directory(struct item *item, const struct fw_cfg_files *files)
{
    put_big_endian(item->room, files->count, FW_CFG_DIR_HEADER_SIZE);
    for (size_t i = 0; i < files->count; i++) {
        uint8_t *entry = item->room + FW_CFG_DIR_HEADER_SIZE + i * FW_CFG_DIR_ENTRY_SIZE;

        put_big_endian(entry, files->file[i].size_bytes, 4);
        put_big_endian(entry + 4, FW_CFG_FILE_FIRST + i, 2);
        put_big_endian(entry + 6, 0, 2);
        memcpy(entry + 8, files->file[i].name, FW_CFG_NAME_SIZE);
    }
    item->bytes = item->room;
    item->size_bytes = (uint32_t)(FW_CFG_DIR_HEADER_SIZE + files->count * FW_CFG_DIR_ENTRY_SIZE);
}

static void item_file(struct item *item, const struct fw_cfg_files *files, size_t index)
{
    if (index < files->count) {
        item->bytes = files->bytes + files->file[index].offset;
        item->size_bytes = files->file[index].size_bytes;
    }
}

/*
 * The selected item; empty where no device has one. False for an item that QEMU fills in with facts
 * about its machine, and that is not modelled.
 */
static bool item_select(const struct hypervisor *hypervisor, struct item *item)
{
    const struct hypervisor_config *config = hypervisor->config;
    uint16_t selector = hypervisor->state.fw_cfg.key;
    uint16_t key = selector & FW_CFG_KEY_MASK;

    item->bytes = item->room;
    item->size_bytes = 0;
    if (key >= FW_CFG_FILE_FIRST + FW_CFG_FILE_MAX) {
        return true;
    }
    if (selector & FW_CFG_ARCH_LOCAL) {
        return false;
    }
    if (key >= FW_CFG_FILE_FIRST) {
        item_file(item, &config->fw_cfg, key - FW_CFG_FILE_FIRST);
        return true;
    }
    switch (key) {
    case FW_CFG_SIGNATURE:
        item->bytes = dma_signature;
        item->size_bytes = 4;
        return true;
    case FW_CFG_ID:
        item_number(item, FW_CFG_ID_TRADITIONAL | FW_CFG_ID_DMA, 4);
        return true;
    case FW_CFG_NB_CPUS:
    case FW_CFG_MAX_CPUS:
        item_number(item, config->cpus, 2);
        return true;
    case FW_CFG_FILE_DIR:
        item_directory(item, &config->fw_cfg);
        return true;
    default:
        return false;
    }
}

static void item_unmodelled(const struct hypervisor *hypervisor, struct reply *reply)
{
    reply_unmodelled(reply, "fw_cfg item 0x%x", hypervisor->state.fw_cfg.key);
}

static void fw_cfg_select(struct fw_cfg *fw_cfg, uint16_t key)
{
    fw_cfg->key = key;
    fw_cfg->offset = 0;
}

/* ---- DMA ---- */

struct descriptor {
    uint32_t control, length;
    uint64_t address;
};

/* Copy item bytes, then zeroes, to guest memory; false when the host may not write all of it. */
static bool dma_read(struct hypervisor *hypervisor, const struct item *item,
                     const struct descriptor *dma, struct reply *reply)
{
    static const uint8_t zeroes[512];
    const struct fw_cfg *fw_cfg = &hypervisor->state.fw_cfg;
    uint64_t can = hypervisor_writable(hypervisor, dma->address, dma->length);
    uint32_t have = item->size_bytes > fw_cfg->offset ? item->size_bytes - fw_cfg->offset : 0;
    uint64_t done = have < can ? have : can;

    reply_write(reply, dma->address, item->bytes + (have ? fw_cfg->offset : 0), done);
    while (done < can) {
        uint64_t chunk = can - done < sizeof(zeroes) ? can - done : sizeof(zeroes);

        reply_write(reply, dma->address + done, zeroes, chunk);
        done += chunk;
    }
    if (can < dma->length) {
        reply_write(reply, dma->address + can, zeroes, 1); /* is denied, and seen to be */
        return false;
    }
    return true;
}

/* The control word of the answer: zero, or the error bit. */
static uint32_t dma_transfer(struct hypervisor *hypervisor, const struct descriptor *dma,
                             struct reply *reply)
{
    struct fw_cfg *fw_cfg = &hypervisor->state.fw_cfg;
    uint32_t left;
    struct item item;

    if (dma->control & FW_CFG_DMA_SELECT) {
        fw_cfg_select(fw_cfg, (uint16_t)(dma->control >> 16));
    }
    if (!(dma->control & (FW_CFG_DMA_READ | FW_CFG_DMA_WRITE | FW_CFG_DMA_SKIP)) ||
        dma->length == 0) {
        return 0;
    }
    if (!item_select(hypervisor, &item)) {
        item_unmodelled(hypervisor, reply);
        return 0;
    }
    if (!(dma->control & FW_CFG_DMA_READ) && (dma->control & FW_CFG_DMA_WRITE)) {
        return FW_CFG_DMA_ERROR; /* all items are read-only */
    }
    if ((dma->control & FW_CFG_DMA_READ) && dma->length > FW_CFG_DMA_MAX) {
        reply_unmodelled(reply, "fw_cfg DMA of 0x%x bytes", dma->length);
        return 0;
    }
    if ((dma->control & FW_CFG_DMA_READ) && !dma_read(hypervisor, &item, dma, reply)) {
        return FW_CFG_DMA_ERROR;
    }
    left = item.size_bytes > fw_cfg->offset ? item.size_bytes - fw_cfg->offset : 0;
    fw_cfg->offset += dma->length < left ? dma->length : left;
    return 0;
}

/* A descriptor that the host cannot read gets an error that it cannot write: denied, and no more.
 */
static void dma_run(struct hypervisor *hypervisor, struct reply *reply)
{
    uint64_t gpa = hypervisor->state.fw_cfg.dma_address;
    uint8_t bytes[FW_CFG_DMA_SIZE];
    uint32_t control = FW_CFG_DMA_ERROR;

    hypervisor->state.fw_cfg.dma_address = 0;
    if (hypervisor_read(hypervisor, gpa, bytes, sizeof(bytes))) {
        struct descriptor dma = {
            .control = (uint32_t)big_endian(bytes, 4),
            .length = (uint32_t)big_endian(bytes + 4, 4),
            .address = big_endian(bytes + 8, 8),
        };

        control = dma_transfer(hypervisor, &dma, reply);
    }
    put_big_endian(bytes, control, 4);
    reply_write(reply, gpa, bytes, 4);
}

/* ---- ports ---- */

static bool read_data(struct hypervisor *hypervisor, uint32_t *value, struct reply *reply)
{
    struct fw_cfg *fw_cfg = &hypervisor->state.fw_cfg;
    struct item item;

    *value = 0;
    if (!item_select(hypervisor, &item)) {
        item_unmodelled(hypervisor, reply);
    } else if (fw_cfg->offset < item.size_bytes) {
        *value = item.bytes[fw_cfg->offset++];
    }
    return true;
}

bool fw_cfg_read(struct hypervisor *hypervisor, uint16_t port, unsigned size_bytes, uint32_t *value,
                 struct reply *reply)
{
    if (port == FW_CFG_PORT_DATA && size_bytes == 1) {
        return read_data(hypervisor, value, reply);
    }
    if (port < FW_CFG_PORT_DMA_HIGH || port + size_bytes > FW_CFG_PORT_DMA_END) {
        return false;
    }
    *value = 0;
    memcpy(value, dma_signature + (port - FW_CFG_PORT_DMA_HIGH), size_bytes);
    return true;
}

bool fw_cfg_write(struct hypervisor *hypervisor, uint16_t port, unsigned size_bytes, uint32_t value,
                  struct reply *reply)
{
    struct fw_cfg *fw_cfg = &hypervisor->state.fw_cfg;
    uint8_t bytes[4];

    if (port == FW_CFG_PORT_SELECTOR && size_bytes == 2) {
        fw_cfg_select(fw_cfg, (uint16_t)value);
        return true;
    }
    if (port == FW_CFG_PORT_DATA && size_bytes == 1) {
        return true; /* ignored since QEMU 2.4 */
    }
    memcpy(bytes, &value, sizeof(bytes));
    if (port == FW_CFG_PORT_DMA_HIGH && size_bytes == 4) {
        fw_cfg->dma_address = big_endian(bytes, 4) << 32;
        return true;
    }
    if (port == FW_CFG_PORT_DMA_LOW && size_bytes == 4) {
        fw_cfg->dma_address |= big_endian(bytes, 4);
        dma_run(hypervisor, reply);
        return true;
    }
    return false;
}
