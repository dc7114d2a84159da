package inventory

import (
	"regexp"
	"strings"
)

// mask stands where a secret was.
const mask = "***"

// secretName finds names of settings whose values are kept secret.
var secretName = regexp.MustCompile(`(?i)pass|passwd|pwd|secret|token|credential|private|apikey|api[-_.]?key|access[-_.]?key|auth|\bpin\b|signature|\bkey$|[-_.]key$|dsn|webhook`)

// harmlessName are settings that only sound secret: their values decide findings, or are paths.
var harmlessName = regexp.MustCompile(`(?i)^authorization-plugins?$|^tlskey$|no-new-privileges|^allow-direct|^authority$|key-?file$|keyring`)

// userInfo finds the credentials in a URL.
var userInfo = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/\s"'<>]+@`)

// authHeader finds credentials in an HTTP header or a command that sends one.
var authHeader = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}`)

// assignedSecret finds password=VALUE inside a text, such as the options of a mount.
var assignedSecret = regexp.MustCompile(`(?i)([A-Za-z0-9_.-]*(?:pass|passwd|password|pwd|secret|token|api[-_]?key|access[-_]?key|credential)[A-Za-z0-9_.-]*=)("[^"]*"|'[^']*'|[^\s"',;&|]+)`)

// inlineSecret finds NAME=VALUE and --name VALUE inside a longer text, such as a shell command.
var inlineSecret = regexp.MustCompile(`(?i)((?:--?)?[A-Za-z0-9_.-]*(?:pass|passwd|password|pwd|secret|token|api[-_]?key|access[-_]?key|credential)[A-Za-z0-9_.-]*(?:\s*[=:]\s*|\s+))("[^"]*"|'[^']*'|[^\s"';&|]+)`)

// isSecretName reports whether the value of a setting must not be shown.
func isSecretName(name string) bool {
	return secretName.MatchString(name) && !harmlessName.MatchString(name)
}

// maskText masks what looks like a credential anywhere in a text.
func maskText(text string) string {
	if strings.Contains(text, "@") {
		text = userInfo.ReplaceAllString(text, "${1}"+mask+"@")
	}
	if strings.Contains(text, "=") {
		text = assignedSecret.ReplaceAllString(text, "${1}"+mask)
	}
	return authHeader.ReplaceAllString(text, "${1} "+mask)
}

// maskEnv keeps the name of an environment variable and masks its value.
func maskEnv(entry string) string {
	name, _, ok := strings.Cut(entry, "=")
	if !ok {
		return entry
	}
	return name + "=" + mask
}

// maskValue masks the value of a named setting if the name or the value looks secret.
func maskValue(name, value string) string {
	if isSecretName(name) && value != "" {
		return mask
	}
	if at := strings.LastIndex(value, "@"); at >= 0 && strings.Contains(strings.ToLower(name), "proxy") && !strings.Contains(value, "://") {
		return mask + value[at:]
	}
	return maskText(value)
}

// maskArgs masks values of password-like arguments in a command line: --password=X, --password X,
// NAME=X, and both inside one long argument such as a shell script.
func maskArgs(args []string) []string {
	if args == nil {
		return nil
	}
	out := make([]string, len(args))
	hide := false
	for i, arg := range args {
		name, value, assigned := strings.Cut(arg, "=")
		flag := strings.HasPrefix(arg, "-")
		switch {
		case hide && !flag:
			out[i] = mask
		case assigned && !strings.ContainsAny(name, " \t\n") && isSecretName(name):
			out[i] = name + "=" + maskNonEmpty(value)
		case strings.ContainsAny(arg, " \t\n"):
			out[i] = maskText(inlineSecret.ReplaceAllString(arg, "${1}"+mask))
		default:
			out[i] = maskText(arg)
		}
		hide = !assigned && (flag || !hide) && takesSecret(arg, flag)
	}
	return out
}

// takesSecret reports whether the argument behind this one is a secret: --password, -p of no
// program in particular is left alone, requirepass as Redis has it.
func takesSecret(arg string, flag bool) bool {
	if strings.ContainsAny(arg, " /\t\n") {
		return false
	}
	return isSecretName(strings.TrimLeft(arg, "-")) && (flag || strings.Contains(strings.ToLower(arg), "pass"))
}

func maskNonEmpty(value string) string {
	if value == "" {
		return ""
	}
	return mask
}
