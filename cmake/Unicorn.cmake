# SPDX-License-Identifier: GPL-2.0-or-later
#
# The CPU engine, as the imported target Snpemu::unicorn. In this order:
#   1. -DSNPEMU_UNICORN_DIR=DIR: include/unicorn/unicorn.h and lib/libunicorn.so.2 below DIR, or
#      below DIR/unicorn (an unpacked wheel); nothing else is tried
#   2. the system's, through pkg-config, when it is new enough
#   3. the pinned wheel, fetched by tools/unicorn-fetch into SNPEMU_UNICORN_CACHE
#
# 2.1.3 is the least: 2.0.x maps every virtual address to the equal physical one under
# UC_TLB_VIRTUAL, so that page tables have no effect.
#
# Sets SNPEMU_UNICORN_VERSION, and SNPEMU_UNICORN_BUNDLE to the directory of a library that an
# installation has to carry along; empty for the system's.

set(SNPEMU_UNICORN_LEAST 2.1.3)
set(SNPEMU_UNICORN_PINNED 2.1.4) # as in tools/unicorn-fetch

set(SNPEMU_UNICORN_DIR "" CACHE PATH "Unicorn to use: a prefix, or an unpacked wheel")
set(SNPEMU_UNICORN_CACHE "${PROJECT_SOURCE_DIR}/build" CACHE PATH
    "where the pinned Unicorn is unpacked, once for all build directories")

# The version that a Unicorn header states, or "".
function(unicorn_header_version header version)
    set(found "")
    if(EXISTS "${header}")
        set(numbers "")
        foreach(part MAJOR MINOR PATCH)
            file(STRINGS "${header}" line REGEX "^#define UC_API_${part} +[0-9]+" LIMIT_COUNT 1)
            string(REGEX MATCH "[0-9]+$" number "${line}")
            list(APPEND numbers "${number}")
        endforeach()
        string(JOIN "." found ${numbers})
    endif()
    set(${version} "${found}" PARENT_SCOPE)
endfunction()

# The library and include directory below `dir`; both "" when one of them is missing.
function(unicorn_look_in dir library include)
    set(${library} "" PARENT_SCOPE)
    set(${include} "" PARENT_SCOPE)
    foreach(root "${dir}" "${dir}/unicorn")
        if(NOT EXISTS "${root}/include/unicorn/unicorn.h")
            continue()
        endif()
        foreach(sub lib lib64 lib/${CMAKE_LIBRARY_ARCHITECTURE})
            if(EXISTS "${root}/${sub}/libunicorn.so.2")
                set(${library} "${root}/${sub}/libunicorn.so.2" PARENT_SCOPE)
                set(${include} "${root}/include" PARENT_SCOPE)
                return()
            endif()
        endforeach()
    endforeach()
endfunction()

function(unicorn_import library include)
    add_library(Snpemu::unicorn SHARED IMPORTED GLOBAL)
    set_target_properties(Snpemu::unicorn PROPERTIES
        IMPORTED_LOCATION "${library}"
        IMPORTED_SONAME libunicorn.so.2
        INTERFACE_INCLUDE_DIRECTORIES "${include}")
endfunction()

string(CONCAT unicorn_remedy
    "  - install libunicorn-dev ${SNPEMU_UNICORN_LEAST} or newer, where your system has it, or\n"
    "  - run tools/unicorn-fetch ${SNPEMU_UNICORN_CACHE}/unicorn-${SNPEMU_UNICORN_PINNED} "
    "(needs python3 with pip, and a network), or\n"
    "  - give -DSNPEMU_UNICORN_DIR=DIR: a prefix with include/unicorn/unicorn.h and "
    "lib/libunicorn.so.2, or an unpacked wheel")

set(unicorn_tried "")
set(SNPEMU_UNICORN_BUNDLE "")
set(SNPEMU_UNICORN_VERSION "")

if(SNPEMU_UNICORN_DIR)
    unicorn_look_in("${SNPEMU_UNICORN_DIR}" unicorn_library unicorn_include)
    if(NOT unicorn_library)
        message(FATAL_ERROR
            "SNPEMU_UNICORN_DIR=${SNPEMU_UNICORN_DIR} holds no Unicorn: there must be "
            "include/unicorn/unicorn.h and lib/libunicorn.so.2 below it, or below unicorn/ in it.")
    endif()
    unicorn_header_version("${unicorn_include}/unicorn/unicorn.h" SNPEMU_UNICORN_VERSION)
    if(SNPEMU_UNICORN_VERSION VERSION_LESS SNPEMU_UNICORN_LEAST)
        message(FATAL_ERROR
            "SNPEMU_UNICORN_DIR holds Unicorn ${SNPEMU_UNICORN_VERSION}: too old, page tables "
            "have no effect in it. ${SNPEMU_UNICORN_LEAST} or newer is needed.")
    endif()
    cmake_path(GET unicorn_include PARENT_PATH SNPEMU_UNICORN_BUNDLE)
    unicorn_import("${unicorn_library}" "${unicorn_include}")
    set(unicorn_origin "SNPEMU_UNICORN_DIR")
else()
    pkg_check_modules(SNPEMU_SYSTEM_UNICORN QUIET unicorn)
    if(SNPEMU_SYSTEM_UNICORN_FOUND
       AND SNPEMU_SYSTEM_UNICORN_VERSION VERSION_GREATER_EQUAL SNPEMU_UNICORN_LEAST)
        pkg_check_modules(SNPEMU_SYSTEM_UNICORN QUIET IMPORTED_TARGET GLOBAL unicorn)
        add_library(Snpemu::unicorn ALIAS PkgConfig::SNPEMU_SYSTEM_UNICORN)
        set(SNPEMU_UNICORN_VERSION "${SNPEMU_SYSTEM_UNICORN_VERSION}")
        set(unicorn_origin "the system's")
    elseif(SNPEMU_SYSTEM_UNICORN_FOUND)
        string(APPEND unicorn_tried
            "The system's Unicorn is ${SNPEMU_SYSTEM_UNICORN_VERSION}: too old, page tables have "
            "no effect in it.\n")
    endif()
endif()

if(NOT TARGET Snpemu::unicorn)
    set(unicorn_dir "${SNPEMU_UNICORN_CACHE}/unicorn-${SNPEMU_UNICORN_PINNED}")
    find_program(SNPEMU_PYTHON NAMES python3 DOC "Python 3, for tools/unicorn-fetch")
    if(SNPEMU_PYTHON)
        if(NOT EXISTS "${unicorn_dir}/SOURCE")
            message(STATUS "Fetching Unicorn ${SNPEMU_UNICORN_PINNED} into ${unicorn_dir}")
        endif()
        execute_process(
            COMMAND "${SNPEMU_PYTHON}" "${PROJECT_SOURCE_DIR}/tools/unicorn-fetch" "${unicorn_dir}"
            RESULT_VARIABLE unicorn_status ERROR_VARIABLE unicorn_error
            OUTPUT_VARIABLE unicorn_error)
        if(NOT unicorn_status EQUAL 0)
            string(APPEND unicorn_tried "${unicorn_error}")
        endif()
    elseif(NOT EXISTS "${unicorn_dir}/SOURCE")
        string(APPEND unicorn_tried "tools/unicorn-fetch needs python3, which is missing.\n")
    endif()
    unicorn_look_in("${unicorn_dir}" unicorn_library unicorn_include)
    if(unicorn_library)
        unicorn_header_version("${unicorn_include}/unicorn/unicorn.h" SNPEMU_UNICORN_VERSION)
        set(SNPEMU_UNICORN_BUNDLE "${unicorn_dir}")
        unicorn_import("${unicorn_library}" "${unicorn_include}")
        set(unicorn_origin "${unicorn_dir}")
    endif()
endif()

if(NOT TARGET Snpemu::unicorn)
    # The leading spaces keep CMake from re-flowing the lines.
    string(REPLACE "\n" "\n  " unicorn_tried "  ${unicorn_tried}")
    message(FATAL_ERROR
        "Unicorn ${SNPEMU_UNICORN_LEAST} or newer not found.\n${unicorn_tried}\n"
        "  What helps, one of:\n${unicorn_remedy}")
endif()
message(STATUS "Unicorn ${SNPEMU_UNICORN_VERSION} (${unicorn_origin})")
