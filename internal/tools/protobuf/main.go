// Command protobuf writes the Go code of .proto files beside them, without protoc: the
// compiler and the generator run in this process, at the versions of this module. It is
// given the root of the repository and the files, relative to it; that relative path is
// the name a file is registered under, so it is unique in every binary.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

//go:generate go run . ../../.. runner/broker/pulsar/conn/pulsarpb/protocol.proto runner/probe/controlpb/control.proto

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: protobuf ROOT FILE.proto…")
		os.Exit(2)
	}
	if err := generate(context.Background(), os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "protobuf:", err)
		os.Exit(1)
	}
}

func generate(ctx context.Context, root string, files []string) error {
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{root}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	compiled, err := compiler.Compile(ctx, files...)
	if err != nil {
		return err
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: files, Parameter: new("paths=source_relative")}
	for _, f := range compiled {
		request.ProtoFile = withImports(request.ProtoFile, f)
	}
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		return err
	}
	plugin.SupportedFeatures = internal_gengo.SupportedFeatures
	for _, f := range plugin.Files {
		if f.Generate {
			internal_gengo.GenerateFile(plugin, f)
		}
	}
	return write(root, plugin.Response())
}

// withImports appends a file after everything it imports.
func withImports(all []*descriptorpb.FileDescriptorProto, f protoreflect.FileDescriptor) []*descriptorpb.FileDescriptorProto {
	if slices.ContainsFunc(all, func(known *descriptorpb.FileDescriptorProto) bool { return known.GetName() == f.Path() }) {
		return all
	}
	for i := range f.Imports().Len() {
		all = withImports(all, f.Imports().Get(i).FileDescriptor)
	}
	return append(all, protodesc.ToFileDescriptorProto(f))
}

func write(root string, response *pluginpb.CodeGeneratorResponse) error {
	if response.GetError() != "" {
		return fmt.Errorf("generate: %s", response.GetError())
	}
	for _, f := range response.GetFile() {
		if err := os.WriteFile(filepath.Join(root, f.GetName()), []byte(f.GetContent()), 0o644); err != nil { //nolint:gosec // source code is not a secret
			return err
		}
	}
	return nil
}
