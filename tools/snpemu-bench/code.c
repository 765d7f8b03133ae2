/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "code.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "abi/x86.h"
#include "guest.h"

#define RECORD_MAX 255
#define HANDLER_STRIDE 32
#define SYSCALL_VECTOR 31 /* whose handler's place it takes */
#define PAGE_OF(gva) (((gva)-GUEST_BASE) / PAGE_SIZE)

/* Of the loop, not of anything from outside. */
void code_bytes(struct code *code, const void *bytes, size_t size)
{
    assert(code->size + size <= CODE_BYTES_MAX);
    memcpy(code->bytes + code->size, bytes, size);
    code->size += size;
}

static void code_number(struct code *code, uint64_t value, size_t width)
{
    code_bytes(code, &value, width);
}

void code_move(struct code *code, enum code_register reg, uint64_t value)
{
    CODE(code, reg < 8 ? 0x48 : 0x49, (uint8_t)(0xB8 + (reg & 7)));
    code_number(code, value, 8);
}

void code_jump(struct code *code, uint64_t target)
{
    CODE(code, 0xE9);
    code_number(code, target - (GUEST_BASE + GUEST_CODE + code->size + 4), 4);
}

void code_store(struct code *code, uint32_t offset, uint32_t value)
{
    CODE(code, 0xC7, 0x87);
    code_number(code, offset, 4);
    code_number(code, value, 4);
}

void code_trap(struct code *code, const void *bytes, size_t size)
{
    if (code->with) {
        code_bytes(code, bytes, size);
        code->extra++;
    }
}

/* ---- exceptions ---- */

static void handler_bytes(struct code *code, const void *bytes, size_t size)
{
    assert(code->handler_size + size <= CODE_HANDLER_MAX);
    memcpy(code->handler + code->handler_size, bytes, size);
    code->handler_size += size;
}

/* Drop the error code, step over the instruction, return. */
static void write_handler(struct code *code, const struct code_fault *fault)
{
    static const uint8_t drop[] = {0x48, 0x83, 0xC4, 8}, back[] = {0x48, 0xCF};
    const uint8_t step[] = {0x48, 0x83, 0x04, 0x24, fault->size};

    code->vector = fault->vector;
    code->handler_size = 0;
    if (fault->has_error_code) {
        handler_bytes(code, drop, sizeof(drop));
    }
    if (!fault->retires) {
        handler_bytes(code, step, sizeof(step));
    }
    handler_bytes(code, back, sizeof(back));
}

void code_fault(struct code *code, const struct code_fault *fault)
{
    uint8_t jump = 5, error_code = fault->has_error_code ? 2 : 0;
    uint64_t handler = GUEST_BASE + GUEST_HANDLERS + HANDLER_STRIDE * fault->vector;

    write_handler(code, fault);
    if (code->with) {
        code_bytes(code, fault->bytes, fault->size);
        code->extra += fault->retires;
        return;
    }
    CODE(code, 0x49, 0x89, 0xE3); /* mov r11, rsp */
    CODE(code, 0x6A, 0);          /* push 0: SS */
    CODE(code, 0x41, 0x53);       /* push r11: RSP */
    CODE(code, 0x9C);             /* pushfq */
    CODE(code, 0x6A, 8);          /* push 8: CS */
    CODE(code, 0x4C, 0x8D, 0x1D); /* lea r11, [rip + ...]: what RIP would be */
    code_number(code, (uint64_t)(2 + error_code + jump) - (fault->retires ? 0 : fault->size), 4);
    CODE(code, 0x41, 0x53); /* push r11 */
    if (error_code) {
        CODE(code, 0x6A, 0); /* push 0 */
    }
    code_jump(code, handler);
    code->extra += 8 + (error_code ? 1 : 0);
}

_Static_assert(CODE_SYSCALL == GUEST_BASE + GUEST_HANDLERS + HANDLER_STRIDE * SYSCALL_VECTOR,
               "address of the system call");

void code_syscall(struct code *code, const void *bytes, size_t size)
{
    code->vector = SYSCALL_VECTOR;
    code->handler_size = 0;
    handler_bytes(code, bytes, size);
}

/* ---- the loop ---- */

size_t code_loop(struct code *code)
{
    code->extra = 0;
    code_move(code, CODE_ROUNDS, code->rounds);
    return code->size;
}

void code_end(struct code *code, size_t loop)
{
    CODE(code, 0x49, 0xFF, 0xCF); /* dec r15 */
    CODE(code, 0x0F, 0x85);       /* jnz */
    code_number(code, loop - (code->size + 4), 4);
    CODE(code, 0xF4);
}

/* ---- the image ---- */

struct input {
    uint8_t data[GUEST_HEADER_SIZE + 2 * (CODE_BYTES_MAX + RECORD_MAX)];
    size_t size;
};

static void input_record(struct input *input, uint32_t position, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        size_t chunk = size < RECORD_MAX ? size : RECORD_MAX;

        assert(input->size + 4 + chunk <= sizeof(input->data));
        input->data[input->size++] = (uint8_t)position;
        input->data[input->size++] = (uint8_t)(position >> 8);
        input->data[input->size++] = (uint8_t)(position >> 16);
        input->data[input->size++] = (uint8_t)chunk;
        memcpy(input->data + input->size, bytes, chunk);
        input->size += chunk;
        position += (uint32_t)chunk;
        bytes += chunk;
        size -= chunk;
    }
}

int code_image(struct image **image, const struct code *code, struct error *error)
{
    static const uint8_t absent[8], user[] = {0x0F, 0x05, 0xEB, 0xFC};
    const uint64_t user_entry = CODE_USER | CBIT_MASK | PTE_PRESENT | PTE_WRITE | PTE_USER;
    /* EFER.NXE, SCE and SVME; CR4.OSFXSR, OSXMMEXCPT and OSXSAVE. */
    const struct guest_header header = {
        .options = code->no_ghcb ? 0 : GUEST_FILL_GHCB | GUEST_REGISTER_GHCB | GUEST_SET_MSR,
        .cr0 = 1,
        .efer = 7,
        .cr4 = 0x23,
        .rflags = RFLAGS_FIXED,
        .ghcb_msr = CODE_GHCB,
    };
    struct input input = {.size = GUEST_HEADER_SIZE};
    uint8_t *file = malloc(GUEST_IMAGE_BYTES);
    int status;

    if (!file) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    guest_header_write(&header, input.data);
    input_record(&input, GUEST_CODE, code->bytes, code->size);
    input_record(&input, GUEST_HANDLERS + HANDLER_STRIDE * code->vector, code->handler,
                 code->handler_size);
    input_record(&input, GUEST_PT + 8 * PAGE_OF(CODE_UNMAPPED), absent, sizeof(absent));
    input_record(&input, GUEST_PT + 8 * PAGE_OF(CODE_USER), (const uint8_t *)&user_entry,
                 sizeof(user_entry));
    input_record(&input, CODE_USER - GUEST_BASE, user, sizeof(user));
    guest_image(file, &header, input.data, input.size);
    status = image_open_bytes(image, "loop", file, GUEST_IMAGE_BYTES, error);
    free(file);
    return status;
}
