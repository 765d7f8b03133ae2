/* SPDX-License-Identifier: MIT */
#ifndef SVSM_CHECKS_H
#define SVSM_CHECKS_H

void initial_checks(void) __attribute__((visibility("hidden")));

#endif
