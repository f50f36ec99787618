/*
 * The user's services start at boot and outlive his logins ("linger"), as logind has it.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "rootless-setup/check/probe.h"

struct err;

/**
 * Turns it on, as the caller: root for anybody, a user for himself where polkit lets him; and waits
 * until the user's manager runs.
 * @return 0, also where it is on or there is no systemd; or -errno
 */
int linger_enable(const struct check_context *context, bool dry, FILE *out, struct err *err);
