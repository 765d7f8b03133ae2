/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_gdb.h"

#define SEEN_MAX 4096
#define POINTS_MAX 6
#define THROUGH_POINTS 100
#define THROUGH_MOVES_MAX 2000000

enum walk_question { ASK_STOP, ASK_TIME, ASK_DIGEST, ASK_RIP, ASK_RSP, ASK_POINT };

struct walk_seen {
    uint64_t retired, stops;
    char digest[65], rip[17];
};

struct walk {
    const struct table *table;
    uint64_t random, seed;
    unsigned moves;
    enum walk_question question;
    struct walk_seen now, before;
    char rsp[17];
    char move[4]; /* the last one */
    bool started;
    struct walk_seen seen[SEEN_MAX];
    size_t seen_count;
    char point[POINTS_MAX][64]; /* as it is to be removed */
    size_t point_count;
};

static _Noreturn void wrong(const struct walk *walk, const char *what)
{
    fprintf(stderr,
            "walk %llu: %s: after '%s' at %llu.%llu, rip %s, state %.16s...; before it %llu.%llu\n",
            (unsigned long long)walk->seed, what, walk->move, (unsigned long long)walk->now.retired,
            (unsigned long long)walk->now.stops, walk->now.rip, walk->now.digest,
            (unsigned long long)walk->before.retired, (unsigned long long)walk->before.stops);
    abort();
}

static int compare(const struct walk_seen *a, const struct walk_seen *b)
{
    return a->retired != b->retired ? (a->retired < b->retired ? -1 : 1)
                                    : (a->stops > b->stops) - (a->stops < b->stops);
}

/* One state a position; forward is later, back is earlier. */
static void judge(struct walk *walk)
{
    int order = compare(&walk->now, &walk->before);
    bool back = walk->move[0] == 'b';

    if (walk->started && (back ? order >= 0 && walk->before.retired > 0 : order <= 0)) {
        wrong(walk, back ? "back is not earlier" : "forward is not later");
    }
    walk->started = true;
    walk->before = walk->now;
    for (size_t i = 0; i < walk->seen_count; i++) {
        const struct walk_seen *seen = &walk->seen[i];

        if (compare(seen, &walk->now) == 0) {
            if (strcmp(seen->digest, walk->now.digest) != 0 ||
                strcmp(seen->rip, walk->now.rip) != 0) {
                wrong(walk, "another state at the same position");
            }
            return;
        }
    }
    if (walk->seen_count < SEEN_MAX) {
        walk->seen[walk->seen_count++] = walk->now;
    }
}

static void say(struct client *client, const char *text)
{
    client_say(client, text, strlen(text));
}

/* As registers are sent: the low byte first. */
static unsigned long long swapped(const char *hex)
{
    unsigned long long value = 0;

    for (int i = 7; i >= 0; i--) {
        char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        value = value << 8 | strtoul(byte, NULL, 16);
    }
    return value;
}

static unsigned long long place_drawn(const struct places *places, uint64_t *random)
{
    return places->count ? places->gva[fuzz_gdb_random(random) % places->count] : 0;
}

static void set_point(struct walk *walk, struct client *client)
{
    unsigned kind = (unsigned)(fuzz_gdb_random(&walk->random) % 8);
    char text[80];

    walk->question = ASK_POINT;
    if (walk->point_count == POINTS_MAX) {
        walk->point[--walk->point_count][0] = 'z';
        say(client, walk->point[walk->point_count]);
        return;
    }
    if (kind < 2) { /* somewhere it has been */
        const struct walk_seen *seen =
            &walk->seen[fuzz_gdb_random(&walk->random) % walk->seen_count];

        snprintf(text, sizeof(text), "Z%u,%llx,1", kind % 2, swapped(seen->rip));
    } else if (kind >= 5) { /* somewhere it may come by */
        snprintf(text, sizeof(text), "Z%u,%llx,1", kind % 2,
                 place_drawn(&walk->table->comes_by, &walk->random));
    } else {
        snprintf(text, sizeof(text), "Z%u,%llx,8", kind,
                 (swapped(walk->rsp) & ~7ULL) - 64 + 8 * (fuzz_gdb_random(&walk->random) % 16));
    }
    snprintf(walk->point[walk->point_count++], sizeof(walk->point[0]), "%.60s", text);
    say(client, text);
}

static void move(struct walk *walk, struct client *client)
{
    static const char *const moves[] = {"s", "s", "c", "c", "bs", "bs", "bc", "s"};
    uint64_t drawn = fuzz_gdb_random(&walk->random);

    if (drawn % 4 == 0) {
        set_point(walk, client);
        return;
    }
    snprintf(walk->move, sizeof(walk->move), "%s", moves[(drawn >> 8) % 8]);
    walk->question = ASK_STOP;
    walk->moves--;
    say(client, walk->move);
}

static bool next_move(struct client *client)
{
    struct walk *walk = client->context;

    switch (walk->question) {
    case ASK_STOP:
        if (client->reply[0] == 'W') {
            return false;
        }
        walk->question = ASK_TIME;
        client_monitor(client, "time");
        return true;
    case ASK_TIME:
        sscanf(client->text, "%llu instructions retired, %llu stops",
               (unsigned long long *)&walk->now.retired, (unsigned long long *)&walk->now.stops);
        walk->question = ASK_DIGEST;
        client_monitor(client, "digest");
        return true;
    case ASK_DIGEST:
        snprintf(walk->now.digest, sizeof(walk->now.digest), "%.64s", client->text);
        walk->question = ASK_RIP;
        say(client, "p10");
        return true;
    case ASK_RIP:
        snprintf(walk->now.rip, sizeof(walk->now.rip), "%.16s", client->reply);
        walk->question = ASK_RSP;
        say(client, "p7");
        return true;
    case ASK_RSP:
        snprintf(walk->rsp, sizeof(walk->rsp), "%.16s", client->reply);
        judge(walk);
        break;
    case ASK_POINT:
        break;
    }
    if (walk->moves == 0) {
        return false;
    }
    move(walk, client);
    return true;
}

/* ---- through ---- */

struct through {
    struct table *table;
    uint64_t random;
    unsigned points, moves;
    bool over, read;
};

static bool next_through(struct client *client)
{
    struct through *through = client->context;
    const struct table *table = through->table;
    char text[80];

    if (through->points > 0) {
        through->points--;
        snprintf(text, sizeof(text), "Z0,%llx,1", place_drawn(&table->traps, &through->random));
        say(client, text);
        return true;
    }
    if (through->read) {
        through->over = strncmp(client->text, table->digest, strlen(table->digest)) == 0;
        return false;
    }
    if (strstr(client->text, "The run is over")) {
        through->read = true;
        client_monitor(client, "digest");
        return true;
    }
    say(client, "c");
    return through->moves-- > 0;
}

void fuzz_gdb_through(struct table *table, uint64_t seed)
{
    struct through through = {.table = table,
                              .random = seed * 0x9E3779B97F4A7C15ULL + 1,
                              .points = THROUGH_POINTS,
                              .moves = THROUGH_MOVES_MAX};

    table_session(table, next_through, &through);
    if (!through.over) {
        fprintf(stderr, "through %llu: with breakpoints the run %s\n", (unsigned long long)seed,
                through.read ? "ends in another state" : "does not end");
        abort();
    }
}

void fuzz_gdb_walk(struct table *table, uint64_t seed, unsigned moves)
{
    struct walk *walk = calloc(1, sizeof(*walk));

    if (!walk) {
        abort();
    }
    walk->table = table;
    walk->seed = seed;
    walk->random = seed * 0x9E3779B97F4A7C15ULL + 1;
    walk->moves = moves;
    walk->question = ASK_STOP;
    table_session(table, next_move, walk);
    free(walk);
    if (!table_in_order(table)) {
        abort();
    }
}
