package python_test

import (
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/python"
)

// TestPython runs the tests that are written in Python. Without an interpreter they
// are skipped, or fail where everything must run.
func TestPython(t *testing.T) {
	interpreter, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("FUNCTIONMESH_REQUIRE_ALL") == "1" {
			t.Fatal("python3 is not in PATH and FUNCTIONMESH_REQUIRE_ALL is set")
		}
		t.Skip("python3 is not in PATH")
	}
	cmd := exec.CommandContext(t.Context(), interpreter, "-B", "-W", "error", "-m", "unittest", "discover", "-s", "tests")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestEverythingIsEmbedded holds the patterns of the embedding against the folder.
func TestEverythingIsEmbedded(t *testing.T) {
	for _, folder := range []string{"worker", "shim"} {
		err := fs.WalkDir(os.DirFS("."), folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".py") {
				return err
			}
			_, err = fs.Stat(python.Files, path)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}
