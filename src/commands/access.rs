//! Who may ask a service: reads what the parameters name, watches over it, and makes new keys.
//!
//! The service itself neither prints nor knows the environment; what it finds out about its files
//! is told here.

use std::env::VarError;
use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use engine::error::ExitCode;
use serde_json::json;

use super::ended;
use crate::kinds::serve::access::Params;
use crate::serve::{self, Access, Certificates, Cors, Keys, NewKey, Rate, Tls, Unusable};
use crate::terminal::Terminal;

/// What holds keys in place of a file, or beside one.
const ENVIRONMENT: &str = "PIPELINE_SERVE_KEYS";

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Reads all that the parameters name. They were checked.
pub(super) fn open(params: &Params, terminal: &Terminal) -> anyhow::Result<Access> {
    let mut access = Access::default();
    let environment = environment()?;
    if params.keys.is_some() || environment.is_some() {
        let lines = environment.unwrap_or_default();
        let keys = Keys::open(params.keys.as_deref(), &lines).map_err(unusable)?;
        access = access.with_keys(keys, params.open.clone());
    } else if !params.open.is_empty() {
        terminal.warning("`open` says what needs no key, and no key is wanted for anything");
    }
    if let Some(rate) = &params.rate {
        access = access.with_rate(rate_of(rate)?);
    }
    if !params.cors_origins.is_empty() {
        let cors = Cors::new(&params.cors_origins);
        access = access.with_cors(cors.map_err(|wrong| usage(wrong.join("; ")))?);
    }
    if let (Some(cert), Some(key)) = (&params.tls_cert, &params.tls_key) {
        let client_ca = params.tls_client_ca.clone();
        let files = Certificates { cert: cert.clone(), key: key.clone(), client_ca };
        access = access.with_tls(Tls::open(files).map_err(unusable)?);
    }
    let readable = access.keys().and_then(Keys::readable);
    for path in readable.into_iter().chain(access.tls().and_then(Tls::readable)) {
        let path = path.display();
        terminal.warning(&format!("everyone here can read `{path}`: `chmod o-r {path}`"));
    }
    Ok(access)
}

/// The keys of the environment. A variable that is set and empty is one: a secret that has not
/// arrived must not open the service to everyone.
fn environment() -> anyhow::Result<Option<String>> {
    match std::env::var(ENVIRONMENT) {
        Ok(lines) => Ok(Some(lines)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(usage(format!("{ENVIRONMENT} is no text"))),
    }
}

/// What a service lacks that others than this machine can reach, as the end of "without …".
pub(super) fn lacks(access: &Access) -> Option<&'static str> {
    let is_known = access.keys().is_some() || access.tls().is_some_and(Tls::knows_clients);
    match (access.tls().is_some(), is_known) {
        (true, true) => None,
        (true, false) => Some("keys (`--keys`, or `--tls-client-ca`)"),
        (false, true) => Some("encryption (`--tls-cert`)"),
        (false, false) => Some("encryption (`--tls-cert`) or keys (`--keys`)"),
    }
}

/// Reads files again when they change, for as long as the service runs.
pub(super) async fn watch(access: Access, terminal: Terminal) {
    if access.keys().is_none() && access.tls().is_none() {
        return;
    }
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let access = access.clone();
        let looked = tokio::task::spawn_blocking(move || access.refresh()).await;
        for told in looked.unwrap_or_default() {
            match told {
                Ok(news) => terminal.note(&news),
                Err(why) => terminal.warning(&format!("{why}; what held before still holds")),
            }
        }
    }
}

/// Makes a key: adds it to a file, if there is one, and tells the token once.
pub(super) fn new_key(
    name: &str,
    rate: Option<&str>,
    file: Option<&Path>,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    let rate = rate.map(rate_of).transpose()?;
    let key = NewKey::make(name, rate).map_err(usage)?;
    if let Some(path) = file {
        add(name, &key.line, path)?;
        terminal
            .note(&format!("added `{name}` to `{}`; its token, told only now:", path.display()));
    }
    if terminal.json {
        terminal.json_line(&json!({ "name": name, "token": key.token, "line": key.line }));
        return Ok(ExitCode::Ok);
    }
    terminal.out(&key.token);
    if file.is_none() {
        terminal.out(&key.line);
    }
    Ok(ExitCode::Ok)
}

/// Adds a line to a file of keys, which is made if it is not there, for its owner alone.
fn add(name: &str, line: &str, path: &Path) -> anyhow::Result<()> {
    match serve::key_names(path) {
        Ok(names) if names.iter().any(|found| found == name) => {
            let shown = path.display();
            return Err(usage(format!("`{shown}` has a key `{name}`: remove it, or name another")));
        }
        Ok(_) | Err(Unusable::Missing(_)) => {}
        Err(wrong) => return Err(unusable(wrong)),
    }
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).append(true).create(true).mode(0o600).open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let mut last = [b'\n'];
        if length > 0 {
            file.seek(SeekFrom::Start(length - 1))?;
            file.read_exact(&mut last)?;
        }
        let before = if last == [b'\n'] { "" } else { "\n" };
        // In one go, since a service may be reading.
        file.write_all(format!("{before}{line}\n").as_bytes())
    };
    write().map_err(|error: std::io::Error| {
        ended(ExitCode::Failed, format!("cannot write `{}`: {error}", path.display()))
    })
}

fn rate_of(text: &str) -> anyhow::Result<Rate> {
    text.parse().map_err(usage)
}

fn usage(message: String) -> anyhow::Error {
    ended(ExitCode::Usage, message)
}

fn unusable(error: Unusable) -> anyhow::Error {
    let code = match error {
        Unusable::Missing(_) => ExitCode::Missing,
        Unusable::Wrong(_) => ExitCode::Usage,
    };
    ended(code, error.to_string())
}
