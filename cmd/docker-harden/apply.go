package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"docker-harden/plan"
	"docker-harden/plan/control"
	controls "docker-harden/plan/control/docker"
	"docker-harden/plan/inventory"
	"docker-harden/plan/profile"
	"docker-harden/plan/report"
	"docker-harden/remediate"
	"docker-harden/remediate/docker/daemon"
)

func (a *app) applyCommand() *cli.Command {
	flags := append(selectFlags(),
		yesFlag(),
		&cli.BoolFlag{Name: "dry-run", Usage: "check that the plan can be applied, print it, change nothing"},
		confirmFlag(), watchFlag(), applyEvidenceFlag(),
		targetFlag("apply only `TARGET` of the plan; may be repeated"),
		choice("on-failure", "when a step fails: `ACTION` is rollback (everything) or stop (keep what was done before)",
			"rollback", "rollback", "stop"),
		&cli.BoolFlag{Name: "skip-stale", Usage: "leave out what changed since the plan was made, apply the rest"},
		&cli.StringSliceFlag{Name: "allow-unrevertable", Usage: "allow changes of `TARGET` although they cannot be undone; may be repeated"},
		&cli.StringFlag{Name: "message", Aliases: []string{"m"}, Usage: "`TEXT` kept with the generation"},
		formatFlag())
	flags = append(flags, waitFlags()...)
	return leaf(&cli.Command{
		Name: "apply", Usage: "apply a saved plan, or plan and ask when none is given", ArgsUsage: "[PLAN]", Flags: flags,
		Description: `Does exactly what the plan says, or refuses it before anything is touched, or undoes what it did. What
undo needs is on disk before each change. A container is recreated only when a live change is not enough; the
old one is kept until confirm and prune.

With --confirm it goes back by itself, unless somebody runs confirm within that time, counted from its
begin: for changes that may lock you out. It goes back also when this tool is killed, or replaced, or the
host is rebooted (without systemd: with the next command after the boot).

With --watch it stays and looks at the changed containers for that time: one that is restarted by its policy,
ends with an error, loses a process for lack of memory, runs into its limit of processes, becomes unhealthy, or
runs a program as root that gave root up before, takes the apply back, with the reason. With --evidence a capability
that the kernel refuses and that learn saw in use does so too, already while a new container proves itself, and
is added to the evidence.

Examples:
  sudo $CMD apply host.plan
  sudo $CMD apply host.plan --confirm 5m         then, from a new session: sudo $CMD confirm
  sudo $CMD apply host.plan --watch 10m          go back when a changed container gets into trouble
  sudo $CMD apply host.plan --watch 10m --evidence web.evidence.json
  sudo $CMD apply host.plan --dry-run
  sudo $CMD apply host.plan --target container/web --max-risk low
  sudo $CMD apply -p baseline                    plan now, show it, ask`,
	}, 1, a.apply)
}

// application is a plan on its way to the host.
type application struct {
	plan    *plan.Plan
	data    []byte
	sum     string
	profile *profile.Profile
	engine  *engine
	host    *inventory.Host
}

func (a *app) apply(c *cli.Context) error {
	var x *application
	if _, err := watchTime(c); err != nil {
		return err
	}
	var err error
	if !c.Bool("dry-run") {
		if err := a.overdue(c); err != nil {
			return err
		}
	}
	file := c.Args().First()
	if file != "" {
		x, err = a.savedPlan(c, file)
	} else {
		x, err = a.freshPlan(c)
	}
	if err != nil {
		return err
	}
	request, err := a.applyRequest(c, x, file != "")
	if err != nil {
		return err
	}
	if err := a.mayWait(c, x); err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return a.rehearse(c, x, request)
	}
	if len(x.plan.Steps) == 0 {
		return a.nothingToDo(c, x)
	}
	if file == "" && !c.Bool("yes") {
		if err := report.Text(a.err, x.plan, report.TextOptions{Color: a.colour(c, a.err)}); err != nil {
			return err
		}
		if err := a.ask(c.Context, fmt.Sprintf("\nApply %s?", these(len(x.plan.Steps))), "--yes"); err != nil {
			return err
		}
	}
	heard, err := a.hearRefusals(c, x.host)
	if err != nil {
		return err
	}
	err = a.work(c, x.engine, x.host, func(r *remediate.Runner) (remediate.Outcome, error) {
		r.Verify = a.prover(c, x.engine, x.profile, request.Ran)
		request.Basis, request.Bound = a.basisOnce(c, x.engine)
		if x.host.Engine.Local {
			if err := daemon.Observed(a.stateDir(c), x.host.Daemon); err != nil {
				return remediate.Outcome{}, err
			}
		}
		if err := a.oversee(c, r, a.watcher(c, x.engine), x.plan.Steps); err != nil {
			return remediate.Outcome{}, err
		}
		return r.Apply(c.Context, request)
	})
	if aerr := heard(); aerr != nil {
		a.say("%s: %s", program, clean(aerr.Error()))
	}
	return a.explainStale(x, file, err)
}

// savedPlan reads a reviewed plan and looks at the host it is for.
func (a *app) savedPlan(c *cli.Context, file string) (*application, error) {
	for _, name := range []string{"profile", "only", "severity"} {
		if c.IsSet(name) && !fromEnvironment(c, name, a.getenv) {
			return nil, usagef("--%s is for making a plan, and %s is one already; make it again with --%[1]s", name, file)
		}
	}
	for _, s := range c.StringSlice("skip") {
		if !isTarget(s) || len(s) > len("control:") && s[:len("control:")] == "control:" {
			return nil, usagef("--skip %s: a saved plan is applied whole for each target; make it again with --skip %[1]s", s)
		}
	}
	p, data, sum, err := plan.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if err := p.Applicable(time.Now()); err != nil {
		return nil, err
	}
	prof, err := sameProfile(p.Profile)
	if err != nil {
		return nil, err
	}
	e, h, err := a.look(c.Context, c, meant(prof))
	if err != nil {
		return nil, err
	}
	if err := planned(p, h, prof); err != nil {
		return nil, fmt.Errorf("cannot trust plan %s: %w", file, err)
	}
	return &application{plan: p, data: data, sum: sum, profile: prof, engine: e, host: h}, nil
}

// planned refuses a plan that changes what no control asks for, or a file that is none of the engine's.
func planned(p *plan.Plan, h *inventory.Host, prof *profile.Profile) error {
	for _, s := range p.Steps {
		for _, part := range s.Parts() {
			if err := askedFor(part, h, prof); err != nil {
				return err
			}
		}
		if err := askedOfFile(s, h, prof); err != nil {
			return err
		}
	}
	return nil
}

// askedOfFile refuses changes of files that are none of the engine's, as the host is now, and values that no
// control would give one.
func askedOfFile(s plan.Step, h *inventory.Host, prof *profile.Profile) error {
	for _, ch := range s.Changes {
		asked := s.Resource.Kind != plan.ResourceFile || controls.ChangesFile(h, s.Resource.Name, ch)
		if s.Resource == plan.File(inventory.GroupFile) {
			asked = controls.ChangesGroup(h, prof, ch)
		}
		if !asked {
			return fmt.Errorf("%w: no control asks to change %s of the file %s from %s to %s (any more); plan again",
				plan.ErrEdited, ch.Path, s.Resource.Name, ch.From, ch.To)
		}
	}
	return nil
}

// askedFor refuses changes of one resource that no control asks for.
func askedFor(part plan.Member, h *inventory.Host, prof *profile.Profile) error {
	c := containerOf(part.Resource, h)
	for _, ch := range part.Changes {
		switch {
		case !controls.Changes(part.Resource.Kind, ch.Path):
			return fmt.Errorf("%w: no control asks to change %s of %s", plan.ErrEdited, ch.Path, part.Resource)
		case part.Resource.Kind == plan.ResourceDaemon && !controls.ChangesDaemon(h, prof, ch),
			part.Resource.Kind == plan.ResourceSwarm && h.Engine.Cluster != nil && !controls.ChangesSwarm(h, prof, ch),
			c != nil && !controls.ChangesContainer(h, c, prof, ch):
			return fmt.Errorf("%w: no control asks to change %s of %s from %s to %s (any more); plan again", plan.ErrEdited, clean(ch.Path), part.Resource, inOneLine(ch.From), inOneLine(ch.To))
		}
	}
	return nil
}

// inOneLine is a value of a plan file, where lists stand over several lines.
func inOneLine(value json.RawMessage) string {
	var out bytes.Buffer
	if json.Compact(&out, value) != nil {
		return clean(string(value))
	}
	return clean(out.String())
}

// containerOf is the very container that was planned; nil: it is gone, so that its step is stale.
func containerOf(r plan.Resource, h *inventory.Host) *inventory.Container {
	for i := range h.Containers {
		if c := &h.Containers[i]; r.Kind == plan.ResourceContainer && c.ID == r.ID && c.Problem == "" {
			return c
		}
	}
	return nil
}

// fromEnvironment reports whether a flag has its value from the environment only.
func fromEnvironment(c *cli.Context, name string, getenv func(string) string) bool {
	return name == "profile" && getenv("DOCKER_HARDEN_PROFILE") != "" && c.String(name) == getenv("DOCKER_HARDEN_PROFILE")
}

// freshPlan makes a plan of the host as it is.
func (a *app) freshPlan(c *cli.Context) (*application, error) {
	prof, err := openProfile(c.String("profile"))
	if err != nil {
		return nil, err
	}
	e, h, err := a.look(c.Context, c, wants(prof))
	if err != nil {
		return nil, err
	}
	p, err := a.review(c, h, prof, nil)
	if err != nil {
		return nil, err
	}
	if err := a.advise(c, h, p, ""); err != nil {
		return nil, err
	}
	if err := p.Applicable(time.Now()); err != nil {
		return nil, err
	}
	data, sum, err := plan.Encode(p)
	if err != nil {
		return nil, err
	}
	return &application{plan: p, data: data, sum: sum, profile: prof, engine: e, host: h}, nil
}

func (a *app) applyRequest(c *cli.Context, x *application, saved bool) (remediate.ApplyRequest, error) {
	q := remediate.ApplyRequest{
		Plan: x.plan, PlanBytes: x.data, SHA256: x.sum, Host: x.host.Identity,
		SkipStale: c.Bool("skip-stale"), OnFailure: remediate.OnFailure(c.String("on-failure")),
		MaxRisk: plan.RiskLevel(c.String("max-risk")), AllowUnrevertable: c.StringSlice("allow-unrevertable"),
		Message: c.String("message"), Confirm: c.Duration("confirm"),
		Basis: basisOf(x.host), Bound: boundOf(x.host), Ran: control.Ran(x.host, x.plan.Steps),
	}
	if !saved { // a fresh plan was narrowed when it was made
		return q, nil
	}
	var err error
	if q.Targets, err = expandIn(x.plan, x.host, c.StringSlice("target")); err != nil {
		return q, err
	}
	q.Skip, err = expandIn(x.plan, x.host, c.StringSlice("skip"))
	return q, err
}

// rehearse is apply --dry-run: it refuses what apply would refuse, and prints the plan.
func (a *app) rehearse(c *cli.Context, x *application, q remediate.ApplyRequest) error {
	store, err := a.journals(c)
	if err != nil {
		return err
	}
	runner, _ := a.assemble(c, x.engine, x.host, quietProgress{}, store)
	steps, err := runner.Check(c.Context, q)
	if err != nil {
		return a.explainStale(x, c.Args().First(), err)
	}
	if c.String("format") == "json" {
		return report.JSON(a.out, x.plan)
	}
	if err := report.Text(a.out, x.plan, a.textOptions(c)); err != nil {
		return err
	}
	text := wouldApply(steps, x.plan)
	if q.Confirm > 0 {
		text += fmt.Sprintf(" Rolled back after %s unless confirmed; no timer was armed.", left(q.Confirm))
	}
	_, err = fmt.Fprintf(a.out, "\nDry run: nothing was changed. %s\n", text)
	return err
}

// these steps, as a question names them.
func these(n int) string {
	if n == 1 {
		return "this step"
	}
	return fmt.Sprintf("these %d steps", n)
}

func wouldApply(steps []plan.Step, p *plan.Plan) string {
	if len(steps) == len(p.Steps) {
		return fmt.Sprintf("Apply would make %s.", count(len(steps), "step"))
	}
	var left []string
	for _, s := range p.Steps {
		if !slices.ContainsFunc(steps, func(t plan.Step) bool { return t.ID == s.ID }) {
			left = append(left, s.ID)
		}
	}
	return fmt.Sprintf("Apply would make %d of %s and leave out %s.", len(steps), count(len(p.Steps), "step"), clean(fmt.Sprint(left)))
}

func (a *app) nothingToDo(c *cli.Context, x *application) error {
	if c.String("format") == "json" {
		return a.printJSON(outcomeOf(remediate.Outcome{}, nil))
	}
	if err := report.Text(a.out, x.plan, report.TextOptions{Color: a.colour(c, a.out), Summary: true}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.out, "Nothing to do.")
	return err
}
