package abi

// Problem is an error as every surface shows it (RFC 9457, with a remedy).
type Problem struct {
	Type     string    `json:"type"`   // where it is explained: "/problems/unsigned"
	Title    string    `json:"title"`  // what kind of thing happened
	Status   int       `json:"status"` // HTTP status
	Detail   string    `json:"detail"` // what happened this time
	Remedy   Remedy    `json:"remedy"` // what to do next
	Findings []Finding `json:"findings,omitempty"`
	// Parameter names the parameter of the path or query that is not valid, if that is the problem.
	Parameter string `json:"parameter,omitempty"`
	// Invocation names the call in the app's log, if there was one.
	Invocation string `json:"invocation,omitempty"`
	// Whose app could not serve a request, for whoever calls it: the owner's name, no address.
	App   string `json:"app,omitempty"`
	Owner string `json:"owner,omitempty"`
	Team  string `json:"team,omitempty"`
}
