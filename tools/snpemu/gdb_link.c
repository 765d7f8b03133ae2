/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gdb_link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "command.h"

#define LOOPBACK "127.0.0.1"
#define HOST_MAX 256
#define SEND_MILLISECONDS 10000 /* a client that takes nothing for so long is gone */

struct gdb_listener {
    int fd, client; /* -1: none */
    uint8_t bytes[4096];
    size_t at, size;
};

/* ---- where ---- */

struct endpoint {
    char host[HOST_MAX], port[16];
};

/* "PORT", "HOST:PORT", "[IPV6]:PORT". */
static int endpoint_parse(struct endpoint *endpoint, const char *text, struct error *error)
{
    const char *colon = text ? strrchr(text, ':') : NULL, *port = colon ? colon + 1 : text;
    size_t size = colon ? (size_t)(colon - text) : 0;
    char *end;
    unsigned long number;

    if (!text) {
        snprintf(endpoint->port, sizeof(endpoint->port), "%d", GDB_LINK_PORT);
        snprintf(endpoint->host, sizeof(endpoint->host), LOOPBACK);
        return 0;
    }
    number = strtoul(port, &end, 10);
    if (*port < '0' || *port > '9' || *end || number > 65535 || size >= HOST_MAX) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "--gdb: '%.100s' is not [HOST:]PORT with a port from 0 to 65535", text);
    }
    snprintf(endpoint->port, sizeof(endpoint->port), "%lu", number);
    if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
        text++;
        size -= 2;
    }
    snprintf(endpoint->host, sizeof(endpoint->host), "%.*s", (int)size, text);
    if (size == 0) {
        snprintf(endpoint->host, sizeof(endpoint->host), LOOPBACK);
    }
    return 0;
}

/* The first of the addresses that can be listened at. */
static int listen_at(const struct addrinfo *list)
{
    int fd = -1, on = 1;

    for (; list && fd < 0; list = list->ai_next) {
        fd = socket(list->ai_family, list->ai_socktype | SOCK_CLOEXEC, list->ai_protocol);
        if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
                        bind(fd, list->ai_addr, list->ai_addrlen) != 0 || listen(fd, 1) != 0)) {
            int why = errno;

            close(fd);
            errno = why;
            fd = -1;
        }
    }
    return fd;
}

static void say_where(int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char host[HOST_MAX], port[16];
    bool six;

    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return;
    }
    six = strchr(host, ':');
    fprintf(stderr, "gdb       waiting; in gdb: target remote %s%s%s:%s\n", six ? "[" : "", host,
            six ? "]" : "", port);
    fflush(stderr);
}

int gdb_listener_open(struct gdb_listener **out, const char *text, struct error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct gdb_listener *listener;
    struct addrinfo *list;
    struct endpoint endpoint;
    int status = endpoint_parse(&endpoint, text, error), failed;

    if (status != 0) {
        return status;
    }
    failed = getaddrinfo(endpoint.host, endpoint.port, &hints, &list);
    if (failed) {
        return error_set(error, SNPEMU_ERR_INPUT, "--gdb: %.100s: %s", endpoint.host,
                         gai_strerror(failed));
    }
    listener = calloc(1, sizeof(*listener));
    if (!listener) {
        freeaddrinfo(list);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    listener->client = -1;
    listener->fd = listen_at(list);
    failed = errno;
    freeaddrinfo(list);
    if (listener->fd < 0) {
        gdb_listener_close(listener);
        return error_set(
            error, SNPEMU_ERR_IO,
            "--gdb: cannot listen at %.100s port %s: %s; choose another port, or 0 for "
            "any",
            endpoint.host, endpoint.port, strerror(failed));
    }
    *out = listener;
    return 0;
}

static void link_drop(void *context)
{
    struct gdb_listener *listener = context;

    if (listener->client >= 0) {
        close(listener->client);
    }
    listener->client = -1;
    listener->at = listener->size = 0;
}

void gdb_listener_close(struct gdb_listener *listener)
{
    if (listener) {
        link_drop(listener);
        if (listener->fd >= 0) {
            close(listener->fd);
        }
        free(listener);
    }
}

/* ---- bytes ---- */

/* Until something can be done with fd: 1; 0: not in time; -1: never, or interrupted. */
static int wait_for(int fd, short events, int milliseconds)
{
    struct pollfd ready = {.fd = fd, .events = events};
    int got;

    do {
        if (command_interrupted()) {
            return -1;
        }
        got = poll(&ready, 1, milliseconds);
    } while (got < 0 && errno == EINTR);
    return got;
}

static int link_accept(void *context, struct error *error)
{
    struct gdb_listener *listener = context;
    int on = 1;

    say_where(listener->fd);
    while (listener->client < 0) {
        if (wait_for(listener->fd, POLLIN, -1) < 0) {
            return error_set(error, SNPEMU_ERR_INTERNAL, "interrupted");
        }
        listener->client = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        if (listener->client < 0 && errno != EINTR && errno != ECONNABORTED && errno != EAGAIN) {
            return error_set(error, SNPEMU_ERR_IO, "--gdb: no client can be accepted: %s",
                             strerror(errno));
        }
    }
    setsockopt(listener->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return 0;
}

static long link_read(void *context, void *bytes, size_t size, bool wait)
{
    struct gdb_listener *listener = context;

    if (listener->client < 0) {
        return -1;
    }
    if (listener->at == listener->size) {
        int ready = wait_for(listener->client, POLLIN, wait ? -1 : 0);
        ssize_t got;

        if (ready <= 0) {
            return ready;
        }
        got = recv(listener->client, listener->bytes, sizeof(listener->bytes), 0);
        if (got <= 0) {
            return got < 0 && errno == EINTR && !wait ? 0 : -1;
        }
        listener->at = 0;
        listener->size = (size_t)got;
    }
    size = size < listener->size - listener->at ? size : listener->size - listener->at;
    memcpy(bytes, listener->bytes + listener->at, size);
    listener->at += size;
    return (long)size;
}

static bool link_write(void *context, const void *bytes, size_t size)
{
    const struct gdb_listener *listener = context;
    const uint8_t *at = bytes;

    while (size > 0) {
        ssize_t done;

        if (listener->client < 0 || wait_for(listener->client, POLLOUT, SEND_MILLISECONDS) <= 0) {
            return false;
        }
        done = send(listener->client, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (done < 0 && errno != EINTR && errno != EAGAIN) {
            return false;
        }
        at += done > 0 ? done : 0;
        size -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

struct gdb_link gdb_listener_link(struct gdb_listener *listener)
{
    return (struct gdb_link){
        .context = listener,
        .accept = link_accept,
        .read = link_read,
        .write = link_write,
        .drop = link_drop,
    };
}
