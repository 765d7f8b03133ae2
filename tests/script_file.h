/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A script in a file of its own, "case.lua" in a new folder, for the length of one test case.
 */
#ifndef TESTS_SCRIPT_FILE_H
#define TESTS_SCRIPT_FILE_H

#include <stddef.h>

struct script_file {
    char folder[256];
    char path[300];
};

/* Fails the test when the file cannot be written. */
void script_file_write(struct script_file *file, const void *text, size_t size_bytes);
void script_file_remove(const struct script_file *file);

#endif
