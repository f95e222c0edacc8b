package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// shipped measures what a user gets: the binary, the idle platform, a mesh to ready.
func shipped(ctx context.Context, o options) (section, error) {
	s := section{title: "What is shipped", text: "The stripped binary, the resident memory of a platform with nothing declared, and the time from the\nrequest to ready of the demo's mesh of two functions on a platform that runs (median).\n\nGoal: ready in less than 3 s when warm.", header: []string{"", "measured"}}
	info, err := os.Stat(o.binary)
	if err != nil {
		return s, err
	}
	s.rows = append(s.rows, []string{"provider binary", number(float64(info.Size())/1e6, 1, " MB")})
	if _, err := buildEchoes(ctx, o); err != nil {
		return s, err
	}
	p, err := open(ctx, o, "shipped")
	if err != nil {
		return s, err
	}
	defer func() { _ = p.close(ctx) }()
	idle, err := resident(ctx, p.daemon.Handshake().PID)
	if err != nil {
		return s, err
	}
	s.rows = append(s.rows, []string{"idle platform, resident", number(float64(idle)/1e6, 1, " MB")})
	var took []float64
	for range o.repeat + 1 {
		t, err := meshToReady(ctx, o, p)
		if err != nil {
			return s, err
		}
		took = append(took, t.Seconds())
	}
	s.rows = append(s.rows,
		[]string{"mesh to ready, first", number(took[0], 2, " s")},
		[]string{"mesh to ready, warm", number(median(took[1:]), 2, " s")})
	return s, nil
}

func meshToReady(ctx context.Context, o options, p *platform) (time.Duration, error) {
	entity := catalog.Mesh()
	eng := entity.Engine(catalog.NewMeshClient(p.clients.Components))
	code := func() *spec.Runtime {
		return &spec.Runtime{WASM: &spec.Code{File: filepath.Join(o.dir, "echo.wasm")}}
	}
	mesh := entity.Default(spec.Mesh{Name: "exclaim", Functions: map[string]spec.Component{
		"loud":   {Runtime: code(), Inputs: map[string]spec.Input{"lines": {}}, Output: &spec.Output{Topic: "excited"}},
		"louder": {Runtime: code(), Inputs: map[string]spec.Input{"excited": {}}, Output: &spec.Output{Topic: "shouted"}},
	}})
	begin, key := time.Now(), entity.Key(mesh)
	if _, err := eng.Create(ctx, engine.Object[spec.Mesh]{Spec: mesh, Marks: engine.Marks{Owner: "bench"}}, engine.CreateOptions{}); err != nil {
		return 0, err
	}
	if _, err := eng.Wait(ctx, key, func(engine.Status) {}); err != nil {
		return 0, err
	}
	took := time.Since(begin)
	return took, eng.Delete(ctx, key, engine.DeleteOptions{})
}

// resident is the resident memory of a process in bytes.
func resident(ctx context.Context, pid int) (int64, error) {
	out, err := exec.CommandContext(ctx, "ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0, fmt.Errorf("ps: %w", err)
	}
	kib, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	return kib * 1024, err
}
