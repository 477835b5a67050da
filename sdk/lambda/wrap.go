// Package liftlambda ties the handlers of aws-lambda-go to Lift: what a handler
// calls through the context it is given carries the invocation's deadline, trace
// and tenant, and the sidecar knows when an invocation begins and ends.
//
//	lambda.Start(liftlambda.Wrap(client, handler))
package liftlambda

import (
	"context"
	"io"
	"reflect"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/liftmesh/lift/sdk"
)

// Wrap returns handler with Lift around it, to be given to lambda.Start or
// lambda.StartWithOptions. A handler is any function that those take, or a value
// with Invoke(context.Context, []byte) ([]byte, error); what is neither is
// returned as it is, so that aws-lambda-go says what is wrong with it.
//
// A function stays a function, with a context as its first argument: what it
// returns, panics with or streams goes to aws-lambda-go untouched. When the
// result is an [io.Reader], the invocation counts as done when the runtime has
// sent it. A value with Invoke can only return bytes; so handlers that stream are
// wrapped as functions, not as what lambda.NewHandler makes of them.
//
// Where there is no sidecar the handler runs all the same, and so it does with a nil
// client. The wrapper does not wait.
func Wrap(client *sdk.Client, handler any) any {
	if h, ok := handler.(invoker); ok {
		return wrappedInvoker{client: client, next: h}
	}
	fn := reflect.ValueOf(handler)
	if !fn.IsValid() || fn.Kind() != reflect.Func || fn.IsNil() {
		return handler
	}
	typ := fn.Type()
	takesContext, ok := takesContext(typ)
	if !ok {
		return handler
	}
	in := make([]reflect.Type, 0, 2)
	if !takesContext {
		in = append(in, contextType)
	}
	for arg := range typ.Ins() {
		in = append(in, arg)
	}
	out := make([]reflect.Type, 0, 2)
	for result := range typ.Outs() {
		out = append(out, result)
	}
	return reflect.MakeFunc(reflect.FuncOf(in, out, false), func(args []reflect.Value) []reflect.Value {
		outer, ok := reflect.TypeAssert[context.Context](args[0])
		if !ok {
			outer = context.Background() // the caller gave a nil one
		}
		ctx, done := begin(outer, client)
		streams := false
		defer func() {
			if !streams {
				done()
			}
		}()
		if takesContext {
			args[0] = reflect.ValueOf(&ctx).Elem().Convert(typ.In(0))
		} else {
			args = args[1:]
		}
		results := fn.Call(args)
		if streams = isStream(results) && outer.Done() != nil; streams {
			// The runtime loop cancels this context when the answer has been sent.
			context.AfterFunc(outer, done)
		}
		return results
	}).Interface()
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// invoker is lambda.Handler, without the imports of its package.
type invoker interface {
	Invoke(ctx context.Context, payload []byte) ([]byte, error)
}

type wrappedInvoker struct {
	client *sdk.Client
	next   invoker
}

// Invoke implements lambda.Handler.
func (w wrappedInvoker) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, done := begin(ctx, w.client)
	defer done()
	return w.next.Invoke(ctx, payload)
}

// begin tells of the invocation that ctx belongs to.
func begin(ctx context.Context, client *sdk.Client) (inner context.Context, done func()) {
	if ctx == nil {
		ctx = context.Background()
	}
	var in sdk.Invocation
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		in.ID, in.Tenant = lc.AwsRequestID, lc.TenantID
	}
	// The variable _X_AMZN_TRACE_ID is not set where invocations run side by side.
	in.Trace, _ = ctx.Value("x-amzn-trace-id").(string)
	return client.Invocation(ctx, in)
}

// takesContext says whether the handler's first argument is a context, by the
// rules of aws-lambda-go; !ok if it is no valid handler by those.
func takesContext(typ reflect.Type) (takes, ok bool) {
	if typ.IsVariadic() || typ.NumOut() > 2 || (typ.NumOut() > 0 && !typ.Out(typ.NumOut()-1).Implements(errorType)) {
		return false, false
	}
	switch typ.NumIn() {
	case 0:
		return false, true
	case 1:
		first := typ.In(0)
		if first.Kind() != reflect.Interface || first.NumMethod() == 0 {
			return false, true
		}
		return true, isContext(first)
	case 2:
		return true, isContext(typ.In(0))
	}
	return false, false
}

func isContext(typ reflect.Type) bool {
	return typ.Kind() == reflect.Interface && typ.Implements(contextType) && contextType.Implements(typ)
}

// isStream says whether the handler answered with a reader and not with an error.
func isStream(results []reflect.Value) bool {
	if len(results) != 2 {
		return false
	}
	if err, ok := reflect.TypeAssert[error](results[1]); ok && err != nil {
		return false
	}
	_, ok := reflect.TypeAssert[io.Reader](results[0])
	return ok
}
