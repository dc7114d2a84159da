// Package benchmark knows the recommendations of the CIS Docker Benchmark: their numbers in each version, and what
// each is about. It knows nothing of controls. There is no API promise before v1.
package benchmark

import "slices"

// The versions, as the references of a control name them.
const (
	V120 = "cis-docker-1.2.0"
	V160 = "cis-docker-1.6.0"
	V180 = "cis-docker-1.8.0"
)

// Versions are all versions, oldest first.
func Versions() []string { return []string{V120, V160, V180} }

// Recommendation is one recommendation of the benchmark. A number is empty where a version does not have it.
type Recommendation struct {
	V120, V160, V180 string
	// Title is what it is about, in our own words.
	Title string
}

// Number is the number that a version gives it.
func (r Recommendation) Number(version string) string {
	switch version {
	case V120:
		return r.V120
	case V160:
		return r.V160
	case V180:
		return r.V180
	}
	return ""
}

// Numbers are the numbers by version, without those that do not have it.
func (r Recommendation) Numbers() map[string]string {
	numbers := map[string]string{}
	for _, version := range Versions() {
		if n := r.Number(version); n != "" {
			numbers[version] = n
		}
	}
	return numbers
}

// Recommendations are all recommendations, in the order of the newest version.
func Recommendations() []Recommendation { return slices.Clone(table) }
