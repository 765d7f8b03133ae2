/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the oracles are called, and what a hit of each means.
 */
#include <stdio.h>
#include <string.h>

#include "check/oracle.h"

static const struct {
    const char *name;
    const char *meaning;
} oracle_rows[ORACLE_COUNT] = {
    [ORACLE_DOUBLE_FETCH] =
        {
            .name = "double-fetch",
            .meaning = "The guest read the same shared bytes twice within one answer: the "
                       "hypervisor can give another value each time, and what was checked need "
                       "not be what is used.",
        },
    [ORACLE_OVERRUN] =
        {
            .name = "overrun",
            .meaning = "The guest read or wrote on past the end of a buffer that it lent to the "
                       "hypervisor.",
        },
    [ORACLE_UNMARKED] =
        {
            .name = "unmarked",
            .meaning = "The guest used a field of the GHCB that the hypervisor's answer did not "
                       "mark valid: what stands there may be the guest's own input.",
        },
    [ORACLE_TRUSTED_UNCHECKED] =
        {
            .name = "trusted-unchecked",
            .meaning = "A value that the hypervisor chose became an allocation's size, an index, "
                       "an address or a loop's bound without having been compared with anything.",
        },
    [ORACLE_LEAK] =
        {
            .name = "leak",
            .meaning = "Bytes of private memory, or of registers that the event does not pass, "
                       "stood in memory that the hypervisor can read.",
        },
    [ORACLE_STALE_PRIVATE] =
        {
            .name = "stale-private",
            .meaning = "The guest read a page that it had made private again before it wrote "
                       "there: what it finds is nobody's.",
        },
    [ORACLE_VALIDATED_TWICE] =
        {
            .name = "validated-twice",
            .meaning =
                "A page was validated a second time: PVALIDATE said so and the guest went on, "
                "or the hypervisor had taken the page between. Two addresses may lead to one "
                "page, or one to two.",
        },
    [ORACLE_PERCPU] =
        {
            .name = "percpu",
            .meaning = "After the bring-up two CPUs share an ID, an index or an area, the boot CPU "
                       "is not the first, GS does not lead to the own area, or a GHCB was "
                       "registered that is not shared.",
        },
    [ORACLE_SILENT_HANG] =
        {
            .name = "silent-hang",
            .meaning = "The guest waits, without an exit, for a byte that only the hypervisor can "
                       "change.",
        },
};

const char *oracle_name(enum oracle_kind kind)
{
    return oracle_rows[kind].name;
}

const char *oracle_meaning(enum oracle_kind kind)
{
    return oracle_rows[kind].meaning;
}

enum oracle_kind oracle_named(const char *name)
{
    int kind = 0;

    while (kind < ORACLE_COUNT && strcmp(oracle_rows[kind].name, name) != 0) {
        kind++;
    }
    return (enum oracle_kind)kind;
}

/* The mask that one name stands for; false when there is none of that name. */
static bool mask_named(const char *name, uint32_t *mask)
{
    static const struct {
        const char *name;
        uint32_t mask;
    } groups[] = {{"cheap", ORACLES_CHEAP}, {"all", ORACLES_ALL}, {"none", ORACLES_NONE}};
    enum oracle_kind kind = oracle_named(name);

    *mask = kind == ORACLE_COUNT ? 0 : ORACLE_BIT(kind);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (strcmp(name, groups[i].name) == 0) {
            *mask = groups[i].mask;
            return true;
        }
    }
    return kind != ORACLE_COUNT;
}

bool oracles_parse(const char *text, uint32_t *mask, char *why, size_t size)
{
    uint32_t found = 0;

    do {
        size_t length = strcspn(text, ",");
        char name[32];
        uint32_t bits;

        snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : sizeof(name)),
                 text);
        if (!mask_named(name, &bits)) {
            char all[200];

            oracle_list(ORACLES_ALL, all, sizeof(all));
            snprintf(why, size, "there is none of the name '%s'; it is cheap, all, none, or of: %s",
                     name, all);
            return false;
        }
        found |= bits;
        text += length + (text[length] == ',');
    } while (*text);
    *mask = found;
    return true;
}

void oracle_list(uint32_t mask, char *text, size_t size)
{
    size_t used = 0;

    snprintf(text, size, "none");
    for (int kind = 0; kind < ORACLE_COUNT && used < size; kind++) {
        if (mask & ORACLE_BIT(kind)) {
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                     oracle_rows[kind].name);
        }
    }
}
