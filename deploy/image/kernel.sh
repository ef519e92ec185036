#!/bin/sh
# A hook of mmdebstrap: fetches the newest kernel of the suite by apt, with its signatures checked, and lays it out in the root $1.
set -eu
root=$1 folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
name=$(apt-cache depends linux-image-arm64 | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ {print $2; exit}')
(cd "$folder" && apt-get download "${name%:*}:arm64" busybox-static:arm64)
# /lib is a link, and stays one.
dpkg-deb --fsys-tarfile "$folder"/linux-image-*.deb | tar --extract --keep-directory-symlink --directory="$root"
chroot "$root" depmod -a "${name#linux-image-}"
mkdir -p "$root/usr/lib/parvis"
mv "$root/boot/vmlinuz-${name#linux-image-}" "$root/usr/lib/parvis/vmlinuz"
dpkg-deb --fsys-tarfile "$folder"/busybox-static*.deb | tar --extract --to-stdout ./bin/busybox >"$root/usr/lib/parvis/busybox"
echo "$name $(dpkg-deb -f "$folder"/linux-image-*.deb Version)" >"$root/usr/lib/parvis/kernel"
