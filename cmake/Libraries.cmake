# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the emulator links beside Unicorn, each as an imported target. emu/CMakeLists.txt says which
# room may use which.

pkg_check_modules(SNPEMU_ELF REQUIRED IMPORTED_TARGET libelf libdw)
pkg_check_modules(SNPEMU_GCRYPT REQUIRED IMPORTED_TARGET libgcrypt)
pkg_check_modules(SNPEMU_JSON REQUIRED IMPORTED_TARGET jansson>=2.12)
# Distributions disagree about the name.
pkg_search_module(SNPEMU_LUA QUIET IMPORTED_TARGET lua5.4 lua-5.4 lua54 lua>=5.4)
if(NOT SNPEMU_LUA_FOUND OR NOT SNPEMU_LUA_VERSION VERSION_LESS 5.5)
    message(FATAL_ERROR "Lua 5.4 not found. Debian: apt-get install liblua5.4-dev")
endif()
message(STATUS "Lua ${SNPEMU_LUA_VERSION}")

# Zydis brings a CMake package in Debian 12 and a pkg-config file in later versions; the library
# and its header are enough for either.
find_path(SNPEMU_ZYDIS_INCLUDE NAMES Zydis/Zydis.h)
find_library(SNPEMU_ZYDIS_LIBRARY NAMES Zydis)
if(NOT SNPEMU_ZYDIS_INCLUDE OR NOT SNPEMU_ZYDIS_LIBRARY)
    message(FATAL_ERROR "Zydis (header and library) not found. Debian: apt-get install libzydis-dev")
endif()
add_library(Snpemu::zydis UNKNOWN IMPORTED)
set_target_properties(Snpemu::zydis PROPERTIES
    IMPORTED_LOCATION "${SNPEMU_ZYDIS_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${SNPEMU_ZYDIS_INCLUDE}")
# Its soname has two numbers, and each Debian has another one: an installation carries it along, too.
# Empty when it is an archive.
set(SNPEMU_ZYDIS_SONAME "")
file(REAL_PATH "${SNPEMU_ZYDIS_LIBRARY}" SNPEMU_ZYDIS_FILE)
if(CMAKE_READELF AND SNPEMU_ZYDIS_FILE MATCHES "\\.so")
    execute_process(COMMAND "${CMAKE_READELF}" -d "${SNPEMU_ZYDIS_FILE}"
        OUTPUT_VARIABLE dynamic ERROR_QUIET)
    if(dynamic MATCHES "soname: \\[([^]]+)\\]")
        set(SNPEMU_ZYDIS_SONAME "${CMAKE_MATCH_1}")
    endif()
endif()

# The demanglers of GCC and binutils, an archive of position-independent code.
find_path(SNPEMU_IBERTY_INCLUDE NAMES libiberty/demangle.h)
find_library(SNPEMU_IBERTY_LIBRARY NAMES iberty)
if(NOT SNPEMU_IBERTY_INCLUDE OR NOT SNPEMU_IBERTY_LIBRARY)
    message(FATAL_ERROR "libiberty (header and library) not found. Debian: apt-get install "
        "libiberty-dev")
endif()
add_library(Snpemu::iberty UNKNOWN IMPORTED)
set_target_properties(Snpemu::iberty PROPERTIES
    IMPORTED_LOCATION "${SNPEMU_IBERTY_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${SNPEMU_IBERTY_INCLUDE}")

if(SNPEMU_TESTS)
    pkg_check_modules(SNPEMU_CHECK IMPORTED_TARGET check)
    if(NOT SNPEMU_CHECK_FOUND)
        message(FATAL_ERROR
            "Check not found. Debian: apt-get install check. Without the tests: -DSNPEMU_TESTS=OFF")
    endif()
endif()
