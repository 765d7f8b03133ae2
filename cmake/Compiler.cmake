# SPDX-License-Identifier: GPL-2.0-or-later
#
# Language, warnings and sanitizers of everything that runs on the host, as the target
# snpemu-flags. Guests are compiled by svsm/guest.cmake with flags of their own.

add_library(snpemu-flags INTERFACE)
target_compile_definitions(snpemu-flags INTERFACE
    _GNU_SOURCE
    SNPEMU_VERSION="${PROJECT_VERSION}")
target_include_directories(snpemu-flags INTERFACE "${PROJECT_SOURCE_DIR}/emu")
target_compile_options(snpemu-flags INTERFACE
    -std=c11
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -Wconversion -Wno-sign-conversion
    # No path of the build machine in asserts and messages; debug information keeps it.
    "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=")
if(SNPEMU_WERROR)
    target_compile_options(snpemu-flags INTERFACE -Werror)
endif()

if(SNPEMU_SANITIZE)
    # A finding ends the program: a test that goes on after one proves nothing.
    target_compile_options(snpemu-flags INTERFACE
        -fsanitize=${SNPEMU_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(snpemu-flags INTERFACE -fsanitize=${SNPEMU_SANITIZE})
endif()
