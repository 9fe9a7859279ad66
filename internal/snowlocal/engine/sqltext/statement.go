package sqltext

// Statement is one statement of a text.
type Statement struct {
	Node Node
	// Text is the statement as it was written, without comments before it.
	Text string
	// Params is the number of placeholders up to its end, from the start of the
	// text; FirstParam those before it.
	FirstParam, Params int
	// Named reports that it uses $variables.
	Named bool
}

// Node is what a statement is.
type Node interface{ node() }

// The statements.
type (
	// Insert is INSERT INTO.
	Insert struct {
		Table     Path
		Columns   []Name
		Overwrite bool
		Source    *Query
	}
	// Update is UPDATE.
	Update struct {
		Table Path
		Alias Name
		Sets  []Set
		From  []From
		Where Expr
	}
	// Delete is DELETE FROM.
	Delete struct {
		Table Path
		Alias Name
		Using []From
		Where Expr
	}
	// Merge is MERGE INTO.
	Merge struct {
		Table  Path
		Alias  Name
		Source From
		On     Expr
		Whens  []MergeWhen
	}
	// CreateTable is CREATE [HYBRID] TABLE.
	CreateTable struct {
		Kind        string // empty, HYBRID, TEMPORARY, TRANSIENT
		OrReplace   bool
		IfNotExists bool
		Name        Path
		Columns     []ColumnDef
		Constraints []Constraint
		Indexes     []Index
		Like, Clone *Path
		As          *Query
		Options     []Option
	}
	// CreateIndex is CREATE INDEX.
	CreateIndex struct {
		OrReplace, IfNotExists bool
		Index                  Index
		Table                  Path
	}
	// CreateView is CREATE VIEW.
	CreateView struct {
		OrReplace, IfNotExists bool
		Name                   Path
		Columns                []Name
		As                     *Query
		Text                   string
		Options                []Option
	}
	// CreateObject is CREATE DATABASE, SCHEMA, ROLE, USER, WAREHOUSE or SEQUENCE.
	CreateObject struct {
		Kind                   string
		Modifier               string // TRANSIENT, INTERACTIVE, TEMPORARY
		OrReplace, IfNotExists bool
		Name                   Path
		Options                []Option
	}
	// AlterTable is ALTER TABLE with one action.
	AlterTable struct {
		IfExists bool
		Name     Path
		Action   TableAction
	}
	// AlterObject is ALTER of something else.
	AlterObject struct {
		Kind     string // WAREHOUSE, USER, ROLE, DATABASE, SCHEMA, ACCOUNT, SESSION
		IfExists bool
		Name     Path
		Action   string // SET, UNSET, SUSPEND, RESUME, RENAME TO, ABORT ALL QUERIES
		To       Path
		Options  []Option
		Unset    []string
	}
	// Drop is DROP.
	Drop struct {
		Kind     string
		IfExists bool
		Name     Path
		Cascade  bool
	}
	// Truncate is TRUNCATE TABLE.
	Truncate struct {
		IfExists bool
		Name     Path
	}
	// Use is USE.
	Use struct {
		Kind string // empty, DATABASE, SCHEMA, ROLE, WAREHOUSE, SECONDARY ROLES
		Name Path
		Word string // ALL or NONE
	}
	// Grant is GRANT or REVOKE.
	Grant struct {
		Revoke     bool
		Privileges []string // of an object; empty for a role
		Kind       string   // TABLE, SCHEMA, …, ACCOUNT; ROLE for a role
		All        bool     // ALL <kind>S IN …
		Future     bool
		In         string // SCHEMA or DATABASE
		Object     Path
		To         string // ROLE or USER
		Grantee    Path
		Option     bool
	}
	// Show is SHOW.
	Show struct {
		What   string // TABLES, HYBRID TABLES, GRANTS, …
		Terse  bool
		Like   Expr
		In     string // empty, ACCOUNT, DATABASE, SCHEMA, TABLE, SESSION
		Object Path
		Start  Expr
		Limit  Expr
		Of     string // of GRANTS: ON, TO, OF
		OfKind string
	}
	// Describe is DESCRIBE.
	Describe struct {
		Kind string
		Name Path
	}
	// Explain is EXPLAIN.
	Explain struct {
		Format string // TABULAR, TEXT, JSON
		Of     *Statement
	}
	// Begin is BEGIN or START TRANSACTION.
	Begin struct{ Name string }
	// Commit is COMMIT.
	Commit struct{}
	// Rollback is ROLLBACK.
	Rollback struct{}
	// SetVar is SET a = 1 or SET (a, b) = (1, 2).
	SetVar struct {
		Names  []string
		Values []Expr
	}
	// UnsetVar is UNSET.
	UnsetVar struct{ Names []string }
	// CallStmt is CALL f(…).
	CallStmt struct{ Call *Call }
	// Comment is COMMENT ON.
	Comment struct {
		IfExists bool
		Kind     string
		Name     Path
		Text     string
	}
	// Other is a statement that is known by its words alone.
	Other struct{ Words []string }
	// Empty is a text without a statement.
	Empty struct{}
)

// Set is an assignment.
type Set struct {
	Column Name
	Value  Expr
}

// MergeWhen is a branch of MERGE.
type MergeWhen struct {
	Matched bool
	And     Expr
	Action  string // UPDATE, DELETE, INSERT
	Sets    []Set
	Columns []Name
	Values  []Expr
}

// ColumnDef defines a column.
type ColumnDef struct {
	Name        Name
	Type        Type
	Untyped     bool // in CREATE TABLE … AS
	NotNull     bool
	Default     Expr
	Identity    *Identity
	Comment     string
	Constraints []Constraint
}

// Identity is AUTOINCREMENT.
type Identity struct{ Start, Step int64 }

// Constraint is a constraint of a table.
type Constraint struct {
	Name       Name
	Kind       string // PRIMARY KEY, UNIQUE, FOREIGN KEY
	Columns    []Name
	References Path
	RefColumns []Name
}

// Index is a secondary index.
type Index struct {
	Name    Name
	Columns []Name
	Include []Name
}

// Option is KEY = value.
type Option struct {
	Key   string
	Value string
	Kind  Kind // of the value's token
	List  []string
	Param Expr // a bind in the place of a value
}

// TableAction is one action of ALTER TABLE.
type TableAction struct {
	Do          string // ADD COLUMN, DROP COLUMN, RENAME TO, RENAME COLUMN, ADD CONSTRAINT, DROP CONSTRAINT, SET, UNSET, ALTER COLUMN
	IfNotExists bool
	IfExists    bool
	Columns     []ColumnDef
	Names       []Name
	To          Path
	Constraint  Constraint
	Index       Index
	Options     []Option
	Alter       string // SET NOT NULL, DROP NOT NULL, SET DATA TYPE, DROP DEFAULT, COMMENT
}

func (*Query) node()        {}
func (*Insert) node()       {}
func (*Update) node()       {}
func (*Delete) node()       {}
func (*Merge) node()        {}
func (*CreateTable) node()  {}
func (*CreateIndex) node()  {}
func (*CreateView) node()   {}
func (*CreateObject) node() {}
func (*AlterTable) node()   {}
func (*AlterObject) node()  {}
func (*Drop) node()         {}
func (*Truncate) node()     {}
func (*Use) node()          {}
func (*Grant) node()        {}
func (*Show) node()         {}
func (*Describe) node()     {}
func (*Explain) node()      {}
func (*Begin) node()        {}
func (*Commit) node()       {}
func (*Rollback) node()     {}
func (*SetVar) node()       {}
func (*UnsetVar) node()     {}
func (*CallStmt) node()     {}
func (*Comment) node()      {}
func (*Other) node()        {}
func (*Empty) node()        {}
