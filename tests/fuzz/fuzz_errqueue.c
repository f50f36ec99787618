/*
 * What an error queue may hold: the kernel's control data, with what strangers put into an ICMP
 * error's fields, and a quoted datagram. Input: lengths of the address, of the quoted bytes, and
 * then both, and control messages as bytes.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/socket.h>

#include "rootlesskit/gateway/errqueue.h"

static void *part_of(const uint8_t **data, size_t *size, size_t want, size_t *ret_len)
{
    size_t len = want < *size ? want : *size;
    void *copy = malloc(len ? len : 1);
    require(copy != NULL);
    memcpy(copy, *data, len);
    *data += len;
    *size -= len;
    *ret_len = len;
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct errqueue_error error;
    struct msghdr msg = {0};
    struct iovec part;
    size_t name_len, control_len;
    if (size < 2)
        return 0;
    size_t want_name = data[0] % (sizeof(struct sockaddr_storage) + 1), want_part = data[1];
    data += 2;
    size -= 2;
    msg.msg_name = part_of(&data, &size, want_name, &name_len);
    msg.msg_namelen = (socklen_t)name_len;
    part.iov_base = part_of(&data, &size, want_part, &part.iov_len);
    msg.msg_iov = &part;
    msg.msg_iovlen = 1;
    msg.msg_control = part_of(&data, &size, size, &control_len);
    msg.msg_controllen = control_len;
    if (errqueue_parse(&msg, part.iov_len, &error)) {
        require(error.reason <= ICMP_TIME_OVER);
        require(error.head_len <= ERRQUEUE_HEAD && error.head_len <= part.iov_len);
    }
    free(msg.msg_name);
    free(part.iov_base);
    free(msg.msg_control);
    return 0;
}
