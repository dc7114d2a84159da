// Package daemon changes the engine's daemon.json and makes the engine follow: by a reload where the engine
// reads the setting then, by a restart where it must.
//
// A file is never written before the engine's own binary accepted it under the flags of its next start, and a
// step is done only when the engine was seen to behave as planned and the containers that ran are running.
// Undo brings back the file byte for byte and the engine's old effective settings, which is more than
// restoring the file: an engine that reloads a file without a key keeps the key's last value.
//
// There is no API promise before v1.
package daemon
