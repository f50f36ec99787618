/*
 * rootlesskit-capture: the child's packets, as pcapng. What it finds open stands in capture.h.
 *
 * Stages, each with what it may do:
 *   join     become root of the child's user namespace, and enter its network namespace
 *   open     the packet socket, by libpcap: the one thing that needs a capability
 *   confine  no file system, no capability, only the system calls of the last stage
 *   capture  packets, which anybody may have made, from the socket to the file
 */
#include "rootlesskit/api/capture.h"

#include <errno.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <pcap/sll.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/fdflag.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootlesskit/api/jail.h"
#include "rootlesskit/api/pcapng.h"

#define ANY "any"
#define RING_BYTES (16 * 1024 * 1024)
/* So long the kernel keeps packets back to hand over several at once. */
#define BATCH_MS 100

struct capture {
    pcap_t *pcap;
    struct pcapng file;
    const char *ifname, *filter;
    uint32_t snaplen;
    uint32_t left; /* packets to go; 0: no end */
    uint64_t written, begin_ns;
    int signal_fd;
    int names_fd; /* any socket of the child's network: interfaces by number */
    bool any;     /* packets tell their interface (LINUX_SLL2) */
    int known_n;  /* interfaces that have a block */
    uint32_t known[PCAPNG_INTERFACES_MAX]; /* the kernel's number of each; 0: of the first */
    int code;                              /* -errno of the file */
    struct err *err;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

/* Root of the child's user namespace could trace whoever joins it. A caller inside is there. */
static int join(struct err *err)
{
    if (prctl(PR_SET_DUMPABLE, 0) < 0)
        return err_sys(err, errno, "cannot become undumpable");
    if (setns(CAPTURE_USERNS, CLONE_NEWUSER) < 0 && errno != EINVAL)
        return err_sys(err, errno, "cannot join the child's user namespace");
    if (setns(CAPTURE_NETNS, CLONE_NEWNET) < 0)
        return err_sys(err, errno, "cannot enter the child's network");
    fd_close(CAPTURE_USERNS);
    fd_close(CAPTURE_NETNS);
    return 0;
}

static int watch_signals(struct capture *capture, struct err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_sys(err, errno, "cannot block signals");
    capture->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return capture->signal_fd < 0 ? err_sys(err, errno, "cannot watch signals") : 0;
}

static int pcap_failed(pcap_t *pcap, int status, const char *ifname, struct err *err)
{
    const char *detail = pcap_geterr(pcap);
    if (status == PCAP_ERROR_NO_SUCH_DEVICE)
        return err_set(err, ENODEV, "the child has no interface %s", ifname);
    return err_set(err, EIO, "cannot capture on %s: %s", ifname,
                   detail[0] ? detail : pcap_statustostr(status));
}

static int open_socket(struct capture *capture, struct err *err)
{
    char errbuf[PCAP_ERRBUF_SIZE] = "";
    capture->any = str_equal(capture->ifname, ANY);
    capture->names_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    capture->pcap = pcap_create(capture->ifname, errbuf);
    if (!capture->pcap || capture->names_fd < 0)
        return err_set(err, EIO, "cannot capture: %s", errbuf);
    pcap_t *pcap = capture->pcap;
    (void)pcap_set_snaplen(pcap, (int)capture->snaplen);
    (void)pcap_set_buffer_size(pcap, RING_BYTES);
    (void)pcap_set_timeout(pcap, BATCH_MS);
    (void)pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
    int status = pcap_activate(pcap);
    if (status < 0)
        return pcap_failed(pcap, status, capture->ifname, err);
    if (capture->any && pcap_set_datalink(pcap, DLT_LINUX_SLL2) < 0)
        return pcap_failed(pcap, PCAP_ERROR, capture->ifname, err);
    return pcap_setnonblock(pcap, 1, errbuf) < 0 ? err_set(err, EIO, "%s", errbuf) : 0;
}

/* Names in a filter are looked up in files, so it comes before these are out of reach. */
static int set_filter(struct capture *capture, struct err *err)
{
    struct bpf_program program;
    if (!capture->filter[0])
        return 0;
    if (pcap_compile(capture->pcap, &program, capture->filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
        return err_set(err, EINVAL, "filter \"%s\": %s", capture->filter,
                       pcap_geterr(capture->pcap));
    int r = pcap_setfilter(capture->pcap, &program);
    pcap_freecode(&program);
    return r < 0 ? err_set(err, EIO, "cannot filter: %s", pcap_geterr(capture->pcap)) : 0;
}

/* libpcap's number is the file's, but for bare IP, which differs by system (LINKTYPE_RAW). */
static uint16_t link_type_of(const struct capture *capture)
{
    int type = pcap_datalink(capture->pcap);
    return type == DLT_RAW ? 101 : (uint16_t)type;
}

static int add_interface(struct capture *capture, const char *name, uint32_t number,
                         struct err *err)
{
    const struct pcapng_interface interface = {
        .name = name,
        .link_type = link_type_of(capture),
        .snaplen = capture->snaplen,
        .filter = capture->filter,
    };
    int r = pcapng_add_interface(&capture->file, &interface, err);
    if (r >= 0)
        capture->known[capture->known_n++] = number;
    return r;
}

static int begin_file(struct capture *capture, struct err *err)
{
    capture->begin_ns = now_ns();
    int r = pcapng_begin(&capture->file, CAPTURE_FILE, CAPTURE_PROGRAM " " ROOTLESS_VERSION, err);
    return r < 0 ? r : add_interface(capture, capture->ifname, 0, err);
}

/* @return the number that a packet's interface has in the file; 0, the first one's, when it cannot
 * have its own; or -errno */
static int interface_of(struct capture *capture, const struct pcap_pkthdr *header,
                        const unsigned char *data)
{
    struct sll2_header link;
    struct ifreq request = {0};
    if (!capture->any || header->caplen < sizeof link)
        return 0;
    memcpy(&link, data, sizeof link);
    uint32_t number = ntohl(link.sll2_if_index);
    for (int i = 1; i < capture->known_n; i++)
        if (capture->known[i] == number)
            return i;
    request.ifr_ifindex = (int)number;
    if (capture->known_n == PCAPNG_INTERFACES_MAX ||
        ioctl(capture->names_fd, SIOCGIFNAME, &request) < 0)
        return 0;
    return add_interface(capture, request.ifr_name, number, capture->err);
}

static void on_packet(unsigned char *context, const struct pcap_pkthdr *header,
                      const unsigned char *data)
{
    struct capture *capture = (struct capture *)(void *)context;
    int interface = interface_of(capture, header, data);
    const struct pcapng_packet packet = {
        .interface = (uint32_t)interface,
        /* The field for microseconds has nanoseconds, as was asked for. */
        .time_ns = (uint64_t)header->ts.tv_sec * 1000000000U + (uint64_t)header->ts.tv_usec,
        .kept = header->caplen < PCAPNG_PACKET_MAX ? header->caplen : PCAPNG_PACKET_MAX,
        .len = header->len,
        .data = data,
    };
    int r = interface < 0 ? interface : pcapng_add_packet(&capture->file, &packet, capture->err);
    if (r < 0) {
        capture->code = r;
        pcap_breakloop(capture->pcap);
        return;
    }
    capture->written++;
}

/* Takes what is there. @return 0, or -errno */
static int take(struct capture *capture, struct err *err)
{
    int most = capture->left > 0 && capture->left < INT32_MAX ? (int)capture->left : -1;
    capture->err = err;
    int n = pcap_dispatch(capture->pcap, most, on_packet, (unsigned char *)capture);
    if (capture->code < 0)
        return capture->code;
    if (n == PCAP_ERROR)
        return err_set(err, EIO, "the capture ended: %s", pcap_geterr(capture->pcap));
    if (n > 0 && capture->left > 0)
        capture->left -= (uint32_t)n;
    return n > 0 && capture->left == 0 && most > 0 ? -ECANCELED : 0;
}

/* After the end what the kernel has kept back so far is taken, too. */
static int run(struct capture *capture, struct err *err)
{
    struct pollfd fds[] = {{.fd = pcap_get_selectable_fd(capture->pcap), .events = POLLIN},
                           {.fd = capture->signal_fd, .events = POLLIN},
                           {.fd = CAPTURE_CHILD, .events = POLLIN}};
    int64_t end = INT64_MAX;
    int r = 0;
    while (r >= 0 && clock_ms() < end) {
        if (poll(fds, end == INT64_MAX ? 3 : 1, BATCH_MS) < 0 && errno != EINTR)
            return err_sys(err, errno, "cannot wait for packets");
        r = take(capture, err);
        if (r >= 0)
            r = pcapng_flush(&capture->file, err);
        if (end == INT64_MAX && (fds[1].revents || fds[2].revents))
            end = clock_ms() + 2 * BATCH_MS;
    }
    return r == -ECANCELED ? 0 : r;
}

static int end_file(struct capture *capture, struct err *err)
{
    struct pcap_stat stat = {0};
    (void)pcap_stats(capture->pcap, &stat);
    const struct pcapng_counts counts = {
        .begin_ns = capture->begin_ns,
        .end_ns = now_ns(),
        .received = stat.ps_recv,
        .dropped = stat.ps_drop,
        .written = capture->written,
    };
    int r = pcapng_add_counts(&capture->file, &counts, err);
    if (r >= 0)
        r = pcapng_flush(&capture->file, err);
    (void)fprintf(stderr, "%llu packets captured, %u dropped by the kernel\n",
                  (unsigned long long)capture->written, stat.ps_drop);
    return r;
}

static int set_up(struct capture *capture, char **argv, struct err *err)
{
    capture->ifname = argv[1];
    capture->filter = argv[4];
    int r = parse_u32("the count", argv[2], 0, UINT32_MAX, &capture->left, err);
    if (r >= 0)
        r = parse_u32("--snaplen", argv[3], 1, PCAPNG_PACKET_MAX, &capture->snaplen, err);
    for (int fd = CAPTURE_USERNS; fd < CAPTURE_FD_END && r >= 0; fd++)
        r = fdflag_cloexec(fd, 1);
    if (r < 0 && !err->code)
        r = err_set(err, EBADF, "it is started by rootlessctl, with its files, and not by hand");
    if (r >= 0)
        r = watch_signals(capture, err);
    if (r >= 0)
        r = join(err);
    if (r >= 0)
        r = open_socket(capture, err);
    if (r >= 0)
        r = set_filter(capture, err);
    return r < 0 ? r : jail_enter(err);
}

int main(int argc, char **argv)
{
    static struct capture capture;
    struct err err = {0};
    cli_begin("error", CAPTURE_FD_END);
    if (argc != 5) {
        cli_error("it is started by rootlessctl, with its words, and not by hand");
        return CLI_FAILED;
    }
    int r = set_up(&capture, argv, &err);
    if (r >= 0)
        r = begin_file(&capture, &err);
    if (r >= 0)
        r = pcapng_flush(&capture.file, &err);
    if (r < 0)
        return cli_fail(&err, CLI_FAILED);
    r = run(&capture, &err);
    struct err last = {0};
    int ended = r == 0 || capture.code == 0 ? end_file(&capture, &last) : 0;
    pcapng_free(&capture.file);
    if (r >= 0 && ended < 0) {
        r = ended;
        err = last;
    }
    return r < 0 ? cli_fail(&err, CLI_FAILED) : CLI_OK;
}
