// Package config reads the settings that the [config] table of agora.toml
// lists. It needs [capabilities.config]. Outside WebAssembly, Set provides
// them. It must not know what a setting means; nothing in an instance is
// concurrent, so there is nothing to lock.
package config
