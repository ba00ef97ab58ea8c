package registry

import _ "embed"

//go:embed manifest.schema.json
var schema []byte

// Schema is the manifest's shape as a JSON schema (draft 2020-12), for editors.
func Schema() []byte { return schema }
