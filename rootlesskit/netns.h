/*
 * The network namespace beside the command (--detach-netns): made by the child, kept alive by a
 * mount on STATE-DIR/netns in the child's mount namespace, for programs inside that enter it by
 * name (nsenter --net=...).
 */
#pragma once

struct err;
struct statedir;

#define NETNS_FILE "netns"

/** Makes one and stays where it is. @return an nsfs fd, or -errno */
int netns_make(struct err *err);
/** Mounts @p netns_fd over the state directory's (existing) file. @return 0 or -errno */
int netns_mount(const struct statedir *state, int netns_fd, struct err *err);
/** Takes the mount away again: until then the child, which sees it, cannot remove the file. */
void netns_unmount(const struct statedir *state);
