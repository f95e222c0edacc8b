// Program exclaim adds an exclamation mark to every message.
package main

import function "github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go"

func main() { function.Main(exclaim) }

func exclaim(in []byte) ([]byte, error) { return append(in, '!'), nil }
