# SPDX-License-Identifier: GPL-2.0-or-later
#
# `cpack` in a build directory makes a .deb of what `cmake --install` installs. Built on Debian 12 it
# fits Debian 13, too: Unicorn and Zydis are inside, and packages that were renamed there
# (libelf1t64) provide the old name. DEBFULLNAME and DEBEMAIL say who made it.

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME snpemu)
set(CPACK_PACKAGE_VENDOR snpemu)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "deterministic emulator of AMD SEV-SNP to bring up an SVSM")
set(CPACK_PACKAGE_DESCRIPTION
"The machine code of an SVSM (Secure VM Service Module) runs without an SNP CPU:
the parts of SNP that it depends on are emulated, and so is the hypervisor,
which a script may let answer anything. The same image, scenario and seed give
the same trace, byte for byte.
.
The package has the command, images to begin with, and the library with its
header, for pkg-config and CMake. The CPU engine (Unicorn) is inside.")
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_STRIP_FILES ON)

if(DEFINED ENV{DEBEMAIL})
    set(CPACK_PACKAGE_CONTACT "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
else()
    set(CPACK_PACKAGE_CONTACT "nobody in particular <nobody@example.org>")
endif()
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION devel)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
if(SNPEMU_UNICORN_BUNDLE)
    cmake_path(GET unicorn_library PARENT_PATH unicorn_library_dir)
    set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${unicorn_library_dir}")
endif()
file(WRITE "${PROJECT_BINARY_DIR}/debian/triggers" "activate-noawait ldconfig\n")
file(WRITE "${PROJECT_BINARY_DIR}/debian/shlibs"
    "libsnpemu ${PROJECT_VERSION_MAJOR} snpemu (>= ${PROJECT_VERSION})\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    "${PROJECT_BINARY_DIR}/debian/triggers" "${PROJECT_BINARY_DIR}/debian/shlibs")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# What Debian wants beside that.
configure_file(cmake/DebianFiles.cmake.in DebianFiles.cmake @ONLY)
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_BINARY_DIR}/DebianFiles.cmake")
include(CPack)
