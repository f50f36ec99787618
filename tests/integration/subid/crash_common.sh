# Shared by the tests that let a writer crash or fail at a chosen system call. $2: the program that
# does that to another.
# shellcheck shell=bash disable=SC2034 # variables are for the tests
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
crash=$2
killed=120 not_reached=121 cannot_fail=122

# In memory, for there are some thousand trees; the order of calls is the same.
mkdir "$work/mem"
mount -t tmpfs rltest-crash "$work/mem"
root=$work/mem/root base=$work/mem/base
records=$root/var/lib/rootless-toolkit/subid

# A tree with two users' ranges, to which each case adds.
begin() {
    fresh
    mkdir -p "$root/var/lib"
    echo 'carol:x:1005:1005::/home/carol:/bin/sh' >>"$root/etc/passwd"
    printf '# kept\nalice:100000:65536\nbob:165536:65536\n#last\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
    chmod 0640 "$root/etc/subuid"
    chown 1:2 "$root/etc/subuid"
}

# Sets uids and gids to what the files hold, but for carol's lines.
read_pair() {
    local line
    uids='' gids=''
    while IFS= read -r line; do
        [[ $line == carol:* ]] || uids+=$line$'\n'
    done 2>/dev/null <"$root/etc/subuid" || true
    while IFS= read -r line; do
        [[ $line == carol:* ]] || gids+=$line$'\n'
    done 2>/dev/null <"$root/etc/subgid" || true
}

restore() {
    rm -rf "$root"
    cp -a "$base" "$root"
}

# What is left beside the files themselves: locks and names of a change under way.
leftovers() {
    local found=("$root"/etc/*rootless* "$root"/etc/*.lock*)
    echo "${found[*]}"
}
shopt -s nullglob

n_records() {
    local found=("$records"/*)
    echo ${#found[@]}
}

# The pair must be one of the two now, the files look as before. $1: n-th call
check_settled() {
    local all
    read_pair
    if [ "$uids" = "$old_uids" ] && [ "$gids" = "$old_gids" ]; then
        n_old=$((n_old + 1)) all=$had_records
    elif [ "$uids" = "$new_uids" ] && [ "$gids" = "$new_gids" ]; then
        n_new=$((n_new + 1)) all=$((had_records + 1))
    else
        trouble+="call $1: neither the old pair nor the new one: $uids/ $gids"$'\n'
        return
    fi
    [ "$(n_records)" -eq $((all + $2)) ] || trouble+="call $1: $(n_records) records, not $((all + $2))"$'\n'
    [ "$(stat -c '%a %u:%g' "$root/etc/subuid")" = "$looks" ] || trouble+="call $1: mode or owner"$'\n'
    [ -z "$(leftovers)" ] || trouble+="call $1: left behind: $(leftovers)"$'\n'
}

# Another writer comes; carol is new to the pair.
next_writer() {
    "$setup" subid list --root "$root" >/dev/null 2>"$work/err" || [ ! -s "$work/err" ] ||
        [[ $(<"$work/err") == *nobody* ]] || trouble+="call $1: list: $(<"$work/err")"$'\n'
    "$setup" subid add --wait 0 --root "$root" carol >/dev/null 2>"$work/err" ||
        trouble+="call $1: the next writer: $(<"$work/err")"$'\n'
    [[ $(<"$work/err") != *$'\n'* ]] || trouble+="call $1: more than a line: $(<"$work/err")"$'\n'
}

# Learns what the command makes of the base tree.
learn() {
    rm -rf "$base"
    cp -a "$root" "$base"
    read_pair
    old_uids=$uids old_gids=$gids had_records=$(n_records)
    looks=$(stat -c '%a %u:%g' "$root/etc/subuid" 2>/dev/null || echo "644 0:0")
    "$@" >/dev/null 2>&1
    read_pair
    new_uids=$uids new_gids=$gids
    n=0 n_old=0 n_new=0 n_half=0 trouble=
}
