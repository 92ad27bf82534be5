//! The grammar of conditions: tokens become a tree.
//!
//! One function per rule of the grammar. Chains (`a and b and c`, sums, products) are lists and
//! not nested pairs, and parentheses, `not` and signs nest to `MAX_DEPTH`: so no text, however
//! long, exhausts the stack.

use std::ops::Range;

use super::Flaw;
use super::lex::{Keyword, Token, Word};

/// How deep parentheses, functions, `not` and signs may nest.
pub(super) const MAX_DEPTH: usize = 64;

/// A part of a condition and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) part: Part,
    pub(super) at: Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum Part {
    Literal(Literal),
    Column(String),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    Compare(Comparison, Box<Node>, Box<Node>),
    In {
        value: Box<Node>,
        items: Vec<(Literal, Range<usize>)>,
        is_negated: bool,
    },
    IsNull {
        value: Box<Node>,
        is_negated: bool,
    },
    /// Each term with whether it is subtracted.
    Sum(Vec<(bool, Node)>),
    /// Each factor with whether it divides.
    Product(Vec<(bool, Node)>),
    Negative(Box<Node>),
    Call(Function, Box<Node>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Number(f64),
    Text(String),
    Truth(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    Length,
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    ("<=", Comparison::LessOrEqual),
    (">", Comparison::Greater),
    (">=", Comparison::GreaterOrEqual),
];

const FUNCTIONS: [(&str, Function); 2] = [("abs", Function::Abs), ("length", Function::Length)];

/// The tree of a whole text, whose length is given.
pub(super) fn parse(tokens: &[Token], end: usize) -> Result<Node, Flaw> {
    let mut parser = Parser { tokens, next: 0, end, depth: 0 };
    if tokens.is_empty() {
        return Err(Flaw::new(&(0..0), "the condition is empty"));
    }
    let root = parser.any()?;
    match parser.peek() {
        None => Ok(root),
        Some(_) => Err(parser.unexpected("the end, `and` or `or`")),
    }
}

impl Node {
    /// Adds the names of all columns below, each once.
    pub(super) fn columns<'a>(&'a self, names: &mut Vec<&'a str>) {
        match &self.part {
            Part::Literal(_) => {}
            Part::Column(name) if names.contains(&name.as_str()) => {}
            Part::Column(name) => names.push(name),
            Part::Not(node) | Part::Negative(node) | Part::Call(_, node) => node.columns(names),
            Part::All(nodes) | Part::Any(nodes) => {
                nodes.iter().for_each(|node| node.columns(names));
            }
            Part::Compare(_, left, right) => {
                left.columns(names);
                right.columns(names);
            }
            Part::In { value, .. } | Part::IsNull { value, .. } => value.columns(names),
            Part::Sum(terms) | Part::Product(terms) => {
                terms.iter().for_each(|(_, node)| node.columns(names));
            }
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    next: usize,
    end: usize,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Node, Flaw> {
        self.chain(Keyword::Or, Parser::all, Part::Any)
    }

    fn all(&mut self) -> Result<Node, Flaw> {
        self.chain(Keyword::And, Parser::not, Part::All)
    }

    /// One or more operands with a keyword between them.
    fn chain(
        &mut self,
        keyword: Keyword,
        operand: fn(&mut Self) -> Result<Node, Flaw>,
        join: fn(Vec<Node>) -> Part,
    ) -> Result<Node, Flaw> {
        let first = operand(self)?;
        let mut nodes = vec![first];
        while self.takes_keyword(keyword) {
            nodes.push(operand(self)?);
        }
        let at = span(&nodes[0], &nodes[nodes.len() - 1]);
        match nodes.len() {
            1 => Ok(nodes.remove(0)),
            _ => Ok(Node { part: join(nodes), at }),
        }
    }

    fn not(&mut self) -> Result<Node, Flaw> {
        let start = self.place();
        if !self.takes_keyword(Keyword::Not) {
            return self.comparison();
        }
        let node = self.nested(&start, Parser::not)?;
        Ok(Node { at: start.start..node.at.end, part: Part::Not(Box::new(node)) })
    }

    fn comparison(&mut self) -> Result<Node, Flaw> {
        let left = self.sum()?;
        if let Some(comparison) = self.takes_comparison() {
            let right = self.sum()?;
            let at = span(&left, &right);
            if self.takes_comparison().is_some() {
                let place = self.tokens[self.next - 1].at.clone();
                let message =
                    "two comparisons in a row: join them by `and`, as in `1 < a and a < 5`";
                return Err(Flaw::new(&place, message));
            }
            return Ok(Node { part: Part::Compare(comparison, left.into(), right.into()), at });
        }
        if self.takes_keyword(Keyword::Is) {
            let is_negated = self.takes_keyword(Keyword::Not);
            if !self.takes_keyword(Keyword::Null) {
                return Err(self.unexpected("`null`"));
            }
            let at = left.at.start..self.place_before();
            return Ok(Node { part: Part::IsNull { value: left.into(), is_negated }, at });
        }
        let is_negated = self.takes_keyword(Keyword::Not);
        if self.takes_keyword(Keyword::In) {
            let items = self.items()?;
            let at = left.at.start..self.place_before();
            return Ok(Node { part: Part::In { value: left.into(), items, is_negated }, at });
        }
        if is_negated {
            return Err(self.unexpected("`in`"));
        }
        Ok(left)
    }

    /// `[1, 2]`
    fn items(&mut self) -> Result<Vec<(Literal, Range<usize>)>, Flaw> {
        if !self.takes("[") {
            return Err(self.unexpected("`[`"));
        }
        let mut items = Vec::new();
        loop {
            let start = self.place();
            let is_negative = self.takes("-");
            let literal = match (self.literal(), is_negative) {
                (Some(Literal::Number(number)), true) => Literal::Number(-number),
                (Some(literal), false) => literal,
                _ => return Err(self.unexpected("a number, a text, `true` or `false`")),
            };
            items.push((literal, start.start..self.place_before()));
            if self.takes("]") {
                return Ok(items);
            }
            if !self.takes(",") {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
    }

    fn sum(&mut self) -> Result<Node, Flaw> {
        self.series(["+", "-"], Parser::product, Part::Sum)
    }

    fn product(&mut self) -> Result<Node, Flaw> {
        self.series(["*", "/"], Parser::unary, Part::Product)
    }

    /// One or more operands; the second sign marks the operand after it.
    fn series(
        &mut self,
        [plain, marked]: [&str; 2],
        operand: fn(&mut Self) -> Result<Node, Flaw>,
        join: fn(Vec<(bool, Node)>) -> Part,
    ) -> Result<Node, Flaw> {
        let first = operand(self)?;
        let start = first.at.start;
        let mut nodes = vec![(false, first)];
        loop {
            let is_marked = self.takes(marked);
            if !is_marked && !self.takes(plain) {
                break;
            }
            nodes.push((is_marked, operand(self)?));
        }
        match nodes.len() {
            1 => Ok(nodes.remove(0).1),
            _ => Ok(Node { at: start..self.place_before(), part: join(nodes) }),
        }
    }

    fn unary(&mut self) -> Result<Node, Flaw> {
        let start = self.place();
        if !self.takes("-") {
            return self.primary();
        }
        let node = self.nested(&start, Parser::unary)?;
        let at = start.start..node.at.end;
        Ok(match node.part {
            Part::Literal(Literal::Number(number)) => {
                Node { part: Part::Literal(Literal::Number(-number)), at }
            }
            part => {
                let inner = Node { part, at: node.at };
                Node { part: Part::Negative(Box::new(inner)), at }
            }
        })
    }

    fn primary(&mut self) -> Result<Node, Flaw> {
        let at = self.place();
        if self.takes("(") {
            let inner = self.nested(&at, Parser::any)?;
            self.close()?;
            return Ok(Node { part: inner.part, at: at.start..self.place_before() });
        }
        if let Some(literal) = self.literal() {
            return Ok(Node { part: Part::Literal(literal), at });
        }
        match self.peek().map(|token| token.word.clone()) {
            Some(Word::Quoted(name)) => {
                self.next += 1;
                Ok(Node { part: Part::Column(name), at })
            }
            Some(Word::Name(name)) => {
                self.next += 1;
                if !self.takes("(") {
                    return Ok(Node { part: Part::Column(name), at });
                }
                let known = FUNCTIONS.iter().find(|(known, _)| *known == name);
                let Some((_, function)) = known else {
                    let message = format!("no function is named `{name}`: known are abs, length");
                    return Err(Flaw::new(&at, message));
                };
                let inner = self.nested(&at, Parser::any)?;
                self.close()?;
                let at = at.start..self.place_before();
                Ok(Node { part: Part::Call(*function, Box::new(inner)), at })
            }
            _ => Err(self.unexpected("a column, a number or a text")),
        }
    }

    fn close(&mut self) -> Result<(), Flaw> {
        if self.takes(")") { Ok(()) } else { Err(self.unexpected("`)`")) }
    }

    fn literal(&mut self) -> Option<Literal> {
        let literal = match &self.peek()?.word {
            Word::Number(number) => Literal::Number(*number),
            Word::Text(text) => Literal::Text(text.clone()),
            Word::Keyword(Keyword::True) => Literal::Truth(true),
            Word::Keyword(Keyword::False) => Literal::Truth(false),
            _ => return None,
        };
        self.next += 1;
        Some(literal)
    }

    /// Reads one level deeper.
    fn nested(
        &mut self,
        at: &Range<usize>,
        rule: fn(&mut Self) -> Result<Node, Flaw>,
    ) -> Result<Node, Flaw> {
        if self.depth == MAX_DEPTH {
            return Err(Flaw::new(at, format!("nested more than {MAX_DEPTH} deep")));
        }
        self.depth += 1;
        let node = rule(self);
        self.depth -= 1;
        node
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn takes(&mut self, symbol: &str) -> bool {
        let is_next = self
            .peek()
            .is_some_and(|token| matches!(token.word, Word::Symbol(found) if found == symbol));
        self.next += usize::from(is_next);
        is_next
    }

    fn takes_keyword(&mut self, keyword: Keyword) -> bool {
        let is_next = self.peek().is_some_and(|token| token.word == Word::Keyword(keyword));
        self.next += usize::from(is_next);
        is_next
    }

    fn takes_comparison(&mut self) -> Option<Comparison> {
        let found = COMPARISONS.iter().find(|(symbol, _)| self.takes(symbol))?;
        Some(found.1)
    }

    /// Where the next token stands, or the end.
    fn place(&self) -> Range<usize> {
        self.peek().map_or(self.end..self.end, |token| token.at.clone())
    }

    /// Where the last token that was read ends.
    fn place_before(&self) -> usize {
        self.next.checked_sub(1).map_or(0, |before| self.tokens[before].at.end)
    }

    fn unexpected(&self, expected: &str) -> Flaw {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(token) => match &token.word {
                Word::Number(number) => format!("the number {number}"),
                Word::Text(_) => "a text".to_owned(),
                Word::Name(name) | Word::Quoted(name) => format!("`{name}`"),
                Word::Keyword(keyword) => format!("`{}`", format!("{keyword:?}").to_lowercase()),
                Word::Symbol(symbol) => format!("`{symbol}`"),
            },
        };
        Flaw::new(&self.place(), format!("expected {expected}, found {found}"))
    }
}

fn span(first: &Node, last: &Node) -> Range<usize> {
    first.at.start..last.at.end
}
