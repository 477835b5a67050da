package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func versionCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which build this is",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info, _ := debug.ReadBuildInfo()
			_, err := fmt.Fprintln(s.out, version(info))
			return err
		},
	}
}

// version is one line made of what the Go linker leaves in every binary, so
// that no build has to be told its version.
func version(info *debug.BuildInfo) string {
	release, revision := "(unknown)", ""
	if info != nil {
		release = info.Main.Version
		modified := false
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				revision = ", revision " + setting.Value[:min(12, len(setting.Value))]
			case "vcs.modified":
				modified = setting.Value == "true"
			}
		}
		if modified && revision != "" {
			revision += " with changes"
		}
	}
	return fmt.Sprintf("lift %s%s, %s %s/%s", release, revision, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// release is the module's version, as peers are told it.
func release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
