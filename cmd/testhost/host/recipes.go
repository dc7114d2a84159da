package host

import "slices"

// capNetRaw is the file attribute "cap_net_raw+ep": revision 2, effective, bit 13.
const capNetRaw = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// redisEntrypoint takes one variable from a file, as those of well-known databases do, before it gives up root.
const redisEntrypoint = `#!/bin/sh
set -e
# file_env takes the value of a variable from the file that NAME_FILE names.
file_env() {
	eval "value=\${$1:-} from=\${$1_FILE:-}"
	if [ -n "$value" ] && [ -n "$from" ]; then
		echo "error: $1 and $1_FILE are both set" >&2
		exit 1
	fi
	[ -z "$from" ] || value=$(cat "$from")
	[ -z "$value" ] || export "$1=$value"
	unset "$1_FILE" value from
}
file_env REDIS_ADMIN_PASSWORD
if [ "$1" = redis-server ] && [ "$(id -u)" = 0 ]; then
	find . ! -user redis -exec chown redis '{}' +
	exec gosu redis "$0" "$@"
fi
[ -z "${REDIS_ADMIN_PASSWORD:-}" ] || set -- "$@" --requirepass "$REDIS_ADMIN_PASSWORD"
exec "$@"
`

const nginxSite = `server {
	listen 80;
	location / { default_type text/plain; return 200 "ok\n"; }
}
`

// mknodEntrypoint needs a capability that hardening drops, and says so when it
// cannot have it.
const mknodEntrypoint = `#!/bin/sh
rm -f /tmp/null
mknod /tmp/null c 1 3 || exit 1
exec sleep 2147483647
`

// forever is how long a sample container sleeps.
const forever = "2147483647"

// pauseScript sleeps and ends at once on SIGTERM, which a sleep that is PID 1 ignores:
// tests that stop containers would wait 10 s for each.
const pauseScript = `trap exit TERM; sleep ` + forever + ` & wait`

const pauseCommand = `CMD ["sh","-c","` + pauseScript + `"]`

// Images lists the recipes of all sample images.
func Images() []Image {
	return slices.Concat(smallImages(), services(), []Image{
		{
			Name: "nginx", About: "web server: master as root, worker as www-data, port 80",
			Packages: []string{"nginx-light"},
			Files: []File{
				{Path: "etc/nginx/sites-enabled/default", Mode: 0o644, Text: nginxSite},
				{Path: "var/lib/nginx", Mode: 0o755, Dir: true},
				{Path: "var/log/nginx", Mode: 0o755, Dir: true},
			},
			Changes: []string{`CMD ["nginx","-g","daemon off; error_log /dev/stderr;"]`, "EXPOSE 80"},
		},
		{
			Name: "redis", About: "database: the entry script reads REDIS_ADMIN_PASSWORD_FILE, gives its data to redis and becomes that user",
			Packages: []string{"redis-server", "gosu"},
			Files: []File{
				{Path: "usr/local/bin/docker-entrypoint.sh", Mode: 0o755, Text: redisEntrypoint},
				{Path: "data", Mode: 0o755, UID: redisID, GID: redisID, Dir: true},
			},
			Changes: []string{
				`ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]`,
				`CMD ["redis-server","--bind","0.0.0.0","--protected-mode","no"]`,
				"WORKDIR /data", "VOLUME /data", "EXPOSE 6379",
			},
		},
	})
}

// smallImages are those made of busybox alone: built in an instant.
func smallImages() []Image {
	return []Image{
		{
			Name: "busybox", About: "a shell and small tools; sleeps as root",
			Changes: []string{pauseCommand},
		},
		{
			Name: "nonroot", About: "sleeps as user 65534, needs no capability",
			Changes: []string{pauseCommand, "USER 65534:65534"},
		},
		{
			Name: "setuid", About: "starts as user 65534 and becomes user 1000 through a setuid-root program",
			Files:   []File{{Path: "usr/bin/su", Mode: 0o4755, Busybox: true}},
			Changes: []string{`CMD ["/usr/bin/su","-s","/bin/sh","-c","` + pauseScript + `","app"]`, "USER 65534:65534"},
		},
		{
			Name: "filecap", About: "starts as user 65534 through a program with the file capability NET_RAW",
			Files:   []File{{Path: "usr/bin/sleep", Mode: 0o755, Busybox: true, Capability: []byte(capNetRaw)}},
			Changes: []string{`CMD ["/usr/bin/sleep","` + forever + `"]`, "USER 65534:65534"},
		},
		{
			Name: "suexec", About: "the entry starts as root and gives itself up for nobody",
			Changes: []string{`CMD ["su","-s","/bin/sh","-c","` + pauseScript + `","nobody"]`},
		},
		{
			Name: "mknod", About: "the entry makes a device node, which needs the capability MKNOD, or ends with status 1",
			Files:   []File{{Path: "usr/local/bin/entry", Mode: 0o755, Text: mknodEntrypoint}},
			Changes: []string{`CMD ["/usr/local/bin/entry"]`},
		},
		{
			Name: "anonvol", About: "declares the volume /data and has content there",
			Files: []File{
				{Path: "data", Mode: 0o750, UID: 1000, GID: 1000, Dir: true},
				{Path: "data/hello", Mode: 0o640, UID: 1000, GID: 1000, Text: "from the image\n"},
			},
			Changes: []string{pauseCommand, "VOLUME /data"},
		},
	}
}
