/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For a suite that compiles a file of svsm/ for the host: include this first, then the file. What
 * the file calls, the suite defines.
 */
#ifndef TEST_SVSM_HOST_H
#define TEST_SVSM_HOST_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The guest's own are hidden symbols of another name here. */
#define memset svsm_memset
#define memcpy svsm_memcpy

#pragma GCC diagnostic ignored "-Wconversion"

#endif
