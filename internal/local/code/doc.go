// Package code keeps user code of the local platform by its content, and packages as
// names for it: what the gateway uploads, what https:// and function:// URLs name.
//
// It runs nothing and trusts no name: a file is found by the digest of its content
// only. Only internal/local and its packages may import it.
package code
