# SPDX-License-Identifier: MIT
# Installs what //:dist has of the libraries, with the same files for pkg-config and CMake.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    file(RELATIVE_PATH HAKMEM_LIBDIR "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_LIBDIR}")
else()
    set(HAKMEM_LIBDIR "${CMAKE_INSTALL_LIBDIR}")
endif()
file(RELATIVE_PATH HAKMEM_LIBDIR_TO_PREFIX "/prefix/${HAKMEM_LIBDIR}" "/prefix")
# `cmake --install --prefix` may name another folder than the build did.
set(HAKMEM_PREFIX "\${pcfiledir}/../${HAKMEM_LIBDIR_TO_PREFIX}")
set(HAKMEM_SHARED_NAME "libhakmem.so.${PROJECT_VERSION}")
set(HAKMEM_SONAME "libhakmem.so.${HAKMEM_SOVERSION}")
set(HAKMEM_POINTER_BYTES "${CMAKE_SIZEOF_VOID_P}")

set(HAKMEM_CONFIGURED "${PROJECT_BINARY_DIR}/installed")
foreach(name hakmem.pc hakmemConfig.cmake hakmemConfigVersion.cmake)
    configure_file("${PROJECT_SOURCE_DIR}/tools/dist/${name}.in" "${HAKMEM_CONFIGURED}/${name}" @ONLY)
endforeach()
install(FILES "${HAKMEM_CONFIGURED}/hakmem.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
install(
    FILES "${HAKMEM_CONFIGURED}/hakmemConfig.cmake" "${HAKMEM_CONFIGURED}/hakmemConfigVersion.cmake"
    DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/hakmem")

foreach(target hakmem hakmem_static)
    if(TARGET ${target})
        install(TARGETS ${target} LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
            ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
    endif()
endforeach()
install(FILES "${PROJECT_SOURCE_DIR}/hakmem/include/hakmem/hakmem.h" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/hakmem")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
# A tarball has them.
foreach(section 3 7)
    install(FILES "${PROJECT_SOURCE_DIR}/generated/hakmem.${section}" DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}"
        OPTIONAL)
endforeach()
