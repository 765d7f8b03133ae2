/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Results as the XML that CI servers read (JUnit's, as Jenkins and GitLab document it).
 */
#ifndef SNPEMU_JUNIT_H
#define SNPEMU_JUNIT_H

#include <stdio.h>

#include "workers.h"

/* Errors of `file` are the caller's to see. */
void junit_write(FILE *file, const struct job *job, size_t count);

#endif
