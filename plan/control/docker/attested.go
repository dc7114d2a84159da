package docker

import (
	"docker-harden/plan"
	"docker-harden/plan/control"
)

// byHand is how what nobody can see from the host is fixed.
const byHand = "By hand; then say in the profile how it is seen to (attested), or accept the risk with an exception."

// attestedWord is the only source for what nothing on a host shows.
const attestedWord = "a person's word in the profile (attested)"

// nothingChanges is the risk of a control that changes nothing.
const nothingChanges = "Nothing is changed: nothing on the host shows whether it is so."

func refs(old, newer, newest, stride string) map[string]string {
	out := map[string]string{"stride": stride}
	for benchmark, number := range map[string]string{"cis-docker-1.2.0": old, "cis-docker-1.6.0": newer, "cis-docker-1.8.0": newest} {
		if number != "" {
			out[benchmark] = number
		}
	}
	return out
}

// about is a control that only a person can answer for.
func about(id, title, why string, severity plan.RiskLevel, refs map[string]string) control.Control {
	return control.Control{
		ID: "docker/" + id, Title: title, Why: why, Risk: nothingChanges, Fix: byHand, Refs: refs,
		Class: control.Reported, Verified: attestedWord, Severity: severity,
	}
}

// attestedHost are those about the host and those who work on it.
func attestedHost() []control.Control {
	return []control.Control{
		attested(about("host-hardened", "The host itself is hardened",
			"Elevation of privilege: what runs beside the engine, and the kernel that containers share, decide what an escape is worth.",
			plan.RiskMedium, refs("1.1.1", "1.2.1", "1.2.1", "E")),
			"By which benchmark is the operating system of this host hardened, and when was that last looked at?", nil),
		attested(about("engine-current", "The engine is kept up to date",
			"Elevation of privilege: every year escapes from containers are found in engines and runtimes, and closed by an update only.",
			plan.RiskHigh, refs("1.1.2", "1.2.2", "1.2.2", "E,T")),
			"Who updates the engine of this host, and how soon after a security fix?", nil),
		attested(about("exec-privileged", "Nobody runs docker exec with --privileged",
			"Elevation of privilege: such a process has all rights in a container that has none, and stays there after the shell ends.",
			plan.RiskMedium, refs("5.22", "5.23", "5.23", "E")),
			"How is it made sure that docker exec --privileged is not used (an authorization plugin, audit rules)?", nil),
		attested(about("exec-root", "Nobody runs docker exec as root",
			"Elevation of privilege: a container that runs as another user is root's again through docker exec --user root.",
			plan.RiskLow, refs("5.23", "5.24", "5.24", "E")),
			"How is it made sure that docker exec --user root is not used where a container runs as another user?", nil),
	}
}

// attestedImages are those about where images come from and how they are built.
func attestedImages() []control.Control {
	return []control.Control{
		attested(about("trusted-base-images", "Images are built on trusted bases",
			"Tampering: what is in the base is in every image, and so in every container.",
			plan.RiskHigh, refs("4.2", "4.2", "4.2", "T")),
			"Which bases may images of this host be built on, and who checks that?", nil),
		attested(about("minimal-images", "Images hold only what the service needs",
			"Elevation of privilege: each further program in an image is one more to attack and one more to attack with.",
			plan.RiskLow, refs("4.3", "4.3", "4.3", "E")),
			"How are images of this host kept small, and who looks at what is in them?", nil),
		attested(about("scanned-images", "Images are scanned and rebuilt with security fixes",
			"Elevation of privilege and information disclosure: an image does not get fixes by itself; it ages.",
			plan.RiskHigh, refs("4.4", "4.4", "4.4", "E,I")),
			"Which scanner looks at the images of this host, and how soon are they rebuilt?", nil),
		attested(about("content-trust", "Only images whose publisher is verified are pulled",
			"Spoofing and tampering: without a verified signature whoever has the registry, or the way to it, has the host's containers.",
			plan.RiskMedium, refs("4.5", "4.5", "4.5", "S,T")),
			"How is the publisher of an image verified before it is pulled here? Content trust is a setting of each client and not of the host.", nil),
		attested(about("verified-packages", "Only verified packages are installed into images",
			"Tampering: a package whose signature was not checked is whatever somebody put in its place.",
			plan.RiskMedium, refs("4.11", "4.11", "4.11", "T")),
			"Are signatures of packages checked when the images of this host are built?", nil),
		attested(about("signed-artifacts", "Images and other artifacts are signed and their signatures checked",
			"Spoofing and tampering: a signature that nobody checks keeps nobody out.",
			plan.RiskMedium, refs("", "4.12", "4.12", "S,T")),
			"Which signatures are checked before an image runs here, and by what?", nil),
	}
}

// attestedOperation are those about how the host is kept in order.
func attestedOperation() []control.Control {
	return []control.Control{
		attested(about("image-sprawl", "Images that nothing uses are removed",
			"Tampering: an old image that lies about is started again by mistake, holes and all.",
			plan.RiskLow, refs("6.1", "6.1", "6.1", "T")),
			"What removes images from this host that nothing uses any more, and how is it kept from removing what rollback needs?", nil),
	}
}

// attestedSwarm are those about a swarm, which its managers decide on.
func attestedSwarm() []control.Control {
	return []control.Control{
		attested(about("swarm-managers", "The swarm has no more managers than it needs",
			"Elevation of privilege: every manager can do everything in the whole swarm.",
			plan.RiskLow, refs("7.2", "7.1", "7.1", "E")),
			"How many managers does the swarm need, and how many has it?", noSwarm),
		attested(about("swarm-interface", "Swarm services listen on one interface",
			"Information disclosure: a manager that listens on all addresses can be reached from networks that have nothing to do with the swarm.",
			plan.RiskMedium, refs("7.3", "7.2", "7.2", "I,S")),
			"On which address does port 2377 of this host listen? It is chosen when the swarm is made.", noSwarm),
		attested(about("swarm-encrypted-networks", "Overlay networks are encrypted",
			"Information disclosure: what containers say to each other between hosts can be read on the way.",
			plan.RiskMedium, refs("7.4", "7.3", "7.3", "I")),
			"Which overlay networks have the option encrypted? Others have to be made anew.", noSwarm),
		attested(about("swarm-secrets", "Services get their secrets from the swarm",
			"Information disclosure: a secret in the environment can be read by everybody who may inspect the service.",
			plan.RiskMedium, refs("7.5", "7.4", "7.4", "I")),
			"Do the services of this swarm use docker secret for what must not be read?", noSwarm),
		swarmAutolock(),
		attested(about("swarm-unlock-key", "The key of locked managers is changed from time to time",
			"Information disclosure: who once saw the key can read a manager's disk for as long as it stays the same.",
			plan.RiskLow, refs("7.7", "7.6", "7.6", "I")),
			"How often is the unlock key rotated, and by whom?", noSwarm),
		swarmNodeCertificates(),
		attested(about("swarm-ca", "The certificate authority of the swarm is changed from time to time",
			"Spoofing: who has the authority's key makes nodes as he likes.",
			plan.RiskLow, refs("7.9", "7.8", "7.8", "S")),
			"How often is the root certificate of the swarm rotated, and by whom?", noSwarm),
		attested(about("swarm-planes", "Management and data of the swarm use different networks",
			"Information disclosure and denial of service: containers that flood or listen on the one network reach the other.",
			plan.RiskLow, refs("7.10", "7.9", "7.9", "I,D")),
			"Do management and data of this swarm have different addresses (--advertise-addr, --data-path-addr)?", noSwarm),
	}
}
