package spec

import (
	"fmt"
	"slices"
	"strings"
)

// need is one setting that only the compatible path can do.
type need struct {
	path Path
	why  string // a sentence
}

// DataPath is the way of a component's messages between a Pulsar and our runner, and why:
// data_path where it is set, else EntryPath unless a setting needs CompatiblePath.
// connections says of each connection why it needs the compatible path, "" where it does
// not; names that it lacks need nothing.
func DataPath(c Component, connections map[string]string) (path, reason string) {
	if c.DataPath != "" {
		return c.DataPath, "data_path asks for it"
	}
	if needs := compatibleNeeds(c, connections); len(needs) > 0 {
		return CompatiblePath, string(needs[0].path) + " needs it"
	}
	return EntryPath, "every setting is supported by it"
}

// compatibleNeeds lists the settings that only the compatible path can do.
func compatibleNeeds(c Component, connections map[string]string) []need {
	var needs []need
	add := func(path Path, why string) { needs = append(needs, need{path, why}) }
	if c.TopicsPattern != "" {
		add("topics_pattern", patternByEntry)
	}
	for _, topic := range SortedKeys(c.Inputs) {
		at, in := Path("inputs").Key(topic), c.Inputs[topic]
		if isTrue(in.Regex) {
			add(at.Field("regex"), patternByEntry)
		}
		if in.Extra[cryptoKey] != "" {
			add(at.Field("extra").Key(cryptoKey), decryptByEntry)
		}
		if why := connections[in.Connection]; why != "" {
			add(at.Field("connection"), why)
		}
	}
	if c.Output != nil {
		if p := c.Output.Producer; p != nil && p.Extra[cryptoKey] != "" {
			add(Path("output.producer.extra").Key(cryptoKey), encryptByEntry)
		}
		if why := connections[c.Output.Connection]; why != "" {
			add("output.connection", why)
		}
	}
	return needs
}

// OAuth2ByEntry is why a connection with OAuth 2.0 needs the compatible path.
const OAuth2ByEntry = "OAuth 2.0 works on the compatible path only."

// cryptoKey is Pulsar's name of the settings of end-to-end encryption.
const cryptoKey = "cryptoConfig"

// CheckConnections returns the connections that a component names and nobody has
// configured. known lists the configured ones; "", the platform's own, needs no entry.
func CheckConnections(c Component, known []string) []Problem {
	f := newFindings()
	for _, topic := range SortedKeys(c.Inputs) {
		f.field("inputs").key(topic).field("connection").connection(c.Inputs[topic].Connection, known)
	}
	if c.Output != nil {
		f.field("output").field("connection").connection(c.Output.Connection, known)
	}
	return *f.all
}

func (f findings) connection(name string, known []string) {
	if name == "" || slices.Contains(known, name) {
		return
	}
	hint := "Add it to connections of the provider."
	if len(known) > 0 {
		hint = fmt.Sprintf("Known are %s; add others to connections of the provider.", strings.Join(known, ", "))
	}
	f.failf(hint, "There is no connection %q.", name)
}
