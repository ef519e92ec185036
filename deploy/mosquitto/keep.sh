#!/bin/sh
# Runs mosquitto with the files that the hub keeps, and has it obey them when they change: `keep.sh DIR [PROGRAM]`, DIR as made by `parvis-hub fleet init`.
# A new access list is read at once, and counts for connections that are open. A new list of revocations also ends every connection, since mosquitto
# asks for a certificate only when one begins: it is started again, and units and hub come back by themselves.
set -u
folder=$1 program=${2:-mosquitto}
asleep=

said() { cksum "$folder/$1" 2>/dev/null; }

begin() {
  access=$(said acl) revoked=$(said crl.pem)
  "$program" -c "$folder/mosquitto.conf" &
  broker=$!
}

stop() {
  kill -TERM "$broker" 2>/dev/null
  wait "$broker"
}

end() {
  [ -z "$asleep" ] || kill "$asleep" 2>/dev/null
  stop
  exit 0
}

trap end TERM INT
begin
while kill -0 "$broker" 2>/dev/null; do
  # A signal interrupts `wait`, not `sleep`.
  sleep 0.3 &
  asleep=$!
  wait "$asleep"
  if [ "$(said acl)" != "$access" ]; then
    access=$(said acl)
    kill -HUP "$broker"
  fi
  if [ "$(said crl.pem)" != "$revoked" ]; then
    stop
    begin
  fi
done
# Whoever supervises this starts both again.
wait "$broker"
