package door

// Source is source.
var Source = source
