package javascript

import _ "embed"

// Types is agora.d.ts: what Agora gives to apps, for editors and for TypeScript's compiler.
//
//go:embed agora.d.ts
var Types string
