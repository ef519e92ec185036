#!/bin/sh
# Debian for a card, as one archive: base.sh FLAVOUR OUT.tar. The kernel is laid out, not installed: its installation would build an initial
# file system inside the emulated processor, which takes longer than all the rest.
set -eu
flavour=$1 out=$2 here=$(cd "$(dirname "$0")" && pwd)
packages=$(awk -v flavour="[$flavour]" '/^#/ || !NF {next} /^\[/ {on = ($0 == flavour); listed = 1; next} on || !listed' "$here/packages.txt" | paste -sd,)
mmdebstrap --variant=minbase --architectures=arm64 --components=main,non-free-firmware \
  --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Retries "3"' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --include="$packages" --customize-hook="$here/kernel.sh"' "$1"' bookworm "$out"
