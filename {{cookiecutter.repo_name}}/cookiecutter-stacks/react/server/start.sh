#!/bin/sh
# Makes nginx's configuration out of its template and the environment, before nginx starts:
#   PORT         where it listens
#   BACKEND_URL  where /api/ leads: a Service of the same project, such as http://my-api, or a public address; may be empty
set -eu
BACKEND_URL=${BACKEND_URL:-}
export PORT BACKEND_URL

# They become part of the configuration, so nothing that nginx would read as more than an address gets in.
if ! awk 'BEGIN { exit ENVIRON["PORT"] !~ /^[0-9]+$/ }'; then
  echo "PORT is not a number." >&2
  exit 1
fi
if ! awk 'BEGIN { exit ENVIRON["BACKEND_URL"] !~ /^(https?:\/\/([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?\/?)?$/ }'; then
  echo "BACKEND_URL is not an address such as http://my-api or https://example.org:8443, without a path." >&2
  exit 1
fi

# nginx looks names up itself, without the search list of /etc/resolv.conf: so a Service's name is completed here.
backend=${BACKEND_URL%/}
name=${backend#*://}
name=${name%:*}
domain=$(awk -v name="$name" '
  $1 == "search" { first = $2; for (i = 2; i <= NF; i++) if ($i ~ /^svc\./) zone = substr($i, 5) }
  $1 == "options" && / ndots:0( |$)/ { alone = 1 }
  END { if (name ~ /\.svc$/) print zone; else if (name ~ /^[^.:]+$/ && !alone) print first }' /etc/resolv.conf)
case $name in
  '') BACKEND= ;;
  localhost) BACKEND=${backend%%://*}://127.0.0.1${backend#*://localhost} ;;
  *) BACKEND=${backend%%://*}://$name${domain:+.$domain}${backend#*://"$name"} ;;
esac
RESOLVER=$(awk '$1 == "nameserver" && $2 !~ /%/ { printf "%s ", $2 ~ /:/ ? "[" $2 "]" : $2 }' /etc/resolv.conf)
# Root without capabilities may not become another user, as nginx would for its workers.
AS_ROOT=
[ "$(id -u)" != 0 ] || AS_ROOT="user root root;"
export BACKEND RESOLVER AS_ROOT

envsubst "\${AS_ROOT} \${BACKEND} \${PORT} \${RESOLVER}" < /etc/nginx/nginx.conf.template > /tmp/nginx.conf
