#include "tests/unit/tap.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rootlesskit/api/pcapng.h"

#define PACKETS 50

static const struct pcapng_interface interface = {
    .name = "tap0", .link_type = 1, .snaplen = PCAPNG_PACKET_MAX, .filter = "tcp port 80"};
static unsigned char data[PCAPNG_PACKET_MAX];

static void begin(struct pcapng *file, int fd)
{
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pcapng_begin(file, fd, "a program", NULL), 0);
    ck_assert_int_eq(pcapng_add_interface(file, &interface, NULL), 0);
}

static int add(struct pcapng *file, uint32_t kept)
{
    const struct pcapng_packet packet = {
        .time_ns = UINT64_C(0x1122334455667788), .kept = kept, .len = kept + 7, .data = data};
    return pcapng_add_packet(file, &packet, NULL);
}

/* Walks the blocks to the very end. @return how many are packets */
static unsigned count_packets(int fd)
{
    off_t end = lseek(fd, 0, SEEK_END), at = 0;
    unsigned n = 0;
    while (at < end) {
        uint32_t head[2], tail;
        ck_assert_int_eq(pread(fd, head, sizeof head, at), sizeof head);
        ck_assert_uint_eq(head[1] % 4, 0);
        ck_assert_int_le(at + (off_t)head[1], end);
        ck_assert_int_eq(pread(fd, &tail, sizeof tail, at + (off_t)head[1] - 4), sizeof tail);
        ck_assert_uint_eq(tail, head[1]);
        n += head[0] == 6;
        at += (off_t)head[1];
    }
    ck_assert_int_eq(at, end);
    return n;
}

/* Each remainder of four, and both ends. */
static const uint32_t lengths[] = {0, 1, 2, 3, 4, 60, 65535, PCAPNG_PACKET_MAX};

START_TEST(blocks_are_whole)
{
    struct pcapng file;
    const struct pcapng_counts counts = {.received = 5, .dropped = 2, .written = PACKETS};
    int fd = memfd_create("test", MFD_CLOEXEC);
    begin(&file, fd);
    for (unsigned i = 0; i < PACKETS; i++)
        ck_assert_int_eq(add(&file, lengths[_i]), 0);
    ck_assert_int_eq(pcapng_add_counts(&file, &counts, NULL), 0);
    ck_assert_int_eq(pcapng_flush(&file, NULL), 0);
    ck_assert_uint_eq(count_packets(fd), PACKETS);
    pcapng_free(&file);
}
END_TEST

START_TEST(a_packet_is_as_it_was)
{
    struct pcapng file;
    uint32_t words[7];
    unsigned char copy[101];
    int fd = memfd_create("test", MFD_CLOEXEC);
    for (size_t i = 0; i < sizeof copy; i++)
        data[i] = (unsigned char)(i * 7 + 1);
    begin(&file, fd);
    ck_assert_int_eq(pcapng_flush(&file, NULL), 0);
    off_t at = lseek(fd, 0, SEEK_END);
    ck_assert_int_eq(add(&file, sizeof copy), 0);
    ck_assert_int_eq(pcapng_flush(&file, NULL), 0);
    ck_assert_int_eq(pread(fd, words, sizeof words, at), sizeof words);
    ck_assert_uint_eq(words[2], 0);
    ck_assert_uint_eq(words[3], 0x11223344);
    ck_assert_uint_eq(words[4], 0x55667788);
    ck_assert_uint_eq(words[5], sizeof copy);
    ck_assert_uint_eq(words[6], sizeof copy + 7);
    ck_assert_int_eq(pread(fd, copy, sizeof copy, at + (off_t)sizeof words), sizeof copy);
    ck_assert_int_eq(memcmp(copy, data, sizeof copy), 0);
    pcapng_free(&file);
}
END_TEST

/* As on a full disk: at each length that the file may have. */
START_TEST(a_full_disk_leaves_whole_blocks)
{
    struct pcapng file;
    char path[] = "/tmp/test_pcapng.XXXXXX";
    int fd = mkstemp(path), r = 0;
    (void)unlink(path);
    begin(&file, fd);
    ck_assert_int_eq(pcapng_flush(&file, NULL), 0);
    const struct rlimit limit = {.rlim_cur = (rlim_t)lseek(fd, 0, SEEK_END) + (rlim_t)_i,
                                 .rlim_max = RLIM_INFINITY};
    const struct rlimit none = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    (void)signal(SIGXFSZ, SIG_IGN);
    /* Nothing is checked within the limit: libcheck's own file would be under it. */
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    for (unsigned i = 0; i < PACKETS && r == 0; i++) {
        r = add(&file, 10);
        if (r == 0 && i % 3 == 2)
            r = pcapng_flush(&file, NULL);
    }
    (void)setrlimit(RLIMIT_FSIZE, &none);
    ck_assert_int_eq(r, -EFBIG);
    ck_assert_uint_eq(count_packets(fd), (unsigned)_i / 44); /* a block's length */
    pcapng_free(&file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pcapng");
    TCase *cases = tcase_create("pcapng");
    tcase_add_loop_test(cases, blocks_are_whole, 0, sizeof lengths / sizeof lengths[0]);
    tcase_add_test(cases, a_packet_is_as_it_was);
    tcase_add_loop_test(cases, a_full_disk_leaves_whole_blocks, 0, 140);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
