package config

import (
	"crypto/sha256"
	"encoding/hex"
)

// Sum is a checksum of the content of the file at path. It changes when the content
// does, whatever the file's times say and whatever links lead to it. It fails for
// the same files as [Load].
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
