//! A condition meets a table: columns are found, and types checked once and not for every row.

use super::Flaw;
use super::evaluate::{Any, Number, Text, Truth};
use super::parse::{Comparison, Function, Literal, Node, Part};
use crate::ml::table::{Table, Values};

/// The condition over the columns of a table.
pub(super) fn bind<'a>(node: &Node, table: &'a Table) -> Result<Truth<'a>, Flaw> {
    match any(node, table)? {
        Any::Truth(truth) => Ok(truth),
        other => {
            let message = format!("a condition is true or false, and this is {}", other.noun());
            Err(Flaw::new(&node.at, message))
        }
    }
}

fn any<'a>(node: &Node, table: &'a Table) -> Result<Any<'a>, Flaw> {
    let truths = |nodes: &[Node]| -> Result<Vec<_>, Flaw> {
        nodes.iter().map(|node| truth(node, table)).collect()
    };
    let numbers = |nodes: &[(bool, Node)]| -> Result<Vec<_>, Flaw> {
        nodes.iter().map(|(mark, node)| Ok((*mark, number(node, table)?))).collect()
    };
    Ok(match &node.part {
        Part::Literal(literal) => constant(literal),
        Part::Column(name) => column(name, node, table)?,
        Part::Not(part) => Any::Truth(Truth::Not(Box::new(truth(part, table)?))),
        Part::All(parts) => Any::Truth(Truth::All(truths(parts)?)),
        Part::Any(parts) => Any::Truth(Truth::Any(truths(parts)?)),
        Part::Compare(comparison, left, right) => {
            Any::Truth(compare(*comparison, left, right, node, table)?)
        }
        Part::In { value, items, is_negated } => {
            Any::Truth(negated(member(value, items, table)?, *is_negated))
        }
        Part::IsNull { value, is_negated } => {
            let is_null = Truth::IsNull(Box::new(any(value, table)?));
            Any::Truth(negated(is_null, *is_negated))
        }
        Part::Sum(terms) => Any::Number(Number::Sum(numbers(terms)?)),
        Part::Product(factors) => Any::Number(Number::Product(numbers(factors)?)),
        Part::Negative(part) => Any::Number(Number::Negative(Box::new(number(part, table)?))),
        Part::Call(Function::Abs, part) => Any::Number(Number::Abs(Box::new(number(part, table)?))),
        Part::Call(Function::Length, part) => match any(part, table)? {
            Any::Text(text) => Any::Number(Number::Length(text)),
            other => return Err(mismatch(part, "a text", &other)),
        },
    })
}

fn constant<'a>(literal: &Literal) -> Any<'a> {
    match literal {
        Literal::Number(number) => Any::Number(Number::Constant(*number)),
        Literal::Text(text) => Any::Text(Text::Constant(text.clone())),
        Literal::Truth(truth) => Any::Truth(Truth::Constant(*truth)),
    }
}

fn column<'a>(name: &str, node: &Node, table: &'a Table) -> Result<Any<'a>, Flaw> {
    let Some(column) = table.column(name) else {
        let known: Vec<_> = table.names().collect();
        let message = format!("no column is named `{name}`; there are {}", known.join(", "));
        return Err(Flaw::new(&node.at, message));
    };
    Ok(match &column.values {
        Values::Integer(_) | Values::Number(_) => Any::Number(Number::Column(column)),
        Values::Boolean(values) => Any::Truth(Truth::Column(values)),
        Values::Text(values) => Any::Text(Text::Column(values)),
    })
}

fn truth<'a>(node: &Node, table: &'a Table) -> Result<Truth<'a>, Flaw> {
    match any(node, table)? {
        Any::Truth(truth) => Ok(truth),
        other => Err(mismatch(node, "true or false", &other)),
    }
}

fn number<'a>(node: &Node, table: &'a Table) -> Result<Number<'a>, Flaw> {
    match any(node, table)? {
        Any::Number(number) => Ok(number),
        other => Err(mismatch(node, "a number", &other)),
    }
}

fn compare<'a>(
    comparison: Comparison,
    left: &Node,
    right: &Node,
    node: &Node,
    table: &'a Table,
) -> Result<Truth<'a>, Flaw> {
    match (any(left, table)?, any(right, table)?) {
        (Any::Number(a), Any::Number(b)) => Ok(Truth::Numbers(comparison, a, b)),
        (Any::Text(a), Any::Text(b)) => Ok(Truth::Texts(comparison, a, b)),
        (Any::Truth(a), Any::Truth(b)) => Ok(Truth::Truths(comparison, a.into(), b.into())),
        (a, b) => {
            let message = format!("{} is compared with {}", a.noun(), b.noun());
            Err(Flaw::new(&node.at, message))
        }
    }
}

fn member<'a>(
    value: &Node,
    items: &[(Literal, std::ops::Range<usize>)],
    table: &'a Table,
) -> Result<Truth<'a>, Flaw> {
    let value = any(value, table)?;
    let (mut numbers, mut texts, mut truths) = (Vec::new(), Vec::new(), Vec::new());
    for (literal, at) in items {
        match (&value, literal) {
            (Any::Number(_), Literal::Number(number)) => numbers.push(*number),
            (Any::Text(_), Literal::Text(text)) => texts.push(text.clone()),
            (Any::Truth(_), Literal::Truth(truth)) => truths.push(*truth),
            (value, item) => {
                let item = constant(item);
                let message =
                    format!("{} is looked for among {}s", value.noun(), &item.noun()[2..]);
                return Err(Flaw::new(at, message));
            }
        }
    }
    Ok(match value {
        Any::Number(value) => Truth::AmongNumbers(value, numbers),
        Any::Text(value) => Truth::AmongTexts(value, texts.into_iter().collect()),
        Any::Truth(value) => Truth::AmongTruths(Box::new(value), truths),
    })
}

fn negated(truth: Truth<'_>, is_negated: bool) -> Truth<'_> {
    if is_negated { Truth::Not(Box::new(truth)) } else { truth }
}

fn mismatch(node: &Node, expected: &str, found: &Any<'_>) -> Flaw {
    Flaw::new(&node.at, format!("expected {expected}, found {}", found.noun()))
}
