#!/bin/sh
# Makes a virtual environment with pip: `sh tools/make-venv.sh PYTHON FOLDER`. Debian and Ubuntu keep Python's own way of doing so in
# another package (python3-venv); where that is not installed, pip is taken from Debian's package of it, unpacked and not installed, so
# that no administrator is needed.
set -eu
python=$1 folder=$2

fail() {
  rm -rf "$folder"
  echo "$1" >&2
  exit 1
}

[ -x "$folder/bin/python" ] && "$folder/bin/python" -m pip --version >/dev/null 2>&1 && exit 0
rm -rf "$folder"
[ -n "$python" ] || fail "Python 3.11 or later is needed: apt install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$("$python" --version) is too old; Python 3.11 or later is needed"
"$python" -m venv "$folder" >/dev/null 2>&1 && exit 0

"$python" -m venv --without-pip "$folder" || fail "no virtual environment: apt install python3-venv"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
# A fresh machine may never have fetched the lists of packages; only an administrator can.
apt-get download -qq python3-pip-whl >/dev/null 2>&1 ||
  { apt-get update -qq >/dev/null 2>&1 && apt-get download -qq python3-pip-whl >/dev/null 2>&1; } ||
  { cd "$OLDPWD" && fail "pip is missing and cannot be fetched: apt install python3-venv"; }
dpkg-deb -x python3-pip-whl_*.deb .
cd "$OLDPWD"
PYTHONPATH=$(echo "$scratch"/usr/share/python-wheels/pip-*.whl) "$folder/bin/python" -m pip install --quiet --disable-pip-version-check \
  --no-index --find-links "$scratch/usr/share/python-wheels" pip
