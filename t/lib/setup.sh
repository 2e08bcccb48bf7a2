# Shared by t/check, t/chroot and conf/demo: installs Debian packages that are missing, builds variants of the module.
# Sourced by bash; `top` is the source tree. Messages go to stderr.
# shellcheck shell=bash disable=SC2154

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Names of installed packages, and of what they provide.
packages_here() {
    dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides}\n' | sed -n 's/^installed //p' | tr ',' '\n' | sed 's/^ *//; s/[ (].*//'
}

# Names that a package list asks for, one a line; "a | b" means either (the first one that is to be had).
packages_missing() {
    local line name have here
    here=$(packages_here)
    while IFS= read -r line; do
        line=${line%%#*}
        have=
        for name in ${line//|/ }; do
            grep -Fqx -- "$name" <<<"$here" && have=1
        done
        [ -z "${line// /}" ] || [ -n "$have" ] || printf '%s\n' "$line"
    done <"$1"
}

# Installs what the lists in "$@" name and the machine lacks. Says nothing if nothing is missing. In a subshell, for the
# sake of its trap: ask for its status.
need_packages() (
    local list line missing=() chosen=() log policy=/usr/sbin/policy-rc.d
    command -v dpkg-query >/dev/null || { say 'This is not Debian: nothing is installed, what is missing will show.'; exit 0; }
    for list in "$@"; do
        while IFS= read -r line; do missing+=("$line"); done < <(packages_missing "$list")
    done
    [ ${#missing[@]} -gt 0 ] || exit 0
    if [ "$(id -u)" != 0 ]; then
        die "These packages are missing: ${missing[*]}
Install them as root: apt-get install --no-install-recommends ${missing[*]%%|*}"
    fi
    log=$(mktemp)
    say "installing ${missing[*]%%|*}"
    apt-get -q update >"$log" 2>&1 || { cat "$log" >&2; die 'apt-get update failed'; }
    for line in "${missing[@]}"; do
        chosen+=("$(first_available "$line")")
    done
    # A daemon must not start because its package comes in.
    [ ! -e $policy ] || cp -p $policy "$log.policy"
    # shellcheck disable=SC2064
    trap "if [ -e '$log.policy' ]; then mv -f '$log.policy' $policy; else rm -f $policy; fi" EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends "${chosen[@]}" \
        </dev/null >>"$log" 2>&1 || { tail -n 30 "$log" >&2; die 'apt-get install failed'; }
    rm -f "$log"
)

first_available() {
    local name
    for name in ${1//|/ }; do
        if apt-cache show "$name" >/dev/null 2>&1; then
            printf '%s\n' "$name"
            return
        fi
    done
    printf '%s\n' "${1%%|*}"
}

# Runs a command quietly; its output goes to the log and is shown if it fails.
logged() {
    local log=$1
    shift
    "$@" >>"$log" 2>&1 </dev/null && return
    tail -n 40 "$log" >&2
    die "failed: $* (all of it in $log)"
}

# configure and the Makefile.in, made anew when what they come from has changed.
make_configure() {
    local file stale=
    (
        flock 9
        for file in configure Makefile.in config.h.in build-aux/ltmain.sh; do [ -e "$top/$file" ] || stale=1; done
        for file in configure.ac Makefile.am t/unit/tests.am; do
            [ "$top/$file" -nt "$top/Makefile.in" ] && stale=1
        done
        [ -n "$stale" ] || exit 0
        : >"$top/build/autoreconf.log"
        logged "$top/build/autoreconf.log" autoreconf -fi "$top"
        touch "$top/Makefile.in"
    ) 9>"$top/build/.lock" || exit 1
}

variant_arguments() {
    case $1 in
    normal) printf '%s\n' --enable-werror ;;
    asan) printf '%s\n' --enable-sanitizers=address,undefined 'CFLAGS=-O1 -g' ;;
    tsan) printf '%s\n' --enable-sanitizers=thread 'CFLAGS=-O1 -g' ;;
    clang) printf '%s\n' --enable-werror CC=clang ;;
    fuzz) printf '%s\n' --enable-sanitizers=fuzzer-no-link,address,undefined CC=clang 'CFLAGS=-O1 -g' ;;
    *) die "no such variant: $1" ;;
    esac
}

# build_variant NAME TARGET...: configures and makes build/NAME. Targets are made one after the other: `all` starts a
# make of its own, which must not meet another.
build_variant() {
    local variant=$1 dir=$top/build/$1 log=$top/build/$1/build.log arguments target
    shift
    mkdir -p "$dir"
    [ ! -e "$top/config.status" ] || die "The source tree itself is configured: run 'make distclean' in $top first."
    make_configure || exit 1
    : >"$log"
    mapfile -t arguments < <(variant_arguments "$variant")
    if [ ! -e "$dir/config.status" ] || [ "$top/configure" -nt "$dir/config.status" ]; then
        (cd "$dir" && logged "$log" "$top/configure" -q "${arguments[@]}") || exit 1
    fi
    for target in "$@"; do logged "$log" make -s -j2 -C "$dir" V=0 "$target" || exit 1; done
}
