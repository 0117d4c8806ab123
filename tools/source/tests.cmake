# SPDX-License-Identifier: MIT
# What ctest runs: programs that ask hakmem whose their blocks are, and programs that know nothing of it.
set(HAKMEM_TESTS "${PROJECT_SOURCE_DIR}/tests/dist")

function(hakmem_test name source target)
    add_executable(hakmem_${name} "${HAKMEM_TESTS}/${source}")
    target_link_libraries(hakmem_${name} PRIVATE ${target})
    add_test(NAME hakmem.${name} COMMAND hakmem_${name} ${ARGN})
endfunction()

# With this option hakmem lists its options when it begins: it does so in no program that has another malloc.
function(hakmem_test_begins name source target)
    hakmem_test(${name} ${source} ${target})
    set_tests_properties(hakmem.${name} PROPERTIES
        ENVIRONMENT HAKMEM_HELP=1 PASS_REGULAR_EXPRESSION "hakmem: option: HAKMEM_HELP")
endfunction()

foreach(form shared static)
    set(target hakmem::${form})
    if(form STREQUAL shared)
        set(target hakmem::hakmem)
    endif()
    if(TARGET ${target})
        hakmem_test(owned_${form} owned.c ${target})
        hakmem_test_begins(indirect_${form} indirect.c ${target})
        if(CMAKE_CXX_COMPILER)
            hakmem_test_begins(operators_${form} operator_new.cc ${target})
        endif()
        if(NOT HAKMEM_GUARD STREQUAL off)
            hakmem_test(misused_${form} misused.c ${target} twice)
            set_tests_properties(hakmem.misused_${form} PROPERTIES
                ENVIRONMENT HAKMEM_ON_MISUSE=report PASS_REGULAR_EXPRESSION "hakmem: .*free")
        endif()
    endif()
endforeach()
