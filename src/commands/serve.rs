//! `pipeline serve`, and how `pipeline run` launches the service at its end.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use engine::alias;
use engine::error::{Error, ExitCode};
use engine::graph::{Graph, Plug, StageId};
use engine::kind::Kind;
use engine::params::Step;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use super::access;
use super::follow::{Followed, Following};
use super::interrupt::Interrupt;
use super::notify::{READY, RELOADING, STOPPING, notify};
use super::{Opened, ended, open, root};
use super::{predictions, shadow, spans};
use crate::cli::{self, Global, Policy as Flags, Serve as Args, Which};
use crate::kinds::serve::{Params, Serve};
use crate::ml::package::{Package, PackageError};
use crate::serve::{self, Access, Follow, Listener, Log, Options, Reload, Routes, Shadow, Socket};
use crate::terminal::{Style, Terminal, counted};

/// How long a slow reader of the log, or a slow challenger, may keep the process from its end.
const FLUSH: Duration = Duration::from_secs(1);

pub(super) fn serve(global: &Global, args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    if let Some(name) = &args.new_key {
        let (rate, file) = (args.access.rate.as_deref(), args.access.keys.as_deref());
        return access::new_key(name, rate, file, terminal);
    }
    let interrupt = Interrupt::listen(*terminal)?;
    let Chosen { mut values, dir, followed } = chosen(global, &args.which)?;
    let routes = surroundings(&mut values)?;
    if args.host.is_some() || args.port.is_some() {
        values.remove("socket");
    }
    values.extend(args.host.map(|host| ("host".to_owned(), host.to_string().into())));
    values.extend(args.port.map(|port| ("port".to_owned(), port.into())));
    values.extend(args.access.given());
    values.extend(args.predictions.given());
    values.extend(args.limits.given());
    shadow::lay(&args.shadow, &mut values)?;
    lay(&args.policy, &mut values);
    let follow = Follow::new(Following { followed, terminal: *terminal });
    let params = checked(values)?;
    let shadow = shadow::beside(&params, &root(global)?, terminal)?;
    listen(&params, routes, &dir, follow, shadow, interrupt, terminal)
}

/// A package to be used.
pub(super) struct Chosen {
    /// The parameters of the service.
    pub(super) values: Map<String, Value>,
    /// Where it is now.
    pub(super) dir: PathBuf,
    /// What tells where it is later.
    pub(super) followed: Followed,
}

/// The parameters of the service and the package that was named, or those of the pipeline. A
/// package can be used where there is no project at all.
pub(super) fn chosen(global: &Global, which: &Which) -> anyhow::Result<Chosen> {
    if let Some(dir) = &which.package {
        let followed = Followed::Directory(dir.clone());
        return Ok(Chosen { values: Map::new(), dir: dir.clone(), followed });
    }
    let opened = open(global)?;
    let id = service(&opened.graph)?;
    let (dir, followed) = match &which.alias {
        Some(name) => {
            let dir = alias::refresh(&opened.project, name)?;
            (dir, Followed::alias(&opened.project.aliases, name))
        }
        None => {
            let dir = package_dir(&opened, id)?;
            (dir.clone(), Followed::Directory(dir))
        }
    };
    Ok(Chosen { values: values(&opened.graph, id), dir, followed })
}

/// Lays the flags over the parameters.
pub(super) fn lay(flags: &Flags, values: &mut Map<String, Value>) {
    let range = flags.range.map(|range| match range {
        cli::Range::Reject => "reject",
        cli::Range::Warn => "warn",
        cli::Range::Clip => "clip",
    });
    let extra = flags.extra.map(|extra| match extra {
        cli::Extra::Reject => "reject",
        cli::Extra::Ignore => "ignore",
    });
    values.extend(range.map(|range| ("range".to_owned(), range.into())));
    values.extend(extra.map(|extra| ("extra".to_owned(), extra.into())));
    values.extend(flags.lax.then(|| ("lax".to_owned(), true.into())));
}

/// The paths and the port that Vertex AI asks a container for; nothing elsewhere.
fn surroundings(values: &mut Map<String, Value>) -> anyhow::Result<Routes> {
    let asked = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(port) = asked("AIP_HTTP_PORT") {
        let wrong = |_| ended(ExitCode::Usage, format!("AIP_HTTP_PORT is `{port}`, not a port"));
        let port = port.parse::<u16>().map_err(wrong)?;
        values.insert("port".to_owned(), port.into());
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
    let (params, dir) = (checked(values(&opened.graph, id))?, package_dir(opened, id)?);
    let followed = Followed::Directory(dir.clone());
    let follow = Follow::new(Following { followed, terminal: *terminal });
    let shadow = shadow::beside(&params, &opened.project.root, terminal)?;
    listen(&params, Routes::default(), &dir, follow, shadow, interrupt, terminal)
}

fn service(graph: &Graph) -> anyhow::Result<StageId> {
    let found = graph.ids().find(|id| graph.stage(*id).is_service());
    let hint = "the pipeline has no stage of kind `serve`; name a package with `--package DIR`";
    found.ok_or_else(|| ended(ExitCode::Usage, hint))
}

/// The parameters of a service stage.
fn values(graph: &Graph, id: StageId) -> Map<String, Value> {
    graph.stage(id).params.as_object().cloned().unwrap_or_default()
}

/// The parameters with what was given as flags, checked like those of a stage.
pub(super) fn checked(values: Map<String, Value>) -> anyhow::Result<Params> {
    let checked = Serve.params().check(&Value::Object(values));
    let complaints = match &checked {
        Ok(values) => Serve.check(values),
        Err(complaints) => complaints.clone(),
    };
    if complaints.is_empty() {
        return Ok(Params::deserialize(checked.unwrap_or_default())?);
    }
    let told = complaints.iter().map(|complaint| {
        let name = match complaint.path.first() {
            Some(Step::Key(name)) => name.as_str(),
            _ => "set",
        };
        format!("--{}: {}", name.replace('_', "-"), complaint.message)
    });
    Err(ended(ExitCode::Usage, told.collect::<Vec<_>>().join("\n")))
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
    follow: Follow,
    shadow: Option<Shadow>,
    interrupt: Interrupt,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    // Where it was seen, so that what changes from then on is followed.
    let seen = follow.dir().map_err(|reason| ended(ExitCode::Missing, reason))?;
    let package = Package::load(&seen).map_err(|error| unservable(dir, &error))?;
    check_shadow(shadow.as_ref(), &package)?;
    let access = access::open(&params.access, terminal)?;
    let logging = params.predictions.logging();
    let predictions = logging.map(|logging| predictions::open(logging, terminal)).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let cut = runtime.block_on(async {
        let (listener, place) = place(params).await?;
        // From here on a signal ends the service cleanly.
        let stopped = interrupt.serve();
        let reloads = tokio::spawn(reload_when_asked(interrupt.reload(), follow.reload()));
        warn_of_strangers(&place, &access, terminal);
        announce(&place, &package, &access, terminal);
        notify(READY);
        let shutdown = async {
            stopped.await;
            reloads.abort();
            notify(STOPPING);
        };
        let (max_body_bytes, policy) = (params.max_body_bytes, params.policy());
        // It ends with the runtime.
        tokio::spawn(access::watch(access.clone(), *terminal));
        let admin = params.admin;
        let drift_window = params.drift_window();
        let options = Options { max_body_bytes, policy, drift_window, ..Options::default() };
        let options =
            Options { routes, admin, access, predictions: predictions.clone(), ..options };
        let log = params.log().map(|format| Log::start(format, std::io::stderr())).transpose()?;
        let spans = spans::start(*terminal)?;
        let options = Options { log: log.clone(), spans: spans.clone(), ..options };
        let options = Options { shadow: shadow.clone(), ..params.limits.lay(options) };
        let drain_timeout = options.drain_timeout;
        let cut = serve::run(listener, package, seen, Some(follow), options, shutdown).await;
        if let Some(log) = log {
            log.flush(FLUSH);
        }
        if let Some(shadow) = shadow {
            shadow.flush(FLUSH);
        }
        if let Some(predictions) = predictions {
            predictions::close(&predictions, drain_timeout, terminal);
        }
        if let Some(spans) = spans {
            spans.flush(FLUSH);
        }
        anyhow::Ok(cut)
    })?;
    // Requests that did not end in time are not waited for.
    runtime.shutdown_background();
    if cut > 0 {
        let cut = counted(cut, "connection");
        terminal.warning(&format!("{cut} did not end in time and had to be cut off"));
    }
    terminal.note("the service has stopped");
    Ok(ExitCode::Ok)
}

/// Refuses a challenger beside a package of a number.
fn check_shadow(shadow: Option<&Shadow>, package: &Package) -> anyhow::Result<()> {
    if shadow.is_some() && package.task().decision().is_none() {
        let message = "`shadow` compares classes, and this package predicts a number\nhint: serve \
                       it without `shadow`";
        return Err(ended(ExitCode::Usage, message));
    }
    Ok(())
}

/// Has the service look for another package whenever a signal asks for that.
async fn reload_when_asked(signal: Arc<Notify>, reload: Reload) {
    loop {
        signal.notified().await;
        notify(RELOADING);
        reload.ask();
    }
}

/// Where a service can be reached.
enum Place {
    At(SocketAddr),
    Socket(PathBuf),
}

/// Says so when other machines can ask whoever they are, or read what others ask.
fn warn_of_strangers(place: &Place, access: &Access, terminal: &Terminal) {
    if let Place::At(address) = place
        && !address.ip().is_loopback()
        && let Some(lack) = access::lacks(access)
    {
        terminal.warning(&format!(
            "{address} can be reached from other machines, without {lack}: let only a proxy reach \
             it that has that"
        ));
    }
}

/// Listens where the parameters say.
async fn place(params: &Params) -> anyhow::Result<(Listener, Place)> {
    if let Some(path) = &params.socket {
        let socket = Socket::bind(path, params.socket_mode());
        let socket = socket.map_err(|error| unbound_socket(path, &error))?;
        return Ok((socket.into(), Place::Socket(path.clone())));
    }
    let host: IpAddr = params.host.parse()?;
    let address = SocketAddr::new(host, params.port);
    let listener = TcpListener::bind(address).await.map_err(|error| bind(address, &error))?;
    let address = listener.local_addr()?;
    Ok((listener.into(), Place::At(address)))
}

fn unbound_socket(path: &Path, error: &std::io::Error) -> anyhow::Error {
    let path = path.display();
    match error.kind() {
        ErrorKind::AddrInUse => {
            ended(ExitCode::Busy, format!("another program listens on the socket `{path}`"))
        }
        ErrorKind::AlreadyExists => {
            let message = format!("`{path}` is there and is no socket: remove it, or name another");
            ended(ExitCode::Usage, message)
        }
        _ => ended(ExitCode::Failed, format!("cannot listen on the socket `{path}`: {error}")),
    }
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
fn announce(place: &Place, package: &Package, access: &Access, terminal: &Terminal) {
    let scheme = if access.tls().is_some() { "https" } else { "http" };
    let (url, curl) = match place {
        Place::At(address) => {
            (format!("{scheme}://{address}"), format!("curl {scheme}://{address}"))
        }
        Place::Socket(path) => {
            let path = path.display();
            (format!("unix:{path}"), format!("curl --unix-socket {path} {scheme}://localhost"))
        }
    };
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
    if let Place::At(_) = place {
        terminal.note(&format!("  page  {url}/"));
    }
    let key = if access.keys().is_some() { " -H 'x-api-key: KEY'" } else { "" };
    terminal.note(&format!(
        "  try   {curl}/predict -H 'content-type: application/json'{key} -d '{example}'"
    ));
    terminal.note("  stop  Ctrl-C");
}
