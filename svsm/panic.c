/* SPDX-License-Identifier: MIT */
/*
 * A panic of the published code prints (nothing, in a build without console) and then stays in
 * svsm_panic. Its text waits in memory for the emulator.
 */
#include "svsm.h"
#include "text.h"

char svsm_panic_message[SVSM_PANIC_MESSAGE_SIZE];

static void panic_message(struct text *text, const char *message)
{
    text_init(text, svsm_panic_message, sizeof(svsm_panic_message));
    text_string(text, message);
}

_Noreturn void panic(const char *message)
{
    struct text text;

    panic_message(&text, message);
    svsm_panic();
}

_Noreturn void panic_decimal(const char *message, u64 value, const char *then, u64 other)
{
    struct text text;

    panic_message(&text, message);
    text_decimal(&text, value);
    text_string(&text, then);
    text_decimal(&text, other);
    svsm_panic();
}

_Noreturn void panic_hex(const char *message, u64 value, const char *then, u64 other)
{
    struct text text;

    panic_message(&text, message);
    text_hex(&text, value);
    text_string(&text, then);
    text_hex(&text, other);
    svsm_panic();
}
