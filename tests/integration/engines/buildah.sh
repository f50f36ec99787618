#!/bin/bash
# Buildah of Debian's package as root of a namespace of ours: an image is built, kept, and run.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

command -v buildah >/dev/null || skip_all "no buildah"
use_programs
use_network
use_resolver
serve_pages
make_user buildah

make_rootfs "$work/rootfs" page
cat >"$work/build" <<'END'
#!/bin/sh
set -e
buildah() { command buildah --root "$HOME/storage" --runroot "$XDG_RUNTIME_DIR/storage" "$@"; }
c=$(buildah from scratch)
buildah copy --quiet "$c" "$1" / >/dev/null
buildah run $3 "$c" -- sh -c "chown 1000:1000 /tmp; wget -q -O /www/got $2; id -u"
buildah commit --quiet "$c" result >/dev/null
buildah rm "$c" >/dev/null
c=$(buildah from result)
buildah run $3 "$c" -- sh -c 'cat /www/got; ls -ldn /tmp'
END
chmod 755 "$work/build"

for net in gateway slirp4netns; do
    how="--isolation chroot"
    [ $net != gateway ] || how="--isolation oci --runtime runc --network host"
    run as_user rootlesskit --net=$net --disable-host-loopback --copy-up=/etc --copy-up=/run \
        --copy-up=/var/lib --copy-up=/var/cache "$work/build" "$work/rootfs" http://remote.example:8000/ "$how"
    [ "$rc" -eq 0 ] || note "$err"
    like "$net: it ran as root, and had the network and its names" "$out" $'^0\nremote'
    like "$net: the image keeps what it wrote, with the owners" "$out" ' 1000 +1000 .* /tmp'
    run as_user rootlesskit rm -rf "$home/storage"
    is "$net: all of it can be removed" "$out$err$(ls "$home")" ""
done
done_testing
