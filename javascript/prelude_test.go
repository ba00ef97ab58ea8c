package javascript_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPreludeIsBuilt: the engine has the prelude that lies beside it. What is changed there is in no app before
// the engine is built again; .ci/engine, which takes a compiler, compares the engine itself.
func TestPreludeIsBuilt(t *testing.T) {
	text, err := exec.Command("engine/prelude.sh").Output()
	if err != nil {
		t.Fatal(err)
	}
	built, err := os.ReadFile("engine/prelude.sha256")
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != strings.TrimSpace(string(built)) {
		t.Error("javascript/prelude was changed since the engine was built: run .ci/engine --update")
	}
}
