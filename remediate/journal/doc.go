// Package journal keeps the rollback files: what every apply was about to do, did and undid, in
// order, on disk before it happened.
//
// A [Store] is a directory, owned by the caller and closed to everybody else. Each apply is a
// [Generation] in it: a directory with the reviewed plan and the rollback file. The rollback file is
// JSON lines. Each line carries a hash of itself and of the line before, so a changed, lost or moved
// line is noticed; lines lost at its end are noticed by a second file, which says where it ends. The
// hash is no signature: who may write the file is a matter of its owner and mode, which are checked too.
//
// A line is on disk before the call that wrote it returns. A crash therefore leaves at most one
// incomplete line at the end, of a thing that was not begun yet; readers drop it. Anything else that
// does not fit is refused, naming file and line. Order is the order of lines; clocks play no part.
//
// Rollback files hold secrets (environment values of containers). Nothing of a record's data is
// ever put into an error here.
//
// A store does not lock: whoever calls Create, Reopen or Write holds the host's lock.
// There is no API promise before v1.
package journal
