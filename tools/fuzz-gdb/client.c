/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/scenario.h"
#include "machine/machine.h"

#define PLACES_APART 997 /* instructions, where no trap is */

/* ---- the client ---- */

void client_bytes(struct client *client, const void *bytes, size_t size)
{
    if (client->at == client->size) {
        client->at = client->size = 0;
    }
    size = size < CLIENT_BYTES_MAX - client->size ? size : CLIENT_BYTES_MAX - client->size;
    memcpy(client->bytes + client->size, bytes, size);
    client->size += size;
}

void client_say(struct client *client, const char *text, size_t size)
{
    char frame[GDB_FRAME_MAX];

    client->text_size = 0;
    client->text[0] = '\0';
    client_bytes(client, frame, gdb_frame(text, size, frame));
}

void client_monitor(struct client *client, const char *line)
{
    char packet[256] = "qRcmd,";
    size_t size = strlen(packet);

    for (; *line && size + 3 < sizeof(packet); line++) {
        size += (size_t)snprintf(packet + size, 3, "%02x", (unsigned char)*line);
    }
    client_say(client, packet, size);
}

static int client_accept(void *context, struct error *error)
{
    struct client *client = context;

    if (client->accepted) {
        return error_set(error, SNPEMU_ERR_IO, "there is no other client");
    }
    client->accepted = true;
    return 0;
}

static long client_read(void *context, void *bytes, size_t size, bool wait)
{
    struct client *client = context;

    if (client->at == client->size && (!wait || !client->next(client))) {
        return wait ? -1 : 0;
    }
    size = size < client->size - client->at ? size : client->size - client->at;
    memcpy(bytes, client->bytes + client->at, size);
    client->at += size;
    return size > 0 ? (long)size : -1;
}

static void client_packet(struct client *client)
{
    const struct gdb_framer *framer = &client->framer;
    struct gdb_cursor cursor = {framer->data + 1, framer->data + framer->size};
    uint8_t byte;

    client->reply = framer->data;
    if (framer->data[0] != 'O' || framer->size % 2 == 0) {
        return;
    }
    while (client->text_size + 1 < CLIENT_TEXT_MAX && gdb_take_hex(&cursor, &byte, 1)) {
        client->text[client->text_size++] = (char)byte;
    }
    client->text[client->text_size] = '\0';
}

static bool client_write(void *context, const void *bytes, size_t size)
{
    struct client *client = context;

    for (size_t i = 0; i < size; i++) {
        if (gdb_framer_put(&client->framer, ((const uint8_t *)bytes)[i]) == GDB_INPUT_PACKET) {
            client_packet(client);
        }
    }
    return true;
}

static void client_drop(void *context)
{
    (void)context;
}

/* ---- the table ---- */

static _Noreturn void fail(const char *what, const struct error *error)
{
    fprintf(stderr, "%s: %s\n", what, error->text);
    exit(2);
}

static void table_run(struct table *table, const char *path)
{
    struct run_options options = {.firmware = table->subject.firmware};
    struct error error = {0};

    gdb_prepare(table->gdb, &options);
    if (scenario_host(table->subject.scenario, &table->host, &error) != 0 ||
        run_new(&table->run, table->subject.scenario, table->subject.image, table->host, &options,
                &error) != 0 ||
        run_snapshot(table->run, &error) != 0) {
        fail(path, &error);
    }
}

static bool next_detach(struct client *client)
{
    client_say(client, "D", 1);
    return true;
}

static void end_read(struct table *table, char *digest, char *phrase, size_t phrase_size)
{
    uint8_t bytes[RUN_DIGEST_SIZE];
    struct error error = {0};

    if (run_digest(table->run, bytes, &error) != 0) {
        fail("digest", &error);
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        snprintf(digest + 2 * i, 3, "%02x", bytes[i]);
    }
    outcome_phrase(run_outcome(table->run), phrase, phrase_size);
}

/* As a run ends that no debugger has ever seen. */
static void table_reference(struct table *table, const char *path)
{
    struct run_options options = {.firmware = table->subject.firmware};
    struct table plain = {.subject = table->subject};
    struct outcome outcome;
    struct error error = {0};

    if (scenario_host(plain.subject.scenario, &plain.host, &error) != 0 ||
        run_new(&plain.run, plain.subject.scenario, plain.subject.image, plain.host, &options,
                &error) != 0 ||
        run_to_end(plain.run, &outcome, &error) != 0) {
        fail(path, &error);
    }
    end_read(&plain, table->digest, table->phrase, sizeof(table->phrase));
    run_free(plain.run);
    plain.host->free(plain.host);
}

static void note_place(struct places *places, uint64_t gva)
{
    size_t i = 0;

    while (i < places->count && places->gva[i] != gva) {
        i++;
    }
    if (i == places->count && i < PLACES_MAX) {
        places->gva[places->count++] = gva;
    }
}

/* What a run comes by now and then, and after each trap. */
static int note_stop(void *context, struct error *error)
{
    struct table *table = context;
    struct vcpu *vcpu = run_machine(table->run)->vcpu;

    (void)error;
    note_place(&table->comes_by, vcpu_code_gva(vcpu));
    table->scout.limit = vcpu_retired(vcpu) + PLACES_APART;
    return 0;
}

/* What traps. */
static void note_event(struct trace_sink *sink, const struct event *event)
{
    struct table *table = (struct table *)((char *)sink - offsetof(struct table, sink));

    note_place(&table->comes_by, event->rip);
    note_place(&table->traps, event->rip);
}

static void table_places(struct table *table, const char *path)
{
    struct trace trace = {.sink = {&table->sink}, .sink_count = 1};
    struct run_options options = {
        .firmware = table->subject.firmware, .trace = &trace, .debugger = &table->scout};
    struct outcome outcome;
    struct error error = {0};

    table->sink.emit = note_event;
    table->scout =
        (struct run_debugger){.before = note_stop, .context = table, .limit = UINT64_MAX};
    if (scenario_host(table->subject.scenario, &table->host, &error) != 0 ||
        run_new(&table->run, table->subject.scenario, table->subject.image, table->host, &options,
                &error) != 0 ||
        run_to_end(table->run, &outcome, &error) != 0) {
        fail(path, &error);
    }
    run_free(table->run);
    table->host->free(table->host);
}

void table_open(struct table *table, const char *path, uint64_t budget)
{
    const struct overrides overrides = {.budget_given = budget != 0, .budget = budget};
    struct gdb_options options = {
        .link = {&table->client, client_accept, client_read, client_write, client_drop}};
    struct error error = {0};

    memset(table, 0, sizeof(*table));
    if (subject_open(&table->subject, path, &overrides, &error) != 0) {
        fail(path, &error);
    }
    options.scenario = table->subject.scenario;
    options.image = table->subject.image;
    if (gdb_new(&table->gdb, &options, &error) != 0) {
        fail(path, &error);
    }
    table_reference(table, path);
    table_places(table, path);
    table_run(table, path);
}

void table_close(struct table *table)
{
    run_free(table->run);
    table->host->free(table->host);
    gdb_free(table->gdb);
    subject_close(&table->subject);
}

void table_session(struct table *table, bool (*next)(struct client *), void *context)
{
    struct client *client = &table->client;
    struct outcome outcome;
    enum gdb_end end;
    struct host *fresh;
    struct error error = {0};

    memset(&client->framer, 0, sizeof(client->framer));
    client->at = client->size = 0;
    client->accepted = false;
    client->reply = "";
    client->next = next;
    client->context = context;
    if (scenario_host(table->subject.scenario, &fresh, &error) != 0) {
        fail("host", &error);
    }
    run_set_host(table->run, fresh);
    table->host->free(table->host);
    table->host = fresh;
    if (run_restore(table->run, &error) != 0) {
        fail("restore", &error);
    }
    /* A client that has vanished ends it with a status, here where no other one comes. */
    if (gdb_serve(table->gdb, table->run, &table->host, &outcome, &end, &error) != 0 &&
        strcmp(error.text, "there is no other client") != 0) {
        fail("session", &error);
    }
}

bool table_in_order(struct table *table)
{
    char digest[sizeof(table->digest)], phrase[sizeof(table->phrase)];

    table_session(table, next_detach, NULL);
    end_read(table, digest, phrase, sizeof(phrase));
    if (strcmp(digest, table->digest) != 0 || strcmp(phrase, table->phrase) != 0) {
        fprintf(stderr, "the run ends as %s, state %.16s..., not as %s, state %.16s...\n", phrase,
                digest, table->phrase, table->digest);
        return false;
    }
    return true;
}
