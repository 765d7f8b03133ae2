/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb_bench.h"

#include <check.h>
#include <string.h>

#include "abi/msr.h"
#include "ghcb/answer.h"
#include "ghcb/page.h"
#include "ghcb/table.h"

static void on_console(void *context, const uint8_t *bytes, size_t size)
{
    struct ghcb_bench *bench = context;

    for (size_t i = 0; i < size && bench->console_size < sizeof(bench->console) - 1; i++) {
        bench->console[bench->console_size++] = (char)bytes[i];
    }
}

void bench_open(struct ghcb_bench *bench)
{
    memset(bench, 0, sizeof(*bench));
    guest_open(&bench->guest);
    hypervisor_config_init(&bench->config, 4);
    ck_assert_int_eq(psp_new(&bench->psp, 1, &(struct psp_guest){.policy = bench->config.policy},
                             &bench->guest.error),
                     0);
    bench->hypervisor = (struct hypervisor){
        .config = &bench->config,
        .memory = &bench->guest.machine.memory,
        .rmp = &bench->guest.machine.rmp,
        .psp = bench->psp,
    };
    ck_assert(hypervisor_open(&bench->hypervisor));
    ck_assert_uint_eq(bench_msr(bench, BENCH_GHCB | GHCB_MSR_REGISTER_REQ),
                      BENCH_GHCB | GHCB_MSR_REGISTER_RESP);
    bench_clear(bench);
}

void bench_close(struct ghcb_bench *bench)
{
    reply_release(&bench->reply);
    hypervisor_close(&bench->hypervisor);
    psp_free(bench->psp);
    guest_close(&bench->guest);
}

uint8_t *bench_at(struct ghcb_bench *bench, uint64_t gpa)
{
    struct memory *memory = &bench->guest.machine.memory;

    return memory_bytes_for_write(memory, guest_page(&bench->guest, gpa)) + (gpa & PAGE_MASK);
}

uint8_t *bench_page(struct ghcb_bench *bench, uint64_t offset)
{
    return bench_at(bench, BENCH_GHCB + offset);
}

void bench_clear(struct ghcb_bench *bench)
{
    memset(bench_page(bench, 0), 0, PAGE_SIZE);
}

void bench_mark(struct ghcb_bench *bench, enum ghcb_field field, bool marked)
{
    unsigned bit = GHCB_VALID_BIT(ghcb_field_rows[field].offset);
    uint8_t *byte = bench_page(bench, GHCB_VALID_BITMAP + bit / 8);
    uint8_t mask = (uint8_t)(1u << bit % 8);

    *byte = (uint8_t)(marked ? *byte | mask : *byte & ~mask);
}

void bench_put(struct ghcb_bench *bench, enum ghcb_field field, uint64_t value)
{
    memcpy(bench_page(bench, ghcb_field_rows[field].offset), &value,
           ghcb_field_rows[field].size_bytes);
    bench_mark(bench, field, true);
}

uint64_t bench_get(struct ghcb_bench *bench, enum ghcb_field field)
{
    uint64_t value = 0;

    memcpy(&value, bench_page(bench, ghcb_field_rows[field].offset),
           ghcb_field_rows[field].size_bytes);
    return value;
}

bool bench_marked(struct ghcb_bench *bench, enum ghcb_field field)
{
    unsigned bit = GHCB_VALID_BIT(ghcb_field_rows[field].offset);

    return *bench_page(bench, GHCB_VALID_BITMAP + bit / 8) & 1u << bit % 8;
}

enum reply_resume bench_go(struct ghcb_bench *bench)
{
    const struct answer_ops ops = {.console = on_console, .context = bench};
    char why[128];

    ck_assert_msg(
        ghcb_take_exit(&bench->guest.machine, &bench->hypervisor, &bench->exit, why, sizeof(why)),
        "%s", why);
    reply_reset(&bench->reply);
    hypervisor_answer(&bench->hypervisor, &bench->exit, &bench->reply);
    if (bench->reply.resume == REPLY_RESUME) {
        ck_assert_int_eq(ghcb_answer(&bench->guest.trap, &bench->hypervisor, &bench->exit,
                                     &bench->reply, &ops, &bench->guest.error),
                         0);
    }
    return bench->reply.resume;
}

uint64_t bench_msr(struct ghcb_bench *bench, uint64_t request)
{
    bench->guest.machine.state.ghcb_msr = request;
    bench_go(bench);
    return bench->guest.machine.state.ghcb_msr;
}

enum reply_resume bench_exit(struct ghcb_bench *bench, uint64_t code, uint64_t info1,
                             uint64_t info2)
{
    const uint16_t version = GHCB_VERSION_2;

    bench_put(bench, FIELD_CODE, code);
    bench_put(bench, FIELD_INFO1, info1);
    bench_put(bench, FIELD_INFO2, info2);
    memcpy(bench_page(bench, GHCB_VERSION), &version, sizeof(version));
    bench->guest.machine.state.ghcb_msr = BENCH_GHCB;
    return bench_go(bench);
}
