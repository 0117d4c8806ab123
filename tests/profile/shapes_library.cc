/* SPDX-License-Identifier: MIT */
/* A shared library, and with another name for its function a plug-in: each leaks a block. */
#include <cstdlib>

#ifndef SHAPE
#define SHAPE shape_of_library
#endif

extern "C" void *SHAPE();

static __attribute__((noinline)) void *inside() {
    void *p = std::malloc(8765); /* line: inside */
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}

extern "C" void *SHAPE() {
    void *p = inside(); /* line: SHAPE */
    __asm__ volatile("" : "+r"(p) : : "memory");
    return p;
}
