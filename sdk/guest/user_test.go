package guest_test

import (
	"fmt"

	"github.com/agora-host/agora/abi"
	"github.com/agora-host/agora/sdk/guest"
)

// An app whose manifest asks for identity = "pseudonym" counts one vote of each person.
func ExampleRequest_User() {
	votes := map[string]bool{}
	vote := func(r *guest.Request) guest.Response {
		u, ok := r.User()
		if !ok {
			return guest.Text(401, "sign in to vote")
		}
		votes[u.ID] = true
		return guest.Text(200, fmt.Sprint(len(votes), " voted"))
	}
	request := &guest.Request{Request: abi.Request{Method: "POST", Path: "/"}}
	fmt.Println(string(vote(request).Body))
	for _, id := range []string{"p_ada", "p_bob", "p_ada"} {
		fmt.Println(string(vote(request.By(guest.User{ID: id, Via: "session"})).Body))
	}
	// Output:
	// sign in to vote
	// 1 voted
	// 2 voted
	// 2 voted
}
