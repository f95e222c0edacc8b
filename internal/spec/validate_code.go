package spec

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// runtimeRule is what one runtime asks of its code.
type runtimeRule struct {
	class      *regexp.Regexp // nil: the runtime knows no class
	classHint  string
	extensions []string // of a file; nil: any
}

// Identifiers in any script, since Python and Java take them.
var (
	pythonClass = regexp.MustCompile(`^[\pL_][\pL\pN_]*(\.[\pL_][\pL\pN_]*)*$`)
	javaClass   = regexp.MustCompile(`^[\pL_$][\pL\pN_$]*(\.[\pL_$][\pL\pN_$]*)*$`)
)

func ruleOf(runtime string) runtimeRule {
	switch runtime {
	case "python":
		return runtimeRule{
			class:      pythonClass,
			classHint:  `Write class = "module.Class", "module.function", or "module" for its function process; for example enrich.Enrich for the class Enrich in enrich.py.`,
			extensions: []string{".py", ".zip", ".whl"},
		}
	case "java":
		return runtimeRule{
			class:      javaClass,
			classHint:  `Write the fully qualified name, class = "com.example.Enrich".`,
			extensions: []string{".jar", ".nar"},
		}
	default:
		return runtimeRule{}
	}
}

func (f findings) runtime(r *Runtime) {
	const hint = "Set exactly one of go, wasm, python and java."
	if r == nil {
		f.fail("A function needs a runtime.", hint)
		return
	}
	var set []string
	for _, c := range r.codes() {
		if c.code == nil {
			continue
		}
		set = append(set, c.name)
		f.field(c.name).code(c.name, *c.code)
	}
	switch len(set) {
	case 0:
		f.fail("A function needs a runtime.", hint)
	case 1:
	default:
		f.fail("Set are "+strings.Join(set, " and ")+", but a function has one runtime.", hint)
	}
}

func (f findings) code(runtime string, c Code) {
	switch {
	case c.File == "" && c.URL == "" && c.SHA256 == "": // a digest alone is code that the platform holds already
		f.fail("The code is missing.", "Set file to a path on this machine, or url.")
	case c.File != "" && c.URL != "":
		f.field("url").fail("file and url exclude each other.", "Keep one of the two.")
	}
	if c.URL != "" {
		f.field("url").codeURL(c.URL)
	}
	if c.SHA256 != "" && !isDigest(c.SHA256) {
		f.field("sha256").fail("It is not the hex SHA-256 of a file: 64 of 0-9 and a-f.", "Leave it out with file: it is computed.")
	}
	rule := ruleOf(runtime)
	f.field("file").extension(runtime, rule, c.File)
	f.field("class").class(runtime, rule, c.Class)
	f.field("class").module(runtime, c)
}

// module holds a class without a dot against the file: it is the module's name.
func (f findings) module(runtime string, c Code) {
	stem, ok := strings.CutSuffix(path.Base(strings.ReplaceAll(c.File, `\`, "/")), ".py")
	if runtime != "python" || !ok || c.Class == "" || c.Class == stem || strings.Contains(c.Class, ".") {
		return
	}
	f.failf(fmt.Sprintf("Write %q for the function process in it, or %q.", stem, stem+"."+c.Class), "%s.py is no module %q.", stem, c.Class)
}

func (f findings) extension(runtime string, rule runtimeRule, file string) {
	if file != "" && rule.extensions != nil && !slices.Contains(rule.extensions, strings.ToLower(path.Ext(file))) {
		f.failf("Give a "+orList(rule.extensions)+" file.", "%q is not what the %s runtime runs.", file, runtime)
	}
}

func (f findings) class(runtime string, rule runtimeRule, class string) {
	switch {
	case rule.class == nil && class != "":
		f.failf("Leave it out.", "The %s runtime knows no class.", runtime)
	case rule.class != nil && class == "":
		f.failf(rule.classHint, "The %s runtime needs a class.", runtime)
	case rule.class != nil && !rule.class.MatchString(class):
		f.failf(rule.classHint, "%q does not name a class for the %s runtime.", class, runtime)
	}
}

func (f findings) codeURL(url string) {
	const hint = "Use https://…, http://…, function://tenant/namespace/name@version or builtin://name."
	scheme, rest, ok := strings.Cut(url, ":")
	if strings.EqualFold(scheme, "file") && ok {
		f.fail("A file: URL would read the disk of the machine that runs the function, not yours.", "Set file to a path on this machine instead of url; it is uploaded.")
		return
	}
	rest, slashes := strings.CutPrefix(rest, "//")
	if !slashes {
		f.failf(hint, "%q is not a URL.", url)
		return
	}
	switch scheme {
	case "https", "http":
		if host, _, _ := strings.Cut(rest, "/"); host == "" || strings.ContainsAny(url, " \t\r\n") {
			f.failf(hint, "%q is not a URL.", url)
		}
	case "function":
		f.packageName(url, rest)
	case "builtin":
		if err := checkName(rest); err != nil {
			f.failf(hint, "The name in %q %v.", url, err)
		}
	default:
		f.failf(hint, "%q has a scheme that is not known.", url)
	}
}

// CheckPackage tells what is wrong with the tenant, namespace, name or version of a
// package, nil when they are names as objects have them. An absent version is "".
func CheckPackage(tenant, namespace, name, version string) error {
	parts := []struct{ what, text string }{{"tenant", tenant}, {"namespace", namespace}, {"name", name}, {"version", version}}
	for _, p := range parts {
		if p.what == "version" && p.text == "" {
			continue
		}
		if err := checkName(p.text); err != nil {
			return fmt.Errorf("the %s of the package %w", p.what, err)
		}
	}
	return nil
}

func (f findings) packageName(url, rest string) {
	const hint = "Write function://tenant/namespace/name@version."
	name, version, versioned := strings.Cut(rest, "@")
	parts := strings.Split(name, "/")
	if len(parts) != 3 {
		f.failf(hint, "%q does not name a package.", url)
		return
	}
	if versioned {
		parts = append(parts, version)
	}
	for _, part := range parts {
		if err := checkName(part); err != nil {
			f.failf(hint, "A part of %q %v.", url, err)
			return
		}
	}
}

func isDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

func (f findings) connector(c Component) {
	f.field("builtin").builtin(c)
	f.field("config").object(c.Config)
	connector, known := LookupConnector(c.Builtin)
	object, err := c.Config.Object()
	if known && err == nil && slices.Contains(connector.Kinds, c.Kind) {
		f.field("config").settings(connector, c.Kind, object)
	}
}

func (f findings) builtin(c Component) {
	var names []string
	for _, connector := range Connectors() {
		if slices.Contains(connector.Kinds, c.Kind) {
			names = append(names, connector.Name)
		}
	}
	hint := "Use " + orList(names) + "."
	connector, known := LookupConnector(c.Builtin)
	switch {
	case c.Builtin == "":
		f.failf(hint, "A %s needs a connector.", c.Kind)
	case !known:
		f.failf(hint, "There is no connector %q.", c.Builtin)
	case !slices.Contains(connector.Kinds, c.Kind):
		f.failf(hint, "The connector %q is no %s.", c.Builtin, c.Kind)
	}
}

// object checks a document that has to be a JSON object; "" is unset.
func (f findings) object(j JSON) {
	if _, err := j.Object(); err != nil {
		f.fail(sentence(err.Error()), "Give a JSON object, as jsonencode({ … }) writes it.")
	}
}

// settings checks the config object of a connector against its fields.
func (f findings) settings(connector Connector, kind Kind, object map[string]any) {
	fields := connector.FieldsFor(kind)
	known := map[string]bool{}
	var names []string
	for _, field := range fields {
		known[field.Name] = true
		names = append(names, field.Name)
		value, set := object[field.Name]
		at := f.below(f.at.Field(field.Name))
		switch {
		case set:
			at.setting(field, value)
		case field.Required:
			at.failf("", "The connector %q needs it: %s", connector.Name, field.Doc)
		}
	}
	for _, name := range SortedKeys(object) {
		if !known[name] {
			f.below(f.at.entry(name)).failf("Known are "+strings.Join(names, ", ")+".", "The %s connector %q has no such setting.", kind, connector.Name)
		}
	}
}

func (f findings) setting(field ConfigField, value any) {
	if problem := field.check(value); problem != "" {
		f.fail(problem, field.Doc)
	}
}

func componentWords() map[string]string {
	return map[string]string{
		"tenant": "tenant", "namespace": "namespace", "name": "name", "parallelism": "parallelism",
		"className": "runtime", "output": "output.topic", "logTopic": "log_topic",
		"subName": "subscription.name", "subscriptionPosition": "subscription.position",
		"sourceSubscriptionName": "subscription.name", "sourceSubscriptionPosition": "subscription.position",
		"processingGuarantees": "processing_guarantees", "retainOrdering": "retain_ordering",
		"retainKeyOrdering": "retain_key_ordering", "maxMessageRetries": "max_message_retries",
		"deadLetterTopic": "dead_letter_topic", "timeoutMs": "timeout_ms",
		"forwardSourceMessageProperty": "forward_source_message_property",
		"cleanupSubscription":          "cleanup_subscription", "topicsPattern": "topics_pattern",
		"autoAck": "auto_ack", "skipToLatest": "skip_to_latest", "negativeAckRedeliveryDelayMs": "negative_ack_redelivery_delay_ms",
		"batchBuilder": "output.producer.batching.builder",
		"userConfig":   "user_config", "configs": "config", "secrets": "secrets", "resources": "resources",
	}
}

func inputWords() map[string]string {
	return map[string]string{
		"schemaType": "schema", "serdeClassName": "serde_class", "regexPattern": "regex",
		"isRegexPattern": "regex", "receiverQueueSize": "receiver_queue_size",
	}
}

func producerWords() map[string]string {
	return map[string]string{
		"compressionType": "compression", "maxPendingMessages": "max_pending_messages",
		"batchingConfig": "batching", "batchBuilder": "batching.builder",
	}
}
