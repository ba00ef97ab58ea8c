// A person has answered, and the browser brings the answer to the program that waits on this machine.
location.replace(document.getElementById("login").dataset.next);
