package engine

import (
	"context"
	"time"
)

// Options of an engine.
type Options struct {
	// DSN is the address of a database of a PostgreSQL 15 cluster as superuser.
	// The engine owns that database, and the cluster's roles that begin with
	// "role:".
	DSN string
	// Account is what there is at the first start; what statements changed later
	// is in the database and stays.
	Account Account
	// History bounds the statements that are remembered; 0 means DefaultHistory.
	History int
	// Handlers execute statements that the engine does not, by their first words
	// in upper case ("EXECUTE JOB SERVICE", "SHOW SERVICES"). The longest match
	// wins. A method of an object, as in SELECT name!METHOD(), is "! METHOD".
	Handlers map[string]Handler
	// Functions execute SYSTEM$ functions that the engine does not have, by name,
	// where they are all that a SELECT or CALL has.
	Functions map[string]Function
	// Gone is told of a database or schema that is dropped, by full name.
	Gone func(ctx context.Context, name string) error
}

// DefaultHistory is the number of finished statements that are remembered.
const DefaultHistory = 20000

// Account is the account as it is at the first start.
type Account struct {
	// Name is what CURRENT_ACCOUNT returns.
	Name string
	// Region is what CURRENT_REGION returns.
	Region     string
	Users      []User
	Roles      []Role
	Warehouses []Warehouse
	// Databases are made with a schema PUBLIC each, owned by SYSADMIN.
	Databases []string
	// NoHybridTables makes an account that has none: CREATE HYBRID TABLE is an
	// unsupported feature.
	NoHybridTables bool
}

// User is somebody who can log in.
type User struct {
	Name             string
	Password         string   `json:",omitempty"` // as it is: this is a stand-in, on loopback
	PublicKey        string   `json:",omitempty"` // RSA, the PEM's body
	SecondPublicKey  string   `json:",omitempty"`
	Tokens           []string `json:",omitempty"` // OAuth tokens and programmatic access tokens
	DefaultRole      string   `json:",omitempty"`
	DefaultWarehouse string   `json:",omitempty"`
	DefaultNamespace string   `json:",omitempty"` // DATABASE or DATABASE.SCHEMA
	Roles            []string `json:",omitempty"` // granted, besides PUBLIC
	Disabled         bool     `json:",omitempty"`
}

// Role is a role of the account. ACCOUNTADMIN, SYSADMIN, SECURITYADMIN,
// USERADMIN and PUBLIC are always there.
type Role struct {
	Name string
	// GrantedTo are the roles that have its privileges.
	GrantedTo []string `json:",omitempty"`
}

// Kinds and states of warehouses.
const (
	Standard    = "STANDARD"
	Interactive = "INTERACTIVE"
	Started     = "STARTED"
	Suspended   = "SUSPENDED"
)

// Warehouse is a warehouse of the account. Zero fields take Snowflake's
// defaults.
type Warehouse struct {
	Name             string
	Type             string // Standard or Interactive
	State            string // Started or Suspended
	Size             string // X-Small, Small, …
	MinClusters      int64
	MaxClusters      int64
	NoAutoResume     bool
	AutoSuspend      int64 // seconds; 0 is never
	StatementTimeout int64 // seconds; 0 is the session's alone
	Comment          string
	// UsableBy are the roles that have USAGE, besides SYSADMIN and above.
	UsableBy []string `json:",omitempty"`
}

// SessionOptions are what a login asks for.
type SessionOptions struct {
	User, Role, Database, Schema, Warehouse string
	// Parameters are the session parameters that the login carries.
	Parameters map[string]string
	// Service is set when a container service logs in; User is ignored then.
	Service *Service
}

// SessionInfo is what a session uses now.
type SessionInfo struct {
	User, Role, Database, Schema, Warehouse string
}

// Query is one request to execute a text.
type Query struct {
	// ID is the query id, a UUID; one is made when it is empty.
	ID        string
	RequestID string
	SQL       string
	Binds     []Bind // in order
	// Parameters hold for this request: QUERY_TAG, MULTI_STATEMENT_COUNT, ….
	Parameters   map[string]string
	DescribeOnly bool
}

// Bind is a bound value as it is on the wire.
type Bind struct {
	Type    string // TEXT, FIXED, REAL, BOOLEAN, BINARY, DATE, TIME, TIMESTAMP_NTZ, …
	Value   *string
	Values  []*string // of an array
	IsArray bool
	Format  string
}

// Result is what a statement returns.
type Result struct {
	QueryID string
	SQL     string
	// TypeID is the statementTypeId.
	TypeID  int64
	Columns []Column
	Rows    [][]*string // as they are on the wire
	// What the session uses after the statement.
	Database, Schema, Warehouse, Role string
	// Parameters are those of the session that the statement changed.
	Parameters map[string]string
	// Children are the results of the statements of one text, each with an ID
	// of its own; nil for a single statement.
	Children []*Result
	// HybridDatabases are those whose hybrid tables the session has used, in the
	// order of their first use.
	HybridDatabases []string
	// Start and End bound the execution.
	Start, End time.Time
}

// Column describes a column of a result in the wire's terms.
type Column struct {
	Name, Type               string
	Nullable                 bool
	Length, ByteLength       int64
	Precision, Scale         int64
	Database, Schema, Source string // where it comes from; Source is the table
}

// The numbers of statement types, as the driver knows them.
const (
	TypeSelect       = 0x1000
	TypeExplain      = 0x2000
	TypeDML          = 0x3000
	TypeInsert       = 0x3100
	TypeUpdate       = 0x3200
	TypeDelete       = 0x3300
	TypeMerge        = 0x3400
	TypeMultiInsert  = 0x3500
	TypeCopy         = 0x3600
	TypeSCL          = 0x4000
	TypeAlterSession = 0x4100
	TypeUse          = 0x4300
	TypeShow         = 0x4400
	TypeDescribe     = 0x4500
	TypeTCL          = 0x5000
	TypeDDL          = 0x6000
	TypeMulti        = 0xA000
)

// What a query is doing, as QUERY_HISTORY says it.
const (
	StatusRunning = "RUNNING"
	StatusSuccess = "SUCCESS"
	StatusFailed  = "FAILED_WITH_ERROR"
)

// QueryInfo is what is known of a query.
type QueryInfo struct {
	ID, RequestID, SQL, Type      string
	SessionID                     int64
	User, Role, Warehouse         string
	Database, Schema              string
	Tag                           string
	Status                        string
	Error                         *Error // nil when it did not fail
	Start, End                    time.Time
	RowsProduced                  int64
	WarehouseSize, WarehouseClass string

	hybrid bool // it reads and writes hybrid tables alone, outside a transaction
}
