/* SPDX-License-Identifier: MIT */
/* The build id of a mapped file: a note of GNU's in what its program headers name. See maps.h.
 *
 * Read through /proc/self/mem, since the file may be unmapped meanwhile, and need not be what its first bytes say. */
#include <link.h>
#include <string.h>

#include "hakmem/os/linux/linux.h"
#include "hakmem/os/maps.h"

/* More than the notes of a build take. */
#define NOTES_BYTES 256

static bool build_id_read(int memory, uint64_t address, void *out, size_t size) {
    size_t count = 0;
    return hak_os_file_read_at(memory, address, out, size, &count) == 0 && count == size;
}

static size_t build_id_text(const unsigned char *bytes, size_t count, char *text) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 0xf];
    }
    return 2 * count;
}

/* Of the notes in so many bytes; each is a header, a name and what it says, filled up to words. */
static size_t build_id_in(const unsigned char *notes, size_t size, char *text) {
    ElfW(Nhdr) note;
    for (size_t at = 0; at + sizeof note <= size;) {
        memcpy(&note, notes + at, sizeof note);
        const size_t name = at + sizeof note, value = name + bits_round_up(note.n_namesz, 4);
        if (note.n_namesz > size || note.n_descsz > size || value + note.n_descsz > size) return 0;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(notes + name, "GNU", 4) == 0) {
            return note.n_descsz <= MAPS_BUILD_ID_MOST / 2 ? build_id_text(notes + value, note.n_descsz, text) : 0;
        }
        at = value + bits_round_up(note.n_descsz, 4);
    }
    return 0;
}

/* Calls for little of the stack, since a profile may be written in a signal handler. */
size_t hak_maps_build_id(int memory, const struct maps_entry *entry, char text[MAPS_BUILD_ID_MOST]) {
    ElfW(Ehdr) file;
    ElfW(Phdr) header;
    unsigned char notes[NOTES_BYTES];
    if (entry->path_length == 0 || !build_id_read(memory, entry->module, &file, sizeof file) ||
        memcmp(file.e_ident, ELFMAG, SELFMAG) != 0) {
        return 0;
    }
    size_t length = 0;
    uint64_t first = UINT64_MAX; /* the address that the file's first mapping stands for */
    const uint64_t headers = entry->module + file.e_phoff;
    for (unsigned i = 0; i < file.e_phnum && build_id_read(memory, headers + i * sizeof header, &header, sizeof header);
         i++) {
        if (header.p_type == PT_LOAD && header.p_vaddr < first) first = header.p_vaddr;
    }
    for (unsigned i = 0;
         i < file.e_phnum && length == 0 && build_id_read(memory, headers + i * sizeof header, &header, sizeof header);
         i++) {
        const size_t size = header.p_memsz < sizeof notes ? header.p_memsz : sizeof notes;
        if (header.p_type == PT_NOTE && build_id_read(memory, entry->module + header.p_vaddr - first, notes, size)) {
            length = build_id_in(notes, size, text);
        }
    }
    return length;
}
