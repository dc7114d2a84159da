package plan

import "errors"

// Why a plan is refused. Test with errors.Is; the wrapped text says what moved.
var (
	ErrIncomplete = errors.New("plan cannot be applied")
	ErrExpired    = errors.New("plan has expired")
	ErrStale      = errors.New("plan is stale")
	ErrForeign    = errors.New("plan was made for another host")
	ErrEdited     = errors.New("plan was edited after it was made")
	ErrFormat     = errors.New("not a plan this version can read")
)
