/* SPDX-License-Identifier: MIT */
/* Looks a function up by name in the symbol table of one loaded object. Unlike dlsym this takes no lock of the loader,
 * does not allocate, and is not affected by symbols that the program interposes.
 *
 * Thread-safe: reads constant memory only. */
#include <link.h>
#include <string.h>

#include "hakmem/os/linux/linux.h"

struct object {
    uintptr_t base; /* what its addresses are relative to */
    const ElfW(Sym) * symbols;
    const char *names;
    const ElfW(Half) * versions; /* one a symbol; NULL: the object has none */
    const uint32_t *hash;        /* the System V form; NULL: only the other */
    const uint32_t *gnu_hash;
};

/* The highest bit of a symbol's version: an older one, for programs that were linked with it. */
#define VERSION_HIDDEN 0x8000u

static void object_read(struct object *object, const ElfW(Dyn) * entry) {
    for (; entry->d_tag != DT_NULL; entry++) {
        /* The loader of most machines has added the base already, that of some has not. */
        const uintptr_t value = entry->d_un.d_ptr;
        const uintptr_t address = value < object->base ? object->base + value : value;
        switch (entry->d_tag) {
        case DT_SYMTAB: object->symbols = (const ElfW(Sym) *)address; break;
        case DT_STRTAB: object->names = (const char *)address; break;
        case DT_VERSYM: object->versions = (const ElfW(Half) *)address; break;
        case DT_HASH: object->hash = (const uint32_t *)address; break;
        case DT_GNU_HASH: object->gnu_hash = (const uint32_t *)address; break;
        default: break;
        }
    }
}

static bool object_is_function(const struct object *object, uint32_t index, const char *name) {
    const ElfW(Sym) *symbol = &object->symbols[index];
    const unsigned type = symbol->st_info & 0xf;
    return symbol->st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_NOTYPE) &&
           (object->versions == NULL || (object->versions[index] & VERSION_HIDDEN) == 0) &&
           strcmp(object->names + symbol->st_name, name) == 0;
}

static uint32_t gnu_hash_of(const char *name) {
    uint32_t hash = 5381;
    for (; *name != '\0'; name++) {
        hash = hash * 33 + (unsigned char)*name;
    }
    return hash;
}

/* Index of the function, or 0, which is no symbol's. GNU's table: bucket count, first symbol, words of a filter, its
 * shift; the filter; the buckets; for each symbol its hash, whose lowest bit is set at the end of a bucket. */
static uint32_t object_find_gnu(const struct object *object, const char *name) {
    const uint32_t *table = object->gnu_hash;
    const uint32_t bucket_count = table[0], first = table[1];
    const uint32_t *buckets = table + 4 + table[2] * (sizeof(ElfW(Addr)) / sizeof *table);
    const uint32_t *hashes = buckets + bucket_count;
    const uint32_t wanted = gnu_hash_of(name);
    uint32_t index = bucket_count != 0 ? buckets[wanted % bucket_count] : 0;
    if (index < first) {
        return 0;
    }
    for (;; index++) {
        const uint32_t hash = hashes[index - first];
        if ((hash | 1) == (wanted | 1) && object_is_function(object, index, name)) {
            return index;
        }
        if ((hash & 1) != 0) {
            return 0;
        }
    }
}

static uint32_t object_find(const struct object *object, const char *name) {
    if (object->gnu_hash != NULL) {
        return object_find_gnu(object, name);
    }
    /* Bucket count, symbol count, ... */
    for (uint32_t i = 1; object->hash != NULL && i < object->hash[1]; i++) {
        if (object_is_function(object, i, name)) {
            return i;
        }
    }
    return 0;
}

void *hak_linux_elf_function(uintptr_t base, const void *dynamic, const char *name) {
    struct object object = {.base = base};
    object_read(&object, dynamic);
    if (object.symbols == NULL || object.names == NULL) {
        return NULL;
    }
    const uint32_t index = object_find(&object, name);
    return index != 0 ? (void *)(base + object.symbols[index].st_value) : NULL;
}
