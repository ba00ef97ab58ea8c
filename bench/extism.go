package main

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"

	extism "github.com/extism/go-sdk"
)

//go:embed apps/extism.wasm
var plugins []byte

// A host that another person could build without cgo: the same net/http, the same
// frames, and Extism on the same wazero. It counts no fuel, and has no time limit.
func init() {
	peers = append(peers,
		peer{"extism 1.7, an instance for each request", func(work workload) (http.Handler, error) {
			compiled, err := compilePlugins()
			if err != nil {
				return nil, err
			}
			return serveFrames(func(frame []byte) ([]byte, error) {
				p, err := compiled.Instance(context.Background(), extism.PluginInstanceConfig{})
				if err != nil {
					return nil, err
				}
				defer p.Close(context.Background())
				return callPlugin(p, work.name, frame)
			}), nil
		}},
		// Memory of the plug-in stays as the request before left it.
		peer{"extism 1.7, instances used again", func(work workload) (http.Handler, error) {
			compiled, err := compilePlugins()
			if err != nil {
				return nil, err
			}
			pool := make(chan *extism.Plugin, clients)
			for range clients {
				p, err := compiled.Instance(context.Background(), extism.PluginInstanceConfig{})
				if err != nil {
					return nil, err
				}
				pool <- p
			}
			return serveFrames(func(frame []byte) ([]byte, error) {
				p := <-pool
				defer func() { pool <- p }()
				return callPlugin(p, work.name, frame)
			}), nil
		}},
	)
}

func compilePlugins() (*extism.CompiledPlugin, error) {
	manifest := extism.Manifest{Wasm: []extism.Wasm{extism.WasmData{Data: plugins}}}
	return extism.NewCompiledPlugin(context.Background(), manifest, extism.PluginConfig{}, nil)
}

func callPlugin(p *extism.Plugin, function string, frame []byte) ([]byte, error) {
	code, answer, err := p.Call(function, frame)
	if err == nil && code != 0 {
		err = fmt.Errorf("the plug-in answered code %d", code)
	}
	return answer, err
}
