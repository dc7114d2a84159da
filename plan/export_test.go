package plan

// Digest is for tests that give a plan another body under a digest that fits.
var Digest = digest
