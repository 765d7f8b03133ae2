/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the host room share with each other and with nobody else.
 */
#ifndef SNPEMU_HOST_INTERNAL_H
#define SNPEMU_HOST_INTERNAL_H

#include <lua.h>

#include "error.h"
#include "host/host.h"
#include "host/scenario.h"

/* Read the table on top of the stack. */
void scenario_read_host(lua_State *L, const char *path, struct hypervisor_config *config);
/* The value of `oracles` on top of the stack, as ORACLE_BIT()s. */
uint32_t scenario_read_oracles(lua_State *L, const char *path);
void scenario_read_expect(lua_State *L, const char *path, struct expect *expect);
/* Check an `on` table; true when it has a handler. */
bool script_check_on(lua_State *L, const char *path);

/* The host model that answers through the scenario's handlers. script.c. */
int script_host_new(struct host **host, const struct scenario *scenario, struct error *error);

#endif
