/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SNPEMU_FUZZ_FINDING_PLACE_H
#define SNPEMU_FUZZ_FINDING_PLACE_H

#include <stdio.h>

#include "run.h"

/* Of a run that has ended, exact where oracles hit. */
void finding_places(FILE *file, const struct run *run, const struct outcome *outcome);

#endif
