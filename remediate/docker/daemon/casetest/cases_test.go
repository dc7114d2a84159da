package casetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// proof is a test that stands for a case, in a directory below remediate.
type proof struct{ dir, test string }

// proofs says for every number which tests prove it.
func proofs() map[int][]proof {
	const here, handler, systemd = "docker/daemon/casetest", "docker/daemon", "docker/daemon/systemdtest"
	edited, refused := proof{here, "TestFilesThatAreEdited"}, proof{here, "TestFilesThatAreRefused"}
	apart, started := proof{here, "TestSettingsThatDoNotGoTogether"}, proof{systemd, "TestUnderSystemd"}
	unreplaceable, kept := proof{handler, "TestPrepareSeesWhatCannotBeReplaced"}, proof{handler, "TestRestartKeepsContainersRunning"}
	return map[int][]proof{
		1: {edited, {handler, "TestReloadWithoutFile"}}, 2: {{handler, "TestReloadWithoutDirectory"}},
		3: {refused}, 4: {refused}, 5: {edited}, 6: {refused}, 7: {refused}, 8: {refused}, 9: {refused}, 10: {refused}, 11: {refused},
		12: {refused}, 13: {refused}, 14: {refused}, 15: {refused}, 16: {refused}, 17: {refused}, 18: {refused},
		19: {edited}, 20: {edited}, 21: {edited}, 22: {refused}, 23: {refused}, 24: {edited}, 25: {refused}, 26: {refused},
		27: {edited}, 28: {edited}, 29: {edited},
		30: {started}, 31: {started}, 32: {started}, 33: {started},
		34: {apart}, 35: {{here, "TestDebugAgainstLogLevel"}}, 36: {{handler, "TestRestartThatFails"}},
		37: {{handler, "TestNoNewContainerBefore"}}, 38: {{handler, "TestNewContainersFail"}}, 39: {apart},
		40: {{here, "TestVerifiedClientsWithoutCertificates"}}, 41: {{here, "TestKeyThatANewerEngineRefuses"}}, 42: {apart},
		43: {{handler, "TestValidateLeavesNothing"}},
		44: {{handler, "TestReloadThroughLink"}}, 45: {{here, "TestLinkToNowhere"}}, 46: {unreplaceable}, 47: {unreplaceable},
		48: {{here, "TestNoSpaceForTheFile"}, {handler, "TestReloadJournalFails"}}, 49: {unreplaceable},
		50: {{handler, "TestReloadKeepsOwnerModeAndAttributes"}}, 51: {{handler, "TestDoRefusesAnEditMadeMeanwhile"}},
		52: {{".", "TestSecondRunIsLockedOut"}}, 53: {{handler, "TestLeftoverOfAKilledWrite"}},
		54: {started, {handler, "TestNoSignalBeforeTheEngineAnswers"}}, 55: {{handler, "TestReloadThatTheEngineRefuses"}},
		56: {started, {handler, "TestReloadFlagsThatAReloadWouldReset"}}, 57: {{handler, "TestReload"}},
		58: {{handler, "TestStartRefusedAfterForeignEdit"}}, 59: {started}, 60: {{handler, "TestWaitForTheEngine"}},
		61: {started}, 62: {started}, 63: {started}, 64: {started}, 65: {{handler, "TestWaitForTheEngine"}}, 66: {kept}, 67: {started},
		68: {kept}, 69: {{handler, "TestRestartWouldRemoveContainers"}}, 70: {{here, "TestPortThroughARestart"}}, 71: {{here, "TestLogThroughARestart"}},
		72: {{here, "TestManyContainersThatTheEngineStartsFirst"}, {handler, "TestAllowanceGrowsWithContainers"}}, 73: {kept},
		74: {{here, "TestOldContainerKeepsItsPrivileges"}}, 75: {{handler, "TestRestartWithoutLiveRestore"}},
		76: {{handler, "TestNewContainersFail"}}, 77: {{handler, "TestDeadPort"}},
		78: {{handler, "TestRestartInterrupted"}}, 79: {{handler, "TestRebootBeforeTheRestart"}}, 80: {{"journal", "TestTruncatedAtEveryByte"}},
		81: {{handler, "TestReloadEngineDownAtUndo"}}, 82: {kept}, 83: {{handler, "TestUndoOfForeignEdit"}},
	}
}

// TestEveryCaseHasItsTest: no number is missing, and what stands in the table exists.
func TestEveryCaseHasItsTest(t *testing.T) {
	const cases = 83
	all := proofs()
	known := map[string]map[string]bool{}
	for id := 1; id <= cases; id++ {
		if len(all[id]) == 0 {
			t.Errorf("case %d has no test", id)
		}
		for _, p := range all[id] {
			if known[p.dir] == nil {
				known[p.dir] = testsIn(t, filepath.Join("..", "..", "..", p.dir))
			}
			if !known[p.dir][p.test] {
				t.Errorf("case %d: there is no %s in %s", id, p.test, p.dir)
			}
		}
	}
	if len(all) != cases {
		t.Errorf("the table has %d cases, want %d", len(all), cases)
	}
}

// testsIn are the test functions of a directory.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				found[f.Name.Name] = true
			}
		}
	}
	return found
}
