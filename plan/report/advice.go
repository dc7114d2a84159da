package report

import "strings"

// advice writes what has to be done elsewhere, with lines to copy.
func (w *writer) advice() {
	if len(w.plan.Advice) == 0 {
		return
	}
	w.printf("%s\n", w.bold.Sprint("Elsewhere"))
	for _, a := range w.plan.Advice {
		targets := make([]string, len(a.Targets))
		for i, t := range a.Targets {
			targets[i] = Clean(t)
		}
		w.printf("  %s  (%s)\n", w.bold.Sprint(Clean(a.Owner)), strings.Join(targets, ", "))
		for _, line := range a.Text {
			w.printf("    %s\n", Clean(line))
		}
		for _, line := range a.Copy {
			w.printf("        %s\n", Clean(line))
		}
	}
	w.printf("\n")
}
