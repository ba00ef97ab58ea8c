package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
)

// quote is a price for a number of pieces, with a discount for many.
type quote struct {
	Pieces   int    `json:"pieces"`
	Discount string `json:"discount"`
	Total    string `json:"total"`
}

const cents = 1250 // for one piece

func main() {
	query, err := url.ParseQuery(os.Getenv("QUERY_STRING"))
	if err != nil {
		answer("400 Bad Request", map[string]string{"error": "the query cannot be read"})
		return
	}
	pieces := 1
	if text := query.Get("pieces"); text != "" {
		if pieces, err = strconv.Atoi(text); err != nil || pieces < 1 || pieces > 1_000_000 {
			answer("422 Unprocessable Content", map[string]string{"error": "pieces is a number from 1 to 1000000"})
			return
		}
	}
	answer("200 OK", price(pieces))
}

func price(pieces int) quote {
	percent := 0
	switch {
	case pieces >= 1000:
		percent = 20
	case pieces >= 100:
		percent = 10
	}
	total := pieces * cents * (100 - percent) / 100
	return quote{pieces, fmt.Sprintf("%d %%", percent), fmt.Sprintf("%d.%02d", total/100, total%100)}
}

func answer(status string, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err)
	}
	fmt.Printf("Status: %s\r\nContent-Type: application/json\r\n\r\n%s\n", status, body)
}
