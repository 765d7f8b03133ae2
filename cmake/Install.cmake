# SPDX-License-Identifier: GPL-2.0-or-later
#
# What `cmake --install` puts where, below the prefix:
#   bin/snpemu  lib/libsnpemu.so*  include/snpemu.h  lib/pkgconfig/snpemu.pc  lib/cmake/snpemu/
#   lib/snpemu/libunicorn.so.2 with its licence in share/doc/snpemu/unicorn/, unless the system's
#   Unicorn is used; libZydis.so.* beside it, with its licence
#   share/snpemu/images/ (by svsm/CMakeLists.txt)  share/man/man1/  share/doc/snpemu/
#   the completions, where bash, zsh and fish look for them
# All paths between them are relative, so that the tree can be moved.

set(doc_dir "${CMAKE_INSTALL_DATADIR}/doc/snpemu")

# lib/snpemu has what the system need not have. An empty path would be the working directory.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY "${CMAKE_INSTALL_FULL_BINDIR}"
    OUTPUT_VARIABLE bin_to_lib)
if(SNPEMU_UNICORN_BUNDLE OR SNPEMU_ZYDIS_SONAME)
    set_target_properties(snpemu PROPERTIES INSTALL_RPATH "$ORIGIN/${bin_to_lib}/snpemu")
    set_target_properties(libsnpemu PROPERTIES INSTALL_RPATH "$ORIGIN/snpemu")
endif()

install(TARGETS snpemu RUNTIME)
install(TARGETS libsnpemu EXPORT snpemuTargets LIBRARY
    INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(FILES emu/snpemu.h TYPE INCLUDE)

# find_package(snpemu)
include(CMakePackageConfigHelpers)
set_target_properties(libsnpemu PROPERTIES EXPORT_NAME snpemu)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/snpemu")
set(image_dir "${CMAKE_INSTALL_DATADIR}/snpemu/images")
install(EXPORT snpemuTargets NAMESPACE snpemu:: DESTINATION "${package_dir}")
configure_package_config_file(cmake/snpemuConfig.cmake.in snpemuConfig.cmake
    INSTALL_DESTINATION "${package_dir}" PATH_VARS image_dir)
# While the first number is 0, the second one says what fits together.
write_basic_package_version_file(snpemuConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/snpemuConfig.cmake"
    "${PROJECT_BINARY_DIR}/snpemuConfigVersion.cmake" DESTINATION "${package_dir}")

# pkg-config
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
    BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" OUTPUT_VARIABLE pc_prefix)
cmake_path(SET pc_prefix NORMALIZE "${pc_prefix}")
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
configure_file(cmake/snpemu.pc.in snpemu.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/snpemu.pc"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")

# What tools/snpemu-pages/ makes.
install(DIRECTORY "${PROJECT_BINARY_DIR}/man/" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1"
    FILES_MATCHING PATTERN "*.1")
install(FILES "${PROJECT_BINARY_DIR}/completions/snpemu.bash" RENAME snpemu
    DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions")
install(FILES "${PROJECT_BINARY_DIR}/completions/snpemu.zsh" RENAME _snpemu
    DESTINATION "${CMAKE_INSTALL_DATADIR}/zsh/site-functions")
install(FILES "${PROJECT_BINARY_DIR}/completions/snpemu.fish"
    DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d")
install(FILES README.md DESTINATION "${doc_dir}" OPTIONAL)
install(FILES LICENSE DESTINATION "${doc_dir}")
install(DIRECTORY LICENSES DESTINATION "${doc_dir}")
install(DIRECTORY examples DESTINATION "${doc_dir}")
file(GLOB pages CONFIGURE_DEPENDS docs/*.md)
install(FILES ${pages} DESTINATION "${doc_dir}")

if(SNPEMU_UNICORN_BUNDLE)
    install(FILES "$<TARGET_PROPERTY:Snpemu::unicorn,IMPORTED_LOCATION>"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/snpemu" RENAME libunicorn.so.2)
    # The licence texts come from the source distribution, which a build does not need. Without a
    # network the licence itself still goes along: Unicorn is under GPL-2.0, as our own text.
    set(unicorn_own_note "Unicorn ${SNPEMU_UNICORN_VERSION}, the CPU engine (GPL-2.0), as found in
the directory given as SNPEMU_UNICORN_DIR. Source: the repository unicorn-engine/unicorn, the tag
of that version.\n")
    configure_file(cmake/InstallUnicornLicence.cmake.in InstallUnicornLicence.cmake @ONLY)
    install(SCRIPT "${CMAKE_CURRENT_BINARY_DIR}/InstallUnicornLicence.cmake")
endif()

if(SNPEMU_ZYDIS_SONAME)
    install(FILES "${SNPEMU_ZYDIS_FILE}" RENAME "${SNPEMU_ZYDIS_SONAME}"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/snpemu")
    # Its headers begin with the licence.
    file(READ "${SNPEMU_ZYDIS_INCLUDE}/Zydis/Zydis.h" header LIMIT 4096)
    string(REGEX MATCH "Permission is hereby granted.*SOFTWARE\\." licence "${header}")
    if(NOT licence)
        message(FATAL_ERROR "${SNPEMU_ZYDIS_INCLUDE}/Zydis/Zydis.h does not begin with its licence, "
            "which an installation must carry along")
    endif()
    string(REGEX REPLACE "\n \\*( |)" "\n" licence "${licence}")
    file(WRITE "${PROJECT_BINARY_DIR}/zydis/COPYING"
        "Zyan Disassembler Library (Zydis), https://github.com/zyantific/zydis\n"
        "Copyright Florian Bernd, Joel Hoener\n\n${licence}\n")
    install(FILES "${PROJECT_BINARY_DIR}/zydis/COPYING" DESTINATION "${doc_dir}/zydis")
endif()
