/* Why the kernel refused new namespaces: which switch it was, and what to do. */
#pragma once

struct err;

/**
 * @param proc_sys_fd  /proc/sys
 * @param code         errno of clone3(2)
 * @return -code, with the message
 */
int userns_explain(int proc_sys_fd, int code, struct err *err);
