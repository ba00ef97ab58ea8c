// Command shortlinks makes short addresses that lead to long ones and, if their
// maker says so, end by themselves. It shows what kv has for more than one
// request at a time: an entry that is added only if its name is free, a counter
// that loses no visit, and a time to live. Who makes links has to know the secret
// "passphrase", if the app's owner set it. It must not lead anywhere but to http
// and https. An instance serves one request.
package main
