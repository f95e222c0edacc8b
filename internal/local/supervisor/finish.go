package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/home"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// finishFile remembers that an instance came to the end of its source, so that the
// next daemon does not read the source again. It holds a digest of what was run.
const finishFile = "finished"

func (i *instance) rememberFinish() {
	if err := home.WriteFile(filepath.Join(i.dir, finishFile), []byte(work(i.file))); err != nil {
		i.s.options.Log.Warn("remember the end of the source", "component", i.key.String(), "error", err)
	}
}

// finishedBefore reports whether this very work was finished already. Asking for a
// restart is asking for it again.
func (i *instance) finishedBefore() bool {
	path := filepath.Join(i.dir, finishFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	if i.epoch > 0 || string(text) != work(i.file) {
		_ = os.Remove(path)
		return false
	}
	i.update(func(s *state) { s.completed = true })
	return true
}

// work is a digest of what an instance does, without how it is reached.
func work(f wire.File) string {
	f.Brokers, f.Probe, f.Control, f.WorkDir, f.CacheDir = nil, "", "", "", ""
	text, err := json.Marshal(f)
	if err != nil {
		return err.Error()
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
