package command

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/wire"
)

// reach is how a command gets to a Pulsar's brokers. The REST API and the token come
// from the flags that all commands have.
type reach struct {
	service, caFile, certFile, keyFile string
	insecure, anyHostname              bool
}

func (r *reach) register(cmd *cobra.Command) {
	flags := cmd.PersistentFlags()
	flags.StringVar(&r.service, "pulsar", "", "brokers of a Pulsar instead of the embedded platform: pulsar://host:6650 or pulsar+ssl://…")
	flags.StringVar(&r.caFile, "ca-file", "", "authorities that --pulsar and --admin-url are trusted by")
	flags.StringVar(&r.certFile, "cert-file", "", "client certificate for --pulsar and --admin-url")
	flags.StringVar(&r.keyFile, "key-file", "", "key of --cert-file")
	flags.BoolVar(&r.insecure, "insecure", false, "accept any certificate")
	flags.BoolVar(&r.anyHostname, "any-hostname", false, "accept the certificate of another host")
}

// flagOf are the flags by the words of a connection.
func flagOf(field string) string {
	field = strings.TrimPrefix(field, "tls.")
	if field == "service_url" {
		return "--pulsar"
	}
	return "--" + strings.ReplaceAll(field, "_", "-")
}

// broker is what the flags mean; ok is false where they mean the embedded platform.
func (r *reach) broker(t Target) (b wire.Broker, ok bool, err error) {
	if r.service == "" {
		if r.caFile+r.certFile+r.keyFile != "" || r.insecure || r.anyHostname {
			return b, false, usage("--ca-file, --cert-file, --key-file, --insecure and --any-hostname go with --pulsar")
		}
		return b, false, nil
	}
	c := local.Connection{ServiceURL: r.service, AdminURL: t.AdminURL, Insecure: r.insecure, AnyHostname: r.anyHostname}
	for _, f := range []struct {
		from string
		to   *string
	}{{t.TokenFile, &c.TokenFile}, {r.caFile, &c.CAFile}, {r.certFile, &c.CertFile}, {r.keyFile, &c.KeyFile}} {
		if f.from == "" {
			continue
		}
		if *f.to, err = filepath.Abs(f.from); err != nil {
			return b, false, err
		}
	}
	for _, p := range c.Check() {
		return b, false, &UsageError{Err: &engine.Error{
			Class: engine.Invalid, Path: flagOf(p.Field), Hint: p.Hint, Err: errors.New(p.Message),
		}}
	}
	return c.Broker(), true, nil
}
