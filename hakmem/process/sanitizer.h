/* SPDX-License-Identifier: MIT */
/* Programs that are built with ThreadSanitizer. Its allocator and hakmem's would both be the process's, and it knows which
 * addresses a program may use: such a program ended with a message that named neither, or by a signal. */
#ifndef HAKMEM_PROCESS_SANITIZER_H
#define HAKMEM_PROCESS_SANITIZER_H

/* Ends the process with a line that says why, where hakmem is not built with that sanitizer and the program is. Called
 * before anything is mapped. */
void hak_sanitizer_refuse(void);

#endif
