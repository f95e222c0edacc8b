package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Position is a small JSON document that survives the instance: how far a source has
// been settled.
type Position struct{ path string }

// NewPosition names a position in the instance's own directory.
func NewPosition(p Place, name string) Position {
	return Position{path: filepath.Join(p.WorkDir, name+".position.json")}
}

// Load reads the position into v; ok is false when there is none yet.
func (p Position) Load(v any) (ok bool, err error) {
	data, err := os.ReadFile(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		return false, fmt.Errorf("position: %w", err)
	}
	return true, nil
}

// Save replaces the position at once: after any crash the file holds the old or the
// new one, whole.
func (p Position) Save(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	next := p.path + ".next"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(next, p.path)
	}
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	return nil
}
