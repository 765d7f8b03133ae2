/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ghcb/fw_cfg.c, uart.c, port.c: port I/O devices, through the port I/O event.
 *
 * Source of the expectations: QEMU docs/specs/fw_cfg.rst, hw/nvram/fw_cfg.c; National Semiconductor
 * PC16550D data sheet, section 8.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/nae.h"
#include "ghcb/port.h"
#include "ghcb_bench.h"

#define DESCRIPTOR BENCH_SHARED(1)
#define TARGET BENCH_SHARED(2)

static struct ghcb_bench bench;

static void setup(void)
{
    bench_open(&bench);
    ck_assert(fw_cfg_add_file(&bench.config.fw_cfg, "opt/b", "bytes of b", 10));
    ck_assert(fw_cfg_add_file(&bench.config.fw_cfg, "etc/bios_gpa", "\0\1\2\3\4\5\6\7", 8));
    ck_assert(fw_cfg_add_file(&bench.config.fw_cfg, "opt/empty", "", 0));
}

static void teardown(void)
{
    bench_close(&bench);
}

/* ---- helpers ---- */

static uint64_t info1_of(uint16_t port, unsigned size, uint64_t flags)
{
    return (uint64_t)port << IOIO_PORT_SHIFT | (uint64_t)size << IOIO_SIZE_SHIFT | flags;
}

static void out(uint16_t port, unsigned size, uint32_t value)
{
    bench_clear(&bench);
    bench_put(&bench, FIELD_RAX, value);
    bench_exit(&bench, NAE_IOIO, info1_of(port, size, 0), 0);
    ck_assert_msg(bench.reply.resume == REPLY_RESUME, "%s", bench.reply.reason);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO1), 0);
}

static uint32_t in(uint16_t port, unsigned size)
{
    bench_clear(&bench);
    bench_exit(&bench, NAE_IOIO, info1_of(port, size, IOIO_IN), 0);
    ck_assert_msg(bench.reply.resume == REPLY_RESUME, "%s", bench.reply.reason);
    ck_assert(bench_marked(&bench, FIELD_RAX));
    return (uint32_t)bench_get(&bench, FIELD_RAX);
}

static void read_item(uint16_t key, void *bytes, size_t size)
{
    out(FW_CFG_PORT_SELECTOR, 2, key);
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)bytes)[i] = (uint8_t)in(FW_CFG_PORT_DATA, 1);
    }
}

static void store_big_endian(uint64_t gpa, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        *bench_at(&bench, gpa + i) = (uint8_t)(value >> 8 * (size - 1 - i));
    }
}

static uint32_t swap(uint32_t value)
{
    return __builtin_bswap32(value);
}

/* Run a descriptor; the control word afterwards. */
static uint32_t dma_at(uint64_t gpa, uint32_t control, uint32_t length, uint64_t address)
{
    uint32_t word;

    store_big_endian(gpa, control, 4);
    store_big_endian(gpa + 4, length, 4);
    store_big_endian(gpa + 8, address, 8);
    out(FW_CFG_PORT_DMA_HIGH, 4, swap((uint32_t)(gpa >> 32)));
    out(FW_CFG_PORT_DMA_LOW, 4, swap((uint32_t)gpa));
    memcpy(&word, bench_at(&bench, gpa), 4);
    return swap(word);
}

static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
    return dma_at(DESCRIPTOR, control, length, address);
}

#define SELECT(key) ((uint32_t)(key) << 16 | FW_CFG_DMA_SELECT)

/* ---- items through the data port ---- */

START_TEST(signature)
{
    char text[8];

    read_item(FW_CFG_SIGNATURE, text, 6);
    ck_assert_mem_eq(text, "QEMU\0\0", 6); /* past the end: zeroes */
    read_item(FW_CFG_SIGNATURE, text, 1);  /* selecting starts over */
    ck_assert_int_eq(text[0], 'Q');
}
END_TEST

START_TEST(features)
{
    uint8_t id[4], cpus[2];

    read_item(FW_CFG_ID, id, 4);
    ck_assert_mem_eq(id, "\3\0\0\0", 4);
    read_item(FW_CFG_NB_CPUS, cpus, 2);
    ck_assert_mem_eq(cpus, "\4\0", 2);
}
END_TEST

/* Sorted by name; size and key big endian. */
START_TEST(directory)
{
    static const struct {
        const char *name;
        uint8_t size;
    } want[] = {{"etc/bios_gpa", 8}, {"opt/b", 10}, {"opt/empty", 0}};
    uint8_t bytes[4 + 3 * 64];

    read_item(FW_CFG_FILE_DIR, bytes, sizeof(bytes));
    ck_assert_mem_eq(bytes, "\0\0\0\3", 4);
    for (size_t i = 0; i < COUNT(want); i++) {
        const uint8_t *entry = bytes + 4 + i * 64;

        ck_assert_uint_eq(entry[3], want[i].size);
        ck_assert_uint_eq(entry[5], 0x20 + i);
        ck_assert_str_eq((const char *)entry + 8, want[i].name);
    }
}
END_TEST

START_TEST(files)
{
    uint8_t bytes[12];

    read_item(0x20, bytes, 8);
    ck_assert_mem_eq(bytes, "\0\1\2\3\4\5\6\7", 8);
    read_item(0x21, bytes, 12);
    ck_assert_mem_eq(bytes, "bytes of b\0\0", 12);
    read_item(0x22, bytes, 1); /* an empty file */
    ck_assert_uint_eq(bytes[0], 0);
    read_item(0x23, bytes, 1); /* a slot without a file */
    ck_assert_uint_eq(bytes[0], 0);
    read_item(0x3FFF, bytes, 1); /* no slot at all */
    ck_assert_uint_eq(bytes[0], 0);
    read_item(0x21 | FW_CFG_WRITE_CHANNEL, bytes, 5);
    ck_assert_mem_eq(bytes, "bytes", 5);
}
END_TEST

START_TEST(writes_to_the_data_port_are_ignored)
{
    uint8_t bytes[5];

    out(FW_CFG_PORT_SELECTOR, 2, 0x21);
    out(FW_CFG_PORT_DATA, 1, 'X');
    read_item(0x21, bytes, 5);
    ck_assert_mem_eq(bytes, "bytes", 5);
}
END_TEST

START_TEST(files_that_do_not_fit)
{
    static uint8_t large[FW_CFG_BYTES_MAX];
    struct fw_cfg_files *to = &bench.config.fw_cfg;
    char name[FW_CFG_NAME_SIZE + 1] = {0};

    ck_assert(!fw_cfg_add_file(to, "", "", 0));
    ck_assert(!fw_cfg_add_file(to, "opt/b", "again", 5));
    ck_assert(!fw_cfg_add_file(to, "large", large, sizeof(large)));
    memset(name, 'n', FW_CFG_NAME_SIZE);
    ck_assert(!fw_cfg_add_file(to, name, "", 0));
    name[FW_CFG_NAME_SIZE - 1] = '\0';
    ck_assert(fw_cfg_add_file(to, name, "", 0));
    for (unsigned i = 4; i < FW_CFG_FILE_MAX; i++) {
        snprintf(name, sizeof(name), "file %u", i);
        ck_assert(fw_cfg_add_file(to, name, "", 0));
    }
    ck_assert(!fw_cfg_add_file(to, "one too many", "", 0));
}
END_TEST

/* ---- DMA ---- */

START_TEST(dma_signature)
{
    ck_assert_uint_eq(in(0x514, 4), 0x554D4551); /* "QEMU" */
    ck_assert_uint_eq(in(0x518, 4), 0x47464320); /* " CFG" */
    ck_assert_uint_eq(in(0x51A, 2), 0x4746);
    ck_assert_uint_eq(in(0x51B, 1), 0x47);
}
END_TEST

START_TEST(dma_read)
{
    memset(bench_at(&bench, TARGET), 0xEE, 64);
    ck_assert_uint_eq(dma(SELECT(0x21) | FW_CFG_DMA_READ, 5, TARGET), 0);
    ck_assert_mem_eq(bench_at(&bench, TARGET), "bytes\xEE", 6);
    /* Without SELECT it continues; past the end it gives zeroes. */
    ck_assert_uint_eq(dma(FW_CFG_DMA_READ, 8, TARGET), 0);
    ck_assert_mem_eq(bench_at(&bench, TARGET), " of b\0\0\0\xEE", 9);
}
END_TEST

START_TEST(dma_read_across_pages)
{
    ck_assert_uint_eq(dma(SELECT(0x21) | FW_CFG_DMA_READ, 10, TARGET + 0xFFC), 0);
    ck_assert_mem_eq(bench_at(&bench, TARGET + 0xFFC), "byte", 4);
    ck_assert_mem_eq(bench_at(&bench, TARGET + 0x1000), "s of b", 6);
}
END_TEST

START_TEST(dma_skip)
{
    ck_assert_uint_eq(dma(SELECT(0x21) | FW_CFG_DMA_SKIP, 6, 0), 0);
    ck_assert_uint_eq(dma(FW_CFG_DMA_READ, 4, TARGET), 0);
    ck_assert_mem_eq(bench_at(&bench, TARGET), "of b", 4);
    ck_assert_uint_eq(dma(SELECT(0x21) | FW_CFG_DMA_SKIP, 0xFFFFFFFF, 0), 0);
    ck_assert_uint_eq(dma(FW_CFG_DMA_READ, 1, TARGET), 0);
    ck_assert_uint_eq(*bench_at(&bench, TARGET), 0);
}
END_TEST

START_TEST(dma_select_alone)
{
    ck_assert_uint_eq(dma(SELECT(0x20), 100, BENCH_PRIVATE), 0);
    ck_assert_uint_eq(in(FW_CFG_PORT_DATA, 1), 0);
    ck_assert_uint_eq(in(FW_CFG_PORT_DATA, 1), 1);
}
END_TEST

START_TEST(dma_write_is_refused)
{
    uint8_t byte;

    ck_assert_uint_eq(dma(SELECT(0x21) | FW_CFG_DMA_WRITE, 1, TARGET), FW_CFG_DMA_ERROR);
    read_item(0x21, &byte, 1);
    ck_assert_uint_eq(byte, 'b');
}
END_TEST

/* READ counts for more than WRITE and SKIP. */
START_TEST(dma_read_first)
{
    ck_assert_uint_eq(
        dma(SELECT(0x21) | FW_CFG_DMA_READ | FW_CFG_DMA_WRITE | FW_CFG_DMA_SKIP, 1, TARGET), 0);
    ck_assert_uint_eq(*bench_at(&bench, TARGET), 'b');
}
END_TEST

START_TEST(dma_to_private_memory)
{
    uint8_t before = *bench_at(&bench, BENCH_PRIVATE);

    ck_assert_uint_eq(dma(SELECT(0x21) | FW_CFG_DMA_READ, 5, BENCH_PRIVATE), FW_CFG_DMA_ERROR);
    ck_assert_uint_eq(*bench_at(&bench, BENCH_PRIVATE), before);
    ck_assert_uint_eq(dma(SELECT(0x21) | FW_CFG_DMA_READ, 5, BENCH_NOWHERE), FW_CFG_DMA_ERROR);
    ck_assert_uint_eq(dma(SELECT(0x21) | FW_CFG_DMA_READ, 5, ~0ULL - 2), FW_CFG_DMA_ERROR);
    /* Up to the first page that is the guest's. */
    machine_assign(&bench.guest.machine, guest_page(&bench.guest, BENCH_SHARED(5)), false);
    ck_assert_uint_eq(dma(SELECT(0x21) | FW_CFG_DMA_READ, 0x1800, BENCH_SHARED(4)),
                      FW_CFG_DMA_ERROR);
    ck_assert_mem_eq(bench_at(&bench, BENCH_SHARED(4)), "bytes of b\0\0", 12);
    ck_assert_uint_eq(*bench_at(&bench, BENCH_SHARED(5) - 1), 0);
}
END_TEST

START_TEST(dma_descriptor_in_private_memory)
{
    uint32_t control = SELECT(0x21) | FW_CFG_DMA_READ;

    memset(bench_at(&bench, TARGET), 0xEE, 4);
    ck_assert_uint_eq(dma_at(BENCH_PRIVATE, control, 4, TARGET), control); /* not touched */
    ck_assert_uint_eq(*bench_at(&bench, TARGET), 0xEE);
    /* A descriptor that ends in a private page is not read in part. */
    machine_assign(&bench.guest.machine, guest_page(&bench.guest, BENCH_SHARED(4)), false);
    ck_assert_uint_eq(dma_at(BENCH_SHARED(4) - 8, control, 4, TARGET), FW_CFG_DMA_ERROR);
    ck_assert_uint_eq(*bench_at(&bench, TARGET), 0xEE);
}
END_TEST

START_TEST(dma_address_is_used_once)
{
    ck_assert_uint_eq(dma(SELECT(0x21) | FW_CFG_DMA_READ, 1, TARGET), 0);
    ck_assert_uint_eq(bench.hypervisor.state.fw_cfg.dma_address, 0);
    out(FW_CFG_PORT_DMA_LOW, 4, 0); /* address 0: nothing is there, and nothing happens */
}
END_TEST

START_TEST(dma_too_large)
{
    bench_clear(&bench);
    store_big_endian(DESCRIPTOR, SELECT(0x21) | FW_CFG_DMA_READ, 4);
    store_big_endian(DESCRIPTOR + 4, FW_CFG_DMA_MAX + 1, 4);
    store_big_endian(DESCRIPTOR + 8, TARGET, 8);
    out(FW_CFG_PORT_DMA_HIGH, 4, 0);
    bench_clear(&bench);
    bench_put(&bench, FIELD_RAX, swap((uint32_t)DESCRIPTOR));
    bench_exit(&bench, NAE_IOIO, info1_of(FW_CFG_PORT_DMA_LOW, 4, 0), 0);
    ck_assert_int_eq(bench.reply.resume, REPLY_UNMODELLED);
}
END_TEST

/* ---- what is not there ---- */

static const struct {
    const char *name;
    uint16_t port;
    unsigned size;
    uint64_t flags;
} absent_rows[] = {
    {"no device", 0x80, 1, 0},
    {"no device, in", 0x60, 1, IOIO_IN},
    {"serial, 16 bits", 0x3F8, 2, 0},
    {"serial, 32 bits in", 0x3F8, 4, IOIO_IN},
    {"below serial", 0x3F7, 1, IOIO_IN},
    {"above serial", 0x400, 1, IOIO_IN},
    {"selector, 8 bits", 0x510, 1, 0},
    {"selector, 32 bits", 0x510, 4, 0},
    {"selector, in", 0x510, 2, IOIO_IN},
    {"data, 16 bits in", 0x511, 2, IOIO_IN},
    {"between data and DMA", 0x512, 1, IOIO_IN},
    {"DMA, 16 bits", 0x514, 2, 0},
    {"DMA, unaligned", 0x516, 4, 0},
    {"DMA, in across its end", 0x51A, 4, IOIO_IN},
    {"above DMA", 0x51C, 1, IOIO_IN},
};

START_TEST(absent)
{
    bench_clear(&bench);
    bench_put(&bench, FIELD_RAX, 0);
    bench_exit(&bench, NAE_IOIO,
               info1_of(absent_rows[_i].port, absent_rows[_i].size, absent_rows[_i].flags), 0);
    ck_assert_msg(bench.reply.resume == REPLY_UNMODELLED, "%s", absent_rows[_i].name);
    ck_assert_ptr_nonnull(strstr(bench.reply.reason, "no device"));
}
END_TEST

static const uint16_t unmodelled_items[] = {0x02, 0x03, 0x18, 0x1A, 0x1F, 0x8000, 0x8003, 0xC003};

START_TEST(items_that_are_not_modelled)
{
    out(FW_CFG_PORT_SELECTOR, 2, unmodelled_items[_i]);
    bench_clear(&bench);
    bench_exit(&bench, NAE_IOIO, info1_of(FW_CFG_PORT_DATA, 1, IOIO_IN), 0);
    ck_assert_int_eq(bench.reply.resume, REPLY_UNMODELLED);
}
END_TEST

/* ---- strings ---- */

static enum reply_resume string(uint16_t port, unsigned size, uint64_t flags, uint64_t count,
                                uint64_t scratch)
{
    bench_put(&bench, FIELD_SCRATCH, scratch);
    return bench_exit(&bench, NAE_IOIO, info1_of(port, size, flags | IOIO_STRING | IOIO_REP),
                      count);
}

START_TEST(string_out)
{
    bench_clear(&bench);
    memcpy(bench_page(&bench, GHCB_SHARED_BUFFER), "hello", 5);
    ck_assert_int_eq(string(0x3F8, 1, 0, 5, BENCH_BUFFER), REPLY_RESUME);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO1), 0);
    ck_assert_str_eq(bench.console, "hello");
}
END_TEST

START_TEST(string_in)
{
    out(FW_CFG_PORT_SELECTOR, 2, 0x21);
    bench_clear(&bench);
    ck_assert_int_eq(string(FW_CFG_PORT_DATA, 1, IOIO_IN, 10, BENCH_BUFFER + 8), REPLY_RESUME);
    ck_assert_mem_eq(bench_page(&bench, GHCB_SHARED_BUFFER + 8), "bytes of b", 10);
    /* Outside the GHCB the data is copied too, across pages. */
    out(FW_CFG_PORT_SELECTOR, 2, 0x21);
    bench_clear(&bench);
    ck_assert_int_eq(string(FW_CFG_PORT_DATA, 1, IOIO_IN, 10, BENCH_SHARED(3) - 5), REPLY_RESUME);
    ck_assert_mem_eq(bench_at(&bench, BENCH_SHARED(3)), " of b", 5);
}
END_TEST

START_TEST(string_of_words)
{
    bench_clear(&bench);
    memcpy(bench_page(&bench, GHCB_SHARED_BUFFER), "\x20\0\x21\0", 4);
    ck_assert_int_eq(string(FW_CFG_PORT_SELECTOR, 2, 0, 2, BENCH_BUFFER), REPLY_RESUME);
    ck_assert_uint_eq(bench.hypervisor.state.fw_cfg.key, 0x21);
}
END_TEST

START_TEST(string_of_nothing)
{
    bench_clear(&bench);
    ck_assert_int_eq(string(0x3F8, 1, 0, 0, BENCH_BUFFER), REPLY_RESUME);
    ck_assert_uint_eq(bench_get(&bench, FIELD_INFO1), 0);
    ck_assert_uint_eq(bench.console_size, 0);
}
END_TEST

/* The whole limit works; each DMA that it starts is bounded. */
START_TEST(string_as_long_as_it_may_be)
{
    bench_clear(&bench);
    memset(bench_at(&bench, BENCH_SHARED(1)), 'x', 15 * PAGE_SIZE);
    ck_assert_int_eq(string(0x3F8, 1, 0, 0xF000, BENCH_SHARED(1)), REPLY_RESUME);
    ck_assert_uint_eq(bench.reply.action_count, 1);
    ck_assert_uint_eq(bench.reply.action[0].size_bytes, 0xF000);
    /* A DMA for each element: the answer overflows, and the run ends. */
    ck_assert_uint_eq(dma(SELECT(0x21) | FW_CFG_DMA_READ, FW_CFG_DMA_MAX / 64, TARGET), 0);
    bench_clear(&bench);
    memset(bench_at(&bench, BENCH_SHARED(8)), 0, 8 * PAGE_SIZE);
    store_big_endian(DESCRIPTOR, SELECT(0x21) | FW_CFG_DMA_READ, 4);
    for (unsigned i = 0; i < 8 * PAGE_SIZE / 4; i++) {
        uint32_t low = swap((uint32_t)DESCRIPTOR);

        memcpy(bench_at(&bench, BENCH_SHARED(8) + i * 4), &low, 4);
    }
    ck_assert_int_eq(string(FW_CFG_PORT_DMA_LOW, 4, 0, 8 * PAGE_SIZE / 4, BENCH_SHARED(8)),
                     REPLY_UNMODELLED);
    ck_assert_ptr_nonnull(strstr(bench.reply.reason, "more than one answer"));
}
END_TEST

static const struct {
    const char *name;
    uint64_t count, scratch;
    enum reply_resume resume;
    uint64_t info2; /* SW_EXITINFO1 is 2 */
} string_refused_rows[] = {
    {"no scratch area", 1, 0, REPLY_RESUME, GHCB_ERR_INVALID_SCRATCH},
    {"before the buffer", 1, BENCH_BUFFER - 1, REPLY_RESUME, GHCB_ERR_INVALID_SCRATCH},
    {"behind the buffer", 1, BENCH_BUFFER + 0x7F0, REPLY_RESUME, GHCB_ERR_INVALID_SCRATCH},
    {"over its end", 9, BENCH_BUFFER + 0x7E8, REPLY_RESUME, GHCB_ERR_INVALID_SCRATCH},
    {"wraps", 0x2000, ~0ULL - 0xFFF, REPLY_RESUME, GHCB_ERR_INVALID_SCRATCH},
    {"more than 16 pages", 0x10001, BENCH_SHARED(1), REPLY_RESUME, GHCB_ERR_INVALID_SCRATCH},
    {"private memory", 1, BENCH_PRIVATE, REPLY_FAIL, 0},
    {"no memory", 1, BENCH_NOWHERE, REPLY_FAIL, 0},
    {"more than INT_MAX", 0x80000000, BENCH_BUFFER, REPLY_FAIL, 0},
    {"2^64 - 1", ~0ULL, BENCH_BUFFER, REPLY_FAIL, 0},
};

START_TEST(string_refused)
{
    bench_clear(&bench);
    ck_assert_msg(string(0x3F8, 1, 0, string_refused_rows[_i].count,
                         string_refused_rows[_i].scratch) == string_refused_rows[_i].resume,
                  "%s", string_refused_rows[_i].name);
    if (bench.reply.resume == REPLY_RESUME) {
        ck_assert_msg(bench_get(&bench, FIELD_INFO1) == GHCB_INFO1_MALFORMED &&
                          bench_get(&bench, FIELD_INFO2) == string_refused_rows[_i].info2,
                      "%s: %llu", string_refused_rows[_i].name,
                      (unsigned long long)bench_get(&bench, FIELD_INFO2));
    }
    ck_assert_uint_eq(bench.console_size, 0);
}
END_TEST

/* ---- the serial port ---- */

START_TEST(serial_registers)
{
    out(0x3FF, 1, 0x5A);
    ck_assert_uint_eq(in(0x3FF, 1), 0x5A);
    out(0x3F9, 1, 0xFF); /* four interrupts can be enabled */
    ck_assert_uint_eq(in(0x3F9, 1), 0x0F);
    out(0x3FB, 1, 0x83); /* DLAB: the divisor, not data */
    out(0x3F8, 1, 0x01);
    out(0x3F9, 1, 0xC2);
    ck_assert_uint_eq(in(0x3F8, 1), 0x01);
    ck_assert_uint_eq(in(0x3F9, 1), 0xC2);
    out(0x3FB, 1, 0x03);
    ck_assert_uint_eq(in(0x3FB, 1), 0x03);
    ck_assert_uint_eq(in(0x3F9, 1), 0x0F);
    ck_assert_uint_eq(in(0x3FA, 1), 0x01); /* no interrupt */
    out(0x3FA, 1, 0x01);
    ck_assert_uint_eq(in(0x3FA, 1), 0xC1); /* FIFOs */
    ck_assert_uint_eq(in(0x3FD, 1), 0x60); /* ready */
    ck_assert_uint_eq(in(0x3FE, 1), 0xB0);
    ck_assert_uint_eq(bench.console_size, 0);
    out(0x3F8, 1, 'A');
    ck_assert_str_eq(bench.console, "A");
}
END_TEST

START_TEST(serial_loopback)
{
    out(0x3FC, 1, 0xFF); /* five bits */
    ck_assert_uint_eq(in(0x3FC, 1), 0x1F);
    ck_assert_uint_eq(in(0x3FE, 1), 0xF0);
    out(0x3FC, 1, 0x12);
    ck_assert_uint_eq(in(0x3FE, 1), 0x10); /* RTS comes back as CTS */
    out(0x3F8, 1, 'L');
    ck_assert_uint_eq(bench.console_size, 0);
    ck_assert_uint_eq(in(0x3FD, 1), 0x61);
    ck_assert_uint_eq(in(0x3F8, 1), 'L');
    ck_assert_uint_eq(in(0x3FD, 1), 0x60);
}
END_TEST

/* ---- state ---- */

START_TEST(state_is_in_the_digest)
{
    uint8_t before[HYPERVISOR_STATE_SIZE], after[HYPERVISOR_STATE_SIZE];
    size_t size = hypervisor_state_bytes(&bench.hypervisor.state, before);

    out(FW_CFG_PORT_SELECTOR, 2, 0x21);
    ck_assert_uint_eq(hypervisor_state_bytes(&bench.hypervisor.state, after), size);
    ck_assert_mem_ne(before, after, size);
    in(FW_CFG_PORT_DATA, 1);
    hypervisor_state_bytes(&bench.hypervisor.state, before);
    ck_assert_mem_ne(before, after, size);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fw_cfg");
    TCase *tests = tcase_create("ports");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, signature);
    tcase_add_test(tests, features);
    tcase_add_test(tests, directory);
    tcase_add_test(tests, files);
    tcase_add_test(tests, writes_to_the_data_port_are_ignored);
    tcase_add_test(tests, files_that_do_not_fit);
    tcase_add_test(tests, dma_signature);
    tcase_add_test(tests, dma_read);
    tcase_add_test(tests, dma_read_across_pages);
    tcase_add_test(tests, dma_skip);
    tcase_add_test(tests, dma_select_alone);
    tcase_add_test(tests, dma_write_is_refused);
    tcase_add_test(tests, dma_read_first);
    tcase_add_test(tests, dma_to_private_memory);
    tcase_add_test(tests, dma_descriptor_in_private_memory);
    tcase_add_test(tests, dma_address_is_used_once);
    tcase_add_test(tests, dma_too_large);
    tcase_add_loop_test(tests, absent, 0, COUNT(absent_rows));
    tcase_add_loop_test(tests, items_that_are_not_modelled, 0, COUNT(unmodelled_items));
    tcase_add_test(tests, string_out);
    tcase_add_test(tests, string_in);
    tcase_add_test(tests, string_of_words);
    tcase_add_test(tests, string_of_nothing);
    tcase_add_test(tests, string_as_long_as_it_may_be);
    tcase_add_loop_test(tests, string_refused, 0, COUNT(string_refused_rows));
    tcase_add_test(tests, serial_registers);
    tcase_add_test(tests, serial_loopback);
    tcase_add_test(tests, state_is_in_the_digest);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
