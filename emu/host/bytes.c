/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/bytes.h"

#include <stdlib.h>
#include <string.h>

struct bytes_host {
    struct host host; /* first: the two are cast into each other */
    uint8_t input[BYTES_INPUT_MAX];
    size_t size_bytes;
    uint64_t first_exit;
};

static int bytes_answer(struct host *host, struct hypervisor *hypervisor, const struct exit *exit,
                        struct reply *reply, struct error *error)
{
    (void)host;
    (void)error;
    hypervisor_answer(hypervisor, exit, reply);
    return SNPEMU_OK;
}

static void bytes_free(struct host *host)
{
    free(host);
}

struct host *host_bytes_new(void)
{
    struct bytes_host *host = calloc(1, sizeof(*host));

    if (!host) {
        return NULL;
    }
    host->host = (struct host){.answer = bytes_answer, .free = bytes_free};
    return &host->host;
}

void host_bytes_set(struct host *base, const uint8_t *input, size_t size_bytes, uint64_t first_exit)
{
    struct bytes_host *host = (struct bytes_host *)base;

    host->size_bytes = size_bytes < BYTES_INPUT_MAX ? size_bytes : BYTES_INPUT_MAX;
    memcpy(host->input, input, host->size_bytes);
    host->first_exit = first_exit;
}

uint64_t host_bytes_done(const struct host *host)
{
    (void)host;
    return 0;
}

size_t host_bytes_features(const struct host *host, uint32_t *feature, size_t max)
{
    (void)host;
    (void)feature;
    (void)max;
    return 0;
}

void host_bytes_print(const struct host *host, FILE *file)
{
    (void)host;
    (void)file;
}
