// Package settings reads a connector's config object against spec's table of built-in
// connectors, and tells a connector where it runs. It is why a connector knows no
// setting that the table does not have, and refuses every other one (R8).
//
// It opens no file. Connectors and runner/instance import it.
package settings
