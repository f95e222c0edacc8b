package command

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/catalog"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/graph"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

func newMesh(a *app) *cobra.Command {
	noun := group("mesh", "Create and look at meshes")
	noun.AddCommand(
		newMeshApply(a, catalog.ModeCreate), newMeshApply(a, catalog.ModeUpdate),
		&cobra.Command{
			Use: "list", Short: "List the meshes of the namespace", Args: args(cobra.NoArgs),
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.list(cmd.Context(), spec.KindMesh, meshTable)
			},
		},
		named("get", "Show one mesh; -o yaml is what -f reads", func(ctx context.Context, name string) error {
			return a.get(ctx, spec.KindMesh, name, meshTable)
		}),
		named("delete", "Delete a mesh and its components; topics stay", func(ctx context.Context, name string) error {
			return a.remove(ctx, spec.KindMesh, name, engine.DeleteOptions{})
		}),
		newMeshGraph(a), newMeshStatus(a),
	)
	return noun
}

func newMeshApply(a *app, mode catalog.Mode) *cobra.Command {
	var file string
	var adopt bool
	var wait waitFlags
	cmd := &cobra.Command{
		Use: string(mode) + " -f FILE", Args: args(cobra.NoArgs),
		Short: "Create a mesh from YAML in the words of the HCL, or in those of PIP-66",
		RunE: func(cmd *cobra.Command, _ []string) error {
			mesh, err := a.readMesh(file)
			if err != nil {
				return err
			}
			if err := a.report(file, a.unhonoured(mesh)); err != nil {
				return err
			}
			h, err := a.handle(cmd.Context(), spec.KindMesh)
			if err != nil {
				return err
			}
			doc, err := json.Marshal(mesh)
			if err != nil {
				return err
			}
			marks := engine.Marks{Owner: owner}
			if marks.BaseDir, err = a.baseDir(); err != nil {
				return err
			}
			opts := catalog.ApplyOptions{Mode: mode, Marks: marks, Adopt: adopt}
			return a.apply(cmd.Context(), h, doc, opts, wait)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "the mesh as YAML or JSON, - for standard input (required)")
	wait.register(cmd)
	if mode == catalog.ModeUpdate {
		cmd.Short = "Change a mesh into what the file says"
		return cmd
	}
	cmd.Flags().BoolVar(&adopt, "adopt", false, "take over components that exist already")
	return cmd
}

// unhonoured is what the embedded platform cannot do of a mesh, found before anything is
// written; another platform says so itself.
func (a *app) unhonoured(mesh spec.Mesh) []spec.Problem {
	if a.target.AdminURL != "" {
		return nil
	}
	var problems []spec.Problem
	for _, kind := range spec.ComponentKinds() {
		members := mesh.Components(kind)
		for _, name := range spec.SortedKeys(members) {
			c := members[name]
			c.Kind = kind
			for _, p := range spec.Honour(spec.PlatformLocal, c) {
				p.Path = spec.MemberPath(kind, name) + "." + p.Path
				problems = append(problems, p)
			}
		}
	}
	return problems
}

func meshTable(documents []catalog.Document) table {
	t := table{header: []string{"NAME", "STATUS", "READY", "SOURCES", "FUNCTIONS", "SINKS", "MESSAGE"}}
	for _, d := range documents {
		m, err := decode[spec.Mesh](d)
		message := d.Status.Message
		if err != nil {
			message = err.Error()
		}
		t.add(d.Key.Name, string(d.Status.Phase), ready(d.Status), strconv.Itoa(len(m.Sources)), strconv.Itoa(len(m.Functions)), strconv.Itoa(len(m.Sinks)), ends(message))
	}
	return t
}

// meshGraph is a mesh drawn for programs.
type meshGraph struct {
	Nodes  []graph.Node `json:"nodes"`
	Edges  []graph.Edge `json:"edges"`
	Cycles [][]string   `json:"cycles,omitempty"`
}

func newMeshGraph(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "graph NAME | graph -f FILE", Short: "Draw a mesh: -o dot, mermaid, json, yaml or table", Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if (file == "") == (len(names) == 0) {
				return usage("name a mesh or give one with -f, not both")
			}
			mesh, err := a.meshToDraw(cmd.Context(), file, names)
			if err != nil {
				return err
			}
			return a.draw(graph.New(mesh))
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "draw a mesh from its YAML instead, without a platform")
	return cmd
}

func (a *app) meshToDraw(ctx context.Context, file string, names []string) (spec.Mesh, error) {
	if file != "" {
		return a.parseMesh(file)
	}
	d, err := a.observe(ctx, spec.KindMesh, names[0])
	if err != nil {
		return spec.Mesh{}, err
	}
	return decode[spec.Mesh](d)
}

func (a *app) draw(g *graph.Graph) error {
	for _, p := range g.Problems() {
		a.warn([]string{problemLine(p)})
	}
	switch a.output {
	case "dot":
		_, err := fmt.Fprint(a.Stdout, g.DOT())
		return err
	case "mermaid":
		_, err := fmt.Fprint(a.Stdout, g.Mermaid())
		return err
	case formatTable, formatJSON, formatYAML:
		return a.print(meshGraph{Nodes: g.Nodes(), Edges: g.Edges(), Cycles: g.Cycles()}, func() table {
			t := table{header: []string{"FROM", "TO"}}
			for _, e := range g.Edges() {
				t.add(e.From, e.To)
			}
			return t
		})
	default:
		return unknownFormat(a.output, "dot", "mermaid", formatTable, formatJSON, formatYAML)
	}
}

func newMeshStatus(a *app) *cobra.Command {
	var watch bool
	var every time.Duration
	cmd := &cobra.Command{
		Use: "status NAME", Short: "Show the instances of a mesh", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if !watch {
				return a.meshStatus(cmd.Context(), names[0])
			}
			return a.watch(cmd.Context(), every, func(ctx context.Context) error { return a.meshStatus(ctx, names[0]) })
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "print it again and again until interrupted")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "pause between two prints of --watch")
	return cmd
}

func (a *app) meshStatus(ctx context.Context, name string) error {
	d, err := a.observe(ctx, spec.KindMesh, name)
	if err != nil {
		return err
	}
	return a.print(d.Status, func() table {
		a.say("%s", headline(d.Key, d.Status))
		return statusTable(d.Status)
	})
}

// watch repeats show until the context ends, which is how a person leaves it.
func (a *app) watch(ctx context.Context, every time.Duration, show func(context.Context) error) error {
	if every <= 0 {
		return usage("--every must be positive")
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := show(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
