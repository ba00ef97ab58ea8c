package events

import "github.com/agora-host/agora/abi"

// Publish sends an event to every subscriber, and returns its id once it is
// durable. abi.ErrnoDenied: the topic is not granted; abi.ErrnoQuota: too much
// waits already; abi.ErrnoTooLarge: the payload is over 64 KiB.
func Publish(topic string, payload []byte) (id string, err error) {
	return PublishOnce("", topic, payload)
}

// PublishOnce publishes unless the app has used the key within a day: then it
// returns the id of that event, and nothing is sent.
func PublishOnce(key, topic string, payload []byte) (id string, err error) {
	out, err := publish(abi.AppendPublish(nil, topic, key, payload))
	return string(out), err
}
