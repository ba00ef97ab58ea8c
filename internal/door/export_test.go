package door

// Source is source.
var Source = source

// ReadProxyHeader is readProxyHeader.
var ReadProxyHeader = readProxyHeader
