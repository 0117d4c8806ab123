/* SPDX-License-Identifier: MIT */
/* For a program that is linked with the library. */
#ifndef TESTS_PRELOAD_DESCRIPTORS_LIBRARY_FREES_LATE_H
#define TESTS_PRELOAD_DESCRIPTORS_LIBRARY_FREES_LATE_H

int library_has_block(void);

#endif
