#!/bin/sh
# Installs linqsync for Linux into ~/.local, or for root into /usr/local. Nothing is started.
#
#   curl -fsSL @URL@/install.sh | sh
#   sh install.sh --prefix DIR      # elsewhere
#   sh install.sh --uninstall       # removes the program; configuration and state stay
#
# LINQSYNC_URL names another place with the archives and their SHA256SUMS.
set -eu

version=@VERSION@
url=${LINQSYNC_URL:-@URL@}

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

usage() {
    echo "usage: install.sh [--prefix DIR] [--uninstall]" >&2
    exit 2
}

download() {
    if command -v curl >/dev/null 2>&1; then
        curl -fsSL --retry 3 -o "$2" "$1" || fail "cannot download $1"
    elif command -v wget >/dev/null 2>&1; then
        wget -q -O "$2" "$1" || fail "cannot download $1"
    else
        fail "curl or wget is needed to download"
    fi
}

sum() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum "$1" | cut -d' ' -f1
    elif command -v shasum >/dev/null 2>&1; then
        shasum -a 256 "$1" | cut -d' ' -f1
    else
        fail "sha256sum or shasum is needed to check the download"
    fi
}

uninstall() {
    rm -f "$prefix/bin/linqsync"
    rm -f "$prefix"/share/man/man1/linqsync.1.gz "$prefix"/share/man/man1/linqsync-*.1.gz
    rm -f "$prefix/share/man/man5/sync.toml.5.gz"
    rm -f "$prefix/share/bash-completion/completions/linqsync"
    rm -f "$prefix/share/zsh/site-functions/_linqsync"
    rm -f "$prefix/share/fish/vendor_completions.d/linqsync.fish"
    echo "linqsync is removed from $prefix; configuration and state are where they were"
}

copy() {
    mkdir -p "$2"
    cp -f "$1" "$2/"
}

install_all() {
    mkdir -p "$prefix/bin" || fail "cannot write to $prefix; choose another place with --prefix"
    # A program that runs is replaced, not overwritten.
    cp "$1/linqsync" "$prefix/bin/.linqsync.new" || fail "cannot write to $prefix/bin"
    chmod 0755 "$prefix/bin/.linqsync.new"
    mv -f "$prefix/bin/.linqsync.new" "$prefix/bin/linqsync"
    for page in "$1"/man/*.1.gz; do copy "$page" "$prefix/share/man/man1"; done
    for page in "$1"/man/*.5.gz; do copy "$page" "$prefix/share/man/man5"; done
    mkdir -p "$prefix/share/bash-completion/completions"
    cp -f "$1/completions/linqsync.bash" "$prefix/share/bash-completion/completions/linqsync"
    copy "$1/completions/_linqsync" "$prefix/share/zsh/site-functions"
    copy "$1/completions/linqsync.fish" "$prefix/share/fish/vendor_completions.d"
}

# All of it is read before anything is done: a download that was cut does nothing.
main() {
    prefix=
    action=install
    while [ $# -gt 0 ]; do
        case $1 in
            --prefix) [ $# -ge 2 ] || usage; prefix=$2; shift ;;
            --prefix=*) prefix=${1#--prefix=} ;;
            --uninstall) action=uninstall ;;
            *) usage ;;
        esac
        shift
    done
    if [ -z "$prefix" ]; then
        if [ "$(id -u)" = 0 ]; then prefix=/usr/local; else prefix=$HOME/.local; fi
    fi
    if [ "$action" = uninstall ]; then
        uninstall
        return
    fi
    case $(uname -s) in
        Linux) ;;
        Darwin) fail "there is no program for macOS here: build it with cargo, or use Homebrew on Linux" ;;
        *) fail "linqsync runs on Linux and macOS, not on $(uname -s)" ;;
    esac
    case $(uname -m) in
        x86_64 | amd64) architecture=x86_64 ;;
        aarch64 | arm64) architecture=aarch64 ;;
        *) fail "there is no program for $(uname -m) here; known: x86_64, aarch64" ;;
    esac
    name=linqsync-$version-$architecture-linux
    directory=$(mktemp -d)
    trap 'rm -rf "$directory"' EXIT
    trap 'exit 1' HUP INT TERM
    echo "downloading $name"
    download "$url/SHA256SUMS" "$directory/SHA256SUMS"
    download "$url/$name.tar.gz" "$directory/$name.tar.gz"
    wanted=$(sed -n "s/^\([0-9a-f]\{64\}\)  $name\.tar\.gz\$/\1/p" "$directory/SHA256SUMS")
    [ -n "$wanted" ] || fail "SHA256SUMS has no sum of $name.tar.gz; nothing is installed"
    found=$(sum "$directory/$name.tar.gz")
    [ "$wanted" = "$found" ] || fail "the sum of $name.tar.gz is wrong; nothing is installed"
    tar -xzf "$directory/$name.tar.gz" -C "$directory"
    "$directory/$name/linqsync" --version >/dev/null 2>&1 ||
        fail "the program does not run on this machine; nothing is installed"
    install_all "$directory/$name"
    echo "installed $prefix/bin/linqsync $version"
    case ":$PATH:" in
        *":$prefix/bin:"*) ;;
        *) echo "add it to your PATH: export PATH=\"$prefix/bin:\$PATH\"" ;;
    esac
    echo "see what it does: linqsync demo · set it up: linqsync init contacts.csv"
}

main "$@"
