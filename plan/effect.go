package plan

import "fmt"

// effectText says in words what people notice while a step is made.
func effectText(step *Step) string {
	switch step.Kind {
	case KindFile, KindAudit, KindGroup, KindSwarm:
		return "no service is touched"
	case KindSocket:
		return "no service is touched, systemd reads its units again"
	case KindUpdate:
		return "live, no downtime"
	case KindNetwork:
		if step.Effect.Downtime > 0 {
			return "live, no restart: open connections end, published ports pause for less than a second"
		}
		return "live, no restart: it is not running"
	case KindReload:
		return "engine reload, containers keep running"
	case KindRestart:
		if step.Effect.Downtime > 0 {
			return fmt.Sprintf("engine restart, containers stop for about %.0f s", step.Effect.Downtime)
		}
		return "engine restart, containers keep running"
	}
	if step.Effect.Downtime > 0 {
		return fmt.Sprintf("recreate, about %s downtime", seconds(step.Effect.Downtime))
	}
	return "recreate, no downtime: it is not running"
}

func seconds(s float64) string {
	if s < 1 {
		return "1 s"
	}
	return fmt.Sprintf("%.0f s", s)
}
