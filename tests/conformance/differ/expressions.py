"""Random expressions over the columns in scope.

Ours get as few parentheses as PostgreSQL's precedence allows, DuckDB gets all of them: so precedence is compared, too.
"""

from dataclasses import dataclass

from .engines import both

OR, AND, NOT, IS, COMPARISON, LIKE, CONCAT, SUM, PRODUCT, MINUS, ATOM = range(1, 12)
INT, FLOAT, TEXT, BOOL, TIME = "BIGINT", "DOUBLE", "VARCHAR", "BOOLEAN", "TIMESTAMP"
LITERALS = {
    INT: ["NULL", "0", "1", "2", "3", "-1", "5", "100"],
    FLOAT: ["NULL", "0.0e0", "-0.0e0", "1.5e0", "2.0e0", "-1.5e0"],
    TEXT: ["NULL", "''", "'a'", "'b'", "'ab'", "'B'", "'LLM'", "'OK'", "'1'"],
    BOOL: ["NULL", "TRUE", "FALSE"],
}
PATTERNS = ["'%a%'", "'a%'", "'_'", "'%'", "''", "'%b'", "NULL", "'A%'"]


@dataclass(frozen=True)
class Expr:
    text: str
    level: int

    def within(self, level, rng=None):
        """Its text as an operand where anything looser than the level needs parentheses."""
        if self.level == ATOM:
            return self.text
        if self.level < level or (rng is not None and rng.random() < 0.2):
            return f"({self.text})"
        return both("", "(") + self.text + both("", ")")


def name(text):
    return Expr(text, ATOM)


class Writer:
    """Writes expressions over columns: pairs of a name and a type. `subquery(kind)` writes one in parentheses, if given."""

    def __init__(self, rng, columns, subquery=None, all_parentheses=False):
        self.rng, self.columns, self.subquery = rng, list(columns), subquery
        self.all = all_parentheses

    def operand(self, expr, level):
        if self.all and expr.level != ATOM:
            return f"({expr.text})"
        return expr.within(level, self.rng)

    def column(self, kind):
        fitting = [column for column, its in self.columns if its == kind]
        return name(self.rng.choice(fitting)) if fitting else None

    def literal(self, kind, bare=False):
        text = self.rng.choice(LITERALS[kind])
        if text == "NULL" and not bare:
            return name(f"CAST(NULL AS {kind})")
        return Expr(text, MINUS if text.startswith("-") else ATOM)

    def leaf(self, kind):
        column = self.column(kind) if self.rng.random() < 0.75 else None
        return column or (
            self.literal(kind) if kind in LITERALS else self.column(kind) or name(f"CAST(NULL AS {kind})")
        )

    def value(self, depth=2, kind=None):
        kind = kind or self.rng.choice([INT, INT, TEXT, TEXT, FLOAT, BOOL])
        if depth <= 0 or self.rng.random() < 0.25:
            return self.leaf(kind)
        if self.rng.random() < 0.15:
            return self.case(depth, kind)
        return {INT: self.number, FLOAT: self.number, TEXT: self.words, BOOL: self.truth}.get(
            kind, lambda d, k: self.leaf(k)
        )(depth, kind)

    def case(self, depth, kind):
        rng = self.rng
        if rng.random() < 0.3:
            of = rng.choice([INT, TEXT])
            arms = "".join(
                f" WHEN {self.leaf(of).text} THEN {self.value(depth - 1, kind).text}" for _ in range(rng.randint(1, 2))
            )
            head = f"CASE {self.value(depth - 1, of).text}"
        else:
            arms = "".join(
                f" WHEN {self.truth(depth - 1).text} THEN {self.value(depth - 1, kind).text}"
                for _ in range(rng.randint(1, 2))
            )
            head = "CASE"
        last = f" ELSE {self.value(depth - 1, kind).text}" if rng.random() < 0.6 else ""
        return name(f"{head}{arms}{last} END")

    def number(self, depth, kind):
        rng, less = self.rng, depth - 1
        pick = rng.random()
        if pick < 0.45:
            op, level = rng.choice([("+", SUM), ("-", SUM), ("*", PRODUCT)])
            left, right = self.value(less, kind), self.value(less, kind)
            return Expr(f"{self.operand(left, level)} {op} {self.operand(right, level + 1)}", level)
        if pick < 0.55 and kind == INT:
            return Expr(f"{self.operand(self.value(less, kind), PRODUCT)} % {rng.choice([2, 3, 7])}", PRODUCT)
        if pick < 0.62:
            return Expr(f"-{self.operand(self.value(less, kind), ATOM)}", MINUS)
        if pick < 0.72 and kind == INT:
            return name(f"length({self.value(less, TEXT).text})")
        if pick < 0.8:
            return name(f"abs({self.value(less, kind).text})")
        if pick < 0.87 and self.subquery and kind == INT:
            return name(self.subquery("scalar"))
        function = rng.choice(["coalesce", "nullif"])
        return name(f"{function}({self.value(less, kind).text}, {self.value(less, kind).text})")

    def words(self, depth, kind=TEXT):
        rng, less = self.rng, depth - 1
        pick = rng.random()
        if pick < 0.35:
            left, right = self.value(less, TEXT), self.value(less, TEXT)
            return Expr(f"{self.operand(left, CONCAT)} || {self.operand(right, SUM)}", CONCAT)
        if pick < 0.6:
            return name(f"{rng.choice(['upper', 'lower', 'trim'])}({self.value(less, TEXT).text})")
        if pick < 0.75:
            return name(f"substr({self.value(less, TEXT).text}, {rng.randint(1, 3)})")
        if pick < 0.82:
            return name(f"CAST({self.value(less, INT).text} AS VARCHAR)")
        function = rng.choice(["coalesce", "nullif"])
        return name(f"{function}({self.value(less, TEXT).text}, {self.value(less, TEXT).text})")

    def truth(self, depth=2, kind=BOOL):
        rng, less = self.rng, depth - 1
        if depth <= 0:
            return self.compared(0)
        pick = rng.random()
        if pick < 0.3:
            op, level = rng.choice([("AND", AND), ("OR", OR)])
            return Expr(
                f"{self.operand(self.truth(less), level)} {op} {self.operand(self.truth(less), level + 1)}", level
            )
        if pick < 0.4:
            return Expr(f"NOT {self.operand(self.truth(less), NOT)}", NOT)
        if pick < 0.48:
            test = rng.choice(["IS TRUE", "IS NOT TRUE", "IS FALSE", "IS NOT FALSE", "IS NULL", "IS NOT NULL"])
            return Expr(f"{self.operand(self.truth(less), IS + 1)} {test}", IS)
        if pick < 0.6 and self.subquery:
            return self.in_subquery(less)
        return self.compared(less)

    def compared(self, depth):
        rng = self.rng
        kind = rng.choice([INT, INT, TEXT, TEXT, FLOAT, BOOL])
        if not any(its == kind for _, its in self.columns):
            kind = rng.choice([its for _, its in self.columns if its != TIME] or [INT])
        value = lambda: self.value(depth, kind)
        pick, no = rng.random(), rng.choice(["", "NOT "])
        if pick < 0.15:
            return Expr(f"{self.operand(value(), IS + 1)} IS {no}NULL", IS)
        if pick < 0.6:
            op = rng.choice(["=", "=", "<>", "<", "<=", ">", ">="])
            return Expr(f"{self.operand(value(), LIKE)} {op} {self.operand(value(), LIKE)}", COMPARISON)
        if pick < 0.66:
            left, right = self.operand(value(), IS + 1), self.operand(value(), IS + 1)
            return Expr(f"{left} IS {no}DISTINCT FROM {right}", IS)
        if pick < 0.76:
            low, high = value(), value()
            return Expr(
                f"{self.operand(value(), CONCAT)} {no}BETWEEN {self.operand(low, CONCAT)} AND {self.operand(high, CONCAT)}",
                LIKE,
            )
        if pick < 0.9 or kind != TEXT:
            members = ", ".join(
                value().text if rng.random() < 0.4 else self.literal(kind, bare=True).text
                for _ in range(rng.randint(1, 4))
            )
            return Expr(f"{self.operand(value(), CONCAT)} {no}IN ({members})", LIKE)
        if pick < 0.95:
            like = rng.choice(["LIKE", "LIKE", "ILIKE"])
            return Expr(f"{self.operand(value(), CONCAT)} {no}{like} {rng.choice(PATTERNS)}", LIKE)
        return self.contains(self.operand(value(), CONCAT), rng.choice(["'a'", "'b'", "'L'", "''"]), no)

    def contains(self, text, part, no=""):
        return Expr(f"{both('', f'({no}contains(')}{text}{both(f' {no}CONTAINS ', ', ')}{part}{both('', '))')}", LIKE)

    def in_subquery(self, depth):
        rng = self.rng
        if rng.random() < 0.3:
            no = rng.choice(["", "NOT "])
            return Expr(f"{no}EXISTS {self.subquery('exists')}", NOT if no else ATOM)
        kind = rng.choice([INT, TEXT])
        left = self.literal(kind) if rng.random() < 0.35 else self.value(depth, kind)
        return Expr(f"{self.operand(left, CONCAT)} {rng.choice(['', 'NOT '])}IN {self.subquery(kind)}", LIKE)
