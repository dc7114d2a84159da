package host

// postgresEntrypoint makes a database at the first start, as root gives it to postgres, and becomes that user. At a
// later start root looks into what it does not own any more.
const postgresEntrypoint = `#!/bin/sh
set -e
if [ "$(id -u)" = 0 ]; then
	mkdir -p "$PGDATA" /var/run/postgresql
	find "$PGDATA" ! -user postgres -exec chown postgres '{}' +
	chmod 0700 "$PGDATA"
	chown postgres /var/run/postgresql
	exec gosu postgres "$0" "$@"
fi
PATH=$(echo /usr/lib/postgresql/*/bin):$PATH
[ -s "$PGDATA/PG_VERSION" ] || initdb --auth=trust --username=postgres --locale=C --encoding=UTF8 --no-sync >/dev/null
exec "$@"
`

// sshEntrypoint makes the host key of this container at its first start.
const sshEntrypoint = `#!/bin/sh
set -e
mkdir -p /run/sshd
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
exec "$@"
`

// sshConfig lets the user app in without a password: the test's network is this machine's loopback.
const sshConfig = `AuthenticationMethods none
PermitEmptyPasswords yes
PasswordAuthentication yes
UsePAM no
Subsystem sftp internal-sftp
`

// pingScript asks its own loopback again and again, each time by a program with a file capability that calls capset.
const pingScript = `trap exit TERM; while :; do /bin/ping -q -c 1 127.0.0.1 >/dev/null || exit 1; date >/tmp/answered; sleep 1 & wait $!; done`

const libraries = "usr/lib/x86_64-linux-gnu/"

// services are those that begin as root and need some of its capabilities on the way.
func services() []Image {
	scripting := []string{libraries + "perl", libraries + "perl-base", libraries + "gconv", "usr/bin/perl"}
	return []Image{
		{
			Name: "postgres", About: "database: the entry script makes it, gives it to postgres and becomes that user",
			Packages: []string{"postgresql", "gosu"},
			Without:  append([]string{"usr/lib/postgresql/15/lib/bitcode", libraries + "libLLVM-14.so.1", libraries + "libz3.so.4"}, scripting...),
			Files: []File{
				{Path: "usr/local/bin/docker-entrypoint.sh", Mode: 0o755, Text: postgresEntrypoint},
				{Path: "etc/passwd", Mode: 0o644, Text: passwdFile + "postgres:x:102:102:postgres:/var/lib/postgresql:/bin/sh\n"},
				{Path: "etc/group", Mode: 0o644, Text: groupFile + "postgres:x:102:\n"},
			},
			Changes: []string{
				`ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]`, `CMD ["postgres","-c","listen_addresses=*","-c","fsync=off"]`,
				"ENV PGDATA=/var/lib/postgresql/data", "VOLUME /var/lib/postgresql/data", "EXPOSE 5432",
			},
		},
		{
			Name: "sshd", About: "SSH server: lets the user app in, who has no password",
			Packages: []string{"openssh-server"},
			Without:  scripting,
			Files: []File{
				{Path: "usr/local/bin/docker-entrypoint.sh", Mode: 0o755, Text: sshEntrypoint},
				{Path: "etc/ssh/sshd_config", Mode: 0o644, Text: sshConfig},
				{Path: "etc/passwd", Mode: 0o644, Text: passwdFile + "sshd:x:103:65534:sshd:/run/sshd:/bin/false\n"},
			},
			Changes: []string{`ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]`, `CMD ["/usr/sbin/sshd","-D","-e"]`, "EXPOSE 22"},
		},
		{
			Name: "ping", About: "runs a program that has the file capability NET_RAW and calls capset, every second",
			Packages: []string{"iputils-ping"},
			Capable:  []string{"bin/ping"},
			Changes:  []string{`CMD ["sh","-c","` + pingScript + `"]`},
		},
	}
}
