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
)

// Not confirmed about Snowflake, and only here. A wrong account cannot be told
// from a wrong password here, since the account's name is no host name.
const (
	codeUserDisabled  = "390101"
	codeTokenInvalid  = "390104"
	codeMasterInvalid = "390115"
	codeBadPAT        = "394400"
	codeNoSuchQuery   = "000709"
	codeUnsupported   = "000002"
	codeInternal      = "000603"
	codeBadRequest    = "390180"
)

// What is said with them.
const (
	textBadLogin       = "Incorrect username or password was specified."
	textUserDisabled   = "User access disabled. Contact your local system administrator."
	textBadJWT         = "JWT token is invalid. "
	textBadOAuth       = "Invalid OAuth access token. "
	textBadPAT         = "Programmatic access token is invalid. "
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
