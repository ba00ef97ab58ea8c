// Command relay publishes notes as events, receives them, and runs by the clock:
// the three ways in which an app is called. Each event is kept under its id, so
// that one which is delivered twice is kept once. An instance serves one request.
package main
