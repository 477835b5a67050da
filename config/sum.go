package config

import (
	"crypto/sha256"
	"encoding/hex"
)

// Sum stands for the content of the file at path: it changes when that does,
// whatever the file system says of times, and through whatever links the path
// leads. It fails like [Load].
func Sum(path string) (string, error) {
	text, err := readFile(path)
	if err != nil {
		return "", err
	}
	return sumOf(text), nil
}

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
