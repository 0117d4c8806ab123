/* SPDX-License-Identifier: MIT */
/* Looks up a function of the vDSO, the code that the kernel maps into every process, without the C library.
 *
 * Thread-safe: reads constant memory only. */
#include <link.h>
#include <sys/auxv.h>

#include "hakmem/os/linux/linux.h"

void *hak_linux_vdso_function(const char *name) {
    const uintptr_t start = getauxval(AT_SYSINFO_EHDR);
    if (start == 0) {
        return NULL;
    }
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)start;
    const ElfW(Phdr) *segments = (const ElfW(Phdr) *)(start + header->e_phoff);
    const ElfW(Phdr) *dynamic = NULL;
    uintptr_t base = 0;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD) {
            base = start + segments[i].p_offset - segments[i].p_vaddr;
        } else if (segments[i].p_type == PT_DYNAMIC) {
            dynamic = &segments[i];
        }
    }
    return dynamic != NULL ? hak_linux_elf_function(base, (const void *)(start + dynamic->p_offset), name) : NULL;
}
