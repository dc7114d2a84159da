package main

import (
	"os"
	"regexp"
	"testing"
)

// The document that is committed is complete: every case, every row passed, and nothing was edited by hand.
func TestCommittedDocument(t *testing.T) {
	data, err := os.ReadFile("../../" + document)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := parse(string(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := incomplete(rows); err != nil {
		t.Errorf("run make reliability, and prove what is missing:\n%v", err)
	}
	version := regexp.MustCompile(`Docker (\S+) where nothing else`).FindSubmatch(data)
	if version == nil {
		t.Fatal("the document names no engine")
	}
	if again, err := render(rows, string(version[1])); err != nil || again != string(data) {
		t.Errorf("%s is not as make reliability writes it (%v)", document, err)
	}
}
