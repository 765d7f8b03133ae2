# SPDX-License-Identifier: MIT
#
# snpemu_guest_image(NAME SCRIPT linker-script SOURCES file... [INCLUDE directory...]
#     [DEFINE name...])
#
# Builds ${CMAKE_BINARY_DIR}/images/NAME.elf, a freestanding guest, with the compiler named by
# SNPEMU_GUEST_CC and flags of its own: no preset's sanitizer, optimisation or warning setting
# reaches a guest, because traces are compared between builds. Targets: guest-NAME, guest-images.
#
# snpemu_guest_firmware(NAME ..., the same) builds images/NAME.bin, the flat bytes of
# such an ELF file in the order of its load addresses, and leaves NAME.elf beside it for symbols.

set(SNPEMU_GUEST_CC "gcc" CACHE STRING "C compiler for guest images (gcc or clang)")
set(SNPEMU_GUEST_DIR ${CMAKE_CURRENT_LIST_DIR} CACHE INTERNAL "where the SVSM's sources are")
set(SNPEMU_IMAGE_DIR ${CMAKE_BINARY_DIR}/images CACHE INTERNAL "where guest images are built")

set(SNPEMU_GUEST_FLAGS
    -std=gnu11 -O2 -g
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
    -ffreestanding -fno-strict-aliasing -fno-common -fno-stack-protector
    -fno-asynchronous-unwind-tables -fpie -fcf-protection=none
    -m64 -march=x86-64 -mno-red-zone -mgeneral-regs-only
    # One function stays one symbol, whatever the compiler: nothing inlined that does not ask for
    # it, nothing cloned or split, no call turned into a jump.
    -fno-inline -fno-optimize-sibling-calls
    # No path of this machine in the image; the last match wins.
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=build)

# The same purpose; each compiler knows some of these.
set(snpemu_guest_optional_flags
    -fno-ipa-cp -fno-ipa-sra -fno-ipa-icf -fno-partial-inlining
    -fno-reorder-blocks-and-partition)

set(SNPEMU_GUEST_LINK_FLAGS
    -m64 -nostdlib -static -Wl,--build-id=none -Wl,-z,max-page-size=4096
    -Wl,-z,norelro -Wl,-z,noexecstack -Wl,--fatal-warnings)

find_program(SNPEMU_GUEST_CC_PATH NAMES ${SNPEMU_GUEST_CC} NO_CACHE)
if(NOT SNPEMU_GUEST_CC_PATH)
    message(FATAL_ERROR "SNPEMU_GUEST_CC: no compiler named ${SNPEMU_GUEST_CC} was found")
endif()

# Which optional flags the guest compiler takes. Asked directly: CMake's own checks would use the
# compiler and flags of the emulator.
function(snpemu_guest_check_flags out)
    set(probe ${CMAKE_BINARY_DIR}/CMakeFiles/guest-probe.c)
    set(accepted "")
    file(WRITE ${probe} "int probe(void);\nint probe(void)\n{\n    return 0;\n}\n")
    foreach(flag IN LISTS ARGN)
        execute_process(
            COMMAND ${SNPEMU_GUEST_CC_PATH} -Werror -O2 ${flag} -c ${probe} -o ${probe}.o
            RESULT_VARIABLE failed OUTPUT_QUIET ERROR_QUIET)
        if(failed EQUAL 0)
            list(APPEND accepted ${flag})
        endif()
    endforeach()
    set(${out} ${accepted} PARENT_SCOPE)
endfunction()

if(NOT "${SNPEMU_GUEST_FLAGS_OF}" STREQUAL "${SNPEMU_GUEST_CC_PATH}")
    snpemu_guest_check_flags(accepted ${snpemu_guest_optional_flags})
    set(SNPEMU_GUEST_OPTIONAL_FLAGS "${accepted}" CACHE INTERNAL "")
    set(SNPEMU_GUEST_FLAGS_OF "${SNPEMU_GUEST_CC_PATH}" CACHE INTERNAL "")
endif()

if(NOT TARGET guest-images)
    add_custom_target(guest-images ALL)
endif()

# ELF is where it goes; the files that are compiled and linked are those of arg_*.
function(snpemu_guest_link name elf script)
    cmake_parse_arguments(arg "" "" "SOURCES;INCLUDE;DEFINE" ${ARGN})
    get_filename_component(script ${script} ABSOLUTE)
    set(objects_dir ${CMAKE_CURRENT_BINARY_DIR}/${name}.dir)
    file(MAKE_DIRECTORY ${objects_dir} ${SNPEMU_IMAGE_DIR})

    set(options "")
    foreach(directory IN LISTS arg_INCLUDE ITEMS ${SNPEMU_GUEST_DIR} ${SNPEMU_GUEST_DIR}/../emu)
        get_filename_component(directory ${directory} ABSOLUTE)
        list(APPEND options -I${directory})
    endforeach()
    foreach(define IN LISTS arg_DEFINE)
        list(APPEND options -D${define})
    endforeach()

    set(objects "")
    foreach(source IN LISTS arg_SOURCES)
        get_filename_component(source ${source} ABSOLUTE)
        get_filename_component(file ${source} NAME)
        set(object ${objects_dir}/${file}.o)
        add_custom_command(
            OUTPUT ${object}
            COMMAND ${SNPEMU_GUEST_CC_PATH} ${SNPEMU_GUEST_FLAGS} ${SNPEMU_GUEST_OPTIONAL_FLAGS}
                    ${options} -MD -MF ${object}.d -c ${source} -o ${object}
            DEPENDS ${source} ${SNPEMU_GUEST_DIR}/guest.cmake
            DEPFILE ${object}.d
            COMMENT "Building guest object ${name}/${file}.o"
            VERBATIM)
        list(APPEND objects ${object})
    endforeach()

    add_custom_command(
        OUTPUT ${elf}
        COMMAND ${SNPEMU_GUEST_CC_PATH} ${SNPEMU_GUEST_LINK_FLAGS} -Wl,-T,${script} -o ${elf}
                ${objects}
        DEPENDS ${objects} ${script}
        COMMENT "Linking guest image ${name}"
        VERBATIM)
endfunction()

function(snpemu_guest_target name file)
    add_custom_target(guest-${name} DEPENDS ${file})
    add_dependencies(guest-images guest-${name})
endfunction()

function(snpemu_guest_image name)
    cmake_parse_arguments(arg "" "SCRIPT" "SOURCES;INCLUDE;DEFINE" ${ARGN})
    if(NOT arg_SCRIPT OR NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "snpemu_guest_image(${name}): needs SCRIPT and SOURCES, no more")
    endif()
    set(image ${SNPEMU_IMAGE_DIR}/${name}.elf)
    snpemu_guest_link(${name} ${image} ${arg_SCRIPT}
        SOURCES ${arg_SOURCES} INCLUDE ${arg_INCLUDE} DEFINE ${arg_DEFINE})
    snpemu_guest_target(${name} ${image})
endfunction()

function(snpemu_guest_firmware name)
    cmake_parse_arguments(arg "" "SCRIPT" "SOURCES;INCLUDE;DEFINE" ${ARGN})
    if(NOT arg_SCRIPT OR NOT arg_SOURCES OR arg_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "snpemu_guest_firmware(${name}): needs SCRIPT and SOURCES, no more")
    endif()
    find_program(SNPEMU_GUEST_OBJCOPY NAMES objcopy llvm-objcopy REQUIRED)
    set(elf ${SNPEMU_IMAGE_DIR}/${name}.elf)
    set(image ${SNPEMU_IMAGE_DIR}/${name}.bin)
    snpemu_guest_link(${name} ${elf} ${arg_SCRIPT}
        SOURCES ${arg_SOURCES} INCLUDE ${arg_INCLUDE} DEFINE ${arg_DEFINE})
    add_custom_command(
        OUTPUT ${image}
        COMMAND ${SNPEMU_GUEST_OBJCOPY} -O binary ${elf} ${image}
        DEPENDS ${elf}
        COMMENT "Flattening guest firmware ${name}.bin"
        VERBATIM)
    snpemu_guest_target(${name} ${image})
endfunction()
