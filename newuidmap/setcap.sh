#!/bin/sh
# Install hook: gives the two helpers their one capability. Packages, whose files are staged, do
# that in their own post-install script (or an rpm %caps line).
set -eu

newuidmap=$MESON_INSTALL_DESTDIR_PREFIX/$1
newgidmap=$MESON_INSTALL_DESTDIR_PREFIX/$2

if [ -n "${DESTDIR:-}" ] || [ "$(id -u)" -ne 0 ]; then
    echo "To be done as root where they are installed:"
    echo "  setcap cap_setuid+ep ${newuidmap#"${DESTDIR:-}"}"
    echo "  setcap cap_setgid+ep ${newgidmap#"${DESTDIR:-}"}"
    exit 0
fi
if ! setcap cap_setuid+ep "$newuidmap" || ! setcap cap_setgid+ep "$newgidmap"; then
    echo "warning: this file system takes no file capabilities: $newuidmap and $newgidmap cannot" \
        "work from here" >&2
fi
