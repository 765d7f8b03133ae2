/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/callback.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct callback_host {
    struct host host; /* first */
    callback_function *function;
    void *context;
    bool acted; /* an answer was not the honest one */
};

void callback_honest(struct callback *callback)
{
    if (callback->touched) {
        callback_fail(callback, "the honest answer must come first, and once");
        return;
    }
    hypervisor_answer(callback->hypervisor, callback->exit, callback->reply);
    callback->answered = true;
    callback->touched = true;
}

void callback_fail(struct callback *callback, const char *format, ...)
{
    va_list arguments;

    if (callback->error.text[0]) {
        return;
    }
    va_start(arguments, format);
    vsnprintf(callback->error.text, sizeof(callback->error.text), format, arguments);
    va_end(arguments);
}

static int callback_answer(struct host *base, struct hypervisor *hypervisor,
                           const struct exit *exit, struct reply *reply, struct error *error)
{
    struct callback_host *host = (struct callback_host *)base;
    struct callback callback = {.hypervisor = hypervisor, .exit = exit, .reply = reply};

    host->function(host->context, &callback);
    if (!callback.error.text[0] && reply->overflow) {
        callback_fail(&callback, "the reply is full (%d actions, %u KiB of bytes)",
                      REPLY_ACTION_MAX, REPLY_DATA_MAX >> 10);
    }
    if (callback.error.text[0]) {
        return error_set(error, SNPEMU_ERR_INPUT, "the program's answer to %s, number %llu: %.400s",
                         exit->name, (unsigned long long)exit->nth, callback.error.text);
    }
    host->acted |= callback.touched;
    if (!callback.touched) {
        hypervisor_answer(hypervisor, exit, reply);
    }
    return SNPEMU_OK;
}

static bool callback_handles(struct host *base, const struct exit *exit)
{
    (void)exit;
    return ((struct callback_host *)base)->acted;
}

static void callback_free(struct host *base)
{
    free(base);
}

struct host *callback_host_new(callback_function *function, void *context)
{
    struct callback_host *host = calloc(1, sizeof(*host));

    if (!host) {
        return NULL;
    }
    host->host = (struct host){
        .answer = callback_answer,
        .handles = callback_handles,
        .free = callback_free,
    };
    host->function = function;
    host->context = context;
    return &host->host;
}
