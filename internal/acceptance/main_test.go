//go:build linux || darwin

package acceptance

import (
	"cmp"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const (
	envRequireAll = "FUNCTIONMESH_REQUIRE_ALL" // "1": a test that cannot run fails
	envRace       = "FUNCTIONMESH_RACE"        // "1": the binary is built with the race detector
	program       = "terraform-provider-functionmesh"
	providerIs    = "0.1.0" // what the mirror serves
)

// built is what every test shares: made once by TestMain, then only read.
var built struct {
	top       string // the repository
	dir       string // everything below is in here
	binary    string
	wasm      string
	terraform string // "" when there is none
	config    string // Terraform's own configuration: the provider comes from a folder
	project   string // an initialised project to copy
}

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := 1, setUp()
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, "acceptance:", err)
	}
	if err := os.RemoveAll(built.dir); err != nil {
		fmt.Fprintln(os.Stderr, "acceptance:", err)
	}
	os.Exit(code)
}

func setUp() (err error) {
	if built.top, err = filepath.Abs(filepath.Join("..", "..")); err != nil {
		return err
	}
	if err := lookAtSources(built.top); err != nil {
		return err
	}
	if built.dir, err = os.MkdirTemp("", "fmacc"); err != nil {
		return err
	}
	built.binary = filepath.Join(built.dir, "functionmesh")
	if err := build(built.top, ".", built.binary, ""); err != nil {
		return err
	}
	built.wasm = filepath.Join(built.dir, "exclaim.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", built.wasm, "./exclaim")
	cmd.Dir, cmd.Env = filepath.Join(built.top, "examples", "functions", "go"), append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the WASM function: %w\n%s", err, out)
	}
	return setUpTerraform()
}

// lookAtSources makes the result of these tests depend on every source file, so that
// the test cache does not answer for a program that has changed since.
func lookAtSources(top string) error {
	return filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "bin"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".py"):
			_, err = os.Stat(path)
		}
		return err
	})
}

// build compiles the program; a version makes it a release.
func build(top, pkg, out, version string) error {
	args := []string{"build", "-o", out}
	if version != "" {
		args = append(args, "-ldflags", "-X main.version="+version)
	}
	race := os.Getenv(envRace) == "1"
	if race {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Dir, cmd.Env = top, os.Environ()
	if !race {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %v: %w\n%s", args, err, text)
	}
	return nil
}

// setUpTerraform initialises one project; it is copied, because init costs seconds.
func setUpTerraform() error {
	found, err := exec.LookPath(cmp.Or(os.Getenv("TERRAFORM"), "terraform"))
	if err != nil {
		if found, err = exec.LookPath("tofu"); err != nil {
			return nil //nolint:nilerr // tests that need it skip, or fail when they must run
		}
	}
	built.terraform = found
	mirror := filepath.Join(built.dir, "mirror")
	if err := addToMirror(mirror, providerIs, built.binary); err != nil {
		return err
	}
	built.config = filepath.Join(built.dir, "cli.tfrc")
	if err := writeConfig(built.config, mirror); err != nil {
		return err
	}
	built.project = filepath.Join(built.dir, "project")
	return initProject(built.project, built.config)
}

// addToMirror offers a binary as a version of the provider, under both of the names
// that Terraform and OpenTofu give it.
func addToMirror(mirror, version, binary string) error {
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		dir := filepath.Join(mirror, host, "functionmesh", "functionmesh", version, runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Symlink(binary, filepath.Join(dir, program+"_v"+version)); err != nil {
			return err
		}
	}
	return nil
}

func writeConfig(file, mirror string) error {
	text := fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", mirror)
	return os.WriteFile(file, []byte(text), 0o600)
}

const preamble = `terraform {
  required_providers {
    functionmesh = { source = "functionmesh/functionmesh" }
  }
}
`

func initProject(dir, config string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "terraform.tf"), []byte(preamble), 0o600); err != nil {
		return err
	}
	cmd := exec.Command(built.terraform, "init", "-input=false", "-no-color")
	cmd.Dir, cmd.Env = dir, append(quietEnvironment(), "TF_CLI_CONFIG_FILE="+config)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("terraform init: %w\n%s", err, out)
	}
	return nil
}

// quietEnvironment is ours without what would change how terraform or the platform
// behaves.
func quietEnvironment() []string {
	env := []string{"CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1"}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TF_") && !strings.HasPrefix(kv, "FUNCTIONMESH_") && !strings.HasPrefix(kv, "PULSAR_") {
			env = append(env, kv)
		}
	}
	return env
}
