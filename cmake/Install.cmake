# SPDX-License-Identifier: GPL-2.0-or-later
#
# What `cmake --install` puts where, below the prefix:
#   bin/snpemu  lib/libsnpemu.so*  include/snpemu.h  lib/pkgconfig/snpemu.pc
#   lib/snpemu/libunicorn.so.2 with its licence in share/doc/snpemu/unicorn/, unless the system's
#   Unicorn is used
#   share/snpemu/images/ (by svsm/CMakeLists.txt)  share/man/man1/  share/doc/snpemu/
#   the completions, where bash, zsh and fish look for them
# All paths between them are relative, so that the tree can be moved.

set(doc_dir "${CMAKE_INSTALL_DATADIR}/doc/snpemu")

cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_LIBDIR BASE_DIRECTORY "${CMAKE_INSTALL_FULL_BINDIR}"
    OUTPUT_VARIABLE bin_to_lib)
if(SNPEMU_UNICORN_BUNDLE)
    if(TARGET snpemu)
        set_target_properties(snpemu PROPERTIES
            INSTALL_RPATH "$ORIGIN/${bin_to_lib}/snpemu")
    endif()
    set_target_properties(libsnpemu PROPERTIES INSTALL_RPATH "$ORIGIN/snpemu")
endif()

if(TARGET snpemu)
    install(TARGETS snpemu RUNTIME)
endif()
install(TARGETS libsnpemu LIBRARY)
if(EXISTS "${PROJECT_SOURCE_DIR}/emu/snpemu.h")
    install(FILES emu/snpemu.h TYPE INCLUDE)
endif()

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
file(GLOB pages CONFIGURE_DEPENDS docs/*.md)
install(FILES ${pages} DESTINATION "${doc_dir}")

if(SNPEMU_UNICORN_BUNDLE)
    install(FILES "$<TARGET_PROPERTY:Snpemu::unicorn,IMPORTED_LOCATION>"
        DESTINATION "${CMAKE_INSTALL_LIBDIR}/snpemu" RENAME libunicorn.so.2
        PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                    WORLD_READ WORLD_EXECUTE)
    # The licence texts come from the source distribution, which a build does not need. Without a
    # network the licence itself still goes along: Unicorn is under GPL-2.0, as our own text.
    set(unicorn_own_note "Unicorn ${SNPEMU_UNICORN_VERSION}, the CPU engine (GPL-2.0), as found in
the directory given as SNPEMU_UNICORN_DIR. Source: the repository unicorn-engine/unicorn, the tag
of that version.\n")
    configure_file(cmake/InstallUnicornLicence.cmake.in InstallUnicornLicence.cmake @ONLY)
    install(SCRIPT "${CMAKE_CURRENT_BINARY_DIR}/InstallUnicornLicence.cmake")
endif()
