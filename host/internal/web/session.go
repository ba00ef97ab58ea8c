package web

// SessionCookie is the cookie in which a browser carries its session; with
// TLS its name starts with "__Host-".
const SessionCookie = "agora_session"
