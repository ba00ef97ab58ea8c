//go:build wasmtime

package main

/*
#include <stdlib.h>
#include <string.h>
#include <wasm.h>
#include <wasmtime.h>

typedef struct {
  wasm_engine_t *engine;
  wasmtime_module_t *module;
  wasmtime_linker_t *linker;
  wasmtime_instance_pre_t *pre;
} host_t;

// host_new compiles a module without imports, for instances from a pool, with fuel.
static host_t *host_new(const uint8_t *wasm, size_t n) {
  host_t *h = calloc(1, sizeof *h);
  wasm_config_t *config = wasm_config_new();
  wasmtime_config_consume_fuel_set(config, true);
  wasmtime_pooling_allocation_config_t *pool = wasmtime_pooling_allocation_config_new();
  wasmtime_pooling_allocation_config_total_memories_set(pool, 64);
  wasmtime_pooling_allocation_config_total_core_instances_set(pool, 64);
  wasmtime_pooling_allocation_config_total_tables_set(pool, 64);
  wasmtime_pooling_allocation_config_max_memory_size_set(pool, 32 << 20);
  wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pool, 1 << 20);
  wasmtime_pooling_allocation_strategy_set(config, pool);
  wasmtime_pooling_allocation_config_delete(pool);
  h->engine = wasm_engine_new_with_config(config);
  if (wasmtime_module_new(h->engine, wasm, n, &h->module)) return 0;
  h->linker = wasmtime_linker_new(h->engine);
  if (wasmtime_linker_instantiate_pre(h->linker, h->module, &h->pre)) return 0;
  return h;
}

static bool export(wasmtime_context_t *c, wasmtime_instance_t *i, const char *name, wasmtime_extern_t *e) {
  return wasmtime_instance_export_get(c, i, name, strlen(name), e);
}

// host_serve gives one frame to a new instance: a length, or below zero what failed.
static int64_t host_serve(host_t *h, const uint8_t *frame, uint32_t n, uint8_t *out, uint32_t cap) {
  wasmtime_store_t *store = wasmtime_store_new(h->engine, 0, 0);
  wasmtime_context_t *c = wasmtime_store_context(store);
  wasmtime_instance_t instance;
  wasmtime_extern_t alloc, handle, memory;
  wasm_trap_t *trap = 0;
  wasmtime_val_raw_t v[2];
  int64_t answer = -1;
  if (wasmtime_context_set_fuel(c, 200000000)) goto end;
  answer--;
  if (wasmtime_instance_pre_instantiate(h->pre, c, &instance, &trap) || trap) goto end;
  answer--;
  if (!export(c, &instance, "app_alloc", &alloc) || !export(c, &instance, "app_handle_v1", &handle) || !export(c, &instance, "memory", &memory)) goto end;
  answer--;
  v[0].i32 = n;
  if (wasmtime_func_call_unchecked(c, &alloc.of.func, v, 1, &trap) || trap) goto end;
  answer--;
  uint32_t at = v[0].i32;
  if ((uint64_t)at + n > wasmtime_memory_data_size(c, &memory.of.memory)) goto end;
  memcpy(wasmtime_memory_data(c, &memory.of.memory) + at, frame, n);
  v[0].i32 = at; v[1].i32 = n;
  if (wasmtime_func_call_unchecked(c, &handle.of.func, v, 2, &trap) || trap) goto end;
  answer--;
  uint64_t packed = v[0].i64;
  uint32_t from = packed >> 32, size = packed;
  if (size > cap || (uint64_t)from + size > wasmtime_memory_data_size(c, &memory.of.memory)) goto end;
  memcpy(out, wasmtime_memory_data(c, &memory.of.memory) + from, size);
  answer = size;
end:
  if (trap) wasm_trap_delete(trap);
  wasmtime_store_delete(store);
  return answer;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"net/http"
	"unsafe"

	// Its module brings the library.
	_ "github.com/bytecodealliance/wasmtime-go/v41"
)

// A host that another person could build: the same net/http, the same frames, and
// wasmtime with fuel and its pooling allocator, called once for each request.
func init() {
	peers = append(peers, peer{"wasmtime 41, pooled, with fuel", func(work workload) (http.Handler, error) {
		h := C.host_new((*C.uint8_t)(unsafe.Pointer(&work.module[0])), C.size_t(len(work.module)))
		if h == nil {
			return nil, errors.New("wasmtime does not take the module")
		}
		return serveFrames(func(frame []byte) ([]byte, error) {
			out := make([]byte, 16<<10)
			n := C.host_serve(h, (*C.uint8_t)(unsafe.Pointer(&frame[0])), C.uint32_t(len(frame)), (*C.uint8_t)(unsafe.Pointer(&out[0])), C.uint32_t(len(out)))
			if n < 0 {
				return nil, fmt.Errorf("step %d of the call failed", -n)
			}
			return out[:n], nil
		}), nil
	}})
}
