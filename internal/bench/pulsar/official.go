//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// official is Pulsar's own runtimes, as its distribution has them.
type official struct {
	java, python string // programs
	dist         string // the unpacked distribution
	dependencies string // class path of an instance
	code         string // the echo, a jar
}

// echoClass needs nothing of Pulsar: its runtime takes any function of Java's own kind.
const echoClass = `public class Echo implements java.util.function.Function<byte[], byte[]> {
    public byte[] apply(byte[] in) { return in; }
}
`

// findOfficial prepares Pulsar's own instances: its distribution, and its client for Python.
func (b *bench) findOfficial() {
	folder := os.Getenv("TESTPULSAR")
	if folder == "" {
		b.t.Fatal("TESTPULSAR names no folder with pulsar.sh and prepare.sh")
	}
	prepare, err := filepath.Abs(filepath.Join(folder, "prepare.sh"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.official = official{dist: b.output(b.dir, prepare, "--python"), java: "java"}
	o := &b.official
	o.python = filepath.Join(filepath.Dir(o.dist), "python", "bin", "python3")
	compiler, packer := "javac", "jar"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		bin := filepath.Join(home, "bin")
		o.java, compiler, packer = filepath.Join(bin, "java"), filepath.Join(bin, "javac"), filepath.Join(bin, "jar")
	}
	jars, err := filepath.Glob(filepath.Join(o.dist, "lib", "*.jar"))
	if err != nil {
		b.t.Fatal(err)
	}
	o.dependencies, o.code = strings.Join(jars, ":"), filepath.Join(b.dir, "java", "echo.jar")
	dir := filepath.Dir(o.code)
	b.write(filepath.Join(dir, "Echo.java"), echoClass)
	b.output(dir, compiler, "Echo.java")
	b.output(dir, packer, "cf", o.code, "Echo.class")
}

// output runs a program to its end and returns the last line that it prints.
func (b *bench) output(dir, program string, args ...string) string {
	cmd := exec.CommandContext(b.t.Context(), program, args...) //nolint:gosec // what the environment names is what is measured with
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("%s: %v", program, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// startOfficial starts one of them with the flags that Pulsar's functions worker gives.
// It is up when the broker has its consumer.
func (b *bench) startOfficial(c contender, f flow) *process {
	dir := b.scratch()
	details, err := json.Marshal(map[string]any{
		"tenant": "public", "namespace": "default", "name": "echo", "className": map[string]string{javaRuntime: "Echo", pythonRuntime: "echo.Echo"}[c.official],
		"runtime": c.official, "autoAck": true, "parallelism": 1, "processingGuarantees": strings.ToUpper(c.guarantee),
		"source": map[string]any{
			"typeClassName": "[B", "inputSpecs": map[string]any{f.in: map[string]any{}}, "subscriptionName": f.subscription, "subscriptionPosition": "EARLIEST",
			"subscriptionType": map[bool]string{true: "FAILOVER", false: "SHARED"}[c.guarantee == effectively],
		},
		// Uncompressed, as the others and as the input.
		"sink": map[string]any{"topic": f.out, "typeClassName": "[B", "producerSpec": map[string]any{"compressionType": "NONE"}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	args := []string{
		"--instance_id", "0", "--function_id", "id", "--function_version", "v", "--function_details", string(details),
		"--pulsar_serviceurl", b.server.URL, "--use_tls", "false", "--max_buffered_tuples", "1024", "--cluster_name", "bench",
		"--port", b.freePort(), "--metrics_port", b.freePort(),
	}
	var cmd *exec.Cmd
	if c.official == javaRuntime {
		cmd = exec.CommandContext(b.t.Context(), b.official.java, append(b.javaFlags(dir), args...)...)
	} else {
		cmd = exec.CommandContext(b.t.Context(), b.official.python, append([]string{
			filepath.Join(b.official.dist, "instances", "python-instance", "python_instance_main.py"), "--py", b.python,
			"--logging_directory", dir, "--logging_file", "echo", "--expected_healthcheck_interval", "0",
			"--logging_config_file", filepath.Join(b.official.dist, "conf", "functions-logging", "logging_config.ini"),
		}, args...)...)
	}
	p := b.launch(c.name, cmd)
	b.eventually(c.name+" reads", func() bool {
		p.alive()
		return len(b.server.Stats(b.t, f.in).Subscriptions[f.subscription].Consumers) > 0
	})
	return p
}

func (b *bench) javaFlags(dir string) []string {
	instances := filepath.Join(b.official.dist, "instances")
	deps := filepath.Join(instances, "deps")
	return []string{
		"-cp", filepath.Join(instances, "java-instance.jar") + ":" + filepath.Join(deps, "*"),
		"-Dpulsar.functions.extra.dependencies.dir=" + deps, "-Dpulsar.functions.instance.classpath=" + b.official.dependencies,
		"-Dlog4j.configurationFile=java_instance_log4j2.xml", "-Dpulsar.function.log.dir=" + dir, "-Dpulsar.function.log.file=echo",
		"-Dio.netty.tryReflectionSetAccessible=true", "--add-opens", "java.base/java.nio=ALL-UNNAMED", "--add-opens", "java.base/jdk.internal.misc=ALL-UNNAMED",
		"org.apache.pulsar.functions.instance.JavaInstanceMain", "--jar", b.official.code, "--nar_extraction_directory", dir,
		"--tls_allow_insecure", "false", "--hostname_verification_enabled", "false", "--pending_async_requests", "1000", "--expected_healthcheck_interval", "-1",
	}
}

func (b *bench) freePort() string {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of this machine
	if err != nil {
		b.t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err = errors.Join(err, l.Close()); err != nil {
		b.t.Fatal(err)
	}
	return port
}
