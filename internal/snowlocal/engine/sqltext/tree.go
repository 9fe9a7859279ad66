package sqltext

// Name is one part of a name.
type Name struct {
	Text   string // upper case unless it was quoted
	Quoted bool
}

// Path is a name of up to three parts, or an expression that gives one:
// IDENTIFIER(?).
type Path struct {
	Parts []Name
	Of    Expr // IDENTIFIER(…); nil otherwise
}

// Last is the last part.
func (p Path) Last() string {
	if len(p.Parts) == 0 {
		return ""
	}
	return p.Parts[len(p.Parts)-1].Text
}

// Type is a data type.
type Type struct {
	Name             string // NUMBER, FLOAT, VARCHAR, BINARY, BOOLEAN, DATE, TIME, TIMESTAMP_NTZ, …_LTZ, …_TZ, VARIANT, OBJECT, ARRAY
	Precision, Scale int    // of NUMBER; Precision is the length of VARCHAR, the digits of TIME and TIMESTAMP
	Given            bool   // whether the precision was
}

// Expr is an expression.
type Expr interface{ expr() }

// The expressions.
type (
	// Literal is a constant.
	Literal struct {
		Kind LiteralKind
		Text string
	}
	// Param is ? or :1, numbered from 0.
	Param struct{ Index int }
	// Var is $name.
	Var struct{ Name string }
	// Ref is a column, perhaps behind its table.
	Ref struct{ Parts []Name }
	// Star is * or t.*.
	Star struct {
		Of      []Name
		Exclude []Name
	}
	// Call is a function call.
	Call struct {
		Name     Path
		Args     []Arg
		Star     bool // COUNT(*)
		Distinct bool
		Within   []Order // WITHIN GROUP (ORDER BY …)
		Over     *Window
		Nulls    string // "IGNORE NULLS" or "RESPECT NULLS"
	}
	// Cast is CAST, TRY_CAST or ::.
	Cast struct {
		X   Expr
		To  Type
		Try bool
	}
	// Unary is NOT, - or +.
	Unary struct {
		Op string
		X  Expr
	}
	// Binary is an operator between two.
	Binary struct {
		Op   string
		L, R Expr
	}
	// In is IN with a list or a query.
	In struct {
		X     Expr
		List  []Expr
		Query *Query
		Not   bool
	}
	// Between is BETWEEN.
	Between struct {
		X, Low, High Expr
		Not          bool
	}
	// Like is LIKE, ILIKE or RLIKE.
	Like struct {
		Op         string
		X, Pattern Expr
		Any        []Expr // LIKE ANY (…)
		All        bool   // LIKE ALL (…)
		Escape     Expr
		Not        bool
	}
	// Is is IS NULL, IS TRUE, IS DISTINCT FROM.
	Is struct {
		X    Expr
		What string // NULL, TRUE, FALSE, DISTINCT FROM
		From Expr
		Not  bool
	}
	// Case is CASE.
	Case struct {
		Of    Expr
		Whens []When
		Else  Expr
	}
	// Exists is EXISTS.
	Exists struct{ Query *Query }
	// Sub is a query as an expression.
	Sub struct{ Query *Query }
	// Row is a tuple.
	Row struct{ List []Expr }
	// Get is a path into semi-structured data: x:a.b[0].
	Get struct {
		X     Expr
		Steps []Step
	}
	// Interval is INTERVAL '…'.
	Interval struct{ Text string }
	// ArrayOf is [a, b].
	ArrayOf struct{ List []Expr }
	// ObjectOf is {'k': v}.
	ObjectOf struct{ Pairs []Arg }
	// Default is DEFAULT in VALUES or SET.
	Default struct{}
)

// LiteralKind is the kind of a literal.
type LiteralKind int

// The kinds of literals.
const (
	NullLiteral LiteralKind = iota
	TrueLiteral
	FalseLiteral
	NumberLiteral
	StringLiteral
	DateLiteral
	TimeLiteral
	TimestampLiteral
	BinaryLiteral
)

// Arg is an argument, perhaps with a name.
type Arg struct {
	Name  string
	Value Expr
	Query *Query // a query in the place of a value
}

// When is a branch of CASE.
type When struct{ If, Then Expr }

// Step is one step of a path: a key or an index.
type Step struct {
	Key   string
	Index Expr // nil for a key
}

// Window is OVER (…).
type Window struct {
	Partition []Expr
	Order     []Order
	Frame     string // as it is written, in upper case
}

// Order is an item of ORDER BY.
type Order struct {
	X     Expr
	Desc  bool
	Nulls string // FIRST, LAST or empty
}

func (*Literal) expr()  {}
func (*Param) expr()    {}
func (*Var) expr()      {}
func (*Ref) expr()      {}
func (*Star) expr()     {}
func (*Call) expr()     {}
func (*Cast) expr()     {}
func (*Unary) expr()    {}
func (*Binary) expr()   {}
func (*In) expr()       {}
func (*Between) expr()  {}
func (*Like) expr()     {}
func (*Is) expr()       {}
func (*Case) expr()     {}
func (*Exists) expr()   {}
func (*Sub) expr()      {}
func (*Row) expr()      {}
func (*Get) expr()      {}
func (*Interval) expr() {}
func (*ArrayOf) expr()  {}
func (*ObjectOf) expr() {}
func (*Default) expr()  {}

// Query is a SELECT with what is around it.
type Query struct {
	Recursive bool
	With      []CTE
	Body      Body
	Order     []Order
	Limit     Expr
	Offset    Expr
	Lock      *Lock
}

// CTE is an item of WITH.
type CTE struct {
	Name    Name
	Columns []Name
	Query   *Query
}

// Lock is FOR UPDATE.
type Lock struct {
	NoWait bool
	Wait   *int // seconds
}

// Body is a Select, a SetOp, Values or a *Query in parentheses.
type Body interface{ body() }

// Select is one SELECT.
type Select struct {
	Distinct bool
	Top      Expr
	Items    []Item
	From     []From // joined by commas
	Where    Expr
	Group    []Expr
	GroupAll bool
	Having   Expr
	Qualify  Expr
}

// Item is one item of a select list.
type Item struct {
	X     Expr
	Alias Name // empty without
	Text  string
}

// SetOp is UNION, UNION ALL, INTERSECT or EXCEPT.
type SetOp struct {
	Op   string
	L, R Body
}

// Values is VALUES (…), (…).
type Values struct{ Rows [][]Expr }

func (*Select) body() {}
func (*SetOp) body()  {}
func (*Values) body() {}
func (*Query) body()  {}

// From is something to select from.
type From interface{ from() }

// The sources.
type (
	// Table is a table, view or CTE.
	Table struct {
		Name    Path
		Alias   Name
		Columns []Name
	}
	// Derived is a query or VALUES in FROM.
	Derived struct {
		Query   *Query
		Lateral bool
		Alias   Name
		Columns []Name
	}
	// TableCall is TABLE(f(…)) or LATERAL f(…).
	TableCall struct {
		Call    *Call
		Lateral bool
		Alias   Name
		Columns []Name
	}
	// Join is a join.
	Join struct {
		Kind  string // INNER, LEFT, RIGHT, FULL, CROSS; NATURAL before
		L, R  From
		On    Expr
		Using []Name
	}
)

func (*Table) from()     {}
func (*Derived) from()   {}
func (*TableCall) from() {}
func (*Join) from()      {}
