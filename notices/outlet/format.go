package outlet

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/agora-host/agora/notices"
)

// cloudEvents is the format that is signed.
const cloudEvents = "cloudevents"

// formats write calls, each as its receiver reads them, with their media types. In each what people
// wrote is text, and what is to be done is behind a link to a page that asks who one is.
var formats = map[string]func(notices.Call) (body []byte, media string, err error){
	cloudEvents: cloudEvent, "slack": slack, "teams": teams,
}

// cloudEvent is CloudEvents 1.0 in its structured mode.
func cloudEvent(c notices.Call) ([]byte, string, error) {
	e := c.Event
	subject := e.Subject
	if subject == "" {
		subject = e.App
	}
	body, err := json.Marshal(struct {
		SpecVersion string `json:"specversion"`
		ID          string `json:"id"`
		Source      string `json:"source"`
		Type        string `json:"type"`
		Subject     string `json:"subject,omitempty"`
		Time        string `json:"time"`
		Media       string `json:"datacontenttype"`
		Sequence    string `json:"sequence"` // sorts as the feed does
		Data        any    `json:"data"`
	}{
		"1.0", c.ID, c.Node, "host.agora." + e.Kind, subject, e.At.UTC().Format(time.RFC3339Nano), "application/json", c.ID,
		struct {
			Event any    `json:"event"`
			Text  string `json:"text"`
			Todo  string `json:"todo"`
			URL   string `json:"url"`
		}{e, c.Text, c.Todo, c.URL},
	})
	return body, "application/cloudevents+json; charset=utf-8", err
}

// slackText has no character that Slack takes for markup, a mention or a link.
var slackText = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// slack is a message with a button that is a plain link.
func slack(c notices.Call) ([]byte, string, error) {
	type object = map[string]any
	text := func(s string) object { return object{"type": "plain_text", "text": s, "emoji": false} }
	body, err := json.Marshal(object{
		"text": slackText.Replace(c.Text),
		"blocks": []object{
			{"type": "section", "text": text(c.Text + ".\n" + c.Todo + ".")},
			{"type": "actions", "elements": []object{{"type": "button", "text": text("Open in Agora"), "url": c.URL}}},
		},
	})
	return body, "application/json; charset=utf-8", err
}

// teamsText has no character that an adaptive card takes for markup.
var teamsText = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "`", "\\`", "<", "&lt;", ">", "&gt;", "&", "&amp;")

// teams is an adaptive card with an action that is a plain link.
func teams(c notices.Call) ([]byte, string, error) {
	type object = map[string]any
	body, err := json.Marshal(object{
		"type": "message",
		"attachments": []object{{
			"contentType": "application/vnd.microsoft.card.adaptive",
			"content": object{
				"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
				"body": []object{
					{"type": "TextBlock", "wrap": true, "weight": "Bolder", "text": teamsText.Replace(c.Text) + "."},
					{"type": "TextBlock", "wrap": true, "text": teamsText.Replace(c.Todo) + "."},
				},
				"actions": []object{{"type": "Action.OpenUrl", "title": "Open in Agora", "url": c.URL}},
			},
		}},
	})
	return body, "application/json; charset=utf-8", err
}
