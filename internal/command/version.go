package command

import (
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
)

// versionInfo is what `version -o json` prints. A daemon reads it to decide whether a
// binary is one of ours, so its names are part of the handshake.
type versionInfo struct {
	Program string `json:"program"`
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Digest  string `json:"digest,omitempty"` // hex SHA-256 of the executable
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print which build this is",
		Args:  args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := versionInfo{Program: Program, Version: a.Version, Commit: commit()}
			if a.output == formatTable {
				a.say("%s %s", v.Program, v.Version)
				return nil
			}
			v.Digest = ownDigest()
			return a.print(v, nil)
		},
	}
}

// commit is the revision that the Go tool stamped into the build, if it did.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// ownDigest is empty when the executable cannot be read, which is no reason to fail.
func ownDigest() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	sum, err := engine.FileDigest(path)
	if err != nil {
		return ""
	}
	return sum
}
