/*
 * Keys (keyrings(7)) are handed down like file descriptors: who only changes his ids goes on to
 * hold the session keyring of whoever he was, with all that is in it.
 */
#pragma once

/** Leaves the session keyring for an empty one of our own. Call it as root, whose quota no user can
 *  use up. Where a filter forbids keyctl(2), it forbids reading keys as well. */
void keyring_leave(void);
/** Puts the user's keyring (@u) in that of the session, as a login has it; call it as the user. */
void keyring_link_user(void);
