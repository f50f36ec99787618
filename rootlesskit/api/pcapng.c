#include "rootlesskit/api/pcapng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"

#define SECTION_BLOCK 0x0a0d0d0aU
#define INTERFACE_BLOCK 1U
#define COUNTS_BLOCK 5U
#define PACKET_BLOCK 6U
#define BYTE_ORDER_MAGIC 0x1a2b3c4dU

enum option {
    OPTION_END = 0,
    SECTION_PROGRAM = 4,
    INTERFACE_NAME = 2,
    INTERFACE_RESOLUTION = 9,
    INTERFACE_FILTER = 11,
    COUNTS_BEGIN = 2,
    COUNTS_END = 3,
    COUNTS_RECEIVED = 4,
    COUNTS_DROPPED = 5,
    COUNTS_WRITTEN = 8,
};

/* Room for a packet's block behind what waits already. */
#define BUFFER_SIZE (2 * PCAPNG_PACKET_MAX)
#define OPTION_MAX UINT16_MAX

static void put(struct pcapng *file, const void *data, size_t len)
{
    static const unsigned char zeros[4];
    size_t padding = -len & 3;
    memcpy(file->buffer + file->len, data, len);
    memcpy(file->buffer + file->len + len, zeros, padding);
    file->len += len + padding;
}

static void put_u32(struct pcapng *file, uint32_t value)
{
    put(file, &value, sizeof value);
}

/* Two halves, the upper one first, whatever the byte order. */
static void put_time(struct pcapng *file, uint64_t ns)
{
    put_u32(file, (uint32_t)(ns >> 32));
    put_u32(file, (uint32_t)ns);
}

static void put_option(struct pcapng *file, enum option option, const void *data, size_t len)
{
    const uint16_t head[2] = {(uint16_t)option, (uint16_t)len};
    put(file, head, sizeof head);
    put(file, data, len);
}

static void put_option_time(struct pcapng *file, enum option option, uint64_t ns)
{
    const uint32_t halves[2] = {(uint32_t)(ns >> 32), (uint32_t)ns};
    put_option(file, option, halves, sizeof halves);
}

/* @return where the block begins; @p room bytes are there for its body */
static int begin_block(struct pcapng *file, uint32_t type, size_t room, size_t *ret,
                       struct err *err)
{
    if (room > BUFFER_SIZE - 64)
        return err_set(err, EMSGSIZE, "a block of %zu bytes is too long", room);
    int r = file->len + room + 64 > BUFFER_SIZE ? pcapng_flush(file, err) : 0;
    if (r < 0)
        return r;
    *ret = file->len;
    put_u32(file, type);
    put_u32(file, 0); /* its length, once it is known */
    return 0;
}

static void end_block(struct pcapng *file, size_t begin)
{
    uint32_t len = (uint32_t)(file->len - begin + sizeof len);
    put_u32(file, len);
    memcpy(file->buffer + begin + sizeof len, &len, sizeof len);
}

int pcapng_begin(struct pcapng *file, int fd, const char *program, struct err *err)
{
    struct stat st;
    const uint16_t version[2] = {1, 0};
    const uint64_t unknown_length = UINT64_MAX;
    size_t begin;
    *file = (struct pcapng){.fd = fd, .buffer = malloc(BUFFER_SIZE), .end = -1};
    if (!file->buffer)
        return err_set(err, ENOMEM, "no memory for packets");
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        file->end = lseek(fd, 0, SEEK_CUR);
    int r = begin_block(file, SECTION_BLOCK, strlen(program) + 64, &begin, err);
    if (r < 0)
        return r;
    put_u32(file, BYTE_ORDER_MAGIC);
    put(file, version, sizeof version);
    put(file, &unknown_length, sizeof unknown_length);
    put_option(file, SECTION_PROGRAM, program, strlen(program));
    put_u32(file, OPTION_END);
    end_block(file, begin);
    return 0;
}

static void put_filter(struct pcapng *file, const char *filter)
{
    char option[OPTION_MAX];
    size_t len = strlen(filter);
    if (len == 0 || len > sizeof option - 1)
        return;
    option[0] = 0; /* what follows is text */
    memcpy(option + 1, filter, len);
    put_option(file, INTERFACE_FILTER, option, len + 1);
}

int pcapng_add_interface(struct pcapng *file, const struct pcapng_interface *interface,
                         struct err *err)
{
    const uint16_t link[2] = {interface->link_type, 0};
    const uint8_t nanoseconds = 9;
    size_t begin;
    if (file->n_interfaces == PCAPNG_INTERFACES_MAX)
        return 0;
    int r = begin_block(file, INTERFACE_BLOCK,
                        strlen(interface->name) + strlen(interface->filter) + 128, &begin, err);
    if (r < 0)
        return r;
    put(file, link, sizeof link);
    put_u32(file, interface->snaplen);
    put_option(file, INTERFACE_NAME, interface->name, strlen(interface->name));
    put_option(file, INTERFACE_RESOLUTION, &nanoseconds, sizeof nanoseconds);
    put_filter(file, interface->filter);
    put_u32(file, OPTION_END);
    end_block(file, begin);
    return (int)file->n_interfaces++;
}

int pcapng_add_packet(struct pcapng *file, const struct pcapng_packet *packet, struct err *err)
{
    size_t begin;
    int r = begin_block(file, PACKET_BLOCK, packet->kept, &begin, err);
    if (r < 0)
        return r;
    put_u32(file, packet->interface);
    put_time(file, packet->time_ns);
    put_u32(file, packet->kept);
    put_u32(file, packet->len);
    put(file, packet->data, packet->kept);
    end_block(file, begin);
    return 0;
}

int pcapng_add_counts(struct pcapng *file, const struct pcapng_counts *counts, struct err *err)
{
    size_t begin;
    int r = begin_block(file, COUNTS_BLOCK, 256, &begin, err);
    if (r < 0)
        return r;
    put_u32(file, 0);
    put_time(file, counts->end_ns);
    put_option_time(file, COUNTS_BEGIN, counts->begin_ns);
    put_option_time(file, COUNTS_END, counts->end_ns);
    put_option(file, COUNTS_RECEIVED, &counts->received, sizeof counts->received);
    put_option(file, COUNTS_DROPPED, &counts->dropped, sizeof counts->dropped);
    put_option(file, COUNTS_WRITTEN, &counts->written, sizeof counts->written);
    put_u32(file, OPTION_END);
    end_block(file, begin);
    return 0;
}

/* @return how many of the first @p len bytes are whole blocks */
static size_t whole_blocks(const unsigned char *blocks, size_t len)
{
    size_t whole = 0;
    uint32_t next;
    while (whole + 8 <= len) {
        memcpy(&next, blocks + whole + 4, sizeof next);
        if (next > len - whole)
            break;
        whole += next;
    }
    return whole;
}

int pcapng_flush(struct pcapng *file, struct err *err)
{
    size_t done = 0;
    int code = 0;
    while (done < file->len && code == 0) {
        ssize_t n = write(file->fd, file->buffer + done, file->len - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno != EINTR)
            code = errno;
    }
    size_t whole = whole_blocks(file->buffer, done);
    file->len = 0;
    if (file->end >= 0)
        file->end += (off_t)whole;
    if (code != 0 && file->end >= 0 && ftruncate(file->fd, file->end) == 0)
        (void)lseek(file->fd, file->end, SEEK_SET);
    return code ? err_sys(err, code, "cannot write packets") : 0;
}

void pcapng_free(struct pcapng *file)
{
    free(file->buffer);
    *file = (struct pcapng){.fd = -EBADF};
}
