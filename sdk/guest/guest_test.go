package guest_test

import (
	"fmt"
	"testing"

	"github.com/agora-host/agora/sdk/guest"
)

func TestRequest(t *testing.T) {
	echo := func(r *guest.Request) guest.Response {
		return guest.JSON(0, []string{r.Method, r.Path, r.Query("q"), r.Form("f"), r.HeaderValue("content-type")})
	}
	got := guest.Test(echo, "POST", "/p?q=1&x", "f=a+b&g")
	if got.Status != 200 || string(got.Body) != `["POST","/p","1","a b","application/x-www-form-urlencoded"]` {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
	got = guest.Test(func(*guest.Request) guest.Response { return guest.Redirect("/there") }, "GET", "/", "")
	if got.Status != 303 || got.Header[0].Value != "/there" {
		t.Errorf("got %+v", got)
	}
}

func ExampleTest() {
	hello := func(r *guest.Request) guest.Response { return guest.Text(200, "Hello, "+r.Query("name")) }
	fmt.Printf("%s\n", guest.Test(hello, "GET", "/?name=Ada", "").Body)
	// Output: Hello, Ada
}
