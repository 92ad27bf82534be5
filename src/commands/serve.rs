//! `pipeline serve`, and how `pipeline run` launches the service at its end.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use engine::alias;
use engine::error::{Error, ExitCode};
use engine::graph::{Graph, Plug, StageId};
use serde::Deserialize;
use tokio::net::TcpListener;

use super::interrupt::Interrupt;
use super::{Opened, ended, open};
use crate::cli::{self, Global, Policy as Flags, Serve as Args, Which};
use crate::kinds::serve::Params;
use crate::ml::package::{Package, PackageError};
use crate::serve::{self, Extra, Options, Range, Routes};
use crate::terminal::{Style, Terminal};

pub(super) fn serve(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::listen(*terminal)?;
    let (mut params, dir) = chosen(global, &args.which)?;
    lay(&args.policy, &mut params);
    if let Some(host) = args.host {
        params.host = host.to_string();
    }
    let routes = surroundings(&mut params)?;
    params.port = args.port.unwrap_or(params.port);
    listen(&params, routes, &dir, interrupt, terminal)
}

/// The parameters of the service and the package that was named, or those of the pipeline. A
/// package can be used where there is no project at all.
pub(super) fn chosen(global: &Global, which: &Which) -> anyhow::Result<(Params, PathBuf)> {
    if let Some(dir) = &which.package {
        return Ok((defaults()?, dir.to_owned()));
    }
    let opened = open(global)?;
    let id = service(&opened.graph)?;
    let dir = match &which.alias {
        Some(name) => alias::refresh(&opened.project, name)?,
        None => package_dir(&opened, id)?,
    };
    Ok((params(&opened.graph, id)?, dir))
}

/// Lays the flags over the parameters.
pub(super) fn lay(flags: &Flags, params: &mut Params) {
    if let Some(range) = flags.range {
        params.range = match range {
            cli::Range::Reject => Range::Reject,
            cli::Range::Warn => Range::Warn,
            cli::Range::Clip => Range::Clip,
        };
    }
    if let Some(extra) = flags.extra {
        params.extra = match extra {
            cli::Extra::Reject => Extra::Reject,
            cli::Extra::Ignore => Extra::Ignore,
        };
    }
    params.lax |= flags.lax;
}

/// The paths and the port that Vertex AI asks a container for; nothing elsewhere.
fn surroundings(params: &mut Params) -> anyhow::Result<Routes> {
    let asked = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(port) = asked("AIP_HTTP_PORT") {
        let wrong = |_| ended(ExitCode::Usage, format!("AIP_HTTP_PORT is `{port}`, not a port"));
        params.port = port.parse().map_err(wrong)?;
    }
    let routes = Routes { health: asked("AIP_HEALTH_ROUTE"), predict: asked("AIP_PREDICT_ROUTE") };
    for path in [&routes.health, &routes.predict].into_iter().flatten() {
        if !path.starts_with('/') {
            let message = format!(
                "`{path}` is not a path: AIP_HEALTH_ROUTE and AIP_PREDICT_ROUTE begin with a slash"
            );
            return Err(ended(ExitCode::Usage, message));
        }
    }
    Ok(routes)
}

/// Launches a service stage whose package has just been made.
pub(super) fn launch(
    opened: &Opened,
    id: StageId,
    interrupt: Interrupt,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    let (params, dir) = (params(&opened.graph, id)?, package_dir(opened, id)?);
    listen(&params, Routes::default(), &dir, interrupt, terminal)
}

fn service(graph: &Graph) -> anyhow::Result<StageId> {
    let found = graph.ids().find(|id| graph.stage(*id).is_service());
    let hint = "the pipeline has no stage of kind `serve`; name a package with `--package DIR`";
    found.ok_or_else(|| ended(ExitCode::Usage, hint))
}

fn params(graph: &Graph, id: StageId) -> anyhow::Result<Params> {
    Ok(Params::deserialize(&graph.stage(id).params)?)
}

fn defaults() -> anyhow::Result<Params> {
    use engine::kind::Kind;
    let none = serde_json::Value::Object(serde_json::Map::new());
    let checked = crate::kinds::serve::Serve.params().check(&none);
    Ok(Params::deserialize(checked.unwrap_or_default())?)
}

/// Where the package is that a service stage is plugged into.
fn package_dir(opened: &Opened, id: StageId) -> anyhow::Result<PathBuf> {
    let plugs: BTreeSet<_> = opened
        .graph
        .stage(id)
        .inputs
        .iter()
        .flat_map(|port| &port.plugs)
        .filter_map(|plug| match plug {
            Plug::Stage { stage, output } => Some((*stage, *output)),
            Plug::Data { .. } => None,
        })
        .collect();
    let (stage, output) = plugs.first().context("the service is not plugged into a package")?;
    let stage = opened.graph.stage(*stage);
    let dir = opened.project.outputs.join(&stage.name).join(&stage.outputs[*output].path);
    if !dir.is_dir() {
        let name = &stage.name;
        let message =
            format!("the package of stage `{name}` is not there; `pipeline run` makes it");
        return Err(Error::Missing(message).into());
    }
    Ok(dir)
}

fn listen(
    params: &Params,
    routes: Routes,
    dir: &Path,
    interrupt: Interrupt,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    let host: IpAddr = params.host.parse()?;
    let address = SocketAddr::new(host, params.port);
    let package = Package::load(dir).map_err(|error| unservable(dir, &error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await.map_err(|error| bind(address, &error))?;
        // From here on a signal ends the service cleanly.
        let shutdown = interrupt.serve();
        announce(listener.local_addr()?, &package, terminal);
        let (max_body_bytes, policy) = (params.max_body_bytes, params.policy());
        let options = Options { max_body_bytes, policy, routes, ..Options::default() };
        serve::run(listener, package, dir.to_owned(), options, shutdown).await
    })?;
    // Requests that did not end in time are not waited for.
    runtime.shutdown_background();
    terminal.note("the service has stopped");
    Ok(ExitCode::Ok)
}

pub(super) fn unservable(dir: &Path, error: &PackageError) -> anyhow::Error {
    let code = match error {
        PackageError::Missing(_) => ExitCode::Missing,
        PackageError::Altered(_) => ExitCode::Corrupt,
        _ => ExitCode::Failed,
    };
    ended(code, format!("the package in `{}` cannot be served: {error}", dir.display()))
}

fn bind(address: SocketAddr, error: &std::io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::AddrInUse => {
            let hint = "`--set serve.port=0` takes a free port, `--no-serve` launches nothing";
            ended(ExitCode::Busy, format!("{address} is in use by another program\nhint: {hint}"))
        }
        _ => ended(ExitCode::Failed, format!("cannot listen on {address}: {error}")),
    }
}

/// Says where the service is, with a line to try it.
fn announce(address: SocketAddr, package: &Package, terminal: &Terminal) {
    let url = format!("http://{address}");
    if terminal.json {
        terminal.json_line(&serde_json::json!({
            "schema": "pipeline.event/1", "event": "serving", "url": url,
            "model_version": package.version(),
        }));
        return;
    }
    if terminal.quiet {
        // With port 0 nobody else could tell.
        terminal.out(&url);
        return;
    }
    let example = package.schema().example().to_string().replace('\'', "'\\''");
    let version = package.version();
    let heading = format!("serving model {version} on {url}");
    terminal.note(&terminal.paint_err(&heading, Style::Good));
    terminal.note(&format!("  page  {url}/"));
    terminal.note(&format!(
        "  try   curl {url}/predict -H 'content-type: application/json' -d '{example}'"
    ));
    terminal.note("  stop  Ctrl-C");
}
