package controller

import (
	"html/template"
	"net/http"
	"strings"
	"time"
)

// sessionCookie is the cookie of a browser that has shown a token.
const sessionCookie = "benchfleet_session"

// loginPage is all that a browser is shown before it has shown a token.
var loginPage = template.Must(template.New("login").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>Log in · benchfleet</title>
<link rel="icon" href="{{.Prefix}}/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{{.Prefix}}/assets/report.css"><link rel="stylesheet" href="{{.Prefix}}/assets/app.css">
</head>
<body class="login">
<main>
<h1>benchfleet</h1>
{{if .Wrong}}<p class="problems" role="alert">This token lets nobody in.</p>{{end}}
<form method="post" action="{{.Prefix}}/login">
<input type="hidden" name="next" value="{{.Next}}">
<input name="user" autocomplete="username" value="benchfleet" hidden>
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button class="primary" type="submit">Log in</button>
</form>
<p class="empty">Tokens are made where the controller is: <code>benchfleet token NAME</code>.</p>
</main>
</body>
</html>
`))

type loginView struct {
	Prefix, Next string
	Wrong        bool
}

// login is how a browser comes in with a token.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	if s.gate.Tokens == nil { // nobody has to
		http.Redirect(w, r, s.prefix+"/", http.StatusSeeOther)
		return
	}
	if safe(r.Method) {
		s.showLogin(w, http.StatusOK, loginView{Next: local(r.URL.Query().Get("next"))})
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	next := local(r.PostFormValue("next"))
	caller, ok := s.gate.Tokens.find(strings.TrimSpace(r.PostFormValue("token")))
	if !ok {
		s.log.Warn("a login was refused", "from", r.RemoteAddr)
		s.showLogin(w, http.StatusUnauthorized, loginView{Next: next, Wrong: true})
		return
	}
	s.log.Info("logged in", "by", caller.Name, "role", caller.Role, "from", r.RemoteAddr)
	http.SetCookie(w, s.cookie(r, s.gate.open.begin(caller, time.Now()), int(sessionLife/time.Second)))
	http.Redirect(w, r, s.prefix+next, http.StatusSeeOther)
}

func (s *server) showLogin(w http.ResponseWriter, status int, v loginView) {
	v.Prefix = s.prefix
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = loginPage.Execute(w, v) // one who has gone away
}

// logout ends the session of a browser.
func (s *server) logout(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		s.gate.open.end(cookie.Value)
	}
	http.SetCookie(w, s.cookie(r, "", -1))
	http.Redirect(w, r, s.prefix+"/login", http.StatusSeeOther)
}

// cookie is one that no script can read and that no other site's page sends.
func (s *server) cookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: value, Path: s.prefix + "/", MaxAge: age,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode,
	}
}

// local is a path of this server to go on to; anything else is its first page.
func local(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}
