package plan

import "strings"

// SecretInEnvironment is where a change of [SecretPath] takes a value from. Neither end of such a change is the value
// or anything made of it.
const SecretInEnvironment = "environment"

// secretSuffix is how images name the variable that holds the place of a value instead of the value.
const secretSuffix = "_FILE"

// SecretPath is the path of a change that moves the value of one variable of a container's environment into a file:
// "Config.Env[DB_PASSWORD]".
func SecretPath(variable string) string { return "Config.Env[" + variable + "]" }

// SecretOf reads what [SecretPath] wrote.
func SecretOf(path string) (variable string, ok bool) {
	rest, isSecret := strings.CutPrefix(path, "Config.Env[")
	variable, closed := strings.CutSuffix(rest, "]")
	if !isSecret || !closed || !IsSecretVariable(variable) {
		return "", false
	}
	return variable, true
}

// SecretFile is where a container finds the value of a variable that was moved.
func SecretFile(variable string) string { return "/run/secrets/" + variable }

// SecretFileVariable is the variable that says so.
func SecretFileVariable(variable string) string { return variable + secretSuffix }

// IsSecretVariable reports whether the value of a variable can be moved by its name: it becomes the name of a file too.
func IsSecretVariable(name string) bool {
	const longest = 100
	if name == "" || len(name) > longest || strings.HasSuffix(name, secretSuffix) {
		return false
	}
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}
