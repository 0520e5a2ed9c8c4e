// Coming from another site, the browser keeps the cookie back (SameSite=Strict); from here it does not.
const answer = await fetch("/api/state");
if (answer.ok) location.replace("/");
