package gate

// ReturnPath is where a person goes on.
var ReturnPath = returnPath
