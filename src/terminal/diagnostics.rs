//! Mistakes in the configuration, drawn with their source lines and carets.

use std::collections::BTreeSet;

use super::counted;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use engine::error::{Diagnostic, Error, Mistakes, Place, SourceId, Sources};
use serde_json::{Value, json};

/// The schema of an error.
const SCHEMA: &str = "pipeline.error/1";

/// The most mistakes that are drawn: nobody mends more at once.
const MAX_DRAWN: usize = 100;

/// All mistakes, then how many there are.
pub(super) fn render(mistakes: &Mistakes, is_colored: bool) -> String {
    let renderer = if is_colored { Renderer::styled() } else { Renderer::plain() };
    let mut parts: Vec<_> = mistakes
        .diagnostics
        .iter()
        .take(MAX_DRAWN)
        .map(|diagnostic| renderer.render(&[group(diagnostic, &mistakes.sources)]).to_string())
        .collect();
    let files: BTreeSet<SourceId> =
        mistakes.diagnostics.iter().filter_map(|d| Some(d.place.as_ref()?.source)).collect();
    let n_mistakes = mistakes.diagnostics.len();
    if n_mistakes > 1 {
        let mut total = format!("{n_mistakes} mistakes in {}", counted(files.len(), "file"));
        if n_mistakes > MAX_DRAWN {
            total.push_str(&format!("; these are the first {MAX_DRAWN}"));
        }
        parts.push(
            renderer.render(&[Group::with_title(Level::ERROR.primary_title(total))]).to_string(),
        );
    }
    parts.join("\n\n")
}

/// An error as a document for programs: each mistake with its place.
pub(super) fn as_json(error: &anyhow::Error) -> Value {
    let (what, found) = match error.downcast_ref::<Error>() {
        Some(Error::Config(found)) => ("the configuration is wrong", found),
        Some(Error::Absent(found)) => ("data is missing", found),
        _ => return json!({"schema": SCHEMA, "error": format!("{error:#}")}),
    };
    let mistake = |diagnostic: &Diagnostic| {
        let place = diagnostic.place.as_ref();
        let at = place.map(|place| found.sources.line_and_column(place));
        json!({
            "message": diagnostic.message,
            "file": place.map(|place| found.sources.get(place.source).name.as_str()),
            "line": at.map(|(line, _)| line),
            "column": at.map(|(_, column)| column),
            "hints": diagnostic.hints,
        })
    };
    let mistakes: Vec<_> = found.diagnostics.iter().map(mistake).collect();
    json!({"schema": SCHEMA, "error": what, "mistakes": mistakes})
}

fn group<'a>(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Group<'a> {
    let title = Level::ERROR.primary_title(diagnostic.message.as_str());
    let mut group = match &diagnostic.place {
        Some(place) => {
            let source = sources.get(place.source);
            let snippet = Snippet::source(source.text.as_str())
                .path(source.name.as_str())
                .annotation(AnnotationKind::Primary.span(shown(place, &source.text)));
            title.element(snippet)
        }
        None => Group::with_title(title),
    };
    for hint in &diagnostic.hints {
        group = group.element(Level::HELP.message(hint.as_str()));
    }
    group
}

/// The part of a place on its first line: a table is shown by its beginning.
fn shown(place: &Place, text: &str) -> std::ops::Range<usize> {
    let start = place.span.start.min(text.len());
    let end = place.span.end.clamp(start, text.len());
    let line_end = text[start..end].find('\n').map_or(end, |length| start + length);
    start..line_end
}
