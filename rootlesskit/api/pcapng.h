/*
 * A capture file: pcapng 1.0 (draft-ietf-opsawg-pcapng), one section, times in nanoseconds. Blocks
 * are written whole: where the disk is full, the file ends behind the last one that fits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/** The longest packet it takes; libpcap's own limit. */
#define PCAPNG_PACKET_MAX 262144
/** Interfaces of a file; the packets of further ones are the first one's. */
#define PCAPNG_INTERFACES_MAX 256

struct pcapng {
    int fd;
    unsigned char *buffer; /**< whole blocks, not written yet */
    size_t len;
    off_t end; /**< of a regular file: behind the last whole block; else -1 */
    uint32_t n_interfaces;
};

/** For an interface's block; a packet names its number, from 0 on. */
struct pcapng_interface {
    const char *name;
    uint16_t link_type; /**< LINKTYPE_* */
    uint32_t snaplen;
    const char *filter; /**< of the packets, as text; may be "" */
};

struct pcapng_packet {
    uint32_t interface;
    uint64_t time_ns; /**< since 1970 */
    uint32_t kept, len;
    const unsigned char *data; /**< @p kept bytes */
};

struct pcapng_counts {
    uint64_t begin_ns, end_ns;
    uint64_t received, dropped; /**< by the kernel's filter; of them for want of room */
    uint64_t written;
};

/** Begins a section at @p fd's (borrowed) position. @param program  who writes it */
int pcapng_begin(struct pcapng *file, int fd, const char *program, struct err *err);
/** @return its number, or -errno */
int pcapng_add_interface(struct pcapng *file, const struct pcapng_interface *interface,
                         struct err *err);
int pcapng_add_packet(struct pcapng *file, const struct pcapng_packet *packet, struct err *err);
/** Statistics of interface 0, as the last block. */
int pcapng_add_counts(struct pcapng *file, const struct pcapng_counts *counts, struct err *err);
/** Writes what was added. @return 0, or -errno: the file is still one of whole blocks */
int pcapng_flush(struct pcapng *file, struct err *err);
/** Frees what it holds; the fd stays the caller's. */
void pcapng_free(struct pcapng *file);
