# SPDX-License-Identifier: GPL-2.0-or-later
#
# cmake -DPAGE=FILE.html "-DSTYLE=FILE.css;..." "-DSCRIPT=FILE.js;..." -DOUTPUT=FILE.c -P Embed.cmake:
# the page's template as C, in two pieces between which its data goes.

file(READ "${PAGE}" page)
foreach(part style script)
    string(TOUPPER ${part} files)
    set(${part} "")
    foreach(name IN LISTS ${files})
        file(READ "${name}" text)
        string(APPEND ${part} "${text}")
    endforeach()
endforeach()
string(REPLACE "/*style*/" "${style}" page "${page}")
string(REPLACE "/*script*/" "${script}" page "${page}")

set(mark "<!--data-->\n")
string(FIND "${page}" "${mark}" at)
if(at LESS 0)
    message(FATAL_ERROR "${PAGE}: no line <!--data-->")
endif()
string(LENGTH "${mark}" length)
math(EXPR after "${at} + ${length}")
string(SUBSTRING "${page}" 0 ${at} head)
string(SUBSTRING "${page}" ${after} -1 tail)

set(text "/* Made by cmake/Embed.cmake. */\n#include \"page/internal.h\"\n")
foreach(piece head tail)
    string(HEX "${${piece}}" bytes)
    string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(APPEND text "const unsigned char page_template_${piece}[] = {\n${bytes}\n};\n"
        "const size_t page_template_${piece}_size = sizeof(page_template_${piece});\n")
endforeach()
file(WRITE "${OUTPUT}" "${text}")
