package command

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// versionInfo is what `version -o json` prints. A daemon reads it to decide whether a
// binary is one of ours, so its names are part of the handshake.
type versionInfo struct {
	Program string `json:"program"`
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Digest  string `json:"digest,omitempty"` // hex SHA-256 of the executable
}

func newVersion(o Options) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print which build this is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := versionInfo{Program: Program, Version: o.Version, Commit: o.Commit, Digest: ownDigest()}
			switch format {
			case "json":
				return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
			case "", "text":
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", v.Program, v.Version)
				return err
			default:
				return &UsageError{Err: fmt.Errorf("output format %q is not known: use text or json", format)}
			}
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	return cmd
}

// ownDigest is empty when the executable cannot be read, which is no reason to fail.
func ownDigest() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}
