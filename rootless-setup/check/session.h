/* The user's session, as far as several probes ask for it. */
#pragma once

#include <stddef.h>

struct check_subject;

/** The bus socket that engines take: DBUS_SESSION_BUS_ADDRESS's, else the usual one. @return 0;
 *  -EAFNOSUPPORT for an address that is no path */
int session_bus_path(const struct check_subject *subject, char *ret, size_t size);
