/*
 * A trace of what was refused, for the administrator: one line to the system log.
 */
#pragma once

#include "lib/subid/subid.h"

/**
 * Sends @p reason with LOG_AUTHPRIV and LOG_WARNING to /dev/log (RFC 3164 framing, as syslog(3)
 * does), with the caller's uid in front. Never waits, and a host without a log is none of the
 * caller's business. syslog(3) itself allocates.
 */
void idmap_log_refusal(enum subid_kind kind, uid_t uid, const char *reason);
