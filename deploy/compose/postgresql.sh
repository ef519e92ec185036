#!/bin/sh
# Runs PostgreSQL on a socket alone. Where there is no cluster yet, it makes one, with the hub's database: under another name first, so that one that is
# there is whole. Only the hub's user and the server's own get in, each as themselves; only the server's own may do all.
set -eu
programs=/usr/lib/postgresql/15/bin data=/var/lib/postgresql/15

alone() { "$programs/postgres" --single -j -D "$data.new" "$1" > /dev/null; }

if [ ! -d "$data" ]; then
  rm -rf "$data.new"
  "$programs/initdb" --pgdata="$data.new" --auth=peer --encoding=UTF8 --locale=C.UTF-8 --data-checksums
  echo "CREATE ROLE hub LOGIN" | alone postgres
  echo "CREATE DATABASE parvis OWNER hub" | alone postgres
  echo "CREATE EXTENSION postgis" | alone parvis
  mv "$data.new" "$data"
fi
exec "$programs/postgres" -D "$data" -c listen_addresses= -c unix_socket_directories=/run/postgresql
