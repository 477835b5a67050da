// Package emulator is a Lambda on your machine: it runs a function and its
// extensions as real processes, speaks the Runtime and the Extensions API to
// them, and can do what a test on the real platform cannot ask for - freeze
// them at a chosen moment, thaw them into a chosen future, cut their network
// meanwhile, and measure how they start.
//
// In a test:
//
//	e, err := emulator.Start(ctx, emulator.Config{
//		Function:   "build/bootstrap",
//		Extensions: "build/extensions", // or Layer: "build/layer.zip"
//		Env:        map[string]string{"TABLE": "test"},
//		Log:        func(source, line string) { t.Log(source, line) },
//	})
//	if err != nil {
//		t.Fatal(err) // says which program, why, and its last output
//	}
//	t.Cleanup(func() { e.Shutdown(context.Background(), emulator.Spindown) })
//	result, err := e.Invoke(ctx, []byte(`{"id": 1}`))
//
// # What is like Lambda
//
// The order of init (extensions register, then the function starts, then all
// ask for their first event), its time limit and its second try inside the
// first invocation; deadlines and timeouts; the reset when the function or an
// extension dies, with /tmp kept; the order and the budget of a shutdown; the
// environment variables of each side; status codes and error types; managed
// instances.
//
// # What is not
//
// Nothing is limited: memory, processor, descriptors, the file system, the
// network. Extensions lie where the Config says, not in /opt. AWS credentials
// are placeholders. There is no Telemetry API: like AWS's emulator this one
// answers 202 Telemetry.NotSupported. SnapStart is only a name here: nothing is
// copied or restored. The Runtime API has another port after each reset.
// Invoke returns when extensions are done, too, unless Config.AnswerEarly.
//
// # Freeze and thaw
//
// [Emulator.Freeze], or Config.FreezeWhenIdle, stops all processes with
// SIGSTOP; [Emulator.Thaw], or the next [Emulator.Invoke], lets them run on.
// Stopped processes keep their connections, and their clocks run on. What else
// a freeze may do is claimed by a [Gap]: a program that is built to read the
// offsets in Config.ClockFile can be told that hours have passed, with
// monotonic time running on or standing still. A [Relay] between an extension
// and its upstream holds packets while frozen.
//
// The package imports the standard library only. It is made for Linux, where a
// program dies with the process that emulates; it builds on darwin, where it
// does not.
package emulator
