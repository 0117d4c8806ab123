/* SPDX-License-Identifier: MIT */
/* What shapes.cc calls in a library that it is linked with. The plug-in has a function shape_of_plugin like it. */
#ifndef HAKMEM_TESTS_PROFILE_SHAPES_H
#define HAKMEM_TESTS_PROFILE_SHAPES_H

extern "C" void *shape_of_library();

#endif
