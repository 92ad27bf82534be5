//! What is served at which path, and by which methods.
//!
//! Paths are compared whole and once; there is no prefix that something else could hide behind.

use crate::ml::package::Package;
use crate::serve::doors::Tongue;
use crate::serve::query::decoded;
use crate::serve::state::Routes;

/// All that is served, for the answer to a path that is not.
pub(crate) const KNOWN: &str = "POST /predict, POST /predict/batch, GET /health, \
     GET /health/ready, GET /health/live, GET /openapi.json, GET /drift, GET /shadow, \
     GET /metrics and GET /, and the paths of the Open Inference Protocol (/v2), MLflow and \
     SageMaker (/invocations, /ping, /version)";

/// What is served at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Page,
    Predict,
    Batch,
    Health,
    Ready,
    Live,
    Drift,
    Shadow,
    OpenApi,
    Invocations,
    Ping,
    Version,
    V2Server,
    V2Live,
    V2Ready,
    V2Model,
    V2ModelReady,
    V2Infer,
}

impl Resource {
    /// What is served at a path, while a package answers.
    pub(crate) fn of(path: &str, routes: &Routes, package: &Package) -> Option<Resource> {
        if let Some(resource) = fixed(path) {
            return Some(resource);
        }
        match path {
            path if routes.predict.as_deref() == Some(path) => Some(Resource::Invocations),
            path if routes.health.as_deref() == Some(path) => Some(Resource::Ping),
            path => Resource::of_model(path.strip_prefix("/v2/models/")?, package),
        }
    }

    /// What is served of a model: `MODEL[/versions/VERSION][/ready|/infer]`.
    fn of_model(path: &str, package: &Package) -> Option<Resource> {
        let mut steps = path.split('/').map(decoded);
        let mut next = || steps.next().map(Option::unwrap_or_default);
        if next()? != package.manifest().name {
            return None;
        }
        let mut step = next();
        if step.as_deref() == Some("versions") {
            if next()? != package.version() {
                return None;
            }
            step = next();
        }
        let resource = match step.as_deref() {
            None => Resource::V2Model,
            Some("ready") => Resource::V2ModelReady,
            Some("infer") => Resource::V2Infer,
            Some(_) => return None,
        };
        next().is_none().then_some(resource)
    }

    /// The methods it has, as `Allow` lists them.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Resource::Predict | Resource::Batch | Resource::Invocations | Resource::V2Infer => {
                "OPTIONS, POST"
            }
            _ => "GET, HEAD, OPTIONS",
        }
    }
}

/// What is served at a path of every service.
pub(crate) fn fixed(path: &str) -> Option<Resource> {
    match path {
        "/" => Some(Resource::Page),
        "/predict" => Some(Resource::Predict),
        "/predict/batch" => Some(Resource::Batch),
        "/health" => Some(Resource::Health),
        "/health/ready" => Some(Resource::Ready),
        "/health/live" => Some(Resource::Live),
        "/drift" => Some(Resource::Drift),
        "/shadow" => Some(Resource::Shadow),
        "/openapi.json" => Some(Resource::OpenApi),
        "/invocations" => Some(Resource::Invocations),
        "/ping" => Some(Resource::Ping),
        "/version" => Some(Resource::Version),
        "/v2" => Some(Resource::V2Server),
        "/v2/health/live" => Some(Resource::V2Live),
        "/v2/health/ready" => Some(Resource::V2Ready),
        _ => None,
    }
}

/// Whose errors a path speaks, also one at which there is nothing.
pub(crate) fn tongue(path: &str, resource: Option<Resource>) -> Tongue {
    match resource {
        Some(Resource::Invocations | Resource::Ping | Resource::Version) => Tongue::Mlflow,
        _ if path == "/v2" || path.starts_with("/v2/") => Tongue::V2,
        _ => Tongue::Own,
    }
}
