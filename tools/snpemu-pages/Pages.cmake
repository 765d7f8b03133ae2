# SPDX-License-Identifier: GPL-2.0-or-later
#
# Manual pages and completions, made by snpemu-pages of the command's tables of options, into man/
# and completions/ of the build directory. cmake/Install.cmake says where they go from there.

add_tool(snpemu-pages snpemu-pages snpemu-command)

set(pages_dir "${PROJECT_BINARY_DIR}/man")
set(completions_dir "${PROJECT_BINARY_DIR}/completions")
set(pages_made "")

# snpemu_page(OUT KIND TEXT [NAME DATE])
function(snpemu_page out kind text)
    add_custom_command(OUTPUT "${out}"
        COMMAND snpemu-pages ${kind} "${out}" "${text}" ${ARGN}
        DEPENDS snpemu-pages "${text}"
        COMMENT "Making ${out}"
        VERBATIM)
    set(pages_made ${pages_made} "${out}" PARENT_SCOPE)
endfunction()

file(MAKE_DIRECTORY "${pages_dir}" "${completions_dir}")
foreach(shell bash zsh fish)
    snpemu_page("${completions_dir}/snpemu.${shell}" ${shell}
        "${CMAKE_CURRENT_SOURCE_DIR}/snpemu-pages/snpemu.${shell}.in")
endforeach()

# One page for each text in docs/man; a test finds the command that has none.
file(GLOB texts CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/man/*.man")
foreach(text ${texts})
    cmake_path(GET text STEM stem)
    string(REGEX REPLACE "^snpemu-" "" name "${stem}")
    snpemu_page("${pages_dir}/${stem}.1" man "${text}" ${name} ${SNPEMU_VERSION_DATE})
endforeach()
add_custom_target(pages ALL DEPENDS ${pages_made})
