#!/bin/bash
# Programs of everyday use through the gateway: git, apt-get, dig.
set -eu
# shellcheck source=outside.sh
. "$(dirname "$0")/outside.sh"
use_programs
install -m 644 "$(dirname "$0")"/../rootlesskit/dns.py "$work/"
use_outside
make_kit_user programs
mkdir -p "$work/www"
start_gateway
say_families
user_does() { in_child timeout 60 "$@" 2>&1; }

# Git: a repository of 10 MB, over HTTP as web servers serve it, and by its own protocol.
export GIT_CONFIG_NOSYSTEM=1 HOME=$work
git_http="location ~ /git(/.*) {
    client_max_body_size 0;
    include /etc/nginx/fastcgi_params;
    fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
    fastcgi_param GIT_PROJECT_ROOT $work/repos;
    fastcgi_param GIT_HTTP_EXPORT_ALL 1;
    fastcgi_param PATH_INFO \$1;
    fastcgi_pass unix:$work/fcgi.sock;
}"
make_repository() {
    local i
    mkdir -p "$work/repos" "$work/source"
    git -C "$work/source" init -q -b main
    for i in $(seq 100); do head -c 100K /dev/urandom >"$work/source/$i"; done
    git -C "$work/source" add .
    git -C "$work/source" -c user.name=test -c user.email=test@example.org commit -q -m test
    git clone -q --bare "$work/source" "$work/repos/test.git"
    git -C "$work/repos/test.git" repack -adq
    git -C "$work/repos/test.git" config http.receivepack true
    head=$(git -C "$work/source" rev-parse HEAD)
}
serve_git_http() {
    fcgiwrap -c 2 -s "unix:$work/fcgi.sock" >/dev/null 2>&1 &
    at_end kill $!
    wait_for 10 test -S "$work/fcgi.sock"
    serve_files 8000 "$git_http"
}
clone() { # NAME URL
    rm -rf "$home/clone"
    ok "$of$1" user_does git clone -q "$2" "$home/clone"
    is "${of}with every commit" "$(user_does git -C "$home/clone" rev-parse HEAD)" "$head"
    ok "${of}and every byte" diff -r --exclude=.git "$work/source" "$home/clone"
}
push() { # BRANCH URL
    ok "${of}git: push" user_does git -C "$home/clone" push -q "$2" "HEAD:refs/heads/$1"
    is "${of}and it is there" "$(git -C "$work/repos/test.git" rev-parse "$1")" "$head"
}
if have git nginx fcgiwrap; then
    make_repository
    serve_git_http
    serves 9418 git daemon --export-all --reuseaddr --base-path="$work/repos" --enable=receive-pack
    chown -R root:root "$work/repos"
    for family in "${families[@]}"; do
        of="IPv$family: " at=$(url "$family")
        clone "git: clone over HTTP" "$at:8000/git/test.git"
        push "http$family" "$at:8000/git/test.git"
        clone "git: clone by git's protocol" "${at/http/git}/test.git"
    done
else
    skip "git" "git, nginx or fcgiwrap is not installed"
fi

# APT: a repository of 30 packages, one of them large, into a root directory of the user's.
make_packages() {
    local i name
    mkdir -p "$work/www/apt"
    for i in $(seq 30); do
        name=rltest-$i
        mkdir -p "$work/deb/$name/DEBIAN" "$work/deb/$name/opt"
        printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: test <test@example.org>\nDescription: test\n' \
            "$name" >"$work/deb/$name/DEBIAN/control"
        head -c "$([ "$i" = 1 ] && echo 20M || echo 50K)" /dev/urandom >"$work/deb/$name/opt/$name"
        dpkg-deb --build -Znone --root-owner-group "$work/deb/$name" "$work/www/apt/$name.deb" >/dev/null
        dpkg-deb -f "$work/www/apt/$name.deb"
        printf 'Filename: ./%s.deb\nSize: %s\nSHA256: %s\n\n' "$name" "$(stat -c %s "$work/www/apt/$name.deb")" \
            "$(sha256sum <"$work/www/apt/$name.deb" | cut -d ' ' -f 1)"
    done >"$work/www/apt/Packages"
}
apt_get() {
    user_does apt-get -q -y -o Dir="$root" -o Dir::Bin::methods=/usr/lib/apt/methods -o Dir::Bin::dpkg=/usr/bin/dpkg \
        -o Dir::State::status="$root/var/lib/dpkg/status" -o APT::Architecture="$(dpkg --print-architecture)" \
        -o APT::Sandbox::User=root -o Acquire::Retries=0 -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::="--root=$root" -o Dpkg::Options::=--force-not-root -o Dpkg::Options::=--log=/dev/null "$@"
}
packages=$(seq -f rltest-%g 30)
installs() { # URL
    root=$home/root
    rm -rf "$root"
    as_user mkdir -p "$root"/etc/apt/{apt.conf.d,sources.list.d,preferences.d,trusted.gpg.d} \
        "$root"/var/lib/apt/lists/partial "$root"/var/cache/apt/archives/partial "$root"/var/log/apt \
        "$root"/var/lib/dpkg/{info,updates}
    as_user touch "$root/var/lib/dpkg/status"
    echo "deb [trusted=yes] $1/apt ./" >"$root/etc/apt/sources.list"
    ok "${of}apt-get update" apt_get update
    # shellcheck disable=SC2086
    ok "${of}apt-get install" apt_get install $packages
    is "${of}30 packages are there" "$(find "$root/opt" -type f | wc -l)" 30
    ok "${of}the large one whole" cmp "$work/deb/rltest-1/opt/rltest-1" "$root/opt/rltest-1"
}
if have apt-get dpkg-deb nginx; then
    make_packages
    [ -n "${head:-}" ] || serve_files 8000
    for family in "${families[@]}"; do
        of="IPv$family: "
        installs "$(url "$family"):8000"
    done
else
    skip "apt-get" "it is not installed"
fi

# Names: by the machine's resolver, which is outside, or one of the user's choice, of either family.
for family in "${families[@]}"; do
    on_outside python3 "$work/dns.py" "$(address "$family")" "$outside" &
    at_end kill $!
done
asks() { [ "$(user_does dig +short +time=2 +tries=1 "$@" host.example)" = "$outside" ]; }
name_resolver() {
    echo "nameserver $1" >/etc/resolv.conf.new
    mv /etc/resolv.conf.new /etc/resolv.conf
}
for family in "${families[@]}"; do
    of="IPv$family: "
    name_resolver "$(address "$family")"
    ok "${of}dig asks the machine's resolver" wait_for 30 asks
    ok "${of}over TCP" asks +tcp
    ok "${of}without EDNS" asks +noedns
    ok "${of}dig asks a resolver of the user's choice" asks "@$(address "$family")"
    ok "${of}that one over TCP" asks +tcp "@$(address "$family")"
done
is "curl by name" "$(user_does curl -sS "http://host.example:8000/apt/Packages" | sha256sum)" \
    "$(sha256sum <"$work/www/apt/Packages")"
stop_kit
done_testing
