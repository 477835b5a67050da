// Package config reads lift.yaml, strictly: an unknown key, a wrong unit, a
// missing variable is a problem with its line, and all problems are told at
// once. What comes out are the structs that the packages own.
//
// One table ([setting]) says of each key its kind, range, default, meaning and
// where its value goes. The reader, `lift config print` and the reference in
// docs/configuration-keys.md all come from it, so that they cannot part ways.
//
// A fault inside one service breaks that service alone; any other fault breaks
// everything, with one clear error, and never the process.
package config
