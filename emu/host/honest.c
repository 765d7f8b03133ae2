/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host that answers as the tables say.
 */
#include <stdlib.h>

#include "host/host.h"

static int honest_answer(struct host *host, struct hypervisor *hypervisor, const struct exit *exit,
                         struct reply *reply, struct error *error)
{
    (void)host;
    (void)error;
    hypervisor_answer(hypervisor, exit, reply);
    return SNPEMU_OK;
}

static void honest_free(struct host *host)
{
    free(host);
}

struct host *host_honest_new(void)
{
    struct host *host = calloc(1, sizeof(*host));

    if (host) {
        host->answer = honest_answer;
        host->free = honest_free;
    }
    return host;
}
