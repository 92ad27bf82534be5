//! The challenger beside a service: where its package is, and how people and programs are told what
//! becomes of it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use engine::alias::Aliases;
use engine::error::ExitCode;
use engine::project::OUTPUTS_DIR;
use engine::spec;
use serde_json::{Map, Value, json};

use super::ended;
use super::follow::Followed;
use crate::cli::Shadow as Flags;
use crate::kinds::serve::Params;
use crate::kinds::serve::shadow::Wanted;
use crate::serve::{NO_CHALLENGER, News, Shadow, ShadowSettings, Source};
use crate::terminal::{Style, Terminal};

/// Lays the flags over the parameters. Paths of flags are meant from here, not from the project.
pub(super) fn lay(flags: &Flags, values: &mut Map<String, Value>) -> anyhow::Result<()> {
    let mut given = flags.given();
    if let Some(dir) = &flags.shadow_log {
        let dir = std::path::absolute(dir)?;
        given.insert("shadow_log".to_owned(), dir.to_string_lossy().into());
    }
    if let Some(dir) = flags.shadow.as_ref().filter(|text| text.contains('/')) {
        let dir = std::path::absolute(dir)?;
        given.insert("shadow".to_owned(), dir.to_string_lossy().into());
    }
    values.extend(given);
    Ok(())
}

/// The challenger that the parameters want beside a service of the project in `root`, which need
/// not be one where it is a directory that is named.
pub(super) fn beside(
    params: &Params,
    root: &Path,
    terminal: &Terminal,
) -> anyhow::Result<Option<Shadow>> {
    let followed = match params.shadow.wanted() {
        None => return Ok(None),
        Some(Wanted::Directory(dir)) => Followed::Directory(root.join(dir)),
        Some(Wanted::Alias(name)) if root.join(spec::FILE_NAME).is_file() => {
            Followed::alias(&Aliases::new(&root.join(OUTPUTS_DIR)), name)
        }
        Some(Wanted::Alias(name)) => {
            let message = format!(
                "`{name}` is a name of a project, and there is none here\nhint: a directory is \
                 written with a slash: `--shadow ./{name}`"
            );
            return Err(ended(ExitCode::Usage, message));
        }
    };
    let kept = params.shadow.kept(root);
    let dir = kept.as_ref().map(|kept| kept.dir.display().to_string()).unwrap_or_default();
    let settings = ShadowSettings {
        policy: params.policy(),
        capacity: params.shadow.shadow_queue,
        threshold: params.shadow.shadow_threshold,
        kept,
    };
    let source = Beside { followed, terminal: *terminal };
    let shadow = Shadow::start(source, settings).map_err(|error| match error.kind() {
        ErrorKind::ResourceBusy => {
            ended(ExitCode::Busy, format!("another service keeps its differences in `{dir}`"))
        }
        _ => ended(ExitCode::Failed, format!("cannot keep differences in `{dir}`: {error}")),
    })?;
    Ok(Some(shadow))
}

/// A challenger's source that tells a terminal.
struct Beside {
    followed: Followed,
    terminal: Terminal,
}

impl Source for Beside {
    fn pointer(&self) -> Option<&Path> {
        self.followed.pointer()
    }

    fn package(&self) -> Result<PathBuf, String> {
        self.followed.package()
    }

    fn tell(&self, news: &News<'_>) {
        let terminal = &self.terminal;
        let event = |document: Value| {
            if terminal.json {
                terminal.json_line(&document);
            }
        };
        match news {
            News::Swapped { from, to } => {
                let before = Some(*from).filter(|from| *from != NO_CHALLENGER);
                event(json!({
                    "schema": "pipeline.event/1", "event": "shadow",
                    "challenger": to, "before": before,
                }));
                let before = before.map(|before| format!("; before: {before}"));
                let before = before.unwrap_or_default();
                let line = format!("challenger {to} scores beside{before}");
                terminal.note(&terminal.paint_err(&line, Style::Good));
            }
            News::Kept { version, reason } => {
                let version = Some(*version).filter(|version| *version != NO_CHALLENGER);
                event(json!({
                    "schema": "pipeline.event/1", "event": "shadow_kept",
                    "challenger": version, "reason": reason,
                }));
                let goes_on = match version {
                    Some(version) => format!("so {version} goes on beside"),
                    None => "so nothing scores beside".to_owned(),
                };
                terminal
                    .warning(&format!("the challenger cannot be taken up, {goes_on}: {reason}"));
            }
            News::Looked => {}
        }
    }
}
