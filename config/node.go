package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// firstService is a file that works.
const firstService = `services: {orders: {from: static, endpoints: ["10.0.1.7:8080"]}}`

// MaxFile is the largest lift.yaml that is read, in bytes.
const MaxFile = 1 << 20

// parseYAML returns the one document's root. A fault comes with its position;
// the library tells syntax errors by line only, so their column is that of the
// line's first character.
func parseYAML(text []byte) (root *yaml.Node, fault *Problem) {
	defer func() {
		if r := recover(); r != nil { // the library's, not ours: keep the process
			root, fault = nil, &Problem{Line: 1, Column: 1, What: fmt.Sprintf("the YAML parser gave up: %v", r), Remedy: "simplify the file"}
		}
	}()
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		what := "the file is empty"
		if len(bytes.TrimSpace(text)) > 0 {
			what = "the file holds nothing but comments"
		}
		return nil, &Problem{Line: 1, Column: 1, What: what, Remedy: "begin with " + firstService}
	} else if err != nil {
		return nil, syntaxFault(text, err)
	}
	if err := dec.Decode(&more); err == nil {
		line, column := max(more.Line, 1), max(more.Column, 1)
		return nil, &Problem{Line: line, Column: column, What: "a second document begins here", Remedy: "keep one; put what differs between stages under environments"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxFault(text, err)
	}
	return doc.Content[0], nil
}

// oddity says which feature of YAML a node uses that Lift does not read, and what to
// write instead. References are refused, not resolved, so that a small file cannot
// grow without bound; defaults do their work.
func oddity(n *yaml.Node) (what, remedy string) {
	switch {
	case n.Kind == yaml.AliasNode:
		return "aliases (*name) are not read", "write the value out, or put it under defaults"
	case n.Anchor != "":
		return "anchors (&name) are not read", "remove it, and put what services share under defaults"
	case n.Style&yaml.TaggedStyle != 0:
		return fmt.Sprintf("tags (%s) are not read", n.ShortTag()), "remove it"
	}
	return "", ""
}

// described says what a node is.
func described(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return "there is no value"
	}
	return "this is " + describe(n)
}

// describe names a node's kind in plain words.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!null":
			return "no value"
		case "!!int", "!!float":
			return "a number"
		case "!!bool":
			return "true or false"
		case "!!timestamp":
			return "a date"
		}
		return "text"
	}
	return "something else"
}
