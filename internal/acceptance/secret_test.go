//go:build linux || darwin

package acceptance

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Row: a secret's value reaches the code and nothing else.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	needPython(t)
	s := newSite(t)
	const value = "correct-horse-battery-staple"
	set := s.command(filepath.Dir(s.data), s.binary, "local", "secret", "set", "shop", "api-key")
	set.Stdin = strings.NewReader(value)
	if o := finish(t, set, set.Run); o.code != 0 {
		t.Fatal(o.all)
	}
	file := write(t, filepath.Join(t.TempDir(), "shout.py"), `import hashlib
class shout:
    def process(self, message, context):
        secret = context.get_secret("API_KEY")
        print("the secret is", secret, flush=True)
        if str(message) == "1":
            raise RuntimeError("failed with " + secret)
        return hashlib.sha256(secret.encode()).hexdigest()
`)
	p := s.project(pythonFunction(file, `secrets = { API_KEY = { name = "shop", key = "api-key" } }`+"\n  max_message_retries = 0"))
	p.apply()
	s.produce("in", 0, 2)
	if got := s.consume("out", 1); got[0] != fmt.Sprintf("%x", sha256.Sum256([]byte(value))) {
		t.Errorf("the function made %q", got)
	}
	eventually(t, "the log of the function", func() bool {
		return strings.Contains(s.run("function", "logs", "f"), "the secret is")
	})
	eventually(t, "the failure to be counted", func() bool { return strings.Contains(s.run("function", "stats", "f"), "failed with") })
	p.tryPlan("-out=saved")
	places := map[string]string{
		"plan": p.tryPlan().all, "saved plan": p.terraform("show", "-json", "saved").all, "state": p.terraform("show", "-json").all,
		"log": s.run("function", "logs", "f"), "stats": s.run("function", "stats", "f", "-o", "json"), "get": s.run("function", "get", "f", "-o", "json"),
		"names": s.run("local", "secret", "list"),
	}
	var dead []string
	eventually(t, "the dead letter", func() bool {
		o := s.try("topic", "peek", "in-public-default-f-DLQ", "-o", "json")
		dead = append(dead, o.out)
		return strings.Contains(o.out, "failed with")
	})
	places["dead letter"] = strings.Join(dead, "")
	_, places["status"] = s.rest("GET", "/admin/v3/functions/public/default/f/status", nil)
	for _, pr := range s.processes() {
		places["argv of "+pr.command] = pr.command
		if env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pr.pid), "environ")); err == nil {
			places["environment of "+pr.command] = string(env)
		}
	}
	for _, dir := range []string{p.dir, s.data} {
		inFiles(t, dir, func(path string, text []byte) {
			// The wire file and the store hold values on purpose, for their owner alone.
			if base := filepath.Base(path); base != "wire.json" && !strings.HasPrefix(base, "store") {
				places[path] = string(text)
			}
		})
	}
	for place, text := range places {
		if strings.Contains(text, value) {
			t.Errorf("the value is in %s", place)
		}
	}
	private(t, s.data)
	private(t, filepath.Dir(s.record().Socket))
}

func inFiles(t *testing.T, dir string, use func(path string, text []byte)) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || d.Name() == "functionmesh" {
			return nil //nolint:nilerr // it vanished meanwhile
		}
		if info, err := d.Info(); err != nil || info.Size() > 20<<20 {
			return nil //nolint:nilerr // it vanished meanwhile, or is the program
		}
		text, err := os.ReadFile(path)
		if err == nil {
			use(path, bytes.Clone(text))
		}
		return nil
	}))
}

// private fails the test when others have rights on anything below dir that they can
// reach.
func private(t *testing.T, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it vanished meanwhile
		}
		info, err := d.Info()
		if err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return nil //nolint:nilerr // it vanished meanwhile
		}
		if path == dir && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		base := filepath.Base(path)
		if kept := base == "wire.json" || strings.HasPrefix(base, "store") || strings.HasSuffix(base, ".sock") || base == "token" || base == "daemon.json"; kept && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	}))
}
