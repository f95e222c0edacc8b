package command

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func newSecret(a *app) *cobra.Command {
	noun := group("secret", "Values that components read by reference")
	noun.AddCommand(
		&cobra.Command{
			Use: "set NAME KEY", Short: "Store one value, read from standard input and never from an argument", Args: args(cobra.ExactArgs(2)),
			RunE: func(cmd *cobra.Command, words []string) error {
				value, err := a.readSecret(words[0] + "/" + words[1])
				if err != nil {
					return err
				}
				daemon, err := a.daemon(cmd.Context(), "secret set")
				if err != nil {
					return err
				}
				if err := daemon.PutSecret(cmd.Context(), words[0], words[1], value); err != nil {
					return err
				}
				a.say("secret %s/%s stored", words[0], words[1])
				return nil
			},
		},
		&cobra.Command{
			Use: "list", Short: "List names and keys, never values", Args: args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error {
				daemon, err := a.daemon(cmd.Context(), "secret list")
				if err != nil {
					return err
				}
				secrets, err := daemon.Secrets(cmd.Context())
				if err != nil {
					return err
				}
				return a.print(secrets, func() table {
					t := table{header: []string{"NAME", "KEYS"}}
					for _, name := range spec.SortedKeys(secrets) {
						t.add(name, strings.Join(secrets[name], ","))
					}
					return t
				})
			},
		},
		&cobra.Command{
			Use: "delete NAME KEY", Short: "Remove one value", Args: args(cobra.ExactArgs(2)),
			RunE: func(cmd *cobra.Command, words []string) error {
				daemon, err := a.daemon(cmd.Context(), "secret delete")
				if err != nil {
					return err
				}
				if err := daemon.DeleteSecret(cmd.Context(), words[0], words[1]); err != nil {
					return err
				}
				a.say("secret %s/%s deleted", words[0], words[1])
				return nil
			},
		},
	)
	return noun
}

// readSecret asks a person without echo, or reads a pipe to its end and drops the one
// newline that echo and editors add.
func (a *app) readSecret(name string) (spec.Secret, error) {
	var value string
	if f, ok := a.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(a.Stderr, "Value of %s: ", name)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.Stderr)
		if err != nil {
			return spec.Secret{}, err
		}
		value = string(b)
	} else {
		b, err := io.ReadAll(bufio.NewReader(a.Stdin))
		if err != nil {
			return spec.Secret{}, err
		}
		value = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	}
	if value == "" {
		return spec.Secret{}, errors.New("the value is empty: pipe it in, or type it when asked")
	}
	return spec.NewSecret(value), nil
}
