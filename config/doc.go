// Package config reads lift.yaml, strictly: an unknown key, a wrong unit or a
// missing variable is a problem with its line, and all problems are reported at
// once. The results are the structs that the other packages own.
//
// One table ([setting]) holds each key's kind, range, default and meaning, and the
// field that its value goes to. The reader, `lift config print`, the JSON Schema for
// editors and docs/configuration-keys.md are all made from it, so they agree.
//
// A fault inside one service breaks that service alone. Any other fault breaks all
// services with one clear error, and never the process.
package config
