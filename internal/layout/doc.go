// Package layout holds tests only: they check what the design promises about the
// tree, so that a breach fails at once and names its line. Who may import whom, how
// long files and functions may be, that packages are described, that the flows in
// the README exist, and that the build knows every module.
//
// It has no code to import and nobody imports it.
package layout
