// Coming from another site, the browser keeps the cookie back (SameSite=Strict); from here it does not.
try {
  const answer = await fetch("/api/state");
  if (answer.ok) location.replace("/");
} catch { /* the form was sent meanwhile */ }
