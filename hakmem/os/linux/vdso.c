/* A function of the code that the kernel maps into every process, found without the C library.
 *
 * Any thread; reads constant memory only. The layout is ELF's; a kernel that hashes the names in GNU's form only gives
 * NULL, and the caller asks the C library. */
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

#include "hakmem/os/linux/linux.h"

struct vdso {
    uintptr_t base; /* what its addresses are relative to */
    const ElfW(Sym) *symbols;
    const char *names;
    const uint32_t *hash; /* bucket count, symbol count, ... */
};

static void vdso_read_dynamic(struct vdso *vdso, const ElfW(Dyn) *entry) {
    for (; entry->d_tag != DT_NULL; entry++) {
        const uintptr_t address = vdso->base + entry->d_un.d_ptr;
        switch (entry->d_tag) {
        case DT_SYMTAB:
            vdso->symbols = (const ElfW(Sym) *)address;
            break;
        case DT_STRTAB:
            vdso->names = (const char *)address;
            break;
        case DT_HASH:
            vdso->hash = (const uint32_t *)address;
            break;
        default:
            break;
        }
    }
}

static bool vdso_read(struct vdso *vdso) {
    const uintptr_t start = getauxval(AT_SYSINFO_EHDR);
    if (start == 0) {
        return false;
    }
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)start;
    const ElfW(Phdr) *segments = (const ElfW(Phdr) *)(start + header->e_phoff);
    const ElfW(Phdr) *dynamic = NULL;
    for (unsigned i = 0; i < header->e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD) {
            vdso->base = start + segments[i].p_offset - segments[i].p_vaddr;
        } else if (segments[i].p_type == PT_DYNAMIC) {
            dynamic = &segments[i];
        }
    }
    if (dynamic != NULL) {
        vdso_read_dynamic(vdso, (const ElfW(Dyn) *)(start + dynamic->p_offset));
    }
    return vdso->symbols != NULL && vdso->names != NULL && vdso->hash != NULL;
}

void *linux_vdso_function(const char *name) {
    struct vdso vdso = {0};
    if (!vdso_read(&vdso)) {
        return NULL;
    }
    for (uint32_t i = 0; i < vdso.hash[1]; i++) {
        const ElfW(Sym) *symbol = &vdso.symbols[i];
        if (symbol->st_shndx != SHN_UNDEF && strcmp(vdso.names + symbol->st_name, name) == 0) {
            return (void *)(vdso.base + symbol->st_value);
        }
    }
    return NULL;
}
