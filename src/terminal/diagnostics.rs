//! Mistakes in the configuration, drawn with their source lines and carets.

use std::collections::BTreeSet;

use super::counted;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use engine::error::{Diagnostic, Mistakes, Place, SourceId, Sources};

/// All mistakes, then how many there are.
pub(super) fn render(mistakes: &Mistakes, is_colored: bool) -> String {
    let renderer = if is_colored { Renderer::styled() } else { Renderer::plain() };
    let mut parts: Vec<_> = mistakes
        .diagnostics
        .iter()
        .map(|diagnostic| renderer.render(&[group(diagnostic, &mistakes.sources)]).to_string())
        .collect();
    let files: BTreeSet<SourceId> =
        mistakes.diagnostics.iter().filter_map(|d| Some(d.place.as_ref()?.source)).collect();
    if mistakes.diagnostics.len() > 1 {
        let total =
            format!("{} mistakes in {}", mistakes.diagnostics.len(), counted(files.len(), "file"));
        parts.push(
            renderer.render(&[Group::with_title(Level::ERROR.primary_title(total))]).to_string(),
        );
    }
    parts.join("\n\n")
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
