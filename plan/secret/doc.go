// Package secret finds credentials in what describes a container or an image: environment, labels, command lines,
// and the commands that built an image. It says where one is, by which rule it was found and about how long it is.
// The credential itself never leaves the package, except to be masked.
//
// Most rules are those of gitleaks (https://github.com/gitleaks/gitleaks), which are kept up to date there: its default
// configuration lies unchanged in the directory gitleaks with its licence. Its Go packages are not used: they
// bring some sixty modules (archives, terminals, configuration), twelve MiB of program, and compile every rule at the
// start, which takes longer than planning a host. Here a rule is compiled when one of its keywords is first seen.
//
// There is no API promise before v1.
package secret
