/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snpemu: what comes before a subcommand, and after it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

int main(int argc, char **argv)
{
    int status;

    /* The ladder is many small pieces: a line at a time is soon enough. */
    setvbuf(stderr, NULL, _IOLBF, 0);
    status = command_run(argc, argv);
    /* A full disk may show only now; what was asked for is then not there. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "snpemu: standard output: cannot be written: %s\n", strerror(errno));
        return status == EXIT_MET || status == EXIT_NOT_MET ? EXIT_INPUT : status;
    }
    return status;
}
