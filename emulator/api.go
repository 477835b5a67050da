package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
)

const (
	runtimeBase   = "/2018-06-01/runtime"
	extensionBase = "/2020-01-01/extension"
)

// handler is everything that listens at AWS_LAMBDA_RUNTIME_API.
func (l *life) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtimeBase+"/invocation/next", l.runtimeNext)
	mux.HandleFunc("POST "+runtimeBase+"/invocation/{id}/response", l.runtimeResponse)
	mux.HandleFunc("POST "+runtimeBase+"/invocation/{id}/error", l.runtimeError)
	mux.HandleFunc("POST "+runtimeBase+"/init/error", l.runtimeInitError)
	mux.HandleFunc("POST "+extensionBase+"/register", l.register)
	mux.HandleFunc("GET "+extensionBase+"/event/next", l.extensionNext)
	mux.HandleFunc("POST "+extensionBase+"/init/error", l.extensionInitError)
	mux.HandleFunc("POST "+extensionBase+"/exit/error", l.extensionExitError)
	mux.HandleFunc("PUT /2022-07-01/telemetry", l.telemetry)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		if l.gone {
			l.mu.Unlock()
			return
		}
		l.asking++
		l.mu.Unlock()
		defer func() {
			l.mu.Lock()
			l.asking--
			l.wake()
			l.mu.Unlock()
		}()
		mux.ServeHTTP(w, r)
	})
}

// telemetry says what AWS's own emulator says: not here. An extension must take
// any status but 200 as "not subscribed" and carry on.
func (l *life) telemetry(w http.ResponseWriter, r *http.Request) {
	if l.identified(w, r) == nil {
		return
	}
	refuse(w, http.StatusAccepted, "Telemetry.NotSupported", "Telemetry API is not supported")
}

// apiError is the body of every refusal.
type apiError struct {
	Message string `json:"errorMessage"`
	Type    string `json:"errorType"`
}

func refuse(w http.ResponseWriter, status int, kind, format string, args ...any) {
	answer(w, status, apiError{Message: fmt.Sprintf(format, args...), Type: kind})
}

func forbid(w http.ResponseWriter, kind, format string, args ...any) {
	refuse(w, http.StatusForbidden, kind, format, args...)
}

func accept(w http.ResponseWriter) {
	answer(w, http.StatusAccepted, map[string]string{"status": "OK"})
}

func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // only our own structs come here
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone is told of by its process's end
}
