/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/exit.h"

bool exit_marked(const struct exit *exit, enum ghcb_field field)
{
    return exit->marked & FIELD_BIT(field);
}

uint64_t exit_field(const struct exit *exit, enum ghcb_field field)
{
    return exit_marked(exit, field) ? exit->field[field] : 0;
}
