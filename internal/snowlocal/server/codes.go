package server

// The codes that drivers act on.
const (
	codeInProgress      = "333333"
	codeInProgressAsync = "333334"
	codeNotRunning      = "000605"
	codeSessionExpired  = "390112"
	codeMasterExpired   = "390114"
	codeSessionGone     = "390111"
	codeBadLogin        = "390100"
	codeBadJWT          = "390144"
	codeBadOAuth        = "390303"
	codeServiceToken    = "395092"
)

// Not confirmed about Snowflake, and only here. A wrong account has a wrong host,
// which answers with HTTP 403 and codeBadAccount.
const (
	codeBadAccount    = "390144"
	codeUserDisabled  = "390101"
	codeTokenInvalid  = "390104"
	codeMasterInvalid = "390115"
	codeBadPAT        = "394400"
	codeNoSuchQuery   = "000709"
	codeUnsupported   = "000002"
	codeInternal      = "000603"
	codeBadRequest    = "390180"
	codeServiceLogin  = "395092"
)

// What is said with them.
const (
	textBadAccount     = "Invalid account name or host."
	textBadLogin       = "Incorrect username or password was specified."
	textUserDisabled   = "User access disabled. Contact your local system administrator."
	textBadJWT         = "JWT token is invalid. "
	textBadOAuth       = "Invalid OAuth access token. "
	textServiceToken   = "Client is unauthorized to use Snowpark Container Services OAuth token."
	textServiceLogin   = "Client is unauthorized: inside Snowpark Container Services one logs in with the service's OAuth token."
	textBadPAT         = "Programmatic access token is invalid."
	textSessionExpired = "Session token has expired."
	textSessionGone    = "Session no longer exists.  New login required to access the service."
	textMasterExpired  = "Authentication token has expired.  The user must authenticate again."
	textTokenInvalid   = "Session token is invalid."
	textMasterInvalid  = "Authentication token is invalid."
	textInProgress     = "Query execution in progress."
	textAsync          = "Asynchronous execution in progress. Use provided query id to perform query monitoring and management."
	textNotRunning     = "Identified SQL statement is not currently executing."
	textAborted        = "SQL statement execution canceled."
)

// noSuchQuery is a query that is not known, or whose result is not kept any more.
func noSuchQuery(id string) *refusal {
	return &refusal{code: codeNoSuchQuery, state: "02000", message: "Statement " + id + " not found", query: id}
}
